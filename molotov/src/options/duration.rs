//! Times of options, such as `90`, `1m30s` and `250ms`.

use std::time::Duration;

use molotov_values::time::{self, TimeError};

use super::InvalidValue;

/// Parses seconds, or numbers with units (`ms`, `s`, `m`, `h`, `d`), with or without fractions.
pub(super) fn parse(text: &str) -> Result<Duration, InvalidValue> {
    time::parse(text).map_err(invalid)
}

/// Returns the message for an invalid time.
pub(super) fn invalid(error: TimeError) -> InvalidValue {
    match error {
        TimeError::Malformed => {
            "write seconds (`90`, `0.5`) or numbers with units (`90s`, `1m30s`, `2h`, `250ms`)".into()
        }
        TimeError::Negative => "a time cannot be negative".into(),
        TimeError::TooLong => "the maximum is 100 years (36500d)".into(),
    }
}

/// Parses the duration of a run. curl's `-d` is the body of a request.
pub(super) fn of_run(text: &str) -> Result<Duration, InvalidValue> {
    let is_body = text.starts_with(['{', '[', '@', '"']) || text.contains('=');
    parse(text).map_err(|error| match is_body {
        true => "this is how long a worker runs; write the body of a request with `--body`".into(),
        false => error,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_no_durations() {
        for text in [r#"{"a": 1}"#, "[1]", "@body.json", "a=1"] {
            assert!(of_run(text).unwrap_err().to_string().ends_with("with `--body`"), "{text}");
        }
        assert_eq!((of_run("2s"), of_run("soon")), (parse("2s"), Err(invalid(TimeError::Malformed))));
    }
}
