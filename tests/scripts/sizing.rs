//! Sizing with a script.

use std::thread;

use molotov_tests::{Ramp, found, interval};

use super::Scripts;

#[test]
fn sizing_finds_the_capacity() {
    let script = r#"
import os
import molotov
@molotov.scenario()
async def borne(session):
    async with session.get(os.environ["TARGET"] + "/bear/" + os.environ["CAPACITY"]) as response:
        assert response.status == 200
"#;
    let size = |capacity: usize, processes: usize| {
        let (workers, seconds) = (120, 24.0);
        let ramp = Ramp { capacity: capacity as f64, slope: workers as f64 / seconds, tolerance: 0.05 };
        let scripts = Scripts::new(&[("loadtest.py", script)]);
        let line = format!("--sizing -p {processes} -w {} --ramp-up {seconds} -c", workers / processes);
        let output = scripts.program(&line).env("CAPACITY", &capacity.to_string()).run().exited(0);
        let (found, expected) = (found(&output.stdout), ramp.workers());
        assert!((found - expected).abs() <= 0.15 * expected, "{found} instead of {expected}: {}", output.stdout);
    };
    thread::scope(|threads| {
        for (capacity, processes) in [(15, 1), (30, 1), (50, 1), (40, 2)] {
            threads.spawn(move || size(capacity, processes));
        }
    });
}

/// With eight requests of 100 ms at a time, 20 workers wait for 250 ms.
#[test]
fn a_search_finds_the_workers_that_a_service_bears() {
    let script = r#"
import os
import molotov
@molotov.scenario()
async def queued(session):
    async with session.get(os.environ["TARGET"] + "/queue/8") as response:
        assert response.status == 200
"#;
    let scripts = Scripts::new(&[("loadtest.py", script)]);
    let line = "--sizing -w 8 -d 60 --threshold p50<250ms -c --report report.json";
    scripts.program(line).run().exited(0);
    let (met, broken) = interval(&molotov_tests::report(&scripts.written("report.json")));
    assert!(met <= 21.0 && broken >= 18.0 && broken <= met * 1.23 + 1.0, "{met} to {broken}");
}
