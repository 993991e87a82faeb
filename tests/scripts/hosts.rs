//! Paths on the host of `--host`, and default headers and cookies, in scripts.

use molotov_tests::Server;

use super::Scripts;

/// The paths of all requests, sorted, each with the values of its headers `x-key` and `cookie`.
fn requests(server: &Server) -> Vec<(String, String, String)> {
    let text = |headers: &molotov::HeaderMap, name: &str| {
        headers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned()
    };
    let arrivals = server.arrivals().into_iter();
    let mut requests: Vec<_> = arrivals
        .map(|arrival| (arrival.path, text(&arrival.headers, "x-key"), text(&arrival.headers, "cookie")))
        .collect();
    requests.sort();
    requests
}

#[test]
fn paths_of_every_kind_of_request_are_on_the_host() {
    let script = r#"
import molotov

@molotov.global_setup()
def begin(args):
    assert args.host.startswith("http://127.0.0.1:"), args.host
    assert args.header == ["X-Key: run"] and args.cookie == ["id=1"], (args.header, args.cookie)
    assert molotov.request("/ok/global")["status"] == 200

@molotov.scenario()
async def one(session):
    async with session.get("/ok/plain") as response:
        assert response.status == 200
        assert str(response.url).endswith("/api/ok/plain"), response.url
    async with session.get("/ok/params?a=1", params={"b": "2"}, headers={"X-Key": "own"}) as response:
        assert str(response.url).endswith("/api/ok/params?a=1&b=2"), response.url
    async with session.post("/ok/cookies", data="x", cookies={"more": "2"}) as response:
        assert response.status == 200
    session.headers["X-Own"] = "1"
    async with session.get("/ok/changed") as response:
        assert response.status == 200
    try:
        await session.get("ok")
    except ValueError as error:
        assert "a path begins with a slash: /ok" in error.__notes__[0], error.__notes__
    else:
        assert False, "the path has no slash"
"#;
    let scripts = Scripts::new(&[("loadtest.py", script)]);
    let line = format!("-r 1 -c -v --host {}/api/ --cookie id=1 -H", scripts.server.url());
    let output = scripts.program(&line).arg("X-Key: run").run().exited(0);
    assert_eq!(output.totals(), (1, 0), "{output:#?}");
    let expected = [
        ("/api/ok/changed", "run", "id=1"),
        ("/api/ok/cookies", "run", "more=2"),
        ("/api/ok/global", "run", "id=1"),
        ("/api/ok/params", "own", "id=1"),
        ("/api/ok/plain", "run", "id=1"),
    ];
    let expected = expected.map(|(path, key, cookie)| (path.to_owned(), key.to_owned(), cookie.to_owned()));
    assert_eq!(requests(&scripts.server), expected);
    // The names of all do not contain the path of the host.
    for name in ["GET /ok/plain", "GET /ok/params", "POST /ok/cookies", "GET /ok/changed"] {
        assert!(output.stdout.contains(&format!("\n{name} ")), "{name}: {output:#?}");
    }
}

#[test]
fn the_host_replaces_the_base_url_of_a_script() {
    let script = r#"
import molotov

@molotov.setup()
async def prepare(worker_id, args):
    return {"base_url": "http://127.0.0.1:1"}

@molotov.scenario()
async def one(session):
    for path in ("/ok/slash", "ok/bare"):
        async with session.get(path) as response:
            assert response.status == 200
"#;
    let scripts = Scripts::new(&[("loadtest.py", script)]);
    let output = scripts.program(&format!("-r 1 -c -v --host {}", scripts.server.url())).run().exited(0);
    assert_eq!(output.totals(), (1, 0), "{output:#?}");
    let paths: Vec<_> = requests(&scripts.server).into_iter().map(|(path, ..)| path).collect();
    assert_eq!(paths, ["/ok/bare", "/ok/slash"]);
}
