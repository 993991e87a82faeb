//! Parses delays, fixed or random: `2s`, `1s..3s` and `exp(2s)`.

use std::time::Duration;

use crate::time::{self, TimeError};

/// A delay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delay {
    /// Always the same.
    Fixed(Duration),
    /// Uniformly distributed between the shortest and the longest.
    Between(Duration, Duration),
    /// Exponentially distributed, with this mean.
    Exponential(Duration),
}

/// Why a text is not a delay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DelayError {
    /// It is none of the three forms.
    Malformed,
    /// The longest time comes first. This is the text in the right order.
    Reversed(String),
    /// A time in it is invalid.
    Time(TimeError),
}

impl From<TimeError> for DelayError {
    fn from(error: TimeError) -> DelayError {
        DelayError::Time(error)
    }
}

/// Parses a delay. A number without a unit is in seconds.
///
/// # Errors
///
/// Returns an error if the text is not a delay.
pub fn parse(text: &str) -> Result<Delay, DelayError> {
    let text = text.trim();
    if let Some(mean) = text.strip_prefix("exp(").and_then(|rest| rest.strip_suffix(')')) {
        return Ok(Delay::Exponential(time::parse(mean.trim())?));
    }
    if let Some((shortest, longest)) = text.split_once("..") {
        let (shortest, longest) = (shortest.trim(), longest.trim_start_matches('=').trim());
        let (from, to) = (time::parse(shortest)?, time::parse(longest)?);
        if from > to {
            return Err(DelayError::Reversed(format!("{longest}..{shortest}")));
        }
        return Ok(Delay::Between(from, to));
    }
    if text.contains('(') {
        return Err(DelayError::Malformed);
    }
    Ok(Delay::Fixed(time::parse(text)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_the_three_forms() {
        let seconds = Duration::from_secs;
        for (text, delay) in [
            ("2", Delay::Fixed(seconds(2))),
            (" 2s ", Delay::Fixed(seconds(2))),
            ("1..3", Delay::Between(seconds(1), seconds(3))),
            ("1s ..= 3s", Delay::Between(seconds(1), seconds(3))),
            ("exp( 250ms )", Delay::Exponential(Duration::from_millis(250))),
        ] {
            assert_eq!(parse(text), Ok(delay), "{text}");
        }
    }

    #[test]
    fn refuses_invalid_delays() {
        for (text, error) in [
            ("3s..1s", DelayError::Reversed("1s..3s".to_owned())),
            ("norm(2s)", DelayError::Malformed),
            ("exp(2)s", DelayError::Malformed),
            ("1s..", DelayError::Time(TimeError::Malformed)),
            ("soon", DelayError::Time(TimeError::Malformed)),
            ("exp(-1s)", DelayError::Time(TimeError::Negative)),
        ] {
            assert_eq!(parse(text), Err(error), "{text}");
        }
    }
}
