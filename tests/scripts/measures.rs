//! What scripts measure themselves: checks, counters, values, gauges and groups; names, tags and expected statuses of requests.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::Scripts;

/// The name, the successes, the failures and the interruptions of each row of a table.
fn rows(report: &Value, table: &str) -> Vec<Value> {
    let row = |row: &Value| json!([row["name"], row["ok"], row["failed"], row["interrupted"]]);
    report[table].as_array().unwrap().iter().map(row).collect()
}

const GROUPS: &str = r#"
import asyncio, os
import molotov

URL = os.environ["TARGET"]


async def child(session, name):
    async with molotov.group(name):
        await session.get(URL + "/")
        async with molotov.operation("LINE", "echo"):
            await asyncio.sleep(0)


async def waits(started):
    async with molotov.group("cancelled"):
        started.set()
        await asyncio.sleep(60)


@molotov.scenario()
async def one(session):
    await session.get(URL + "/")
    async with molotov.group("checkout") as checkout:
        assert checkout.name == "checkout"
        await session.get(URL + "/")
        # Siblings have their own groups.
        await asyncio.gather(child(session, "a"), child(session, "b"))
        # Tasks inherit the group in which they start, and requests that run beside each other belong to it.
        await asyncio.create_task(child(session, "task"))
        await asyncio.gather(session.get(URL + "/"), session.get(URL + "/", headers={"x": "y"}))
    with molotov.group("blocks"):
        await session.get(URL + "/")
    try:
        async with molotov.group("fails"):
            raise ValueError("no")
    except ValueError:
        pass
    started = asyncio.Event()
    task = asyncio.create_task(waits(started))
    await started.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    try:
        with checkout, checkout:
            pass
    except RuntimeError as error:
        assert "the group `checkout` is running already" in str(error), error
    else:
        assert False
    await session.get(URL + "/")
"#;

#[test]
fn requests_belong_to_the_group_of_their_task() {
    let scripts = Scripts::new(&[("loadtest.py", GROUPS)]);
    for (line, base) in [("-r 1", ""), ("-r 1 --split-requests", "one / ")] {
        let output = scripts.program(&format!("{line} -c --report run.json")).run().exited(0);
        assert_eq!(output.totals(), (1, 0), "{output:#?}");
        let report = molotov_tests::report(&scripts.written("run.json"));
        let row = |name: &str, counts: [u64; 3]| json!([format!("{base}{name}"), counts[0], counts[1], counts[2]]);
        let requests = [
            row("GET /", [2, 0, 0]),
            row("blocks / GET /", [1, 0, 0]),
            row("checkout / GET /", [3, 0, 0]),
            row("checkout / a / GET /", [1, 0, 0]),
            row("checkout / a / LINE echo", [1, 0, 0]),
            row("checkout / b / GET /", [1, 0, 0]),
            row("checkout / b / LINE echo", [1, 0, 0]),
            row("checkout / task / GET /", [1, 0, 0]),
            row("checkout / task / LINE echo", [1, 0, 0]),
        ];
        assert_eq!(rows(&report, "requests"), requests, "{line}");
        let steps = [
            row("blocks", [1, 0, 0]),
            row("cancelled", [0, 0, 1]),
            row("checkout", [1, 1, 0]),
            row("checkout / a", [1, 0, 0]),
            row("checkout / b", [1, 0, 0]),
            row("checkout / task", [1, 0, 0]),
            row("fails", [0, 1, 0]),
        ];
        assert_eq!(rows(&report, "steps"), steps, "{line}");
    }
}

const OWN: &str = r#"
import asyncio
import molotov


@molotov.setup_session()
async def opened(worker_id, session):
    molotov.count("opened")


async def later():
    molotov.record("basket", 7)
    return molotov.check("known", None)


@molotov.scenario()
async def one(session):
    step = molotov.get_context(session).step
    assert molotov.check("even", step % 2 == 0, ValueError("step %d" % step)) is (step % 2 == 0)
    assert await asyncio.create_task(later()) is False
    molotov.count("steps", step)
    molotov.record("basket", 1.5)
    molotov.gauge("queue", step)
"#;

