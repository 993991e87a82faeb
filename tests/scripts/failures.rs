//! The failures of scripts: their messages, and limits on what they use.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use molotov_tests::{Program, few_threads_are_a_clear_error, wait_until};

use super::Scripts;

#[test]
fn a_failure_is_reported_in_full_after_the_directory_is_removed() {
    let scripts = Scripts::new(&[(
        "loadtest.py",
        r#"
import os, tempfile
import molotov

@molotov.global_setup()
def leave(args):
    gone = tempfile.mkdtemp()
    os.chdir(gone)
    os.rmdir(gone)

@molotov.scenario()
async def fails(session):
    raise ValueError("no luck")
"#,
    )]);
    let output = scripts.program("loadtest.py -c --single-run").run();
    assert!(output.stdout.contains("`fails` failed: ValueError: no luck (at "), "{output:?}");
    assert!(output.stdout.contains("loadtest.py:13)"), "{output:?}");
    assert!(output.stdout.contains("1 × ValueError in fails"), "{output:?}");
}

const SLOW: &str = r#"
import asyncio
import os
import molotov

@molotov.scenario()
async def one(session):
    try:
        await session.get(os.environ["TARGET"] + "/hold/one?token=t0ken", timeout=0.1)
    except asyncio.TimeoutError as error:
        assert str(error) == ""
        raise
"#;

#[test]
fn a_timeout_without_a_message_is_described() {
    let scripts = Scripts::new(&[("loadtest.py", SLOW)]);
    scripts.program("-r 1 --report out.json").run().exited(0);
    let report = molotov_tests::report(&scripts.written("out.json"));
    let message = report["errors"][0]["message"].as_str().unwrap();
    assert!(message.starts_with("TimeoutError: the request timed out (GET http://127.0.0.1:"), "{message}");
    assert!(message.contains("/hold/one?token=***)"), "{message}");
}

const OUT_OF_FILES: &str = r#"
import os
import resource
import molotov

@molotov.scenario()
async def one(session):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        await session.get(os.environ["OTHER"])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
"#;

#[test]
fn too_many_open_files_are_reported_with_the_limit_to_raise() {
    let scripts = Scripts::new(&[("loadtest.py", OUT_OF_FILES)]);
    for (url, host) in [("http://127.0.0.1:9/ok", "127.0.0.1:9"), ("http://[::1]:9/ok", "::1:9")] {
        let output = scripts.program("-r 1 --report out.json").env("OTHER", url).run().exited(0);
        let report = molotov_tests::report(&scripts.written("out.json"));
        let message = report["errors"][0]["message"].as_str().unwrap();
        assert!(message.contains("Too many open files; raise the limit (ulimit -n)"), "{output:#?}");
        assert!(message.contains(&format!("Cannot connect to host {host} ")) && !message.contains("/tmp"), "{message}");
    }
}

#[test]
fn memory_stays_bounded_while_every_script_fails() {
    // Long messages, so that lines that are kept show in the process's memory.
    let script =
        "import molotov\n@molotov.scenario()\nasync def fails(session):\n    raise ValueError('no luck ' * 1000)\n";
    let scripts = Scripts::new(&[("loadtest.py", script)]);
    let fail = &|line: &str, reader: fn(Program) -> Program| {
        let verbose = if line == "-q" { "" } else { "-v" };
        let running = reader(scripts.program(&format!("-w 20 -c {verbose} {line}"))).start();
        let memory = running.settled_memory();
        running.interrupt();
        running.read();
        running.wait().exited(0);
        assert!(memory < 100, "{memory} MiB with {line:?}");
    };
    thread::scope(|threads| {
        for line in ["", "-p 2", "-q"] {
            threads.spawn(move || fail(line, Program::unread));
            threads.spawn(move || fail(line, Program::discarded));
        }
    });
}

#[test]
fn a_thread_that_cannot_start_is_a_clear_error() {
    let script = "import molotov\n@molotov.events()\nasync def seen(event, **info):\n    pass\n\
                  @molotov.scenario()\nasync def idle(session):\n    pass\n";
    let scripts = Scripts::new(&[("loadtest.py", script)]);
    for options in ["-w 1 -r 2 loadtest.py", "-w 1 -p 2 -r 1 loadtest.py"] {
        few_threads_are_a_clear_error(|options| scripts.program(options), options);
    }
}

/// Fails at full speed, and creates a file once it has printed more than a pipe holds.
const FAILING: &str = r#"
import os
import molotov

failures = 0

@molotov.scenario()
async def fails(session):
    global failures
    failures += 1
    if failures == 1000:
        open(f"full-{os.getpid()}", "w").close()
    raise ValueError("no luck " * 30)
"#;

/// The pipe is full, and its reader has stopped. One signal ends the run once the reader resumes. A second ends it at once.
#[test]
fn signals_end_a_failing_script_whose_output_is_not_read() {
    let end = &|line: &str, interrupts: u32| {
        let scripts = Scripts::new(&[("loadtest.py", FAILING)]);
        let verbose = if line == "-q" { "" } else { "-v" };
        let running = scripts.program(&format!("-w 5 -c {verbose} {line}")).unread().start();
        let processes = if line == "-p 2" { 2 } else { 1 };
        wait_until("the pipe is full", || {
            let names = fs::read_dir(scripts.directory.path()).unwrap().map(|entry| entry.unwrap().file_name());
            names.filter(|name| name.to_string_lossy().starts_with("full-")).count() == processes
        });
        running.interrupt();
        if interrupts == 1 {
            running.read();
        } else {
            let first = Instant::now();
            wait_until("the first signal has arrived", || first.elapsed() > Duration::from_millis(300));
            running.interrupt();
        }
        let (last, mut ended) = (Instant::now(), Duration::ZERO);
        let output = running.wait_with(|_| ended = last.elapsed());
        assert!(ended < Duration::from_secs(3), "{ended:?} with {line:?} and {interrupts}");
        assert_eq!(output.code, Some(0), "{line:?} and {interrupts}: {}", output.stderr);
    };
    thread::scope(|threads| {
        // With `-q` there is nothing to read, and the first signal is enough.
        for (line, interrupts) in [("", 1), ("", 2), ("-p 2", 1), ("-p 2", 2), ("-q", 1)] {
            threads.spawn(move || end(line, interrupts));
        }
    });
}

const SECRETIVE: &str = r#"
import os
import molotov

@molotov.scenario()
async def one(session):
    url = os.environ["TARGET"].replace("http://", "http://ada:pa55@") + "/fail/one?token=t0ken"
    async with session.get(url, headers={"Cookie": "id=c00kie"}) as response:
        response.raise_for_status()

@molotov.scenario()
async def two(session):
    raise ValueError("http://ada:pa55@localhost/?token=t0ken")
"#;

#[test]
fn secrets_of_scripts_are_masked_unless_shown_explicitly() {
    for (line, shown) in [("", false), ("-p 2", false), ("--show-secrets", true)] {
        let scripts = Scripts::new(&[("loadtest.py", SECRETIVE)]);
        let output = scripts.program(&format!("--single-run -vv --report out.json {line}")).run().exited(0);
        let all = format!("{}{}{}", output.stdout, output.stderr, scripts.written("out.json"));
        for secret in ["t0ken", "pa55", "c00kie", "YWRhOnBhNTU="] {
            assert_eq!(all.contains(secret), shown, "{line}: {secret} in\n{all}");
        }
        assert_eq!(all.contains("token=***"), !shown, "{line}: {all}");
        assert_eq!(scripts.server.arrivals()[0].authorization.as_deref(), Some("Basic YWRhOnBhNTU="));
    }
}
