//! Data files of scripts: each row as often as the order says, over all processes.

use std::collections::BTreeMap;

use super::Scripts;

const SCRIPT: &str = r#"
import os
import molotov

ROWS = molotov.data(os.environ["FILE"], each=os.environ["EACH"], order=os.environ["ORDER"])
NOTES = open("taken.txt", "a")

def note(row):
    os.write(NOTES.fileno(), (str(row["id"]) + "\n").encode())

@molotov.setup_session()
async def keep(worker_id, session):
    if os.environ["EACH"] == "worker":
        assert set(ROWS.row()) == {"id"}

@molotov.scenario()
async def once(session):
    row = ROWS.row()
    assert ROWS.row() is row
    note(row)
"#;

/// Runs the script in three processes, and returns its output and how often each row was taken.
fn run(file: &str, rows: &str, line: &str, each: &str, order: &str) -> (molotov_tests::Output, BTreeMap<u32, usize>) {
    run_in(3, file, rows, line, each, order)
}

fn run_in(
    processes: usize,
    file: &str,
    rows: &str,
    line: &str,
    each: &str,
    order: &str,
) -> (molotov_tests::Output, BTreeMap<u32, usize>) {
    let scripts = Scripts::new(&[("loadtest.py", SCRIPT), (file, rows)]);
    let program = scripts.program(&format!("-p {processes} -c {line}"));
    let output = program.env("FILE", file).env("EACH", each).env("ORDER", order).run().exited(0);
    let mut taken = BTreeMap::new();
    for id in scripts.written("taken.txt").lines() {
        *taken.entry(id.parse().unwrap()).or_default() += 1;
    }
    (output, taken)
}

fn csv(rows: u32) -> String {
    format!("id\n{}", (0..rows).map(|id| format!("{id}\n")).collect::<String>())
}

#[test]
fn a_queue_gives_each_row_once_to_all_processes() {
    let (output, taken) = run("rows.csv", &csv(3_000), "-w 4", "run", "queue");
    assert_eq!(output.totals(), (3_000, 0), "{output:#?}");
    assert!(taken.into_iter().eq((0..3_000).map(|id| (id, 1))));
    assert!(output.stdout.contains("The 3,000 rows of rows.csv ran out after "), "{output:#?}");
}

#[test]
fn other_orders_give_all_rows_equally_often_to_all_processes() {
    let lines: String = (0..250).map(|id| format!("{{\"id\": {id}}}\n")).collect();
    for order in ["circular", "shuffle"] {
        let (output, taken) = run("rows.jsonl", &lines, "-w 4 -r 25", "run", order);
        assert_eq!((output.totals(), taken.len()), ((300, 0), 250), "{order}: {output:#?}");
        assert_eq!((taken.values().min(), taken.values().max()), (Some(&1), Some(&2)), "{order}");
    }
}

#[test]
fn random_rows_are_any_rows_of_the_file() {
    let (output, taken) = run("rows.csv", &csv(250), "-w 4 -r 25", "run", "random");
    assert_eq!(output.totals(), (300, 0), "{output:#?}");
    assert!(taken.keys().all(|id| *id < 250) && taken.len() > 125, "{}", taken.len());
}

