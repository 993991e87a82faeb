//! A service that is slow at first, and a load test that warms it up.

use std::{thread, time::Duration};

use crate::{Server, load_test::LoadTestProgram};

/// How long the service is slow, the warm-up, and the whole run.
const COLD: Duration = Duration::from_secs(3);
const WARM_UP: Duration = Duration::from_secs(4);
const LASTS: Duration = Duration::from_secs(5);
/// The rate of the load, per second.
const RATE: u64 = 50;

/// Asserts that the results of a run are those of a run that began after the warm-up, and that they explain the requests that the
/// server has counted.
///
/// # Panics
///
/// Panics if they are not.
pub fn the_warm_up_is_measured_apart(test: &LoadTestProgram) {
    let check = |name: &str, line: &str| {
        let server = Server::new();
        let (warm_up, lasts) = (WARM_UP.as_secs(), LASTS.as_secs());
        let thresholds = "--threshold failures==0 --threshold max<250ms --threshold requests.max<250ms";
        let line = format!(
            "-s browse -d {lasts} --warm-up {warm_up}s --fail 1 {thresholds} --report {name}.json --report {name}.csv {line}"
        );
        let output = test.program(&line, &server, &format!("/cold/{}", COLD.as_millis())).run();
        assert_eq!(output.code, Some(0), "{line}: {output:#?}");
        let report = crate::report(&test.read(&format!("{name}.json")));
        let count = |part: &serde_json::Value, what: &str| part[what].as_u64().expect("a number");

        let (totals, apart) = (&report["totals"], &report["warm_up"]);
        assert!(count(apart, "failures") > 0, "{line}: the service was slow: {apart}");
        let run = count(totals, "successes");
        let all = run + count(apart, "successes") + count(apart, "failures");
        assert_eq!((all, count(totals, "failures")), (server.served(), 0), "{line}: {totals} and {apart}");
        for row in [&report["scenarios"][0], &report["requests"][0]] {
            assert_eq!((count(row, "count"), count(&row["latency_ms"], "count")), (run, run), "{line}: {row:#}");
        }
        let requests = format!("with {} requests", all - run);
        assert!(output.stdout.contains(&requests), "{line}: no `{requests}` in {output:#?}");

        let timeline = report["timeline"].as_array().expect("points");
        let of_the_warm_up = timeline.iter().filter(|point| point["warm_up"] == true).count() as u64;
        assert_eq!(of_the_warm_up, warm_up, "{line}: {timeline:#?}");
        run
    };
    thread::scope(|threads| {
        for (name, processes) in [("one", ""), ("two", "-p 2")] {
            threads.spawn(move || {
                let run = check(&format!("open-{name}"), &format!("--rate {RATE}/s {processes}"));
                assert_eq!(run, RATE * (LASTS - WARM_UP).as_secs(), "{processes}");
            });
            threads.spawn(move || check(&format!("closed-{name}"), &format!("-w 4 --delay 50ms {processes}")));
        }
    });
}
