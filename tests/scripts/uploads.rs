//! Bodies that scripts write while they are sent, and bodies that scripts read in parts.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use molotov_tests::wait_until;

use super::Scripts;

/// A server that reads bodies and discards them.
struct Sink {
    address: String,
    received: Arc<AtomicU64>,
}

impl Sink {
    fn new() -> Sink {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let received = Arc::new(AtomicU64::new(0));
        let counted = received.clone();
        // The thread ends with the process.
        thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let counted = counted.clone();
                thread::spawn(move || serve(connection, &counted));
            }
        });
        Sink { address, received }
    }

    fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }
}

/// Answers requests until the connection ends.
fn serve(mut connection: std::net::TcpStream, received: &AtomicU64) -> Option<()> {
    let mut reader = BufReader::with_capacity(1 << 18, connection.try_clone().ok()?);
    let line = |reader: &mut BufReader<_>| {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0).map(|_| line.trim_end().to_ascii_lowercase())
    };
    let skip = |reader: &mut BufReader<_>, mut left: u64| {
        let mut buffer = vec![0; 1 << 16];
        while left > 0 {
            let wanted = usize::try_from(left).ok()?.min(buffer.len());
            let read = reader.read(&mut buffer[..wanted]).ok().filter(|read| *read > 0)? as u64;
            received.fetch_add(read, Ordering::Relaxed);
            left -= read;
        }
        Some(())
    };
    loop {
        let (mut length, mut chunked) = (0, false);
        loop {
            let header = line(&mut reader)?;
            if let Some(value) = header.strip_prefix("content-length: ") {
                length = value.parse().ok()?;
            }
            chunked |= header == "transfer-encoding: chunked";
            if header.is_empty() {
                break;
            }
        }
        skip(&mut reader, length)?;
        while chunked {
            let size = u64::from_str_radix(&line(&mut reader)?, 16).ok()?;
            skip(&mut reader, size)?;
            line(&mut reader)?;
            chunked = size > 0;
        }
        connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").ok()?;
    }
}

/// A module that hides an installed aiohttp.
const MISSING: (&str, &str) =
    ("aiohttp.py", "raise ModuleNotFoundError(\"No module named 'aiohttp'\", name='aiohttp')\n");

const LARGE: &str = r#"
import os
import re
import tempfile
import molotov

MB = 1 << 20

def peak():
    with open("/proc/self/status") as status:
        return int(re.search(r"VmHWM:\s+(\d+)", status.read())[1]) // 1024

async def generated(size):
    for _ in range(size // 65536):
        yield bytes(65536)

class Iterable:
    def __init__(self, size):
        self.size = size

    def __aiter__(self):
        return generated(self.size)

@molotov.scenario()
async def one(session):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "large")
        with open(path, "wb") as file:
            file.truncate(100 * MB)
        bodies = [
            ("generator", {}, generated),
            ("iterable", {}, Iterable),
            ("compressed", {"compress": True}, generated),
            ("file", {}, lambda size: open(path, "rb")),
            ("text", {}, lambda size: open(path)),
        ]
        await session.post("http://" + os.environ["SINK"], data=generated(MB))
        for name, options, make in bodies:
            before = peak()
            async with session.post("http://" + os.environ["SINK"], data=make(100 * MB), **options) as response:
                assert response.status == 200
                print("%s holds %d MiB" % (name, peak() - before))
"#;

#[test]
fn large_uploads_are_not_held_in_memory() {
    thread::scope(|threads| {
        for line in ["", "-p 2"] {
            threads.spawn(move || {
                let sink = Sink::new();
                let scripts = Scripts::new(&[("loadtest.py", LARGE), MISSING]);
                let program = scripts.program(&format!("--max-runs 1 -c {line}")).env("SINK", &sink.address);
                let output = program.run().exited(0);
                let held = output.stdout.lines().filter_map(|line| line.split_once(" holds ")?.1.strip_suffix(" MiB"));
                let held: Vec<u64> = held.map(|held| held.parse().unwrap()).collect();
                assert!(held.len() >= 5 && held.iter().all(|held| *held < 20), "{line}: {held:?} {output:#?}");
                assert!(sink.received() >= (400 << 20), "{line}: {}", sink.received());
            });
        }
    });
}

const ENDLESS: &str = r#"
import asyncio
import os
import molotov

async def endless(pause):
    try:
        while True:
            yield bytes(1000)
            if pause:
                await asyncio.sleep(0.01)
    finally:
        print("closed")

