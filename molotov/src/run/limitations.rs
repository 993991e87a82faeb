//! What limits the validity of the results, for all reports.

use super::{Summary, Verdict};
use crate::{format, metrics::OTHER};

impl Summary {
    /// Returns what was lost, in sentences, unless [`conclusion_sentence`](Self::conclusion_sentence) says it.
    pub(crate) fn other_losses(&self) -> Vec<String> {
        match (&self.verdict, &*self.incomplete) {
            (Verdict::ProcessLost(how), [one]) if how.ends_with(&format!("since {}", format::elapsed(one.since))) => {
                Vec::new()
            }
            (_, incomplete) => incomplete.iter().map(ToString::to_string).collect(),
        }
    }

    /// Returns what limits the validity of the numbers, besides losses, in sentences.
    pub(crate) fn limitations(&self) -> Vec<String> {
        let mut found = Vec::new();
        if self.totals.interrupted > 0 {
            let scenarios = match self.totals.interrupted {
                1 => "1 scenario was".to_owned(),
                many => format!("{} scenarios were", format::count(many)),
            };
            let how = "interrupted by the end of the run: neither success nor failure, and not part of the latencies";
            found.push(format!("{scenarios} {how}."));
        }
        let retried: u64 = self.snapshot.requests.values().map(|stats| stats.retried).sum();
        if retried > 0 {
            let (requests, verb) = (format::plural(retried, "request"), if retried == 1 { "was" } else { "were" });
            found.push(format!("{requests} {verb} sent again, because an idle connection closed without a response."));
        }
        if self.snapshot.names_exceeded && !self.snapshot.requests.contains_key(OTHER) {
            found.push("There were too many different names: the last ones share the row `other`.".to_owned());
        } else if self.snapshot.names_exceeded {
            let what = "There were too many request names: the last ones share the row `other`";
            found.push(format!("{what}; name requests with .name(\"...\")."));
        }
        found.extend(self.advice());
        found.extend(self.notes.iter().cloned());
        found
    }
}
