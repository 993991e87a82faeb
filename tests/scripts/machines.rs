//! Runs on several machines: real agents, a real broker, and a server that counts.

use std::collections::{BTreeMap, BTreeSet};

use molotov_tests::{Arrival, NatsServer, Program, Running, report, wait_until};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{MOLOTOV, Scripts};

/// A script whose requests name the run, the agent, the process and the worker.
const SCRIPT: &str = r#"
import os
import molotov
from shop import PATH

@molotov.setup_session()
async def prepare(worker_id, session):
    parts = [os.environ["TARGET"] + PATH, os.environ["AGENT"], str(os.getpid()), str(worker_id)]
    session.url = "/".join(parts)

@molotov.scenario()
async def browse(session):
    async with session.get(session.url) as response:
        await response.text()
"#;

/// A broker, and agents in a folder without the scripts.
pub(super) struct Machines {
    pub(super) scripts: Scripts,
    pub(super) broker: NatsServer,
    elsewhere: tempfile::TempDir,
}

impl Machines {
    /// Two scripts: the requests of `loadtest.py` have paths below `/ok/first`, and those of `second.py` below `/ok/second`.
    pub(super) fn new() -> Machines {
        let second = SCRIPT.replace("PATH\n", "OTHER as PATH\n");
        let shop = "PATH = '/ok/first'\nOTHER = '/ok/second'\n";
        let scripts = Scripts::new(&[("loadtest.py", SCRIPT), ("second.py", &second), ("shop.py", shop)]);
        Machines { scripts, broker: NatsServer::start(), elsewhere: tempfile::tempdir().unwrap() }
    }

    /// Starts an agent.
    pub(super) fn agent(&self, name: &str) -> Running {
        let program = Program::new(MOLOTOV, &format!("--join {} --agent-name {name}", self.broker.url()));
        program.in_directory(self.elsewhere.path()).against(&self.scripts.server).env("AGENT", name).start()
    }

    pub(super) fn agents<const N: usize>(&self, names: [&str; N]) -> [Running; N] {
        names.map(|name| self.agent(name))
    }

    /// Starts a run.
    pub(super) fn start(&self, line: &str) -> Running {
        self.scripts.program(&format!("--cluster {} {line}", self.broker.url())).start()
    }

    /// The requests so far, by the parts of their paths: the run, the agent, the process and the worker.
    pub(super) fn requests(&self) -> Vec<[String; 4]> {
        let parts = |arrival: &Arrival| {
            let parts: Vec<_> = arrival.path.split('/').skip(2).map(ToOwned::to_owned).collect();
            parts.try_into().unwrap()
        };
        self.scripts.server.arrivals().iter().map(parts).collect()
    }

    pub(super) fn report(&self, name: &str) -> Value {
        report(&self.scripts.written(name))
    }
}

/// Asks agents to end.
pub(super) fn end(agents: impl IntoIterator<Item = Running>) {
    let agents: Vec<_> = agents.into_iter().collect();
    agents.iter().for_each(|agent| agent.signal(Signal::TERM));
    agents.into_iter().for_each(|agent| _ = agent.wait().exited(0));
}

/// The names of agents in a report, each with the number of its scenarios.
pub(super) fn rows(report: &Value) -> Vec<(&str, u64)> {
    let members = report["members"].as_array().unwrap().iter();
    members
        .map(|member| (member["name"].as_str().unwrap(), member["scenarios"]["successes"].as_u64().unwrap()))
        .collect()
}

/// How often each value occurs.
fn counts<T: Ord>(values: impl Iterator<Item = T>) -> BTreeMap<T, u64> {
    let mut counts = BTreeMap::new();
    values.for_each(|value| *counts.entry(value).or_default() += 1);
    counts
}

#[test]
fn agents_share_the_load_exactly_and_leave_nothing_at_the_broker() {
    let machines = Machines::new();
    let agents = machines.agents(["m1", "m2", "m3"]);
    let served = || machines.scripts.server.served();
    let output = machines.start("--agents 3 -w 30 -r 20").wait().exited(0);
    assert_eq!((output.totals(), served()), ((600, 0), 600), "{output:#?}");
    assert!(output.stdout.contains("3 of 3 agents, nothing missing."), "{output:#?}");
    assert!(output.stdout.contains("3 agents started within "), "{output:#?}");
    // The same agents are free again.
    let output = machines.start("--agents 3 --rate 60/s -d 1").wait().exited(0);
    assert_eq!((output.totals(), served()), ((60, 0), 660), "{output:#?}");
    assert_eq!(machines.broker.stored_files(), 0);
    end(agents);
}