#[test]
fn checks_and_values_of_scripts_are_reported() {
    let scripts = Scripts::new(&[("loadtest.py", OWN)]);
    for (line, processes) in [("-r 4", 1), ("-p 2 -r 4", 2), ("--rate 10/s -d 0.4 -w 1", 1)] {
        let output = scripts.program(&format!("{line} -c --report run.json")).run().exited(0);
        assert_eq!(output.totals(), (4 * processes, 0), "{output:#?}");
        let report = molotov_tests::report(&scripts.written("run.json"));
        let [even, known] = report["checks"].as_array().unwrap().as_slice() else { panic!("{report:#}") };
        assert_eq!(json!([even["passed"], even["failed"]]), json!([2 * processes, 2 * processes]), "{line}: {even:#}");
        assert_eq!(json!([known["passed"], known["failed"]]), json!([0, 4 * processes]), "{line}: {known:#}");
        let sample =
            |check: &Value| json!([check["sample"]["scenario"], check["sample"]["message"], check["sample"]["place"]]);
        assert_eq!(sample(even), json!(["one", "step 1", "loadtest.py:19"]), "{line}");
        assert_eq!(sample(known), json!(["one", null, "loadtest.py:13"]), "{line}");
        let of = |table: &str, what: [&str; 2]| {
            let rows = report[table].as_array().unwrap().iter();
            json!(rows.map(|row| json!([row["name"], row[what[0]], row[what[1]]])).collect::<Vec<_>>())
        };
        let counts: Vec<Value> =
            (report["counters"].as_array().unwrap().iter()).map(|row| json!([row["name"], row["count"]])).collect();
        assert_eq!(counts, [json!(["opened", processes]), json!(["steps", 10 * processes])], "{line}");
        assert_eq!(
            of("values", ["count", "sum"]),
            json!([["basket", 8 * processes, 34.0 * processes as f64]]),
            "{line}"
        );
        assert_eq!(of("gauges", ["last", "max"]), json!([["queue", 4.0, 4.0]]), "{line}");
    }
}

const EXPECTED: &str = r#"
import http, os
import molotov

URL = os.environ["TARGET"] + "/fail"


@molotov.setup()
async def setup(worker_id, args):
    options = {"expect": range(500, 505), "raise_for_status": False}
    # aiohttp itself makes such a session.
    return {**options, "skip_auto_headers": ["x-none"]} if os.environ.get("REAL") else options


@molotov.scenario()
async def one(session):
    for name, expect in (
        ("session", None),
        ("one", 500),
        ("status", http.HTTPStatus.INTERNAL_SERVER_ERROR),
        ("several", [200, 500]),
        ("ranges", [200, range(500, 600)]),
        ("range", range(500, 501)),
        ("any", "any"),
    ):
        async with session.get(URL, name="ok " + name, expect=expect, **MORE) as response:
            assert response.status == 500
    for name, expect in (("one", 200), ("several", {200, 405}), ("range", range(200, 500))):
        async with session.get(URL, name="not " + name, expect=expect, tags={"region": "eu", "try": 1}, **MORE):
            pass
"#;

#[test]
fn requests_succeed_with_the_statuses_that_they_expect() {
    let expected: Vec<Value> = (["not one", "not range", "not several"].map(|name| json!([name, 0, 1, 0])).into_iter())
        .chain(
            ["ok any", "ok one", "ok range", "ok ranges", "ok session", "ok several", "ok status"]
                .map(|name| json!([name, 1, 0, 0])),
        )
        .collect();
    // Without other arguments, with other arguments, and in a session beside which aiohttp sends requests.
    // The last one is a session of aiohttp.
    for (more, real) in [("{}", ""), ("{'headers': {'x': 'y'}}", ""), ("{'expect100': True}", ""), ("{}", "1")] {
        let script = format!("{EXPECTED}\nMORE = {more}\n");
        let scripts = Scripts::new(&[("loadtest.py", &script), ("aiohttp.py", AIOHTTP)]);
        let output = scripts.program("-r 1 -c --report run.json").env("REAL", real).run().exited(0);
        assert_eq!(output.totals(), (1, 0), "{more}: {output:#?}");
        let report = molotov_tests::report(&scripts.written("run.json"));
        assert_eq!(rows(&report, "requests"), expected, "{more}");
    }
}

/// A module with the parts of aiohttp that the package uses. Every response is an error.
const AIOHTTP: &str = r#"
import contextlib
from types import SimpleNamespace

__version__ = "3.9.5"


class URL(str):
    host = None


class CookieJar:
    pass


class TCPConnector:
    def __init__(self, **options):
        pass


class ClientRequest:
    def __init__(self, method, url):
        self.method, self.url, self.headers = method, URL(url), {}

    async def send(self, answer):
        return answer


class Response(SimpleNamespace):
    async def __aenter__(self):
        return self

    async def __aexit__(self, *exception):
        pass


