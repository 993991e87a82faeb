//! What runs on several machines ship to their agents, and what agents refuse.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use molotov_tests::{Arrival, NatsServer, Program, Running, Server, wait_until};
use rustix::process::{Pid, Signal, test_kill_process};

use super::{MOLOTOV, Scripts};

/// An agent in an empty folder.
struct Agent {
    running: Running,
    _folder: tempfile::TempDir,
}

impl Agent {
    fn start(broker: &NatsServer, server: &Server, name: &str, line: &str) -> Agent {
        let folder = tempfile::tempdir().unwrap();
        let line = format!("--join {} --agent-name {name} {line}", broker.url());
        let program = Program::new(MOLOTOV, &line).in_directory(folder.path());
        let cache = folder.path().join("cache");
        // Packages come from the archive only.
        let program = program.env("XDG_CACHE_HOME", cache.to_str().unwrap()).env("PIP_NO_INDEX", "1");
        Agent { running: program.against(server).start(), _folder: folder }
    }

    /// Asks it to end, and returns what it printed.
    fn end(self) -> String {
        self.running.signal(Signal::TERM);
        let output = self.running.wait().exited(0);
        output.stdout + &output.stderr
    }
}

/// Waits until a program has written a text.
fn wait_for(running: &Running, text: &str) {
    wait_until(&format!("it wrote {text:?}"), || (running.written() + &running.errors()).contains(text));
}

/// Makes a wheel of the package `greeting`, and of an `aiohttp` without contents, so that none is installed.
fn wheel(path: &Path) {
    let build = r#"
import sys, zipfile
info = "greeting-1.0.dist-info/"
with zipfile.ZipFile(sys.argv[1], "w") as wheel:
    wheel.writestr("greeting.py", "TEXT = 'hello'\n")
    wheel.writestr("aiohttp.py", "")
    wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\n")
    wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    wheel.writestr(info + "RECORD", "")
"#;
    assert!(Command::new("python3").args(["-c", build]).arg(path).status().unwrap().success());
}

#[test]
fn processes_of_agents_have_the_modules_data_and_packages_of_a_script() {
    let broker = NatsServer::start();
    let script = "
import os, sys
import greeting
import molotov
import shop

assert greeting.TEXT == 'hello' and shop.NAME == 'shop'
ROWS = molotov.data('rows.csv', each='run', order='queue')

@molotov.scenario()
async def buy(session):
    assert open('rows.csv').readline() == 'id\\n'
    assert not os.path.exists('secret.txt') and os.environ['FROM_FILE'] == 'yes'
    async with session.get('%s/ok/%s/%d' % (os.environ['TARGET'], ROWS.row()['id'], os.getpid())) as response:
        await response.text()
";
    let config = r#"{"molotov": {
        "env": {"FROM_FILE": "yes"},
        "requirements": "requirements.txt",
        "files": ["shop.py", "rows.csv", "greeting-1.0-py3-none-any.whl"],
        "tests": {"buy": {"scenario": "loadtest.py", "workers": 4, "processes": 2}}
    }}"#;
    let rows = format!("id\n{}", (0..400).map(|id| format!("{id}\n")).collect::<String>());
    let scripts = Scripts::new(&[
        ("loadtest.py", script),
        ("shop.py", "NAME = 'shop'\n"),
        ("rows.csv", &rows),
        ("requirements.txt", "./greeting-1.0-py3-none-any.whl\n"),
        ("molotov.json", config),
        ("secret.txt", ""),
        // The coordinator loads the script, too.
        ("greeting.py", "TEXT = 'hello'\n"),
    ]);
    wheel(&scripts.directory.path().join("greeting-1.0-py3-none-any.whl"));
    let agents = ["north", "south"].map(|name| Agent::start(&broker, &scripts.server, name, ""));
    let line = format!("--cluster {} --agents 2 -c --config molotov.json buy", broker.url());
    let output = scripts.program(&line).run().exited(0);
    assert_eq!(output.totals(), (400, 0), "{output:#?}");
    // The processes of both agents share the rows.
    let arrivals = scripts.server.arrivals();
    let part = |index| move |arrival: &Arrival| arrival.path.split('/').nth(index).unwrap().parse::<u32>().unwrap();
    let mut rows: Vec<_> = arrivals.iter().map(part(2)).collect();
    rows.sort_unstable();
    assert!(rows.into_iter().eq(0..400), "{arrivals:?}");
    assert_eq!(arrivals.iter().map(part(3)).collect::<BTreeSet<_>>().len(), 4, "{arrivals:?}");
    for agent in agents {
        agent.end();
    }
}

