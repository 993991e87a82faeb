//! Load at a rate, against services with known response times.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use molotov_tests::{
    LoadTestProgram, few_workers_are_the_limit, freezes_are_in_the_response_times, rates_are_kept,
    reports_agree_about_starts, slow_setups_are_the_limit, the_warm_up_is_measured_apart,
};

const STEADY: &str = env!("CARGO_BIN_EXE_steady");

#[test]
fn the_warm_up_is_no_part_of_the_results() {
    the_warm_up_is_measured_apart(&LoadTestProgram::rust(STEADY));
}

#[test]
fn freezes_are_in_response_times() {
    freezes_are_in_the_response_times(&LoadTestProgram::rust(STEADY));
}

#[test]
fn reports_agree_about_the_starts() {
    reports_agree_about_starts(&LoadTestProgram::rust(STEADY));
}

#[test]
fn scenarios_start_when_they_are_planned() {
    rates_are_kept(&LoadTestProgram::rust(STEADY));
}

#[test]
fn too_few_workers_are_named_as_the_limit() {
    few_workers_are_the_limit(&LoadTestProgram::rust(STEADY));
}

#[test]
fn slow_setups_are_named_as_the_limit() {
    slow_setups_are_the_limit(&LoadTestProgram::rust(STEADY));
}
