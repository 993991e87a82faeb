//! Cookies of servers without a host name. Like aiohttp's, the sessions of scripts drop them, and the run reports it once.

use super::Scripts;

const SHOP: &str = r#"
import asyncio
import molotov

async def serve(reader, writer):
    while request := await reader.readuntil(b"\r\n\r\n"):
        known = b"Cookie: id=1" in request or b"cookie: id=1" in request
        public = request.startswith(b"GET /login")
        status = b"200 OK" if known or public else b"STATUS Refused"
        cookie = b"Set-Cookie: id=1; Path=/\r\n" if public else b""
        writer.write(b"HTTP/1.1 %s\r\n%sContent-Length: 0\r\n\r\n" % (status, cookie))

@molotov.setup()
async def prepare(worker_id, args):
    return OPTIONS

@molotov.setup_session()
async def begin(worker_id, session):
    session.server = await asyncio.start_server(serve, "127.0.0.1", 0)
    session.shop = "http://HOST:%d" % session.server.sockets[0].getsockname()[1]

@molotov.scenario()
async def buy(session):
    async with session.get(session.shop + "/login"):
        pass
    async with session.get(session.shop + "/PRIVATE") as response:
        print("PRIVATE", response.status)
"#;

fn shop(host: &str, options: &str, status: &str, private: &str) -> Scripts {
    let filled = SHOP.replace("HOST", host).replace("OPTIONS", options).replace("STATUS", status);
    Scripts::new(&[("loadtest.py", &filled.replace("PRIVATE", private))])
}

#[test]
fn dropped_cookies_are_reported_with_the_first_refusal() {
    for (line, status) in [("-c -w 2 -r 2", "401"), ("-c -p 2 -r 2", "403")] {
        let output = shop("127.0.0.1", "{}", status, "private").program(line).run().exited(0);
        let text = format!("a response has status {status} after a session dropped a cookie set by 127.0.0.1: ");
        assert_eq!(output.stdout.matches(&text).count(), 1, "{line}: {output:#?}");
        assert_eq!(output.stdout.matches("dropped a cookie").count(), 1, "{line}: {output:#?}");
        assert_eq!(output.stdout.matches(&format!("private {status}")).count(), 4, "{line}: {output:#?}");
    }
}

#[test]
fn dropped_cookies_are_reported_at_the_end_without_a_refusal() {
    for line in ["-c -r 2", "-c -p 2 -w 2 -r 2"] {
        let output = shop("127.0.0.1", "{}", "404", "public").program(line).run().exited(0);
        let text = output.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(text.matches("A session dropped a cookie set by 127.0.0.1: ").count(), 1, "{line}: {output:#?}");
        let advice = r#"use a host name such as `localhost`, or return {"cookie_jar": aiohttp.CookieJar(unsafe=True)} from `setup`."#;
        assert!(text.contains(advice), "{line}: {output:#?}");
    }
}

#[test]
fn a_host_name_keeps_its_cookies_without_a_warning() {
    let output = shop("localhost", "{}", "401", "private").program("-c -r 2").run().exited(0);
    assert!(output.stdout.contains("private 200") && !output.stdout.contains("private 401"), "{output:#?}");
    assert!(!output.stdout.contains("dropped a cookie"), "{output:#?}");
}
