//! TLS settings of scripts, and requests that only aiohttp supports.

use super::Scripts;

const CERTIFICATE: &str = include_str!("../python/tls/server.pem");
const KEY: &str = include_str!("../python/tls/server.key");

/// Runs an HTTPS server in the script. `serve` returns its address: each process has its own server, since one that
/// they share would lose the connections that a process accepted when it ended.
const SECURE: &str = r#"
import asyncio, http.server, ssl, threading
import molotov

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_):
        pass

def serve():
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain("server.pem", "server.key")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.socket = made.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return "https://127.0.0.1:%d" % server.server_port
"#;

#[test]
fn the_engine_sends_requests_with_tls_settings() {
    let script = r#"
import ssl
import molotov
from secure import serve

@molotov.setup()
async def prepare(worker_id, args):
    return {"base_url": serve()}

TRUSTED = ssl.create_default_context(cafile="server.pem")

@molotov.scenario()
async def one(session):
    for path, options in (("/unchecked", {"ssl": False}), ("/trusted", {"ssl": TRUSTED})):
        async with session.get(path, **options) as response:
            assert await response.text() == "ok"
    try:
        await session.get("/refused")
    except OSError as error:
        assert type(error).__name__ == "ClientConnectorCertificateError", error
    else:
        raise AssertionError("nobody has signed that certificate")
"#;
    for (line, runs) in [("", 2), ("-p 2", 4)] {
        let scripts = Scripts::new(&[
            ("loadtest.py", script),
            ("secure.py", SECURE),
            ("server.pem", CERTIFICATE),
            ("server.key", KEY),
            // The script must not import it, even if it is installed.
            ("aiohttp.py", "raise ModuleNotFoundError(\"No module named 'aiohttp'\", name='aiohttp')\n"),
        ]);
        let output = scripts.program(&format!("-c -r 2 --report out.json {line}")).run().exited(0);
        assert_eq!(output.totals(), (runs, 0), "{output:#?}");
        assert!(!output.stdout.contains("aiohttp"), "{output:#?}");
        let report = molotov_tests::report(&scripts.written("out.json"));
        for (name, ok, failed) in [("GET /unchecked", runs, 0), ("GET /trusted", runs, 0), ("GET /refused", 0, runs)] {
            assert_eq!(counts(&report, name), (ok, failed), "{name} of {line}: {report:#}");
        }
    }
}

/// The successes and failures of a row of the table.
fn counts(report: &serde_json::Value, name: &str) -> (u64, u64) {
    let rows = report["requests"].as_array().unwrap();
    let row = rows.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("{name} is missing: {report:#}"));
    (row["ok"].as_u64().unwrap(), row["failed"].as_u64().unwrap())
}

/// A module with the parts of aiohttp that the package uses.
const AIOHTTP: &str = r#"
import http.client
from types import SimpleNamespace
from urllib.parse import urlsplit

__version__ = "3.9.5"


class URL(str):
    @property
    def host(self):
        return urlsplit(self).hostname

    def with_user(self, user):
        return self


class TCPConnector:
    def __init__(self, **options):
        pass


class CookieJar:
    pass


class ClientRequest:
    def __init__(self, method, url):
        self.method, self.url, self.headers = method, URL(url), {}

    async def send(self, answer):
        return answer


class ClientSession:
    def __init__(self, **options):
        self._request_class = options["request_class"]
        self._cookie_jar = options["cookie_jar"]

    def _build_url(self, url):
        return URL(url)

    async def _request(self, method, url, **options):
        status = 101 if url.endswith("/ws") else 200
        content = SimpleNamespace(total_bytes=7, exception=lambda: None)
        answer = SimpleNamespace(method=method, url=URL(url), status=status, reason="", raw_headers=(), history=(),
                                 connection=None, content=content)
        if url.endswith("/broken"):
            raise OSError("broken")
        return await self._request_class(method, url).send(answer)

    async def request(self, method, url, **options):
        return await self._request(method, url, **options)

    async def ws_connect(self, url, **options):
        await self._request("GET", url, headers={"Sec-WebSocket-Key": "x"})
        return self

    async def close(self):
        pass
