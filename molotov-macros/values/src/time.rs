//! Parses times such as `90`, `0.5`, `90s`, `1m30s`, `2h` and `250ms`.
//!
//! `humantime` would refuse `0.001h` and other fractions that are not whole units, and accept `1M` for a month and `1m2h`.

use std::time::Duration;

/// Longer than any run, and short enough that sums of times cannot overflow: 100 years, in seconds.
const LONGEST: f64 = 100.0 * 365.0 * 86_400.0;

/// Why a text is not a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeError {
    /// It is no number, and has no units.
    Malformed,
    /// It is below 0.
    Negative,
    /// It is longer than 100 years.
    TooLong,
}

/// Parses seconds, or numbers with descending units (`d`, `h`, `m`, `s`, `ms`), with or without fractions.
///
/// # Errors
///
/// Returns an error if the text is not a time, or the time is negative or longer than 100 years.
pub fn parse(text: &str) -> Result<Duration, TimeError> {
    let seconds = match text.parse::<f64>() {
        Ok(seconds) => seconds,
        Err(_) => with_units(text).ok_or(TimeError::Malformed)?,
    };
    if seconds.is_nan() {
        return Err(TimeError::Malformed);
    }
    if seconds < 0.0 {
        return Err(TimeError::Negative);
    }
    if seconds > LONGEST {
        return Err(TimeError::TooLong);
    }
    Ok(Duration::from_secs_f64(seconds))
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
    fn refuses_invalid_times() {
        for text in ["", " ", "abc", "nan", "1x", "s", "1m2h", "1s1s", "1m30", "1.2.3s", "1 2", "٣s", "--", "1e"] {
            assert_eq!(parse(text), Err(TimeError::Malformed), "{text:?}");
        }
        for text in ["-1", "-0.5", "-3s", "-inf"] {
            assert_eq!(parse(text), Err(TimeError::Negative), "{text:?}");
        }
        for text in ["inf", "1e300", "36501d", "99999999999999999999h"] {
            assert_eq!(parse(text), Err(TimeError::TooLong), "{text:?}");
        }
    }
}
