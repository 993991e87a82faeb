//! Scripts at a rate.

use molotov_tests::{LoadTestProgram, freezes_are_in_the_response_times, reports_agree_about_starts};

use super::MOLOTOV;

#[test]
fn freezes_are_in_response_times() {
    freezes_are_in_the_response_times(&LoadTestProgram::python(MOLOTOV));
}

#[test]
fn reports_agree_about_the_starts() {
    reports_agree_about_starts(&LoadTestProgram::python(MOLOTOV));
}