#[test]
fn agents_refuse_runs_that_no_trusted_key_has_signed() {
    let broker = NatsServer::start();
    let scripts =
        Scripts::new(&[("loadtest.py", "import molotov\n\n@molotov.scenario()\nasync def wait(session):\n    pass\n")]);
    let key = |name: &str| {
        let output = scripts.program("--generate key").run().exited(0);
        fs::write(scripts.directory.path().join(name), &output.stdout).unwrap();
        let public = output.stderr.split("--trust ").nth(1).unwrap().trim_end().trim_end_matches('`').to_owned();
        assert!(public.starts_with('U') && output.stdout.contains(&public), "{output:#?}");
        public
    };
    let (ours, theirs) = (key("ours.key"), key("theirs.key"));
    let agent = Agent::start(&broker, &scripts.server, "north", &format!("--trust {ours}"));
    let line = format!("--cluster {} --agents 1 -c -w 1 -r 1", broker.url());

    let other = scripts.program(&format!("{line} --signing-key theirs.key loadtest.py")).start();
    wait_for(&other, &format!("the run is signed by the key {theirs}, which this agent does not trust"));
    other.interrupt();
    other.wait();
    let unsigned = scripts.program(&format!("{line} loadtest.py")).start();
    wait_for(&unsigned, "the run is not signed");
    unsigned.interrupt();
    unsigned.wait();

    let output = scripts.program(&format!("{line} --signing-key ours.key loadtest.py")).run().exited(0);
    assert_eq!(output.totals(), (1, 0), "{output:#?}");
    agent.end();
}

/// The path of an example in Rust.
fn rust_program() -> PathBuf {
    let mut program = std::env::current_exe().unwrap();
    program.pop();
    program.pop();
    program.join("examples/mixed")
}

#[test]
fn rust_programs_run_on_agents_that_have_no_copy() {
    let program = rust_program();
    let (broker, scripts) = (NatsServer::start(), Scripts::new(&[]));
    let agent = Agent::start(&broker, &scripts.server, "north", "");
    let line = format!("--cluster {} --agents 1 -c -w 2 -r 2", broker.url());
    let coordinator = Program::new(program.to_str().unwrap(), &line).in_directory(scripts.directory.path());
    let output = coordinator.run().exited(0);
    assert_eq!(output.totals(), (4, 0), "{output:#?}");
    // Only the agent knows the server.
    assert_eq!(scripts.server.served(), 4);
    agent.end();
}

/// The signals do the same as in a run on one machine.
#[test]
fn signals_end_a_rust_program_that_is_an_agent() {
    let script = "
import molotov, os, time

@molotov.scenario()
async def wait(session):
    url = '%s/hold/%s' % (os.environ['TARGET'], os.environ['AGENT'])
    if os.environ['AGENT'] == 'three':
        async with session.get(url.replace('/hold/', '/ok/')):
            time.sleep(600)
    async with session.get(url) as response:
        await response.text()
";
    let (broker, scripts) = (NatsServer::start(), Scripts::new(&[("wait.py", script)]));
    let program = |line: &str| {
        let program = Program::new(rust_program().to_str().unwrap(), line);
        program.in_directory(scripts.directory.path()).against(&scripts.server)
    };
    let join = |name: &str| program(&format!("--join {} --agent-name {name}", broker.url())).env("AGENT", name).start();
    let agents = ["one", "two", "three"].map(join);
    let [_, two, three] = &agents;
    let run = program(&format!("--cluster {} --agents 3 -c -w 3 -s wait wait.py", broker.url())).start();
    wait_until("the scenarios run", || scripts.server.served() == 3);
    let processes = agents.each_ref().map(|agent| Pid::from_raw(agent.children()[0]).unwrap());
    let has_ended = |number: usize| test_kill_process(processes[number]).is_err();
    for agent in &agents {
        agent.signal(Signal::TERM);
        wait_for(agent, "leaving");
    }
    for agent in [two, three] {
        agent.interrupt();
        wait_for(agent, "forced to stop");
    }
    // Only a third signal ends a blocked thread at once.
    let sent = Instant::now();
    three.interrupt();
    wait_until("the processes have ended", || has_ended(1) && has_ended(2));
    assert!(sent.elapsed() < Duration::from_secs(5), "{:?}", sent.elapsed());
    assert!(!has_ended(0));
    scripts.server.release();
    wait_until("the process has ended", || has_ended(0));
    let output = run.wait().exited(1);
    assert_eq!(output.totals(), (1, 0), "{output:#?}");
    assert!(output.stdout.contains("1 scenario was interrupted"), "{output:#?}");
    assert!(output.stdout.contains("2 of 3 agents sent all of their measures."), "{output:#?}");
    let codes = agents.map(|agent| agent.wait().code);
    assert_eq!(codes, [Some(0), Some(0), Some(130)]);
}
