//! Servers that flood a script, drop its requests, or answer in hostile ways.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use molotov_tests::{LoadTestProgram, redirect_loops_fail};

use super::{MOLOTOV, Scripts};

/// Starts a server that calls `serve` with each connection, on a new thread. Returns the start of its URLs.
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

/// The path of the next request, which has no body. `None` at the end of the connection.
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
        // Answers the first request of a connection, and drops the second.
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
        let written = molotov_tests::report(&scripts.written("out.json"));
        let row = &written["requests"][0];
        let count = |name: &str| row[name].as_u64().unwrap();
        let runs = if line.starts_with("-p") { 40 } else { 20 };
        assert_eq!(count("count"), runs, "{row}");
        assert_eq!(count("ok") + count("failed") + count("retried"), seen.load(Ordering::Relaxed), "{row}");
        assert_eq!((count("failed") == 0, count("retried") > 0), (retry == "True", retry == "True"), "{row}");
        assert_eq!(report.stdout.contains("were sent again"), retry == "True", "{}", report.stdout);
    }
}

#[test]
fn a_redirect_loop_is_one_failed_request() {
    redirect_loops_fail(&LoadTestProgram::python(MOLOTOV));
}

/// Each response must raise an exception, and use little memory. The limit of a body is 1 MiB.
#[test]
fn a_hostile_server_fails_requests_and_nothing_else() {
    const SCRIPT: &str = r#"
import asyncio, gzip, json, resource, socketserver, threading

import molotov

resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
BOMB = gzip.compress(bytes(4 << 20))
FOREVER = b"10000\r\n" + bytes(65536) + b"\r\n"


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        while True:
            line = self.rfile.readline()
            if not line:
                return
            path = line.split()[1].decode()
            while self.rfile.readline().strip():
                pass
            try:
                self.answer(path)
            except OSError:
                return

    def answer(self, path):
        coding, body = "identity", b"ok"
        if path == "/codings":
            coding = "deflate," * 4000 + "deflate"
        if path == "/bomb":
            coding, body = "gzip", BOMB
        if path == "/deep":
            body = b"[" * 500000
        head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: %s\r\n" % coding
        if path == "/endless":
            self.wfile.write(head.encode() + b"transfer-encoding: chunked\r\n\r\n")
            while True:
                self.wfile.write(FOREVER)
        self.wfile.write(head.encode() + b"content-length: %d\r\n\r\n" % len(body) + body)


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True


SERVER = Server(("127.0.0.1", 0), Handler)
threading.Thread(target=SERVER.serve_forever, daemon=True).start()
URL = "http://127.0.0.1:%d" % SERVER.server_address[1]


@molotov.setup()
async def setup(worker_id, args):
    return {"max_body": 1 << 20}


async def parts(response):
    taken = 0
    async for part in response.content.iter_chunked(65536):
        taken += len(part)
        if taken > 8 << 20:
            return


USES = {
    "read": lambda response: response.read(),
    "text": lambda response: response.text(),
    "json": lambda response: response.json(),
    "content": lambda response: response.content.read(),
    "line": lambda response: response.content.readline(),
    "exactly": lambda response: response.content.readexactly(4 << 20),
    "parts": parts,
}


@molotov.scenario()
async def all(session):
    found = {}
    for path in ("/codings", "/bomb", "/endless", "/deep", "/"):
        for use in USES:
            if path in ("/deep", "/") and use not in ("json", "read"):
                continue
            try:
                async with session.get(URL + path, timeout=5) as response:
                    await USES[use](response)
                found[path + " " + use] = "ok"
            except Exception as error:
                found[path + " " + use] = "%s %s" % (type(error).__name__, "max_body" in str(error))
    with open("found.json", "w") as file:
        json.dump([found, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss], file)
"#;
    let scripts = Scripts::new(&[("hostile.py", SCRIPT)]);
    let output = scripts.program("-w 1 -r 1 hostile.py").run();
    assert_eq!(output.code, Some(0), "{output:?}");
    let (found, kilobytes): (BTreeMap<String, String>, u64) =
        serde_json::from_str(&scripts.written("found.json")).unwrap();
    for (case, outcome) in &found {
        let (path, way) = case.split_once(' ').unwrap();
        let expected = match (path, way) {
            ("/codings", _) => "ClientPayloadError False",
            ("/bomb" | "/endless", "parts") | ("/", "read") | ("/deep", "read") => "ok",
            ("/bomb" | "/endless", _) => "ClientPayloadError True",
            ("/deep", _) => "RecursionError False",
            _ => "JSONDecodeError False",
        };
        assert_eq!(outcome, expected, "{case}");
    }
    assert_eq!(found.len(), 25, "{found:?}");
    assert!(kilobytes < 200 << 10, "{} MB", kilobytes >> 10);
}

/// The server also offers HTTP/2, and has a self-signed certificate.
#[test]
fn sessions_use_http1_by_default_and_trust_ssl_cert_file() {
    const SCRIPT: &str = r#"
import json, os, socket, ssl, threading

import molotov

CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
CONTEXT.load_cert_chain("certificate.pem", "key.pem")
CONTEXT.set_alpn_protocols(["h2", "http/1.1"])
LISTENER = socket.create_server(("127.0.0.1", 0))
URL = "https://localhost:%d/" % LISTENER.getsockname()[1]
AGREED = []


def serve():
    while True:
        plain, _ = LISTENER.accept()
        try:
            with CONTEXT.wrap_socket(plain, server_side=True) as stream:
                AGREED.append(stream.selected_alpn_protocol())
                # HTTP/2 is negotiated, but not supported.
                if AGREED[-1] == "http/1.1":
                    stream.recv(65536)
                    stream.sendall(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok")
        except OSError:
            AGREED.append("failed")


threading.Thread(target=serve, daemon=True).start()


@molotov.setup()
async def setup(worker_id, args):
    return {"http2": True} if worker_id == 1 else {}


@molotov.scenario()
async def one(session):
    try:
        async with session.get(URL, timeout=5) as response:
            got = await response.text()
    except Exception as error:
        got = type(error).__name__
    with open("found-%d.json" % molotov.get_context(session).worker_id, "w") as file:
        json.dump([got, AGREED], file)
"#;
    let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let (certificate, key) = (certificate.pem(), key.serialize_pem());
    let scripts = Scripts::new(&[("tls.py", SCRIPT), ("certificate.pem", &certificate), ("key.pem", &key)]);
    for (workers, file, expected) in [(1, "found-0.json", ("ok", "http/1.1")), (2, "found-1.json", ("", "h2"))] {
        let line = format!("-w {workers} -r 1 tls.py");
        let output = scripts.program(&line).env("SSL_CERT_FILE", "certificate.pem").run();
        let (got, agreed): (String, Vec<String>) = serde_json::from_str(&scripts.written(file)).unwrap();
        assert!(agreed.contains(&expected.1.to_owned()), "{agreed:?} {output:?}");
        assert!(expected.0.is_empty() || got == expected.0, "{got} {output:?}");
        if workers == 1 {
            assert_eq!(agreed, ["http/1.1"]);
        }
    }
}
