//! Operations of protocols that scripts bring themselves.

use molotov_tests::{Program, operations_are_measured};
use serde_json::{Value, json};

use super::{MOLOTOV, Scripts};

#[test]
fn operations_of_a_script_are_measured() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/python/lines.py");
    operations_are_measured(|line, directory| Program::new(MOLOTOV, line).in_directory(directory).arg(script));
}

const KINDS: &str = r#"
import molotov


class Line:
    def __init__(self, **options):
        self.options = options

    async def __aenter__(self):
        return self

    async def __aexit__(self, *exception):
        pass


@molotov.session_factory("line")
def line(loop, console, verbose, statsd, trace_config, **options):
    return Line(**options)


@molotov.setup()
async def setup(worker_id, args):
    return {"headers": {"x": "y"}, "line": {"address": "host:%d" % worker_id, "size": 2}}


@molotov.scenario()
async def own(session, session_factory="line", size=1, other=3):
    assert session.options == {"address": "host:%d" % molotov.get_context(session).worker_id, "size": 2, "other": 3}


@molotov.scenario()
async def http(session):
    assert session.headers["x"] == "y"
"#;

#[test]
fn setup_gives_the_options_of_any_kind_of_session() {
    let scripts = Scripts::new(&[("loadtest.py", KINDS)]);
    assert_eq!(scripts.program("-w 2 -r 20 -c loadtest.py").run().exited(0).totals(), (40, 0));
}

const ODD: &str = r#"
import asyncio
import molotov

outside = molotov.operation("LINE", "outside")


class Status:
    def __str__(self):
        return "text"


@molotov.events()
async def listen(event, **info):
    # Listeners may wait; nobody measures that.
    await asyncio.sleep(0.1)
    if event == "operation_end":
        print(info["name"], info["status"], info["outcome"], info["elapsed"] < 0.1, info["wid"])


async def one(name, status=None):
    async with molotov.operation("LINE", name) as operation:
        operation.status = status
        assert (operation.protocol, operation.name) == ("LINE", name)


@molotov.scenario()
async def odd(session):
    await asyncio.gather(one("gathered", 7), one("gathered", Status()))
    await asyncio.create_task(one("none"))
    async with molotov.get_context(session).operation("SQL", "failed") as operation:
        operation.fail()
    try:
        async with molotov.operation("LINE", "timeout"):
            await asyncio.wait_for(asyncio.sleep(60), 0.01)
    except asyncio.TimeoutError:
        pass
    task = asyncio.create_task(waits())
    while not WAITING:
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    again = molotov.operation("", "again")
    for _ in range(2):
        async with again:
            try:
                await again.__aenter__()
            except RuntimeError as error:
                assert "running already" in str(error)
            else:
                assert False
    async with outside as same:
        assert same is outside


WAITING = []


async def waits():
    async with molotov.operation("LINE", "cancelled"):
        WAITING.append(1)
        await asyncio.sleep(60)
"#;

fn row(row: &Value) -> Value {
    json!([row["name"], row["protocol"], row["ok"], row["failed"], row["interrupted"], row["statuses"]])
}

#[test]
fn operations_end_as_their_blocks_do() {
    let scripts = Scripts::new(&[("loadtest.py", ODD)]);
    let output = scripts.program("-r 1 -c --report run.json").run().exited(0);
    assert_eq!(output.totals(), (1, 0), "{output:#?}");
    let report = molotov_tests::report(&scripts.written("run.json"));
    let rows: Vec<_> = report["requests"].as_array().unwrap().iter().map(row).collect();
    assert_eq!(
        rows,
        [
            json!(["LINE cancelled", "LINE", 0, 0, 1, {}]),
            json!(["LINE gathered", "LINE", 2, 0, 0, { "7": 1, "text": 1 }]),
            json!(["LINE none", "LINE", 1, 0, 0, {}]),
            json!(["LINE timeout", "LINE", 0, 1, 0, {}]),
            json!(["SQL failed", "SQL", 0, 1, 0, {}]),
            json!(["again", "", 2, 0, 0, {}]),
        ]
    );
    for line in
        ["gathered 7 ok True 0", "none None ok True 0", "failed None failed True 0", "timeout None failed True 0"]
    {
        assert!(output.stdout.lines().any(|printed| printed == line), "{line}: {output:#?}");
    }
    assert!(!output.stdout.lines().any(|printed| printed.starts_with("cancelled ")), "{output:#?}");
}
