//! Delays, fixed or random.

use std::{
    fmt,
    ops::{Range, RangeInclusive},
    str::FromStr,
    time::Duration,
};

use molotov_values::delay::{self, Delay as Kind, DelayError};

use super::{InvalidValue, duration};

/// A time to wait: fixed, or drawn anew each time.
///
/// [`Context::think`](crate::session::Context::think) takes everything that converts to it: a number of seconds, a [`Duration`], and
/// ranges of both. `--seed` makes random delays repeatable.
///
/// ```
/// use std::time::Duration;
///
/// use molotov::options::Delay;
///
/// let delay: Delay = "1s..3s".parse()?;
/// assert_eq!(delay, Delay::from(1..3));
/// assert_eq!(delay.mean(), Duration::from_secs(2));
/// assert_eq!("exp(2s)".parse::<Delay>()?, Delay::exponential(Duration::from_secs(2)));
/// assert_eq!(Delay::from(0.5), Delay::from(Duration::from_millis(500)));
/// # Ok::<(), molotov::options::InvalidValue>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Delay(Kind);

impl Delay {
    /// No delay.
    pub const ZERO: Delay = Delay(Kind::Fixed(Duration::ZERO));

    /// Returns a delay that is uniformly distributed between two times.
    #[must_use]
    pub fn between(shortest: Duration, longest: Duration) -> Delay {
        Delay(Kind::Between(shortest.min(longest), longest.max(shortest)))
    }

    /// Returns a delay that is exponentially distributed: usually shorter than the mean, and sometimes much longer.
    #[must_use]
    pub fn exponential(mean: Duration) -> Delay {
        Delay(Kind::Exponential(mean))
    }

    /// Returns the mean.
    pub fn mean(&self) -> Duration {
        match self.0 {
            Kind::Fixed(time) | Kind::Exponential(time) => time,
            Kind::Between(shortest, longest) => shortest + (longest - shortest) / 2,
        }
    }

    /// Returns a time. `random` returns a random number in `0.0..1.0`, and is not called for a fixed delay.
    #[inline]
    pub(crate) fn draw(&self, random: impl FnOnce() -> f64) -> Duration {
        match self.0 {
            Kind::Fixed(time) => time,
            Kind::Between(shortest, longest) => shortest + (longest - shortest).mul_f64(random()),
            Kind::Exponential(mean) => {
                // `1 - random` is above 0, so the logarithm is at most about 37.
                mean.mul_f64(-(1.0 - random()).ln())
            }
        }
    }
}

impl Default for Delay {
    fn default() -> Delay {
        Delay::ZERO
    }
}

impl From<Duration> for Delay {
    fn from(time: Duration) -> Delay {
        Delay(Kind::Fixed(time))
    }
}

/// A number of seconds. Negative numbers are 0.
impl From<f64> for Delay {
    fn from(seconds: f64) -> Delay {
        Delay::from(time(seconds))
    }
}

/// A number of seconds. Negative numbers are 0.
impl From<i32> for Delay {
    fn from(seconds: i32) -> Delay {
        Delay::from(f64::from(seconds))
    }
}

macro_rules! ranges {
    ($($number:ty => $time:expr),*) => {
        $(
            impl From<Range<$number>> for Delay {
                fn from(range: Range<$number>) -> Delay {
                    Delay::between($time(range.start), $time(range.end))
                }
            }

            impl From<RangeInclusive<$number>> for Delay {
                fn from(range: RangeInclusive<$number>) -> Delay {
                    let (start, end) = range.into_inner();
                    Delay::between($time(start), $time(end))
                }
            }
        )*
    };
}
ranges!(Duration => std::convert::identity, f64 => time, i32 => |seconds| time(f64::from(seconds)));

fn time(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or_default()
}

/// `2s`, `1s..3s` or `exp(2s)`; a number without a unit is in seconds.
impl FromStr for Delay {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Delay, InvalidValue> {
        delay::parse(text).map(Delay).map_err(|error| match error {
            DelayError::Malformed => "write a time, a range (`1s..3s`) or `exp(2s)`".into(),
            DelayError::Reversed(right) => format!("the shortest time comes first: `{right}`").into(),
            DelayError::Time(error) => duration::invalid(error),
        })
    }
}

/// As it can be parsed again.
impl fmt::Display for Delay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Kind::Fixed(time) => write!(f, "{}s", time.as_secs_f64()),
            Kind::Between(shortest, longest) => write!(f, "{}s..{}s", shortest.as_secs_f64(), longest.as_secs_f64()),
            Kind::Exponential(mean) => write!(f, "exp({}s)", mean.as_secs_f64()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_what_it_prints() {
        for text in ["0s", "2s", "0.25s", "1s..3s", "exp(2s)"] {
            assert_eq!(text.parse::<Delay>().unwrap().to_string(), text);
        }
        assert_eq!("1..=3".parse::<Delay>().unwrap(), Delay::from(1..=3));
        for (text, error) in [
            ("3s..1s", "the shortest time comes first: `1s..3s`"),
            ("norm(2s)", "write a time, a range"),
            ("1s..", "write seconds"),
            ("exp(-1s)", "cannot be negative"),
        ] {
            let found = text.parse::<Delay>().unwrap_err().to_string();
            assert!(found.contains(error), "{text}: {found}");
        }
    }

    #[test]
    fn draws_follow_the_distribution() {
        let mut rng = fastrand::Rng::with_seed(3);
        let mut draw =
            |delay: Delay| -> Vec<f64> { (0..20_000).map(|_| delay.draw(|| rng.f64()).as_secs_f64()).collect() };
        let mean = |times: &[f64]| times.iter().sum::<f64>() / times.len() as f64;
        let uniform = draw(Delay::from(1..3));
        assert!(uniform.iter().all(|time| (1.0..=3.0).contains(time)) && (mean(&uniform) - 2.0).abs() < 0.02);
        let exponential = draw(Delay::exponential(Duration::from_secs(2)));
        assert!((mean(&exponential) - 2.0).abs() < 0.06, "{}", mean(&exponential));
        let longer = exponential.iter().filter(|time| **time > 2.0).count() as f64 / 20_000.0;
        assert!((longer - (-1.0_f64).exp()).abs() < 0.015, "{longer}");
        assert_eq!(Delay::from(2).draw(|| unreachable!("a fixed delay is not random")), Duration::from_secs(2));
    }
}
