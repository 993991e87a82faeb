//! Rates, such as `500/s`.

use std::{fmt, str::FromStr};

use molotov_values::rate::{self, MAX, PER_HOUR, RateError, UNITS};
use serde::{Deserialize, Serialize};

use super::InvalidValue;

/// A number of starts per unit of time: `500/s`, `30/m`, `2000/h`.
///
/// A rate has a resolution of a millionth of a start per hour.
///
/// ```
/// # use molotov::Rate;
/// let rate: Rate = "30/m".parse()?;
/// assert_eq!(rate, Rate::per_minute(30));
/// assert_eq!(rate, Rate::per_second(0.5));
/// assert_eq!(rate.to_string(), "30/m");
/// assert_eq!("30".parse::<Rate>().unwrap_err().to_string(), "write a number and a unit of time: `500/s`, `30/m`, `2000/h`");
/// # Ok::<(), molotov::options::InvalidValue>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Rate {
    /// Millionths of a start per hour.
    micros_per_hour: u64,
}

impl Rate {
    /// No start at all.
    pub(crate) const ZERO: Rate = Rate { micros_per_hour: 0 };

    /// Returns a rate in starts per second: `Rate::per_second(500)`, `Rate::per_second(0.5)`.
    ///
    /// A negative number becomes 0. The maximum is 1,000,000 starts per second.
    #[must_use]
    pub fn per_second(starts: impl Into<f64>) -> Rate {
        Rate::of(starts.into(), 1)
    }

    /// Returns a rate in starts per minute, with the limits of [`per_second`](Self::per_second).
    #[must_use]
    pub fn per_minute(starts: impl Into<f64>) -> Rate {
        Rate::of(starts.into(), 60)
    }

    /// Returns a rate in starts per hour, with the limits of [`per_second`](Self::per_second).
    #[must_use]
    pub fn per_hour(starts: impl Into<f64>) -> Rate {
        Rate::of(starts.into(), 3_600)
    }

    fn of(starts: f64, seconds: u64) -> Rate {
        Rate::from_micros_per_hour((starts * (3_600 / seconds * PER_HOUR) as f64).round() as u64)
    }

    /// Returns the number of starts per second.
    pub fn starts_per_second(self) -> f64 {
        self.micros_per_hour as f64 / (3_600 * PER_HOUR) as f64
    }

    pub(crate) fn from_micros_per_hour(micros: u64) -> Rate {
        Rate { micros_per_hour: micros.min(MAX) }
    }

    /// Returns the number of millionths of a start per hour.
    pub(crate) fn micros_per_hour(self) -> u64 {
        self.micros_per_hour
    }
}

impl FromStr for Rate {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Rate, InvalidValue> {
        rate::parse(text).map(|micros_per_hour| Rate { micros_per_hour }).map_err(|error| match error {
            RateError::Malformed => "write a number and a unit of time: `500/s`, `30/m`, `2000/h`".into(),
            RateError::Negative => "a rate cannot be negative".into(),
            RateError::TooHigh => "the maximum is 1000000/s".into(),
        })
    }
}

/// Parses the rate, so that [`LoadTest::rate`](crate::LoadTest::rate) takes a text.
impl TryFrom<&str> for Rate {
    type Error = InvalidValue;

    fn try_from(text: &str) -> Result<Rate, InvalidValue> {
        text.parse()
    }
}

/// The smallest unit of time in which the number of starts is whole, or else the hour for very low rates and the second for others.
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = |seconds: u64| self.micros_per_hour.is_multiple_of(3_600 / seconds * PER_HOUR);
        let is_very_low = self.micros_per_hour < 3_600 * PER_HOUR / 1_000;
        let other = if is_very_low { UNITS[2] } else { UNITS[0] };
        let (letter, seconds, _) = UNITS.into_iter().find(|(_, seconds, _)| exact(*seconds)).unwrap_or(other);
        let starts = self.micros_per_hour as f64 * seconds as f64 / (3_600 * PER_HOUR) as f64;
        write!(f, "{}/{letter}", (starts * 1e6).round() / 1e6)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn constructors_agree_with_texts() {
        let rate = |text: &str| text.parse::<Rate>().unwrap();
        assert_eq!(rate("30/m"), rate("0.5/s"));
        assert_eq!(rate(" 0.1 / s ").starts_per_second(), 0.1);
        assert_eq!(rate("30/m"), Rate::per_minute(30));
        assert_eq!(rate("2000/h"), Rate::per_hour(2_000));
        assert_eq!(Rate::per_second(-1), Rate::ZERO);
        assert_eq!(Rate::per_second(1e9), rate("1000000/s"));
    }

    #[test]
    fn invalid_rates_have_their_messages() {
        for (text, message) in [
            ("500", "write a number and a unit of time: `500/s`, `30/m`, `2000/h`"),
            ("-5/s", "a rate cannot be negative"),
            ("1000001/s", "the maximum is 1000000/s"),
        ] {
            assert_eq!(text.parse::<Rate>().unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn displays_a_whole_number_if_there_is_one() {
        for text in ["500/s", "30/m", "2000/h", "0.333333/s", "0/s"] {
            assert_eq!(text.parse::<Rate>().unwrap().to_string(), text);
        }
        assert_eq!("60/m".parse::<Rate>().unwrap().to_string(), "1/s");
        assert_eq!("0.001/h".parse::<Rate>().unwrap().to_string(), "0.001/h");
    }
}
