//! Server-sent events in scripts.

use std::thread;

use molotov_tests::EventServer;
use serde_json::Value;

use super::Scripts;

const TIMES: &str = r#"
import asyncio
import os
import time
import molotov

URL = os.environ["EVENTS"]


async def times(session):
    late, stamps = [], []
    started = time.perf_counter()
    async with session.get(URL + "/whole/24/8") as response:
        async for event in molotov.server_sent_events(response):
            assert (event.event, event.id, event.retry) == ("message", str(len(late)), None)
            data = event.json()
            assert data["number"] == len(late) and event.data.startswith('{"number": ')
            assert repr(event).startswith("<ServerSentEvent 'message': '{"), repr(event)
            late.append(event.received_at - data["at"])
            stamps.append((event.received_at, event.since_start))
            if len(late) % 4 == 0:
                # A scenario that is slower than the server.
                await asyncio.sleep(0.04)
    assert len(late) == 24 and min(late) > -0.0001, late
    assert all(abs(at - started - since) < 0.05 for at, since in stamps), (started, stamps)
    return sorted(late)


async def some_are_in_time(session):
    # A busy machine delays some of the events, or all of a stream.
    tries = []
    while len(tries) < 4:
        tries.append(await times(session))
        if tries[-1][5] < 0.0045:
            return
    raise AssertionError(tries)


@molotov.scenario()
async def in_the_worker(session):
    await some_are_in_time(session)


@molotov.scenario()
async def in_tasks(session):
    await asyncio.gather(some_are_in_time(session), some_are_in_time(session))
"#;

#[test]
fn events_have_the_time_at_which_they_arrived() {
    let server = EventServer::new();
    let scripts = Scripts::new(&[("loadtest.py", TIMES)]);
    let output = scripts.program("--single-run -c --report out.json").env("EVENTS", &server.url).run().exited(0);
    assert_eq!(output.totals(), (2, 0), "{output:#?}");
    let report: Value = serde_json::from_str(&scripts.written("out.json")).unwrap();
    let count = |list: &str, name: &str| {
        let rows = report[list].as_array().unwrap();
        let row = rows.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("no {name} in {rows:#?}"));
        (row["ok"].as_u64().unwrap(), row["failed"].as_u64().unwrap())
    };
    let (streams, failed) = count("requests", "GET /whole/{n}/{n}");
    assert!(streams >= 3 && failed == 0, "{streams} streams, {failed} failed");
    assert_eq!(count("steps", "GET /whole/{n}/{n} first event"), (streams, 0));
    assert_eq!(count("steps", "GET /whole/{n}/{n} between events"), (streams * 23, 0));
}

const ENDS: &str = r#"
import asyncio
import os
import molotov

URL = os.environ["EVENTS"]


def is_exception(error, name):
    """Tells whether an exception is one of aiohttp's, which need not be installed."""
    return name in [kind.__name__ for kind in type(error).__mro__]


@molotov.scenario()
async def cut(session):
    taken = []
    try:
        async with session.get(URL + "/cut/3/1") as response:
            async for event in molotov.server_sent_events(response):
                taken.append(event.id)
    except Exception as error:
        assert is_exception(error, "ClientPayloadError"), repr(error)
        assert "closed the connection within the body after 3 events, the last one 0." in str(error), error
    else:
        raise AssertionError("the stream was not cut")
    assert taken == ["0", "1", "2"], taken


@molotov.scenario()
async def left(session):
    async with session.get(URL + "/endless/2/1") as response:
        async for event in molotov.server_sent_events(response):
            break
    async with session.get(URL + "/endless/2/1") as response:
        events = molotov.server_sent_events(response).__aiter__()
        await events.__anext__()
        await events.__anext__()
        # The stream stays usable after a wait that was cancelled.
        try:
            await asyncio.wait_for(events.__anext__(), 0.02)
        except asyncio.TimeoutError:
            pass
        else:
            raise AssertionError("a third event")


@molotov.scenario()
async def by_lines(session):
    async with session.get(URL + "/whole/2/1") as response:
        lines = [line async for line in response.content]
    assert lines[0] == b"id: 0\n" and len(lines) == 6, lines


@molotov.scenario()
async def read_before(session):
    async with session.get(URL + "/whole/2/1") as response:
        text = await response.text()
        assert [event.id async for event in molotov.server_sent_events(response)] == ["0", "1"]
        assert await response.text() == text
    try:
        molotov.server_sent_events(response)
    except Exception as error:
        assert is_exception(error, "ClientConnectionError"), repr(error)
    else:
        raise AssertionError("the response is released")


@molotov.scenario()
async def refused(session):
    for path, kind, text in (
        ("/ok", "ContentTypeError", "the status is 200 OK, and the content type is `application/json`"),
        ("/fail", "ClientResponseError", "the status is 500 Internal Server Error"),
    ):
        async with session.get(os.environ["TARGET"] + path) as response:
            try:
                molotov.server_sent_events(response)
            except Exception as error:
                assert is_exception(error, kind), repr(error)
                assert text in str(error) and error.status == response.status, error
            else:
                raise AssertionError(path)
    try:
        molotov.server_sent_events("text")
    except TypeError as error:
        assert "takes a response of Molotov's session, not 'str'" in str(error)
"#;

#[test]
fn streams_of_events_end_in_different_ways() {
    let server = EventServer::new();
    let scripts = Scripts::new(&[("loadtest.py", ENDS)]);
    let target = scripts.server.url();
    let program = scripts.program("--single-run -c --report out.json").env("EVENTS", &server.url);
    let output = program.env("TARGET", &target).run().exited(0);
    assert_eq!(output.totals(), (5, 0), "{output:#?}");
    let report: Value = serde_json::from_str(&scripts.written("out.json")).unwrap();
    let requests = report["requests"].as_array().unwrap();
    let counts = |name: &str| {
        let row = requests.iter().find(|row| row["name"] == name).unwrap();
        (row["ok"].as_u64().unwrap(), row["failed"].as_u64().unwrap())
    };
    assert_eq!(counts("GET /cut/{n}/{n}"), (0, 1));
    assert_eq!(counts("GET /endless/{n}/{n}"), (2, 0));
    assert_eq!(counts("GET /whole/{n}/{n}"), (2, 0));
}

const ENDLESS: &str = r#"
import os
import molotov


@molotov.scenario()
async def one(session):
    async with session.get(os.environ["EVENTS"] + "/endless/1000000/5") as response:
        async for event in molotov.server_sent_events(response):
            pass
"#;

#[test]
fn the_end_of_a_run_interrupts_streams_without_end() {
    let server = EventServer::new();
    thread::scope(|threads| {
        for line in ["-w 3", "-w 2 -p 2", "-w 1 -vv"] {
            let url = &server.url;
            threads.spawn(move || {
                let scripts = Scripts::new(&[("loadtest.py", ENDLESS)]);
                let program = scripts.program(&format!("-c -d 1 --force-shutdown --report out.json {line}"));
                let output = program.env("EVENTS", url).run().exited(0);
                let report: Value = serde_json::from_str(&scripts.written("out.json")).unwrap();
                let requests = &report["requests"][0];
                assert_eq!((&requests["ok"], &requests["failed"]), (&0.into(), &0.into()), "{output:#?}");
                assert!(requests["interrupted"].as_u64().unwrap() > 0, "{output:#?}");
                let steps = report["steps"].as_array().unwrap();
                assert!(steps.iter().any(|step| step["ok"].as_u64().unwrap() > 20), "{steps:#?}");
            });
        }
    });
}
