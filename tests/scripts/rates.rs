//! Scripts at a rate.

use molotov_tests::{LoadTestProgram, freezes_are_in_the_response_times};

use super::MOLOTOV;

#[test]
fn freezes_are_in_response_times() {
    freezes_are_in_the_response_times(&LoadTestProgram::python(MOLOTOV));
}
