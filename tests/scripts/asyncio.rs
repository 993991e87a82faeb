//! asyncio in scenarios.

use super::Scripts;

#[test]
fn a_worker_leaves_its_context_if_its_task_was_left() {
    let script = r#"
import asyncio
import molotov
from molotov import _core
@molotov.scenario()
async def leaves(session):
    assert _core.current_context() is not None
    asyncio.tasks._leave_task(asyncio.get_running_loop(), asyncio.current_task())
@molotov.global_teardown()
def end():
    print("context", _core.current_context())
"#;
    let output = Scripts::new(&[("loadtest.py", script)]).program("-c -r 1").run().exited(0);
    assert_eq!(output.totals(), (1, 0), "{output:#?}");
    assert!(output.stdout.contains("context None"), "{output:#?}");
}

#[test]
fn asyncio_works_in_scenarios() {
    let script = r#"
import asyncio
import contextvars
import os
import molotov

URL = os.environ["TARGET"]
worker = contextvars.ContextVar("worker")
lock = asyncio.Lock()
tasks = {}

@molotov.global_setup()
def begin(args):
    molotov.set_var("loop", asyncio.get_event_loop())

@molotov.setup_session()
async def opened(number, session):
    worker.set(number)
    session.number = number
    tasks[number] = asyncio.current_task()

async def echo(reader, writer):
    writer.write(await reader.readline())
    await writer.drain()
    writer.close()

@molotov.scenario()
async def everything(session):
    assert worker.get() == session.number
    assert asyncio.current_task() is tasks[session.number]
    assert asyncio.get_running_loop() is molotov.get_var("loop")

    async def status():
        async with session.get(URL) as response:
            assert worker.get() == session.number
            return response.status

    assert await asyncio.gather(*[status() for _ in range(5)]) == [200] * 5
    assert await asyncio.create_task(status()) == 200
    assert (await asyncio.wait_for(session.get(URL), 30)).status == 200
    assert [r.status for r in await asyncio.gather(session.get(URL), session.get(URL))] == [200, 200]
    async with lock:
        assert await status() == 200
    assert await asyncio.get_running_loop().run_in_executor(None, lambda: 42) == 42
    try:
        await asyncio.wait_for(session.get(URL + "/hold"), 0.05)
    except asyncio.TimeoutError:
        pass
    else:
        raise AssertionError("no timeout")
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(b"hello\n")
    assert await reader.readline() == b"hello\n"
    writer.close()
    server.close()
    task = asyncio.current_task()
    asyncio.get_running_loop().call_later(0.02, task.cancel)
    try:
        await session.get(URL + "/hold")
    except asyncio.CancelledError:
        if hasattr(task, "uncancel"):
            task.uncancel()
    else:
        raise AssertionError("not cancelled")
    assert asyncio.current_task() is task
"#;
    let scripts = Scripts::new(&[("loadtest.py", script)]);
    assert_eq!(scripts.program("-c -w 100 -r 2").run().exited(0).totals(), (200, 0));
    // Each run has ten requests with a response. Two more are cancelled, some before they arrive.
    let counts = scripts.server.counts();
    assert_eq!(counts["/"], 200 * 10);
    assert!((1..=200 * 2).contains(&counts["/hold"]), "{counts:?}");
}
