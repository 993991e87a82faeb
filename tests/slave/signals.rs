//! Signals stop each step of `moloslave`.

use std::{fs, os::unix::fs::PermissionsExt, time::Duration};

use molotov_tests::wait_until;
use rustix::process::Signal;

use super::{Place, SCRIPT, TESTS};

#[test]
fn a_signal_stops_the_clone() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let place = Place::new(&[]);
        // The server never responds.
        let running = place.slave("").arg(&format!("{}/hold/shop", place.server.url())).arg("good").start();
        wait_until("git sends a request", || place.server.served() > 0);
        running.signal(signal);
        let output = running.wait().exited(code);
        assert!(output.took < Duration::from_secs(20), "{output:#?}");
        place.assert_clean();
    }
}

/// `virtualenv` and its children end too, and its output is not shown.
#[test]
fn a_signal_stops_the_creation_of_the_environment() {
    let place = Place::new(&[("molotov.json", TESTS), ("loadtest.py", SCRIPT)]);
    let (virtualenv, pids) = (place.path("virtualenv"), place.path("pids"));
    let script = "#!/bin/bash\necho unwanted >&2\nsleep 600 &\necho $$ $! >PIDS\nwait\n";
    fs::write(&virtualenv, script.replace("PIDS", pids.to_str().unwrap())).unwrap();
    fs::set_permissions(&virtualenv, fs::Permissions::from_mode(0o755)).unwrap();
    let running = place.slave("--virtualenv").arg(virtualenv.to_str().unwrap()).arg(&place.url()).arg("good").start();
    wait_until("virtualenv runs", || fs::read_to_string(&pids).is_ok_and(|text| text.ends_with('\n')));
    running.signal(Signal::TERM);
    let output = running.wait().exited(143);
    assert!(!output.stderr.contains("unwanted"), "{output:#?}");
    for pid in fs::read_to_string(&pids).unwrap().split_whitespace() {
        let status = format!("/proc/{pid}/stat");
        // A zombie has ended too.
        wait_until("it ends", || fs::read_to_string(&status).map_or(true, |text| text.contains(") Z ")));
    }
    place.assert_clean();
}

#[test]
fn a_signal_stops_pip() {
    let place = Place::new(&[
        (
            "molotov.json",
            r#"{"molotov": {"requirements": "needs.txt", "tests": {"good": {"scenario": "loadtest.py", "max_runs": 1}}}}"#,
        ),
        ("loadtest.py", SCRIPT),
    ]);
    let held = format!("{}/hold/held-1.0-py3-none-any.whl", place.server.url());
    place.commit(&[("needs.txt", &format!("{held}\n"))]);
    let running = place.slave("").arg(&place.url()).arg("good").start();
    wait_until("pip sends a request", || place.server.served() > 0);
    running.signal(Signal::INT);
    running.wait().exited(130);
    place.assert_clean();
}

#[test]
fn a_signal_stops_the_run_which_prints_its_table() {
    let place = Place::new(&[("molotov.json", TESTS), ("loadtest.py", SCRIPT)]);
    let running = place.slave("").arg(&place.url()).arg("long").start();
    wait_until("the run has started", || place.server.served() > 5);
    running.signal(Signal::INT);
    let output = running.wait().exited(0);
    assert!(output.took < Duration::from_secs(50), "{output:#?}");
    assert_eq!(output.totals(), (place.server.served(), 0));
    place.assert_clean();
}
