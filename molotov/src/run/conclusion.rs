//! The conclusion of a run, for a glance.

use std::time::Duration;

use super::{Summary, Verdict, standing::failed_of_ended};
use crate::format;

/// What a run came to, as reports show it first. [`Verdict`] says why in detail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Conclusion {
    /// The run ended and met its thresholds, if it had any.
    Passed,
    /// The run broke a threshold, or too many scenarios failed for `--fail`.
    Broken,
    /// The run could not go on: a fixture or the system failed, or a script asked for an exit code that is not 0.
    Failed,
    /// The user ended the run before its limit.
    Interrupted,
    /// Measures of a process or a thread were lost.
    Lost,
}

impl Conclusion {
    /// The name in reports: `passed`, `broken`, `failed`, `interrupted` or `lost`.
    pub fn name(self) -> &'static str {
        match self {
            Conclusion::Passed => "passed",
            Conclusion::Broken => "broken",
            Conclusion::Failed => "failed",
            Conclusion::Interrupted => "interrupted",
            Conclusion::Lost => "lost",
        }
    }

    /// The name for people, which all reports use: `Passed`, `Not passed`, `Failed`, `Interrupted` or `Measures lost`.
    pub fn label(self) -> &'static str {
        match self {
            Conclusion::Passed => "Passed",
            Conclusion::Broken => "Not passed",
            Conclusion::Failed => "Failed",
            Conclusion::Interrupted => "Interrupted",
            Conclusion::Lost => "Measures lost",
        }
    }
}

impl Summary {
    /// Returns what the run came to.
    pub fn conclusion(&self) -> Conclusion {
        match &self.verdict {
            Verdict::FixtureFailed(_) | Verdict::SystemFailed(_) | Verdict::Exit(1..) => Conclusion::Failed,
            Verdict::ProcessLost(_) => Conclusion::Lost,
            _ if !self.incomplete.is_empty() => Conclusion::Lost,
            Verdict::ThresholdBroken | Verdict::TooManyFailures => Conclusion::Broken,
            Verdict::Ended | Verdict::Exit(0) if self.interrupted => Conclusion::Interrupted,
            Verdict::Ended | Verdict::Exit(0) => Conclusion::Passed,
        }
    }

    /// Returns the conclusion in a few sentences, with what led to it.
    pub fn conclusion_sentence(&self) -> String {
        let totals = &self.totals;
        let scenarios = match totals.successes + totals.failures {
            0 => "No scenario ended.".to_owned(),
            _ => format!("{}.", failed_of_ended(totals)),
        };
        let (met, all) = (self.thresholds.iter().filter(|result| result.passed).count(), self.thresholds.len());
        let thresholds = match all {
            0 => None,
            1 => Some(if met == 1 {
                "The threshold was met.".to_owned()
            } else {
                "The threshold was broken.".to_owned()
            }),
            _ if met == all => Some(format!("All {all} thresholds were met.")),
            _ => Some(format!("{} of {all} thresholds were broken.", all - met)),
        };
        let first = match &self.verdict {
            Verdict::FixtureFailed(failed) => {
                Some(sentence(&format!("The fixture `{}` failed: {}", failed.fixture, failed.message)))
            }
            Verdict::SystemFailed(why) => Some(sentence(&format!("The run could not continue: {why}"))),
            Verdict::ProcessLost(how) => Some(sentence(how)),
            Verdict::Exit(code @ 1..) => Some(format!("The run exited with code {code}.")),
            _ if !self.incomplete.is_empty() => Some("Measures were lost.".to_owned()),
            Verdict::TooManyFailures => Some("More scenarios failed than `--fail` allows.".to_owned()),
            _ if self.interrupted && self.started.is_none() => {
                Some("The run was interrupted before it began.".to_owned())
            }
            _ if self.interrupted => {
                let after = format::elapsed(Duration::from_millis(totals.elapsed.as_millis() as u64));
                Some(format!("The run was interrupted after {after}."))
            }
            _ => None,
        };
        first.into_iter().chain(thresholds).chain([scenarios]).collect::<Vec<_>>().join(" ")
    }
}

/// Formats a message as a sentence: it starts with a capital letter and ends with a full stop.
fn sentence(message: &str) -> String {
    let message = message.trim();
    let stop = if message.ends_with(['.', '!', '?', '…']) { "" } else { "." };
    let mut characters = message.chars();
    let first = characters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}{stop}", characters.as_str())
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::run::{Incomplete, ThresholdResult, Totals};

    #[test]
    fn conclusion_names_what_matters_most() {
        let threshold = |passed| ThresholdResult { passed, ..ThresholdResult::default() };
        let totals = Totals { successes: 7, failures: 3, elapsed: Duration::from_secs(12), ..Totals::default() };
        let summary = Summary { totals, started: Some(SystemTime::UNIX_EPOCH), ..Summary::default() };
        let of = |summary: &Summary| (summary.conclusion().name(), summary.conclusion_sentence());
        assert_eq!(of(&summary), ("passed", "3 of 10 scenarios failed.".to_owned()));
        let broken = Summary {
            verdict: Verdict::ThresholdBroken,
            thresholds: vec![threshold(true), threshold(false)],
            interrupted: true,
            ..summary.clone()
        };
        let sentence = "The run was interrupted after 12.0 s. 1 of 2 thresholds were broken. 3 of 10 scenarios failed.";
        assert_eq!(of(&broken), ("broken", sentence.to_owned()));
        let interrupted = Summary { interrupted: true, ..summary.clone() };
        assert_eq!(of(&interrupted).0, "interrupted");
        let early = Summary { interrupted: true, ..Summary::default() };
        assert_eq!(of(&early).1, "The run was interrupted before it began. No scenario ended.");
        for how in ["Process 1 was killed.", "process 1 was killed"] {
            let lost = Summary { verdict: Verdict::ProcessLost(how.to_owned()), ..interrupted.clone() };
            assert_eq!(of(&lost), ("lost", "Process 1 was killed. 3 of 10 scenarios failed.".to_owned()));
        }
        let loss =
            |process| Incomplete { agent: None, process, pid: Some(7), thread: None, since: Duration::from_secs(3) };
        let lost = |incomplete| Summary {
            verdict: Verdict::ProcessLost("process 1 was killed; its counts are incomplete since 3.0 s".to_owned()),
            incomplete,
            ..summary.clone()
        };
        assert_eq!(lost(vec![loss(1)]).other_losses(), [""; 0], "the conclusion reports it");
        assert_eq!(lost(vec![loss(1), loss(2)]).other_losses().len(), 2);
        let exit = Summary { verdict: Verdict::Exit(3), ..summary };
        assert_eq!(of(&exit), ("failed", "The run exited with code 3. 3 of 10 scenarios failed.".to_owned()));
    }
}
