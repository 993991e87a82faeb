//! A server for the protocol of lines that the examples measure: `COMMAND TEXT` is answered by `STATUS TEXT`.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

/// What a [`LineServer`] has counted for one command.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Commands {
    /// Commands received.
    pub received: u64,
    /// Commands answered.
    pub answered: u64,
    /// Bytes received with the answered commands.
    pub bytes_in: u64,
    /// Bytes sent with the answers.
    pub bytes_out: u64,
}

/// Answers `echo` with `OK`, and every other command with `ERROR`.
pub struct LineServer {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    released: Condvar,
}

#[derive(Default)]
struct State {
    commands: BTreeMap<String, Commands>,
    holds: bool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut writer = stream.try_clone()?;
        for line in BufReader::new(stream).lines() {
            let line = line?;
            let (command, text) = line.split_once(' ').unwrap_or((&line, ""));
            let reply =
                if command == "echo" { format!("OK {text}\n") } else { format!("ERROR unknown command {command}\n") };
            let mut state = self.state();
            state.commands.entry(command.to_owned()).or_default().received += 1;
            let mut state =
                (self.released.wait_while(state, |state| state.holds)).unwrap_or_else(PoisonError::into_inner);
            let counts = state.commands.entry(command.to_owned()).or_default();
            counts.answered += 1;
            counts.bytes_in += line.len() as u64 + 1;
            counts.bytes_out += reply.len() as u64;
            drop(state);
            writer.write_all(reply.as_bytes())?;
        }
        Ok(())
    }
}

impl LineServer {
    /// Starts a server on a free port.
    ///
    /// # Panics
    ///
    /// Panics if the system has no free port.
    #[expect(clippy::new_without_default, reason = "a server that starts is no default value")]
    pub fn new() -> LineServer {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared::default());
        let server = LineServer { address, shared: shared.clone() };
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let shared = shared.clone();
                // A client that ends in the middle of a line is no failure of the server.
                thread::spawn(move || shared.serve(stream));
            }
        });
        server
    }

    /// Returns the address, such as `127.0.0.1:40000`.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Answers no more commands until the server is dropped.
    pub fn hold(&self) {
        self.shared.state().holds = true;
    }

    /// Returns the counts by command.
    pub fn counts(&self) -> BTreeMap<String, Commands> {
        self.shared.state().commands.clone()
    }
}

impl Drop for LineServer {
    fn drop(&mut self) {
        self.shared.state().holds = false;
        self.shared.released.notify_all();
    }
}
