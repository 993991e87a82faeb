//! Checks: conditions that scenarios test and go on.

use serde::{Deserialize, Serialize};
use std::time::SystemTime;

use crate::secrets;

/// The longest message of a sample, in bytes. Longer ones are cut.
const MAX_MESSAGE: usize = 1_000;

/// How often a check passed and failed.
///
/// ```
/// use molotov::metrics::Check;
///
/// let mut check = Check::default();
/// (check.passed, check.failed) = (99, 1);
/// assert_eq!(check.total(), 100);
/// assert_eq!(check.pass_ratio(), 0.99);
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Check {
    /// How often it passed.
    pub passed: u64,
    /// How often it failed.
    pub failed: u64,
    /// Its first failure.
    pub sample: Option<CheckSample>,
}

/// A failure of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CheckSample {
    /// The scenario in which it failed.
    pub scenario: String,
    /// What was wrong, if the check says so.
    pub message: Option<String>,
    /// `file:line` of the check, if known.
    pub place: Option<String>,
    /// When it failed.
    pub at: SystemTime,
}

impl Check {
    /// Returns how often it was made.
    pub fn total(&self) -> u64 {
        self.passed + self.failed
    }

    /// Returns the share that passed, from 0 to 1; 1 if it was never made.
    pub fn pass_ratio(&self) -> f64 {
        match self.total() {
            0 => 1.0,
            total => self.passed as f64 / total as f64,
        }
    }

    /// Adds the results of `other`. The earlier failure is the sample.
    pub fn merge(&mut self, other: &Check) {
        self.passed += other.passed;
        self.failed += other.failed;
        let is_earlier = |sample: &&CheckSample| self.sample.as_ref().is_none_or(|ours| sample.at < ours.at);
        if let Some(sample) = other.sample.as_ref().filter(is_earlier) {
            self.sample = Some(sample.clone());
        }
    }
}

impl CheckSample {
    /// Returns where it failed and what was wrong, such as `in buy at src/lib.rs:7:5: 3 is too large`.
    pub(crate) fn describe(&self) -> String {
        let mut text =
            if self.scenario.is_empty() { "outside of scenarios".to_owned() } else { format!("in {}", self.scenario) };
        if let Some(place) = &self.place {
            text += &format!(" at {place}");
        }
        if let Some(message) = &self.message {
            text += &format!(": {message}");
        }
        text
    }

    /// Returns the sample of a failure that happens now. Secrets in its message are masked.
    pub(super) fn now(scenario: &str, message: Option<&str>, place: Option<String>) -> CheckSample {
        let message = message.map(|message| {
            let masked = secrets::mask(message);
            masked[..masked.floor_char_boundary(MAX_MESSAGE)].to_owned()
        });
        CheckSample { scenario: scenario.to_owned(), message, place, at: SystemTime::now() }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_earliest_failure_is_the_sample() {
        let sample = |seconds| {
            let at = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            Some(CheckSample { scenario: seconds.to_string(), message: None, place: None, at })
        };
        let mut check = Check { passed: 3, failed: 1, sample: sample(5) };
        check.merge(&Check { passed: 1, failed: 1, sample: sample(4) });
        check.merge(&Check { passed: 0, failed: 1, sample: sample(6) });
        check.merge(&Check { passed: 2, failed: 0, sample: None });
        assert_eq!(check, Check { passed: 6, failed: 3, sample: sample(4) });
    }
}
