//! What a broker outlives: runs and agents that come, go, and are killed, and several runs at once.

use std::{collections::BTreeSet, fs, net::TcpStream, path::Path};

use molotov_tests::{Program, Running, wait_until};
use rustix::process::Signal;

use super::{
    MOLOTOV, Scripts,
    machines::{Machines, end, rows},
};

/// Waits until a program has written a text to its standard error.
#[track_caller]
fn wait_for(running: &Running, text: &str) {
    wait_until(&format!("it wrote {text:?}"), || running.errors().contains(text));
}

#[test]
fn an_agent_takes_the_place_of_another_one_with_the_same_name() {
    let machines = Machines::new();
    let [first, killed, other] = machines.agents(["one", "two", "two"]);
    // While two agents have the same name, one of them gets another one.
    let line = "--agents 3 -w 6 -r 5 --report run.json";
    let output = machines.start(line).wait().exited(0);
    assert_eq!(output.totals(), (30, 0), "{output:#?}");
    assert_eq!(rows(&machines.report("run.json")), [("one", 10), ("two", 10), ("two-2", 10)]);
    let renamed = [&killed, &other].map(|agent| agent.written() + &agent.errors());
    assert_eq!(renamed.iter().filter(|text| text.contains(": takes part as two-2")).count(), 1, "{renamed:#?}");

    end([first, other]);
    killed.signal(Signal::KILL);
    let agents = machines.agents(["one", "two", "three"]);
    let output = machines.start(line).wait().exited(0);
    assert_eq!((output.totals(), machines.scripts.server.served()), ((30, 0), 60), "{output:#?}");
    assert_eq!(rows(&machines.report("run.json")), [("one", 10), ("three", 10), ("two", 10)]);
    end(agents);
}

/// The agents of the killed coordinator are those of the next run.
#[test]
fn a_run_is_not_disturbed_by_one_whose_coordinator_was_killed() {
    let machines = Machines::new();
    let agents = machines.agents(["m1", "m2", "m3"]);
    let killed = machines.start("--agents 3 -w 6 -d 300");
    let of = |run: &str| machines.requests().iter().filter(|request| request[0] == run).count() as u64;
    wait_until("requests arrive", || of("first") > 100);
    assert!(machines.broker.stored_files() > 0);
    killed.signal(Signal::KILL);
    let next = machines.start("--agents 3 -w 6 -r 10 second.py");
    for agent in &agents {
        wait_for(agent, "the coordinator is silent for ");
    }
    let output = next.wait().exited(0);
    assert_eq!((output.totals(), of("second")), ((60, 0), 60), "{output:#?}");
    wait_until("nothing is left at the broker", || machines.broker.stored_files() == 0);
    let served = machines.scripts.server.served();
    end(agents);
    assert_eq!(machines.scripts.server.served(), served);
}

/// Two runs at one broker, each with an agent that is killed.
#[test]
fn lost_agents_stop_the_run_or_are_left_out_of_it() {
    let machines = Machines::new();
    let agents = machines.agents(["m1", "m2", "m3", "m4", "m5", "m6"]);
    let stopping = machines.start("--agents 3 -w 6 -d 60 --delay 0.005 --report first.json");
    let continuing =
        machines.start("--agents 3 -w 6 -d 8 --delay 0.005 --on-lost continue --report second.json second.py");
    let members = |run: &str| -> BTreeSet<String> {
        machines.requests().into_iter().filter(|request| request[0] == run).map(|[_, agent, ..]| agent).collect()
    };
    wait_until("all agents send requests", || ["first", "second"].iter().all(|run| members(run).len() == 3));
    let runs = ["first", "second"].map(members);
    assert!(runs[0].is_disjoint(&runs[1]), "{runs:?}");
    let killed = runs.each_ref().map(|run| run.first().unwrap().clone());
    for name in &killed {
        let number: usize = name[1..].parse().unwrap();
        agents[number - 1].signal(Signal::KILL);
    }
    let outputs = [stopping, continuing].map(|run| run.wait().exited(1));
    for ((output, shown), (run, name)) in outputs
        .iter()
        .zip(["has been silent since ", "the run continues without it"])
        .zip(["first", "second"].into_iter().zip(&killed))
    {
        assert!(output.stdout.contains(shown) && output.stdout.contains(&format!("the agent {name} ")), "{output:#?}");
        assert!(output.stdout.contains("2 of 3 agents sent all of their measures."), "{output:#?}");
        // Requests of the lost agent may be missing, and nothing else.
        let report = machines.report(&format!("{run}.json"));
        let requests = machines.requests();
        let (lost, others): (Vec<_>, Vec<_>) =
            requests.iter().filter(|request| request[0] == run).partition(|request| request[1] == *name);
        let (counted, failed) = output.totals();
        let (lost, others) = (lost.len() as u64, others.len() as u64);
        assert!(
            failed == 0 && (others..=others + lost).contains(&counted),
            "{counted} of {others} + {lost}: {output:#?}"
        );
        for (agent, count) in rows(&report) {
            let sent = requests.iter().filter(|request| request[0] == run && request[1] == agent).count() as u64;
            assert!(count == sent || agent == name && count < sent, "{agent}: {count} of {sent}");
        }
        // The run waits for an agent to return. That is no time of the load.
        let elapsed = report["elapsed_s"].as_f64().unwrap();
        let expected = if run == "first" { 4.0..30.0 } else { 8.0..9.0 };
        assert!(expected.contains(&elapsed), "{elapsed}");
        let rate = report["scenarios"][0]["rate"].as_f64().unwrap();
        assert!((rate - counted as f64 / elapsed).abs() < 0.1, "{rate}: {report:#}");
        let last = report["timeline"].as_array().unwrap().last().unwrap();
        assert!(last["at_s"].as_f64().unwrap() <= elapsed, "{last:#}");
    }
}