class ClientSession:
    def __init__(self, *, request_class, cookie_jar=None, connector=None, connector_owner=True, raise_for_status=False, skip_auto_headers=()):
        self._request_class, self._cookie_jar = request_class, cookie_jar

    def _build_url(self, url):
        return URL(url)

    async def _request(self, method, url, *, expect100=None):
        content = SimpleNamespace(total_bytes=7, exception=lambda: None)
        return await self._request_class(method, url).send(
            Response(method=method, url=URL(url), status=500, reason="", raw_headers=(), history=(), connection=None, content=content)
        )

    async def request(self, method, url, **options):
        return await self._request(method, url, **options)

    @contextlib.asynccontextmanager
    async def get(self, url, **options):
        yield await self._request("GET", url, **options)

    async def close(self):
        pass
"#;

const WRONG: &str = r#"
import asyncio, os
import molotov

for function, arguments in (
    (molotov.check, ("x", True)), (molotov.count, ("x",)), (molotov.record, ("x", 1)), (molotov.gauge, ("x", 1)),
    (molotov.group, ("x",)), (molotov.think, (1,)), (molotov.worker_number, ()),
):
    try:
        function(*arguments)
    except RuntimeError as error:
        assert "`molotov.%s` works in scenarios" % function.__name__ in str(error), error
    else:
        raise AssertionError(function)


def raises(kind, text, function, *arguments, **keywords):
    try:
        function(*arguments, **keywords)
    except kind as error:
        assert text in str(error), error
    else:
        raise AssertionError(text)


@molotov.scenario()
async def one(session):
    raises(TypeError, "the value `x` takes a number, not str", molotov.record, "x", "1")
    raises(ValueError, "the value `x` cannot be NaN", molotov.record, "x", float("nan"))
    raises(ValueError, "the gauge `x` cannot be inf", molotov.gauge, "x", float("inf"))
    raises(TypeError, "the gauge `x` takes a number, not NoneType", molotov.gauge, "x", None)
    raises(TypeError, "the counter `x` takes a whole number, not float", molotov.count, "x", 1.5)
    raises(ValueError, "the counter `x` cannot add -1", molotov.count, "x", -1)
    raises(TypeError, "is a function, which is always true", molotov.check, "x", len)
    raises(TypeError, "is a coroutine, which is always true", molotov.check, "x", asyncio.sleep(0))
    raises(ValueError, "the shortest time comes first", molotov.think, 3, 1)
    raises(ValueError, "`norm(2s)` is not a delay", molotov.think, "norm(2s)")
    raises(TypeError, "a time is a number of seconds", molotov.think, None)
    url = os.environ["TARGET"]
    for kind, text, keywords in (
        (TypeError, "`expect` takes a status such as 404", {"expect": 1.5}),
        (TypeError, "`expect` takes a status such as 404", {"expect": True}),
        (TypeError, "`expect` takes a status such as 404", {"expect": ["404"]}),
        (ValueError, "a status is a number from 100 to 999", {"expect": [4]}),
        (ValueError, "the only text that it takes is \"any\"", {"expect": "404"}),
        (ValueError, "`expect` has no status", {"expect": []}),
        (TypeError, "`tags` takes a dict", {"tags": ["a"]}),
        (TypeError, "the tag `a` takes a text or a number, not list", {"tags": {"a": []}}),
        (TypeError, "`name` takes the name of the request", {"name": 1}),
    ):
        for more in ({}, {"headers": {"x": "y"}}):
            try:
                await session.get(url, **keywords, **more)
            except kind as error:
                assert text in str(error), error
            else:
                raise AssertionError(keywords)
"#;

#[test]
fn wrong_values_raise_exceptions_that_say_what_to_give() {
    let scripts = Scripts::new(&[("loadtest.py", WRONG)]);
    let output = scripts.program("-r 1 -c").run().exited(0);
    assert_eq!(output.totals(), (1, 0), "{output:#?}");
}

const NUMBERS: &str = r#"
import asyncio
import molotov

OUTSIDE = molotov.unique()
WORKERS = set()


@molotov.setup_session()
async def opened(worker_id, session):
    assert molotov.get_context(session).worker_id == worker_id
    WORKERS.add(molotov.worker_number())


async def number():
    return molotov.unique()


@molotov.scenario()
async def one(session):
    context = molotov.get_context(session)
    assert context.worker_number == molotov.worker_number()
    assert OUTSIDE >= 2**52
    for number_of in (molotov.unique(), await asyncio.create_task(number()), context.unique()):
        print("number", number_of)
    # A script may attach what it likes.
    context.attach("seen", context.worker_number)
    context.worker_number = "its own"
    assert context.worker_number == "its own"
    del context.worker_number
    print("worker", context.worker_number, context.worker_id)


