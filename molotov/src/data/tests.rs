//! Formats and their errors, and orders over threads.

use std::{collections::BTreeMap, fs, sync::Arc};

use serde::Deserialize;

use super::{Order, RawRow, RowError, file::File, order::Sequence, source::Rows};
use crate::load::Part;

#[derive(Debug, Deserialize, PartialEq, Clone)]
struct User {
    name: String,
    age: Option<u8>,
}

fn user(name: &str, age: Option<u8>) -> User {
    User { name: name.to_owned(), age }
}

fn parse(row: RawRow<'_>) -> Result<User, RowError> {
    row.deserialize()
}

fn check(row: RawRow<'_>) -> Result<(), RowError> {
    parse(row).map(drop)
}

/// Opens a file with this content, and returns it with its folder.
fn open(name: &str, content: impl AsRef<[u8]>) -> Result<(File, tempfile::TempDir), String> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(name), content).unwrap();
    let opened = File::open(name, Some(folder.path()), &mut check);
    opened.map(|file| (file, folder)).map_err(|error| error.to_string())
}

fn users(name: &str, content: impl AsRef<[u8]>) -> Vec<User> {
    let (file, _folder) = open(name, content).unwrap();
    // Rows are parsed in any order.
    let mut rows: Vec<_> = (0..file.rows()).rev().map(|row| file.parse(row, parse).unwrap()).collect();
    rows.reverse();
    rows
}

#[test]
fn all_formats_have_the_same_rows() {
    let expected = [user("Ada, Countess\nof \"Lovelace\"", Some(36)), user("Grace", None), user("Çelik", Some(1))];
    for csv in [
        "name,age\n\"Ada, Countess\nof \"\"Lovelace\"\"\",36\nGrace,\nÇelik,1\n".to_owned(),
        "\u{feff}age , name\r\n36,\"Ada, Countess\nof \"\"Lovelace\"\"\"\r\n\r\n,Grace\r\n1,Çelik".to_owned(),
    ] {
        assert_eq!(users("users.csv", &csv), expected, "{csv}");
        assert_eq!(users("USERS.CSV", &csv), expected, "{csv}");
    }
    assert_eq!(users("users.tsv", "name\tage\nGrace\t\nÇelik\t1\n"), expected[1..]);
    let rows = [
        r#"{"name": "Ada, Countess\nof \"Lovelace\"", "age": 36}"#,
        r#"{"name": "Grace"}"#,
        r#"{"age": 1, "more": [1, {}], "name": "Çelik"}"#,
    ];
    for lines in [rows.join("\n"), format!("\u{feff}{}\r\n\r\n", rows.join("\r\n\r\n"))] {
        assert_eq!(users("users.jsonl", &lines), expected);
        assert_eq!(users("users.ndjson", &lines), expected);
    }
    for array in [format!("[{}]", rows.join(",")), format!("\u{feff} [\r\n  {}\n]\n", rows.join(" ,\n  "))] {
        assert_eq!(users("users.json", &array), expected);
    }
}

