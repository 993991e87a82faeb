//! asyncio's event loop in a global of a script: before, during and after the run.

use molotov_tests::Running;

use super::Scripts;

/// Keeps the loop at import, and uses it with sockets, subprocesses and executors, and from threads.
const KEPT: &str = r#"
import asyncio, os, threading
import molotov

LOOP = asyncio.get_event_loop()
HOST, PORT = os.environ["TARGET"].rpartition("/")[2].split(":")

async def ask(path):
    reader, writer = await asyncio.open_connection(HOST, int(PORT))
    writer.write(b"GET /ok/%s HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n" % path.encode())
    answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 200"), answer

async def run_program():
    process = await asyncio.create_subprocess_exec("true", stdin=asyncio.subprocess.DEVNULL)
    assert await process.wait() == 0

def from_a_thread(path):
    asyncio.run_coroutine_threadsafe(ask(path), LOOP).result(10)

async def everything(path):
    await ask(path)
    await run_program()
    assert await LOOP.run_in_executor(None, os.getpid) == os.getpid()

LOOP.run_until_complete(everything("import"))

@molotov.global_setup()
def init(args):
    assert asyncio.get_event_loop() is LOOP
    LOOP.run_until_complete(everything("global_setup"))

@molotov.scenario()
async def one(session):
    assert asyncio.get_running_loop() is LOOP and session.loop is LOOP
    await everything("scenario")
    # The loop is asked by a thread while it waits for a request, and while it waits for nothing but the thread.
    thread = threading.Thread(target=from_a_thread, args=["thread"])
    thread.start()
    async with session.get(os.environ["TARGET"] + "/ok/session") as response:
        assert response.status == 200
    await LOOP.run_in_executor(None, thread.join)
    await LOOP.run_in_executor(None, from_a_thread, "executor")

@molotov.teardown_session()
async def leave(worker, session):
    await ask("teardown_session")

@molotov.global_teardown()
def finish():
    LOOP.run_until_complete(everything("global_teardown"))
    print("all of it")
"#;

#[test]
fn a_loop_kept_at_import_works_before_during_and_after_the_run() {
    for processes in [1, 2] {
        let scripts = Scripts::new(&[("loadtest.py", KEPT)]);
        let line = format!("-p {processes} -w 2 -r 2 -c");
        let output = scripts.program(&line).env("PYTHONWARNINGS", "ignore").run().exited(0);
        let runs = 4 * processes;
        assert_eq!(output.totals(), (runs, 0), "{output:#?}");
        assert!(output.stdout.contains("all of it\n"), "{output:#?}");
        assert!(!output.stderr.contains("Error"), "{output:#?}");
        let counts = scripts.server.counts();
        for (path, times) in [
            ("import", 1),
            ("global_setup", 1),
            ("scenario", runs),
            ("session", runs),
            ("thread", runs),
            ("executor", runs),
            ("teardown_session", 2 * processes),
            ("global_teardown", 1),
        ] {
            assert_eq!(counts.get(&format!("/ok/{path}")).copied().unwrap_or(0) as u64, times, "{path}: {counts:?}");
        }
    }
}

#[test]
fn scripts_may_close_the_loop_or_run_it_on_a_thread() {
    let closes = r#"
import asyncio, molotov
loop = asyncio.get_event_loop()
loop.run_until_complete(asyncio.sleep(0.01))
loop.close()
"#;
    let keeps_running = r#"
import asyncio, molotov, threading
loop = asyncio.get_event_loop()
threading.Thread(target=loop.run_forever, daemon=True).start()
asyncio.run_coroutine_threadsafe(asyncio.sleep(0.01), loop).result(10)
"#;
    let replaces = r#"
import asyncio, molotov
asyncio.run(asyncio.sleep(0.01))
"#;
    let scenario = r#"
@molotov.scenario()
async def one(session):
    import os
    await asyncio.sleep(0.01)
    async with session.get(os.environ["TARGET"] + "/ok/one") as response:
        assert response.status == 200
"#;
    for begin in [closes, keeps_running, replaces] {
        for processes in [1, 2] {
            let scripts = Scripts::new(&[("loadtest.py", &format!("{begin}{scenario}"))]);
            let line = format!("-p {processes} -w 2 -r 2 -c");
            let output = scripts.program(&line).env("PYTHONWARNINGS", "ignore").run().exited(0);
            assert_eq!(output.totals(), (4 * processes, 0), "{begin}: {output:#?}");
        }
    }
}

#[test]
fn ctrl_c_ends_a_script_that_waits_in_the_loop_before_the_run() {
    let script = r#"
import asyncio, os, molotov
LOOP = asyncio.get_event_loop()

@molotov.global_setup()
def init(args):
    os.write(1, b"waiting\n")
    LOOP.run_until_complete(asyncio.Event().wait())

@molotov.scenario()
async def one(session):
    pass
"#;
    for processes in [1, 2] {
        let scripts = Scripts::new(&[("loadtest.py", script)]);
        let line = format!("-p {processes} -c");
        let running = scripts.program(&line).env("PYTHONWARNINGS", "ignore").start();
        running.wait_for("waiting");
        let output = running.wait_with(Running::interrupt);
        assert_ne!(output.code, Some(0), "{output:#?}");
    }
}