@molotov.teardown()
def closed(worker_id):
    print("number", molotov.unique())
    print("worker", molotov.worker_number(), worker_id)
"#;

#[test]
fn unique_numbers_differ_over_workers_and_processes() {
    let scripts = Scripts::new(&[("loadtest.py", NUMBERS)]);
    let output = scripts.program("-p 3 -w 4 -r 5 -c").run().exited(0);
    assert_eq!(output.totals(), (3 * 4 * 5, 0), "{output:#?}");
    let of = |what: &str| -> Vec<&str> { output.stdout.lines().filter_map(|line| line.strip_prefix(what)).collect() };
    let numbers = of("number ");
    assert_eq!(numbers.len(), 3 * 4 * (5 * 3 + 1));
    assert_eq!(numbers.iter().collect::<BTreeSet<_>>().len(), numbers.len(), "a number occurs twice: {numbers:?}");
    // 12 workers have 12 numbers, and 4 identifiers, each in 3 processes.
    let workers: BTreeSet<_> = of("worker ").into_iter().collect();
    assert_eq!(workers.len(), 12, "{workers:?}");
    let part = |at: usize| workers.iter().filter_map(|line| line.split(' ').nth(at)).collect::<BTreeSet<_>>().len();
    assert_eq!((part(0), part(1)), (12, 4), "{workers:?}");
}

/// The names that `from molotov import *` binds in the original, and those of ours that earlier versions bound.
const STAR: &str = r#"
def check(*_): return "own"
count = group = record = gauge = unique = tag = think = data = "own"

from molotov import *

assert (check(), count, group, record, gauge, unique, tag, think, data) == ("own",) * 9
for name in ("events", "get_context", "get_var", "global_setup", "json_request", "request", "scenario", "scenario_picker",
             "set_var", "setup", "setup_session", "teardown", "teardown_session", "global_teardown"):
    assert name in globals(), name


@scenario()
async def one(session):
    import molotov
    molotov.count("module", 2)
"#;

#[test]
fn names_of_a_script_are_not_replaced_by_a_star_import() {
    let scripts = Scripts::new(&[("loadtest.py", STAR)]);
    assert_eq!(scripts.program("-r 1 -c").run().exited(0).totals(), (1, 0));
}

const THINKING: &str = r#"
import asyncio
import molotov


@molotov.scenario(delay=(0.01, 0.02), name="thinks")
async def thinks(session):
    async with molotov.group("group"):
        await asyncio.gather(molotov.think(0.3), molotov.think(0.3, 0.31), molotov.think("300ms"))


@molotov.scenario(delay="exp(1ms)", pacing="0.4s")
async def paced(session):
    pass
"#;

#[test]
fn latencies_do_not_include_the_time_that_scripts_think() {
    let scripts = Scripts::new(&[("loadtest.py", THINKING)]);
    let output = scripts.program("-s thinks -r 2 -c --report run.json").run().exited(0);
    assert_eq!(output.totals(), (2, 0), "{output:#?}");
    let report = molotov_tests::report(&scripts.written("run.json"));
    assert!(report["active_s"].as_f64().unwrap() > 0.6, "{report:#}");
    for row in [&report["scenarios"][0], &report["steps"][0]] {
        assert!(row["latency_ms"]["max"].as_f64().unwrap() < 250.0, "{row:#}");
    }
}

#[test]
fn scenarios_of_scripts_are_paced_from_start_to_start() {
    let scripts = Scripts::new(&[("loadtest.py", THINKING)]);
    let output = scripts.program("-s paced -r 3 -c --report run.json").run().exited(0);
    assert_eq!(output.totals(), (3, 0), "{output:#?}");
    assert!(molotov_tests::report(&scripts.written("run.json"))["active_s"].as_f64().unwrap() > 0.75, "{output:#?}");
    for (argument, error) in [
        ("delay=(3, 1)", "the delay of the scenario one: the shortest time comes first"),
        ("delay=\"x\"", "the delay of the scenario one: `x` is not a delay"),
        ("pacing=\"1s..3s\"", "the pacing of the scenario one: `1s..3s` is not a fixed time"),
    ] {
        let script = format!("import molotov\n@molotov.scenario({argument})\nasync def one(session): pass\n");
        let scripts = Scripts::new(&[("loadtest.py", &script)]);
        let output = scripts.program("-r 1 -c").run();
        assert!(output.code != Some(0) && format!("{output:?}").contains(error), "{argument}: {output:#?}");
    }
}