#[test]
fn processes_of_agents_share_the_load_and_a_killed_one_is_named() {
    let machines = Machines::new();
    let agents = machines.agents(["m1", "m2", "m3"]);
    let output = machines.start("--agents 3 -p 2 -w 10 -r 20 --report all.json").wait().exited(0);
    assert_eq!(output.totals(), (200, 0), "{output:#?}");
    let requests = machines.requests();
    // Each worker has one place, and all have the same number of requests.
    let workers = counts(requests.iter().map(|[_, _, _, worker]| worker.parse::<u32>().unwrap()));
    assert_eq!(workers, (0..10).map(|worker| (worker, 20)).collect());
    let places: BTreeSet<_> = requests.iter().map(|[_, agent, pid, worker]| (agent, pid, worker)).collect();
    assert_eq!(places.len(), 10, "{places:?}");
    let processes: BTreeSet<_> = requests.iter().map(|[_, agent, pid, _]| (agent, pid)).collect();
    assert_eq!(counts(processes.iter().map(|(agent, _)| agent.as_str())), [("m1", 2), ("m2", 2), ("m3", 2)].into());
    let of_agents = counts(requests.iter().map(|[_, agent, ..]| agent.as_str()));
    assert_eq!(rows(&machines.report("all.json")), of_agents.into_iter().collect::<Vec<_>>());

    let run = machines.start("--agents 3 -p 2 -w 12 -r 20 --delay 0.1 --report killed.json second.py");
    let second = || machines.requests().into_iter().filter(|[run, ..]| run == "second").collect::<Vec<_>>();
    wait_until("all processes have measured something", || {
        counts(second().into_iter().map(|[_, _, pid, _]| pid)).len() == 6 && second().len() > 70
    });
    let [_, agent, pid, _] = second().swap_remove(0);
    kill_process(Pid::from_raw(pid.parse().unwrap()).unwrap(), Signal::KILL).unwrap();
    let output = run.wait().exited(1);
    let lost = second().iter().filter(|request| request[2] == pid).count() as u64;
    let whole = second().len() as u64 - lost;
    assert_eq!(whole, 5 * 2 * 20);
    let (counted, failed) = output.totals();
    assert!(failed == 0 && (whole..=whole + lost).contains(&counted), "{counted} of {whole} + {lost}: {output:#?}");
    let shown = output.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    for text in [
        format!("[A:{agent}] the process {pid} was killed by SIGKILL"),
        format!("On the agent {agent}, the process {pid} was killed by SIGKILL; its counts are incomplete since "),
    ] {
        assert!(shown.contains(&text), "{text}: {output:#?}");
    }
    let report = machines.report("killed.json");
    assert_eq!(
        (&report["incomplete"][0]["agent"], &report["incomplete"][0]["pid"]),
        (&agent.into(), &pid.parse::<u32>().unwrap().into())
    );
    end(agents);
}

#[test]
fn an_agent_that_is_asked_to_end_sends_its_last_measures() {
    let machines = Machines::new();
    let agents = machines.agents(["m1", "m2", "m3"]);
    let run = machines.start("--agents 3 -w 6 -d 4 --on-lost continue");
    wait_until("requests arrive", || machines.scripts.server.served() > 100);
    agents[0].signal(Signal::TERM);
    let output = run.wait().exited(0);
    assert_eq!(output.totals(), (machines.scripts.server.served(), 0), "{output:#?}");
    assert!(output.stdout.contains("was asked to leave at "), "{output:#?}");
    assert!(output.stdout.contains("3 of 3 agents, nothing missing."), "{output:#?}");
}

#[test]
fn all_measures_arrive_after_the_broker_was_away() {
    let mut machines = Machines::new();
    let _agents = machines.agents(["m1", "m2", "m3"]);
    let run = machines.start("--agents 3 -w 6 -d 6");
    wait_until("requests arrive", || machines.scripts.server.served() > 100);
    machines.broker.stop();
    run.wait_for("the broker cannot be reached since ");
    machines.broker.start_again();
    let output = run.wait().exited(0);
    assert_eq!(output.totals(), (machines.scripts.server.served(), 0), "{output:#?}");
    assert!(output.stdout.contains("3 of 3 agents, nothing missing."), "{output:#?}");
}