#[test]
fn errors_name_the_file_the_line_and_the_column() {
    let ages = "name,age\n\"a\nb\",1\n\nGrace,old\n";
    for (name, content, expected) in [
        ("a.csv", ages, "a.csv:5: the column `age` has another type: invalid digit found in string"),
        (
            "a.csv",
            "name,age\r\nAda,1\r\nGrace,300\r\n",
            "a.csv:3: the column `age` has another type: number too large to fit in target type",
        ),
        ("a.csv", "nom,age\nAda,1\n", "a.csv:2: missing field `name`"),
        (
            "a.csv",
            "name,age\nAda,1\nGrace,2,3\n",
            "a.csv:3: the row has 3 fields, but the header has 2 columns: quote fields that contain commas",
        ),
        ("a.csv", "name,name\nAda,1\n", "a.csv:1: the header has the column `name` twice: rename one"),
        (
            "a.csv",
            "name;age\nAda;1\n",
            "a.csv:1: the header has only the column `name;age`: separate columns by commas",
        ),
        ("a.tsv", "name,age\nAda,1\n", "a.tsv:1: the header has only the column `name,age`: separate columns by tabs"),
        ("a.csv", "name,age\n", "the data file `a.csv` has no rows below its header: write one into it"),
        ("a.csv", "", "the data file `a.csv` is empty: write a row into it"),
        ("a.csv", "\u{feff}\r\n", "the data file `a.csv` is empty: write a row into it"),
        (
            "a.jsonl",
            "{\"name\":\"Ada\"}\n\n  {\"name\": 3}\n",
            "a.jsonl:3:12: invalid type: integer `3`, expected a string",
        ),
        ("a.jsonl", "{\"name\":\"Ada\"}\n{\"age\": 3}\n", "a.jsonl:2:10: missing field `name`"),
        ("a.jsonl", "{\"name\":\"Ada\"} {\"name\":\"Bob\"}\n", "a.jsonl:1:16: trailing characters"),
        ("a.jsonl", "{\"name\":\n", "a.jsonl:1:8: EOF while parsing a value"),
        (
            "a.json",
            "[{\"name\": \"Ada\"},\n {\"name\": \"Bob\", \"age\": -1}]",
            "a.json:2:26: invalid value: integer `-1`, expected u8",
        ),
        (
            "a.json",
            "[{\"name\": \"Ada\"},\n {\n  \"name\": 1}]",
            "a.json:3:11: invalid type: integer `1`, expected a string",
        ),
        ("a.json", "[{\"name\": \"Ada\"}", "a.json:1:16: EOF while parsing a list; the file must be an array of rows"),
        (
            "a.json",
            "{\"name\": \"Ada\"}",
            "a.json:1:0: invalid type: map, expected an array; the file must be an array of rows",
        ),
        ("a.json", " []", "the data file `a.json` has no rows: write one into it"),
    ] {
        assert_eq!(open(name, content).map(|_| ()).unwrap_err(), expected, "{content}");
    }
    let error = open("a.csv", b"name,age\nAda,1\nZo\xeb,2\n").map(|_| ()).unwrap_err();
    assert_eq!(error, "a.csv:3: the field 1 is not UTF-8: convert the file to UTF-8");
    let error = open("users.txt", "name").map(|_| ()).unwrap_err();
    assert!(error.contains("use `.csv`, `.tsv`, `.jsonl`, `.ndjson` or `.json`"), "{error}");
}

#[test]
fn a_missing_file_is_named_with_the_places_that_were_tried() {
    let folder = tempfile::tempdir().unwrap();
    let error = File::open("absent.csv", Some(folder.path()), &mut check).unwrap_err().to_string();
    let here = std::env::current_dir().unwrap().join("absent.csv");
    assert!(error.starts_with("cannot read the data file `absent.csv`: No such file or directory"), "{error}");
    let tried = format!("(tried {} and {})", here.display(), folder.path().join("absent.csv").display());
    assert!(error.ends_with(&tried), "{error}");
}

/// How often each of 10,000 rows is handed out to four threads in this many calls.
fn counts(order: Order, calls: usize) -> (BTreeMap<u32, usize>, usize) {
    let sequence = Arc::new(Sequence::new(order, 10_000, 7, Part::WHOLE).unwrap());
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let sequence = sequence.clone();
            std::thread::spawn(move || (0..calls / 4).map(|_| sequence.take()).collect::<Vec<_>>())
        })
        .collect();
    let taken: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    let mut counts = BTreeMap::new();
    taken.iter().flatten().for_each(|row| *counts.entry(*row).or_default() += 1);
    (counts, taken.iter().filter(|row| row.is_none()).count())
}

#[test]
fn orders_hold_over_threads() {
    for order in [Order::Queue, Order::Circular, Order::Shuffle] {
        let (counts, missing) = counts(order, 10_000);
        assert_eq!((counts.len(), missing), (10_000, 0), "{order:?}");
    }
    let (once, missing) = counts(Order::Queue, 12_000);
    assert_eq!((once.len(), once.values().max(), missing), (10_000, Some(&1), 2_000));
    for order in [Order::Circular, Order::Shuffle] {
        let (counts, missing) = counts(order, 36_000);
        assert_eq!((counts.len(), missing), (10_000, 0));
        assert_eq!((counts.values().min(), counts.values().max()), (Some(&3), Some(&4)), "{order:?}");
    }
    let (random, missing) = counts(Order::Random, 40_000);
    assert_eq!((missing, random.keys().max().is_some_and(|row| *row < 10_000)), (0, true));
    // On average, 1.8 % of the rows are never taken in four calls per row.
    assert!((9_700..9_900).contains(&random.len()), "{}", random.len());
}

