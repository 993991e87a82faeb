//! The reports of a run at a rate.

use std::fs;

use crate::LoadTestProgram;

/// Asserts that the table and the reports of a run at 200 starts per second show the same numbers.
///
/// # Panics
///
/// Panics if they do not.
pub fn reports_agree_about_starts(test: &LoadTestProgram) {
    for line in ["", "-p 2"] {
        let line = format!("--rate 200/s -d 1.5 {line} --report out.json --report out.csv --report out.html");
        let run = test.run(&line);
        let read = |name: &str| fs::read_to_string(test.path().join(name)).expect("the report exists");

        let report = crate::report(&read("out.json"));
        let starts = &report["starts"];
        let count = |name: &str| starts[name].as_u64().unwrap_or_else(|| panic!("no {name} in {starts}"));
        assert_eq!((&report["schema"], &report["load"]["model"]), (&"molotov-report/4".into(), &"open".into()));
        let (asked, achieved) = (starts["asked"].as_f64(), starts["achieved"].as_f64());
        assert!(asked.is_some_and(|asked| (asked - 200.0).abs() < 1e-6), "{line}: {starts}");
        let expected = count("started") as f64 / 1.5;
        assert!(achieved.is_some_and(|achieved| (achieved - expected).abs() < 1e-6), "{line}: {starts}");
        assert_eq!(count("planned"), 300, "{line}: {starts}");
        assert_eq!(run.server.served(), count("started"), "{line}: {starts}");
        for row in report["scenarios"].as_array().expect("rows") {
            assert_eq!(row["service_ms"]["count"], row["latency_ms"]["count"], "{line}: {row}");
        }

        let csv = read("out.csv");
        let sum = |column: &str| {
            let mut rows = csv.lines().map(|row| row.split(',').collect::<Vec<_>>());
            let at = rows.next().and_then(|head| head.iter().position(|name| *name == column)).expect("the column");
            rows.map(|row| row[at].parse::<u64>().expect("a number")).sum::<u64>()
        };
        assert_eq!(sum("asked"), 300, "{line}:\n{csv}");
        for column in ["started", "late", "dropped"] {
            assert_eq!(sum(column), count(column), "{line}: {column} in\n{csv}");
        }

        let (table, page) = (&run.output.stdout, read("out.html"));
        let mut rows = table.lines().skip_while(|line| !line.starts_with("Starts ")).map(str::split_whitespace);
        let cells: Vec<_> =
            rows.next().zip(rows.next()).map(|(names, cells)| names.zip(cells).collect()).expect("rows");
        let cell = |name: &str| cells.iter().find(|(column, _)| *column == name).map_or("", |(_, cell)| *cell);
        assert_eq!((cell("asked/s"), cell("started")), ("200.0", &*count("started").to_string()), "{line}:\n{table}");
        for part in ["achieved/s", "response time", "service time"] {
            assert!(table.contains(part), "{line}: no {part} in\n{table}");
        }
        let row = page.split("<th scope=\"row\">Total</th>").nth(1).expect("a row about starts");
        let of_the_page: Vec<_> = row
            .split("<td")
            .skip(1)
            .take(4)
            .map(|cell| &cell[cell.find('>').unwrap_or(0) + 1..cell.find('<').unwrap_or(0)])
            .collect();
        let of_the_table = [cell("asked/s"), cell("achieved/s"), "300", cell("started")];
        assert_eq!(of_the_page, of_the_table, "{line}: the page and the table differ");
    }
}
