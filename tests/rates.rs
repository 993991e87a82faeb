//! Load at a rate, against services with known response times.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use molotov_tests::{LoadTestProgram, freezes_are_in_the_response_times, reports_agree_about_starts};

const STEADY: &str = env!("CARGO_BIN_EXE_steady");

#[test]
fn freezes_are_in_response_times() {
    freezes_are_in_the_response_times(&LoadTestProgram::rust(STEADY));
}

#[test]
fn reports_agree_about_the_starts() {
    reports_agree_about_starts(&LoadTestProgram::rust(STEADY));
}