"#;

#[test]
fn requests_by_aiohttp_are_measured_and_reported_to_listeners() {
    let script = r#"
import molotov

SENT = {}

@molotov.events()
async def listen(event, **info):
    if event == "sending_request":
        SENT[info["request"]] = info["session"]
    elif event == "response_received":
        assert SENT[info["request"]] is info["session"]
        assert info["response"].request is info["request"]
        print("answered", info["response"].status, info["request"].url.rpartition("/")[2])

@molotov.scenario()
async def one(session):
    async with session.ws_connect("http://127.0.0.1:1/ws", compress=15):
        pass
    await session.post("http://127.0.0.1:1/asks", data=b"x", expect100=True)
    try:
        await session.post("http://127.0.0.1:1/broken", data=b"x", expect100=True)
    except OSError:
        pass
"#;
    for (line, runs) in [("", 2), ("-p 2", 4)] {
        let scripts = Scripts::new(&[("loadtest.py", script), ("aiohttp.py", AIOHTTP)]);
        let output = scripts.program(&format!("-c -r 2 --report out.json {line}")).run().exited(0);
        assert_eq!(output.totals(), (runs, 0), "{output:#?}");
        for told in ["answered 101 ws", "answered 200 asks"] {
            assert_eq!(output.stdout.matches(told).count() as u64, runs, "{told}: {output:#?}");
        }
        let report = molotov_tests::report(&scripts.written("out.json"));
        for (name, ok, failed) in [("GET /ws", runs, 0), ("POST /asks", runs, 0), ("POST /broken", 0, runs)] {
            assert_eq!(counts(&report, name), (ok, failed), "{name} of {line}: {report:#}");
        }
    }
}

#[test]
fn every_fallback_to_aiohttp_is_reported() {
    let script = r#"
import molotov

@molotov.scenario()
async def one(session):
    async with session.ws_connect("http://127.0.0.1:1/ws", compress=15):
        pass
    await session.post("http://127.0.0.1:1/", data=b"x", expect100=True)
    await session.get("https://127.0.0.1:1/", proxy="http://127.0.0.1:1/")
    session._connector = Connector()
    await session.get("http://127.0.0.1:1/")

class Connector:
    async def close(self):
        pass
"#;
    let scripts = Scripts::new(&[("loadtest.py", script), ("aiohttp.py", AIOHTTP)]);
    let output = scripts.program("-c -r 2").run().exited(0);
    assert_eq!(output.totals(), (2, 0), "{output:#?}");
    let all = format!("{}{}", output.stdout, output.stderr);
    for what in [
        "a WebSocket with `compress`",
        "a request with `expect100`",
        "an HTTPS request through a proxy",
        "requests with a connector of the class Connector",
    ] {
        let expected = format!("only aiohttp supports {what}, so aiohttp sends it, at its own speed");
        assert_eq!(all.matches(&expected).count(), 1, "{what}: {all}");
    }
}

#[test]
fn a_request_that_needs_aiohttp_says_so_if_it_is_not_installed() {
    let script = r#"
import molotov

@molotov.scenario()
async def one(session):
    await session.post("http://127.0.0.1:1/", data=b"x", expect100=True)
"#;
    // Hides an installed aiohttp.
    let missing = "raise ModuleNotFoundError(\"No module named 'aiohttp'\", name='aiohttp')\n";
    let scripts = Scripts::new(&[("loadtest.py", script), ("aiohttp.py", missing)]);
    let output = scripts.program("-c -r 1").run().exited(0);
    assert_eq!(output.totals(), (0, 1));
    assert!(output.stdout.contains("this needs aiohttp, which is not installed"), "{output:#?}");
    assert!(output.stdout.contains("pip install aiohttp"), "{output:#?}");
}
