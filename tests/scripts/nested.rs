//! Scripts that run the event loop inside itself, as `nest_asyncio` allows.

use super::Scripts;

/// A replacement of `nest_asyncio`, so that this test does not need the package.
const PATCH: &str = r#"
import asyncio, heapq

def patch(loop):
    def run_until_complete(self, future):
        before = asyncio._get_running_loop()
        thread = self._thread_id
        import threading
        self._thread_id = threading.get_ident()
        asyncio._set_running_loop(self)
        try:
            future = asyncio.ensure_future(future, loop=self)
            while not future.done():
                self._run_once()
                if self._stopping:
                    break
            return future.result()
        finally:
            self._thread_id = thread
            asyncio._set_running_loop(before)

    def _run_once(self):
        ready, scheduled = self._ready, self._scheduled
        while scheduled and scheduled[0]._cancelled:
            heapq.heappop(scheduled)
        timeout = 0 if ready or self._stopping else max(scheduled[0]._when - self.time(), 0) if scheduled else None
        self._process_events(self._selector.select(timeout))
        while scheduled and scheduled[0]._when < self.time() + self._clock_resolution:
            ready.append(heapq.heappop(scheduled))
        for _ in range(len(ready)):
            if not ready:
                break
            handle = ready.popleft()
            if not handle._cancelled:
                current = asyncio.tasks._current_tasks.pop(self, None)
                try:
                    handle._run()
                finally:
                    if current is not None:
                        asyncio.tasks._current_tasks[self] = current

    asyncio.Task = asyncio.tasks._CTask = asyncio.tasks.Task = asyncio.tasks._PyTask
    kind = type(loop)
    kind.run_until_complete, kind._run_once, kind._check_running = run_until_complete, _run_once, lambda self: None
    kind._nest_patched = True

LOOP = asyncio.get_event_loop()
"#;

const NESTING: &str = r#"
import os
import molotov

TARGET = os.environ["TARGET"] + "/ok/"
patch(LOOP)

async def fetch(session, path):
    async with session.get(TARGET + path) as response:
        await asyncio.sleep(0.01)
        return (await response.json())["result"]

def helper(session, path):
    return LOOP.run_until_complete(fetch(session, path))

@molotov.global_setup()
def init(args):
    LOOP.run_until_complete(asyncio.sleep(0.01))

@molotov.setup()
async def begin(worker, args):
    LOOP.run_until_complete(asyncio.sleep(0.01))

@molotov.setup_session()
async def login(worker, session):
    helper(session, "login")

@molotov.scenario()
async def one(session):
    task = asyncio.current_task()
    await asyncio.sleep(0.01)
    assert helper(session, "first") == "OK"
    async with session.get(TARGET + "outer") as response:
        assert helper(session, "second") == "OK"
        assert (await response.json())["result"] == "OK"
    results = LOOP.run_until_complete(asyncio.gather(*(fetch(session, "gathered") for _ in range(3))))
    assert results == ["OK"] * 3
    assert asyncio.current_task() is task
"#;

#[test]
fn coroutines_run_inside_running_scenarios() {
    for (line, runs) in [("-w 1 -r 2", 2), ("-w 5 -r 3", 15), ("-p 2 -w 3 -r 2", 12)] {
        let scripts = Scripts::new(&[("loadtest.py", &format!("{PATCH}{NESTING}"))]);
        let output = scripts.program(&format!("{line} -c")).env("PYTHONWARNINGS", "ignore").run().exited(0);
        assert_eq!(output.totals(), (runs, 0), "{output:#?}");
        let counts = scripts.server.counts();
        let asked = |path: &str| counts.get(&format!("/ok/{path}")).copied().unwrap_or_default() as u64;
        assert_eq!((asked("first"), asked("outer"), asked("second"), asked("gathered")), (runs, runs, runs, 3 * runs));
    }
}

#[test]
fn the_loop_cannot_run_inside_itself_in_a_synchronous_teardown() {
    let teardown = r#"
import molotov
patch(LOOP)

@molotov.scenario()
async def one(session):
    pass

@molotov.teardown()
def end(worker):
    LOOP.run_until_complete(asyncio.sleep(0))
"#;
    let scripts = Scripts::new(&[("loadtest.py", &format!("{PATCH}{teardown}"))]);
    let output = scripts.program("-r 1 -c").env("PYTHONWARNINGS", "ignore").run().exited(0);
    assert_eq!(output.totals(), (1, 0), "{output:#?}");
    let said = "RuntimeError: this code cannot run the event loop inside itself: await the coroutine";
    assert!(output.stdout.contains(said), "{output:#?}");
    assert!(!format!("{output:#?}").contains("anic"), "{output:#?}");
}