async def send(session, pause):
    async with session.post("http://" + os.environ["SINK"], data=endless(pause)) as response:
        print("answered", response.status)

@molotov.setup()
async def setup(worker_id, args):
    return {"timeout": float(os.environ["LIMIT"])}

@molotov.scenario()
async def one(session):
    sends = [send(session, True), send(session, False)]
    failed = await asyncio.gather(*sends, return_exceptions=True)
    assert all(isinstance(error, asyncio.TimeoutError) for error in failed), failed
    try:
        await send(session, False)
    except asyncio.TimeoutError:
        print("timed out")
    await asyncio.sleep(0.01)
"#;

#[test]
fn an_endless_upload_is_sent_and_ends_with_its_timeout() {
    for (line, times) in [("--max-runs 1", 1), ("--max-runs 1 -p 2", 2)] {
        let sink = Sink::new();
        let scripts = Scripts::new(&[("loadtest.py", ENDLESS)]);
        let program = scripts.program(&format!("-c {line}")).env("SINK", &sink.address).env("LIMIT", "0.3");
        let output = program.run().exited(0);
        assert_eq!(output.totals(), (times, 0), "{output:#?}");
        assert_eq!(output.stdout.matches("timed out").count() as u64, times, "{output:#?}");
        assert_eq!(output.stdout.matches("closed").count() as u64, 3 * times, "{output:#?}");
        assert!(sink.received() > 10_000, "{}", sink.received());
    }
}

#[test]
fn a_forced_end_closes_the_generators_of_uploads() {
    let sink = Sink::new();
    let scripts = Scripts::new(&[("loadtest.py", ENDLESS)]);
    let running = scripts.program("-c").env("SINK", &sink.address).env("LIMIT", "60").start();
    wait_until("the server has received a part of each body", || sink.received() > 100_000);
    running.interrupt();
    running.wait_for("Stopping");
    running.interrupt();
    let output = running.wait();
    assert_eq!(output.stdout.matches("closed").count(), 2, "{output:#?}");
    assert!(!output.stderr.contains("Traceback"), "{output:#?}");
}

const FILES: &str = r#"
import io
import os
import molotov

@molotov.scenario()
async def one(session):
    url = os.environ["TARGET"] + "/ok/"
    for name, body in (("bytes", io.BytesIO(b"12345")), ("text", io.StringIO("12345")), ("file", open("five.json", "rb"))):
        async with session.post(url + name, data=body) as response:
            sent = response.request_info.headers
            print(name, sent["Content-Length"], sent["Content-Type"])
    print("closed", body.closed)
    try:
        await session.post(url, data=5)
    except ModuleNotFoundError as error:
        print(error)
"#;

#[test]
fn files_are_sent_without_aiohttp() {
    let scripts = Scripts::new(&[("loadtest.py", FILES), ("five.json", "[123]"), MISSING]);
    let output = scripts.program("-c --max-runs 1").run().exited(0);
    let expected = [
        "bytes 5 application/octet-stream",
        "text 5 text/plain; charset=utf-8",
        "file 5 application/json",
        "closed True",
        "this needs aiohttp, which is not installed",
    ];
    assert!(expected.iter().all(|line| output.stdout.contains(line)), "{output:#?}");
}

/// The time to read a body grows with its size, not with the square of its size.
const READING: &str = r#"
import asyncio
import time
import molotov
from molotov._content import Content

class Response:
    _max_body = _body = None

    def __init__(self, left, size):
        self.left, self.part = left, bytes(99) + b"\n"
        self.part *= size // 100

    async def _chunk(self):
        self.left -= 1
        return self.part if self.left >= 0 else None

async def lines(content):
    async for _ in content:
        pass

async def pieces(content):
    while await content.read(100):
        pass

async def kept(content):
    await content.readuntil(b"no such end")

async def took(read, parts, size):
    started = time.process_time()
    await read(Content(Response(parts, size)))
    return time.process_time() - started

@molotov.scenario()
async def one(session):
    for read in (lines, pieces, kept):
        for parts, size in ((2, 1 << 20), (8, 1 << 18), (500, 1000)):
            once, more = [min([await took(read, parts * n, size) for _ in range(2)]) for n in (1, 4)]
            assert more < 12 * once + 0.01, (read, parts, size, once, more)
"#;

#[test]
fn bodies_are_read_in_parts_in_linear_time() {
    let scripts = Scripts::new(&[("loadtest.py", READING)]);
    let output = scripts.program("-c --max-runs 1").run().exited(0);
    assert_eq!(output.totals(), (1, 0), "{output:#?}");
}