#[test]
fn a_seed_repeats_the_sequence() {
    let sequence = |order, seed| {
        let sequence = Sequence::new(order, 100, seed, Part::WHOLE).unwrap();
        (0..300).map(|_| sequence.take().unwrap()).collect::<Vec<_>>()
    };
    for order in [Order::Shuffle, Order::Random] {
        assert_eq!(sequence(order, 1), sequence(order, 1));
        assert_ne!(sequence(order, 1), sequence(order, 2));
    }
    let shuffled = sequence(Order::Shuffle, 1);
    assert_ne!(shuffled[..100], shuffled[100..200], "each pass has another order");
    assert_ne!(shuffled[..100], (0..100).collect::<Vec<_>>());
    assert_eq!(sequence(Order::Circular, 1), sequence(Order::Circular, 2));
}

#[test]
fn machines_take_each_row_once() {
    for order in [Order::Queue, Order::Circular, Order::Shuffle] {
        let machine = |number| {
            let sequence = Sequence::new(order, 100, 7, Part { number, of: 3 }).unwrap();
            std::iter::from_fn(move || sequence.take()).take(if number == 0 { 34 } else { 33 })
        };
        let mut rows: Vec<_> = (0..3).flat_map(machine).collect();
        rows.sort_unstable();
        assert_eq!(rows, (0..100).collect::<Vec<_>>(), "{order:?}");
    }
    let last = Sequence::new(Order::Queue, 100, 7, Part { number: 2, of: 3 }).unwrap();
    assert_eq!(std::iter::from_fn(|| last.take()).count(), 33, "a machine ends with its own rows");
}

#[test]
fn a_queue_notes_once_when_its_rows_ran_out() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("users.csv"), "name,age\nAda,\nGrace,\n").unwrap();
    let start = std::time::Instant::now();
    let rows = Rows::open("users.csv", Some(folder.path()), Order::Queue, None, &mut check).unwrap();
    for name in ["Ada", "Grace"] {
        assert_eq!(rows.take(parse).unwrap().name, name);
        assert_eq!(rows.note(start), None);
    }
    for _ in 0..2 {
        let failure = rows.take(parse).unwrap_err();
        assert!(failure.is_end_of_rows(), "{failure}");
        assert_eq!(failure.to_string(), "the rows of users.csv have run out");
    }
    let note = rows.note(start).unwrap();
    assert!(note.starts_with("The 2 rows of users.csv ran out "), "{note}");
}

#[derive(Debug, Deserialize)]
struct Number {
    id: u32,
}

fn number(row: RawRow<'_>) -> Result<u32, RowError> {
    row.deserialize::<Number>().map(|row| row.id)
}

#[test]
fn rows_are_not_allocated_one_by_one() {
    const ROWS: u32 = 30_000;
    let csv: String = (0..ROWS).map(|id| format!("{id},some text\n")).collect();
    let lines: String = (0..ROWS).map(|id| format!("{{\"id\": {id}, \"text\": \"some text\"}}\n")).collect();
    let array = format!("[{}]", lines.trim_end().replace('\n', ","));
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in [("a.csv", format!("id,text\n{csv}")), ("a.jsonl", lines), ("a.json", array)] {
        fs::write(folder.path().join(name), &content).unwrap();
        let mut rows = None;
        let check = &mut |row: RawRow<'_>| number(row).map(drop);
        let opening = allocation_counter::measure(|| {
            rows = Some(Rows::open(name, Some(folder.path()), Order::Queue, None, check).unwrap());
        });
        let rows = rows.unwrap();
        assert!(opening.count_total < 200, "{name}: {opening:?}");
        let kept = content.len() as i64 + 8 * i64::from(ROWS);
        assert!((kept..kept + 10_000).contains(&opening.bytes_current), "{name}: {opening:?}");
        assert_eq!(rows.take(number).unwrap(), 0);
        let taking = allocation_counter::measure(|| {
            for id in 1..ROWS {
                assert_eq!(rows.take(number).unwrap(), id);
            }
        });
        assert_eq!(taking.count_total, 0, "{name}: {taking:?}");
    }
}