#[test]
fn two_runs_that_need_the_same_agents_take_turns() {
    let machines = Machines::new();
    let mut agents = vec![machines.agent("m1")];
    let first = machines.start("--agents 2 -w 2 -r 5");
    first.wait_for("The agent m1 (");
    let second = machines.start("--agents 2 -w 2 -r 7 second.py");
    second.wait_for("Waiting for 2 agents");
    // While it cannot ask for it, the other run gets the second agent.
    first.signal(Signal::STOP);
    agents.push(machines.agent("m2"));
    second.wait_for("The agent m2 (");
    first.signal(Signal::CONT);
    let output = first.wait().exited(0);
    assert_eq!(output.totals(), (10, 0), "{output:#?}");
    let output = second.wait().exited(0);
    assert_eq!(output.totals(), (14, 0), "{output:#?}");
    let shown = "An earlier run at this broker waits for agents, too: this run gives it 1 agent and waits";
    assert!(output.stdout.contains(shown), "{output:#?}");
    let requests = machines.requests();
    assert!(requests.iter().map(|request| request[0] == "first").eq((0..24).map(|number| number < 10)), "{requests:?}");
    end(agents);
}

/// The processes that have a text in their command line.
fn processes(text: &str) -> usize {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let command_lines = entries.map(|entry| fs::read(entry.path().join("cmdline")).unwrap_or_default());
    command_lines.filter(|line| String::from_utf8_lossy(line).contains(text)).count()
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().next().is_none()
}

#[test]
fn the_broker_of_a_run_ends_with_it_although_it_was_killed() {
    let scripts = Scripts::new(&[("loadtest.py", SCRIPT)]);
    let folder = tempfile::tempdir().unwrap();
    let temporary = folder.path().to_str().unwrap();
    let run = scripts.program("--agents 2 -w 2 -d 300").env("TMPDIR", temporary).start();
    let line = || {
        run.errors()
            .split_once("On each machine: molotov ")
            .and_then(|(_, line)| Some(line.split_once('\n')?.0.to_owned()))
    };
    wait_until("the run says how to join", || line().is_some());
    let line = line().unwrap();
    let agents = ["m1", "m2"].map(|name| {
        let program = Program::new(MOLOTOV, &format!("{line} --agent-name {name}")).in_directory(folder.path());
        program.against(&scripts.server).start()
    });
    wait_until("requests arrive", || scripts.server.served() > 100);
    assert!(processes(temporary) > 0 && !is_empty(folder.path()));
    let port: u16 = line.rsplit(':').next().unwrap().parse().unwrap();
    run.signal(Signal::KILL);
    wait_until("nothing of the broker is left", || processes(temporary) == 0 && is_empty(folder.path()));
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    for agent in &agents {
        wait_for(agent, "cannot be reached; trying again");
    }
    // Agents wait for a broker at that address, until they are asked to end.
    let served = scripts.server.served();
    wait_until("the load continues", || scripts.server.served() > served);
    end(agents);
}

const SCRIPT: &str = r#"
import os
import molotov

@molotov.scenario()
async def browse(session):
    async with session.get(os.environ["TARGET"] + "/ok") as response:
        await response.text()
"#;