#[test]
fn workers_keep_their_rows() {
    let (output, taken) =
        run("rows.json", r#"[{"id": 0}, {"id": 1}, {"id": 2}, {"id": 3}]"#, "-w 2 -r 5", "worker", "queue");
    assert_eq!(output.totals(), (20, 0), "{output:#?}");
    assert!(taken.into_iter().eq((0..4).map(|id| (id, 5))), "{output:#?}");
    assert!(output.stdout.contains("The 4 rows of rows.json ran out "), "{output:#?}");
}

/// Both workers end in the middle of the plan, and two others start later.
#[test]
fn workers_that_start_again_take_new_rows() {
    let line = "-w 2 --delay 0.02 --stage 200ms:0 --stage 100ms:0 --stage 200ms:2";
    let (output, taken) = run_in(1, "rows.csv", &csv(10), line, "worker", "queue");
    assert!(taken.keys().copied().eq(0..4), "{taken:?}: {output:#?}");
}

/// The first worker of a process takes the only row, and that of the other process finds none. All others would start much later.
#[test]
fn processes_learn_at_once_that_rows_have_run_out() {
    let (output, taken) = run("rows.csv", &csv(1), "-w 10 --ramp-up 500 -r 1", "worker", "queue");
    assert_eq!((output.totals(), taken.len()), ((1, 0), 1), "{output:#?}");
    assert!(output.took.as_secs() < 20, "{output:#?}");
}

const PLACES: &str = r#"
import asyncio
import os
import molotov

PLACE = os.environ["PLACE"]
ROWS = molotov.data("rows.csv", order="queue")

def take(place):
    if place == PLACE:
        return ROWS.next()

async def deeper(place):
    await asyncio.sleep(0)
    return take(place)

@molotov.setup()
async def setup(worker_id, args):
    take("setup")
    return {}

@molotov.setup_session()
async def setup_session(worker_id, session):
    await deeper("setup_session")

@molotov.teardown_session()
async def teardown_session(worker_id, session):
    take("teardown_session")

@molotov.teardown()
def teardown(worker_id):
    take("teardown")

@molotov.scenario_picker()
def pick(worker_id, step_id):
    take("picker")
    return "once"

@molotov.events()
async def listen(event, **info):
    if event == "scenario_success":
        take("event")

@molotov.scenario()
async def once(session):
    await deeper("nested")
    await asyncio.create_task(deeper("task"))
    await asyncio.wait_for(deeper("wait_for"), 60)
    await asyncio.gather(deeper("gather"), deeper("gather"))
    if PLACE == "group" and hasattr(asyncio, "TaskGroup"):
        async with asyncio.TaskGroup() as group:
            for _ in range(4):
                group.create_task(deeper("group"))
    try:
        take("caught")
    except molotov.DataExhausted as error:
        assert str(error) == "the rows of rows.csv have run out"
    try:
        take("finally")
    finally:
        await asyncio.sleep(0)
    try:
        take("raised again")
    except Exception:
        raise
    try:
        take("another")
    except molotov.DataExhausted as error:
        raise LookupError("no user is left") from error
"#;

/// Runs a script that takes a row in this place. The file has three rows.
fn take_in(place: &str, line: &str) -> molotov_tests::Output {
    let scripts = Scripts::new(&[("loadtest.py", PLACES), ("rows.csv", &csv(3))]);
    scripts.program(&format!("-c {line}")).env("PLACE", place).run().exited(0)
}

#[test]
fn workers_end_wherever_a_scenario_finds_no_row() {
    for (place, totals) in [
        ("nested", (3, 0)),
        ("task", (3, 0)),
        ("wait_for", (3, 0)),
        ("gather", (1, 0)),
        ("finally", (3, 0)),
        ("raised again", (3, 0)),
        ("picker", (3, 0)),
    ] {
        let output = take_in(place, "-r 5");
        assert_eq!(output.totals(), totals, "{place}: {output:#?}");
        assert!(output.stdout.contains("The 3 rows of rows.csv ran out "), "{place}: {output:#?}");
    }
}

#[test]
fn workers_end_when_a_task_group_finds_no_row() {
    let output = take_in("group", "-r 5");
    // Before Python 3.11, there are no task groups, and the script takes no row.
    let expected = if output.stdout.contains("ran out") { (0, 0) } else { (5, 0) };
    assert_eq!(output.totals(), expected, "{output:#?}");
}

#[test]
fn scripts_may_handle_the_end_of_the_rows() {
    let output = take_in("caught", "-r 5");
    assert_eq!(output.totals(), (5, 0), "{output:#?}");
    let output = take_in("another", "-r 5");
    assert_eq!(output.totals(), (3, 2), "{output:#?}");
    assert!(output.stdout.contains("LookupError: no user is left"), "{output:#?}");
}

#[test]
fn workers_end_when_a_fixture_finds_no_row() {
    for place in ["setup", "setup_session"] {
        let output = take_in(place, "-w 5 -r 1");
        assert_eq!(output.totals(), (3, 0), "{place}: {output:#?}");
    }
    // The scenarios have run. What could not be torn down is a warning, as is a listener that fails.
    for (place, name, warnings) in
        [("teardown", "teardown", 2), ("teardown_session", "teardown_session", 2), ("event", "events", 1)]
    {
        let output = take_in(place, "-w 5 -r 1");
        let warning = format!("`{name}` failed: DataExhausted: the rows of rows.csv have run out");
        assert_eq!(
            (output.totals(), output.stdout.matches(&warning).count()),
            ((5, 0), warnings),
            "{place}: {output:#?}"
        );
    }
}

#[test]
fn a_wrong_file_ends_the_run_before_it_starts() {
    for (name, rows, order, message) in [
        (
            "rows.csv",
            "id\n1\n2,3\n",
            "queue",
            "ValueError: rows.csv:3: the row has 2 fields, but the header has 1 column",
        ),
        ("rows.jsonl", "{\"id\": 1}\n{\"id\": }\n", "queue", "ValueError: rows.jsonl:2:8: expected value"),
        ("rows.csv", "id\n", "queue", "ValueError: the data file `rows.csv` has no rows below its header"),
        (
            "rows.csv",
            "id\n1\n",
            "sorted",
            "ValueError: `order` is \"queue\", \"circular\", \"shuffle\" or \"random\", not \"sorted\"",
        ),
    ] {
        let scripts = Scripts::new(&[("loadtest.py", SCRIPT), (name, rows)]);
        let program = scripts.program("-c").env("FILE", name).env("EACH", "run").env("ORDER", order);
        let output = program.run().exited(1);
        assert!(output.stderr.contains(message) || output.stdout.contains(message), "{output:#?}");
    }
}
