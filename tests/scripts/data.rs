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

/// Runs the script, and returns its output and how often each row was taken.
fn run(file: &str, rows: &str, line: &str, each: &str, order: &str) -> (molotov_tests::Output, BTreeMap<u32, usize>) {
    let scripts = Scripts::new(&[("loadtest.py", SCRIPT), (file, rows)]);
    let program = scripts.program(&format!("-p 3 -c {line}"));
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
fn rows_are_shared_by_all_processes_in_each_order() {
    let (output, taken) = run("rows.csv", &csv(10_000), "-w 4", "run", "queue");
    assert_eq!(output.totals(), (10_000, 0), "{output:#?}");
    assert!(taken.into_iter().eq((0..10_000).map(|id| (id, 1))));
    assert!(output.stdout.contains("The 10,000 rows of rows.csv ran out after "), "{output:#?}");
    let lines: String = (0..1_000).map(|id| format!("{{\"id\": {id}}}\n")).collect();
    for order in ["circular", "shuffle"] {
        let (output, taken) = run("rows.jsonl", &lines, "-w 4 -r 100", "run", order);
        assert_eq!((output.totals(), taken.len()), ((1_200, 0), 1_000), "{order}: {output:#?}");
        assert_eq!((taken.values().min(), taken.values().max()), (Some(&1), Some(&2)), "{order}");
    }
    let (output, taken) = run("rows.csv", &csv(1_000), "-w 4 -r 100", "run", "random");
    assert_eq!(output.totals(), (1_200, 0), "{output:#?}");
    assert!(taken.keys().all(|id| *id < 1_000) && taken.len() > 500, "{}", taken.len());
}

#[test]
fn workers_keep_their_rows() {
    let (output, taken) =
        run("rows.json", r#"[{"id": 0}, {"id": 1}, {"id": 2}, {"id": 3}]"#, "-w 2 -r 5", "worker", "queue");
    assert_eq!(output.totals(), (20, 0), "{output:#?}");
    assert!(taken.into_iter().eq((0..4).map(|id| (id, 5))), "{output:#?}");
    assert!(output.stdout.contains("The 4 rows of rows.json ran out "), "{output:#?}");
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
