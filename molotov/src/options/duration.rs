//! Parses times such as `90`, `0.5`, `90s`, `1m30s`, `2h` and `250ms`.
//!
//! `humantime` would refuse `0.001h` and other fractions that are not whole units, and accept `1M` for a month and `1m2h`.

use std::time::Duration;

use super::InvalidValue;

/// Longer than any run, and short enough that sums of times cannot overflow.
const LONGEST: f64 = 100.0 * 365.0 * 86_400.0;

/// Parses seconds, or numbers with units (`ms`, `s`, `m`, `h`, `d`), with or without fractions.
pub(super) fn parse(text: &str) -> Result<Duration, InvalidValue> {
    let seconds = match text.parse::<f64>() {
        Ok(seconds) => seconds,
        Err(_) => with_units(text).ok_or_else(wrong)?,
    };
    if seconds.is_nan() {
        return Err(wrong());
    }
    if seconds < 0.0 {
        return Err("a time cannot be negative".into());
    }
    if seconds > LONGEST {
        return Err("the maximum is 100 years (36500d)".into());
    }
    Ok(Duration::from_secs_f64(seconds))
}

/// Parses the duration of a run. curl's `-d` is the body of a request.
pub(super) fn of_run(text: &str) -> Result<Duration, InvalidValue> {
    let is_body = text.starts_with(['{', '[', '@', '"']) || text.contains('=');
    parse(text).map_err(|error| match is_body {
        true => "this is how long a worker runs; write the body of a request with `--body`".into(),
        false => error,
    })
}

fn wrong() -> InvalidValue {
    "write seconds (`90`, `0.5`) or numbers with units (`90s`, `1m30s`, `2h`, `250ms`)".into()
}

fn with_units(text: &str) -> Option<f64> {
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text),
    };
    let mut seconds = 0.0;
    let mut smallest = f64::INFINITY;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let unit = match &rest[..letters] {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3_600.0,
            "d" => 86_400.0,
            _ => return None,
        };
        // Units have to descend: `1m2h` and `1s1s` are probably typos.
        if unit >= smallest {
            return None;
        }
        smallest = unit;
        seconds += number * unit;
        rest = rest[letters..].trim_start();
    }
    smallest.is_finite().then_some(sign * seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_seconds_and_units() {
        for (text, millis) in [
            ("90", 90_000),
            ("0", 0),
            ("0.25", 250),
            (".5", 500),
            ("1e3", 1_000_000),
            ("90s", 90_000),
            ("1m30s", 90_000),
            ("1h 30m", 5_400_000),
            ("2h", 7_200_000),
            ("1.5h", 5_400_000),
            ("0.001h", 3_600),
            ("250ms", 250),
            ("1d", 86_400_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn bodies_are_no_durations() {
        for text in [r#"{"a": 1}"#, "[1]", "@body.json", "a=1"] {
            assert!(of_run(text).unwrap_err().to_string().ends_with("with `--body`"), "{text}");
        }
        assert_eq!((of_run("2s"), of_run("soon")), (parse("2s"), Err(wrong())));
    }

    #[test]
    fn refuses_invalid_times() {
        for text in ["", " ", "abc", "nan", "1x", "s", "1m2h", "1s1s", "1m30", "1.2.3s", "1 2", "٣s", "--", "1e"] {
            assert_eq!(parse(text), Err(wrong()), "{text:?}");
        }
        for text in ["-1", "-0.5", "-3s", "-inf"] {
            assert_eq!(parse(text), Err("a time cannot be negative".into()), "{text:?}");
        }
        for text in ["inf", "1e300", "36501d", "99999999999999999999h"] {
            assert!(parse(text).is_err_and(|message| message.to_string().contains("100 years")), "{text:?}");
        }
    }
}
