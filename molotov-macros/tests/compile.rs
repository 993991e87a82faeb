//! The errors of the attributes. The other files of this folder have what they accept.

#[test]
fn attributes() {
    // No `pass` here: with none, trybuild only checks its crates, and builds nothing.
    trybuild::TestCases::new().compile_fail("tests/fail/*.rs");
}
