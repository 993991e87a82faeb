//! JSON reports, checked against their schema.

use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::Value;

/// The JSON Schema of the current version of reports, as the book publishes it.
pub const REPORT_SCHEMA: &str = include_str!("../../book/src/reference/report-4.schema.json");

static VALIDATOR: LazyLock<Validator> = LazyLock::new(|| {
    let schema = serde_json::from_str(REPORT_SCHEMA).expect("the schema is JSON");
    jsonschema::options().should_validate_formats(true).build(&schema).expect("the schema is valid")
});

/// Parses a JSON report, and checks it against the schema.
///
/// # Panics
///
/// Panics if it is not JSON, or has another form than the schema says.
#[track_caller]
#[must_use]
pub fn report(text: &str) -> Value {
    let report: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let errors: Vec<_> = report_errors(&report).collect();
    assert!(errors.is_empty(), "the report does not match its schema: {errors:#?}");
    report
}

/// What in a report violates the schema, with its place.
pub fn report_errors(report: &Value) -> impl Iterator<Item = String> + '_ {
    VALIDATOR.iter_errors(report).map(|error| format!("{}: {error}", error.instance_path()))
}
