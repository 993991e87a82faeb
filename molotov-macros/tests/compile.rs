//! What the attributes accept, and what they say where they refuse.

#[test]
fn attributes() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/pass/*.rs");
    cases.compile_fail("tests/fail/*.rs");
}
