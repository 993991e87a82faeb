//! What the attributes say where they refuse. What they accept is in the other files beside this one.

#[test]
fn attributes() {
    // No `pass` here: with none, trybuild only checks its crates, and builds nothing.
    trybuild::TestCases::new().compile_fail("tests/fail/*.rs");
}
