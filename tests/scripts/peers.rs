//! Peers that flood a script, and peers that drop its requests.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::Scripts;

/// A server that gives each connection to `serve`, on a thread of its own; the first part of its URLs.
fn server(serve: impl Fn(TcpStream) -> std::io::Result<()> + Clone + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, serve) = (stream.unwrap(), serve.clone());
            thread::spawn(move || serve(stream));
        }
    });
    url
}

/// The path of the next request, which has no body; `None` at the end of the connection.
fn path(reader: &mut impl BufRead) -> std::io::Result<Option<String>> {
    let mut lines = Vec::new();
    while lines.last().is_none_or(|line: &String| line != "\r\n") {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        lines.push(line);
    }
    Ok(lines[0].split(' ').nth(1).map(str::to_owned))
}

#[test]
fn timeouts_hold_while_data_keeps_coming() {
    let url = server(|mut stream| {
        stream.set_write_timeout(Some(Duration::from_secs(5)))?;
        let path = path(&mut BufReader::new(stream.try_clone()?))?;
        stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")?;
        let (piece, pause) = match path.as_deref() {
            Some("/fast") => (b"1000\r\n".iter().chain(&[b'x'; 4096]).chain(b"\r\n").copied().collect(), 0),
            Some("/dribble") => (b"1\r\nx\r\n".to_vec(), 1),
            _ => (b"1\r\nx\r\n".repeat(1000), 1),
        };
        let before = Instant::now();
        while before.elapsed() < Duration::from_secs(4) {
            stream.write_all(&piece)?;
            thread::sleep(Duration::from_millis(pause));
        }
        Ok(())
    });
    let script = r#"
import asyncio
import os
import time
import molotov

async def chunked(response):
    async for part in response.content.iter_chunked(1000):
        pass

async def lines(response):
    async for line in response.content:
        pass

async def parts(response):
    while await response.content.read(4096):
        pass

async def whole(response):
    await response.read()

async def until_timeout(session, path, read):
    started = time.monotonic()
    try:
        async with session.get(os.environ["FLOOD"] + path, timeout=0.1) as response:
            await read(response)
    except asyncio.TimeoutError:
        assert time.monotonic() - started < 2, (path, read.__name__, time.monotonic() - started)
    else:
        raise AssertionError((path, read.__name__))

@molotov.scenario()
async def one(session):
    for path, read in (
        ("/fast", chunked), ("/fast", parts), ("/small", whole), ("/small", lines), ("/dribble", whole),
    ):
        await until_timeout(session, path, read)
    # In a task of the script's own.
    await asyncio.gather(until_timeout(session, "/fast", chunked), until_timeout(session, "/small", whole))
"#;
    let scripts = Scripts::new(&[("loadtest.py", script)]);
    let output = scripts.program("-r 1").env("FLOOD", &url).run().exited(0);
    assert_eq!(output.totals(), (1, 0), "{}", output.stdout);
}

#[test]
fn retried_requests_are_counted_and_can_be_switched_off() {
    for (retry, line) in [("True", "-r 20"), ("False", "-r 20"), ("True", "-p 2 -r 20")] {
        let seen = Arc::new(AtomicU64::new(0));
        let counted = seen.clone();
        // The first request of a connection is answered, the second one is dropped.
        let url = server(move |mut stream| {
            let mut reader = BufReader::new(stream.try_clone()?);
            for answer in [&b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"[..], b""] {
                if path(&mut reader)?.is_none() {
                    break;
                }
                counted.fetch_add(1, Ordering::Relaxed);
                stream.write_all(answer)?;
            }
            Ok(())
        });
        let script = format!(
            r#"
import os
import molotov

@molotov.setup()
async def options(worker, args):
    return {{"retry": {retry}}}

@molotov.scenario()
async def one(session):
    async with session.get(os.environ["DROPS"]) as response:
        await response.read()
"#
        );
        let scripts = Scripts::new(&[("loadtest.py", &script)]);
        let report = scripts.program(&format!("{line} --report out.json")).env("DROPS", &url).run().exited(0);
        let written: serde_json::Value = serde_json::from_str(&scripts.written("out.json")).unwrap();
        let row = &written["requests"][0];
        let count = |name: &str| row[name].as_u64().unwrap();
        let runs = if line.starts_with("-p") { 40 } else { 20 };
        assert_eq!(count("count"), runs, "{row}");
        assert_eq!(count("ok") + count("failed") + count("retried"), seen.load(Ordering::Relaxed), "{row}");
        assert_eq!((count("failed") == 0, count("retried") > 0), (retry == "True", retry == "True"), "{row}");
        assert_eq!(report.stdout.contains("retried"), retry == "True", "{}", report.stdout);
    }
}
