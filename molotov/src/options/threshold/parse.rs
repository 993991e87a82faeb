//! Parses thresholds. Errors show the place.
//!
//! `annotate-snippets`, which shows errors in a `molotov.json`, would add a gutter with a line number to these single lines.

use std::fmt;

use unicode_width::UnicodeWidthStr;

use super::{Comparison, Metric, Name, Subject, Threshold, Times};
use crate::suggest::nearest;

/// The measures, for error messages.
const METRICS: [&str; 14] = [
    "p95",
    "mean",
    "min",
    "max",
    "median",
    "successes",
    "failures",
    "interrupted",
    "count",
    "rate",
    "late",
    "dropped",
    "unstarted",
    "achieved",
];

/// The prefixes, for error messages.
const PREFIXES: [&str; 11] =
    ["scenarios", "requests", "steps", "tags", "checks", "counters", "values", "gauges", "service", "lag", "connect"];

/// An invalid threshold: the reason and the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThresholdError {
    pub(crate) why: String,
    pub(crate) text: String,
    pub(crate) at: std::ops::Range<usize>,
}

impl ThresholdError {
    /// The reason in one sentence, without the place.
    pub fn why(&self) -> &str {
        &self.why
    }
}

impl fmt::Display for ThresholdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = |text: &str| text.width();
        let (before, place) = (columns(&self.text[..self.at.start]), columns(&self.text[self.at.clone()]).max(1));
        write!(f, "{}\n  {}\n  {:before$}{:^<place$}", self.why, self.text, "", "^")
    }
}

impl std::error::Error for ThresholdError {}

/// Suggests the most similar of the `known` words, or lists all of them.
fn suggestion<const N: usize>(word: &str, known: [&str; N]) -> String {
    match nearest(word, known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("there are: {}", known.join(", ")),
    }
}

pub(super) struct Reader<'a> {
    pub(super) text: &'a str,
    pub(super) at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn skip_spaces(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    fn error(&self, at: std::ops::Range<usize>, why: impl Into<String>) -> ThresholdError {
        ThresholdError { why: why.into(), text: self.text.to_owned(), at }
    }

    pub(super) fn threshold(mut self) -> Result<Threshold, ThresholdError> {
        self.skip_spaces();
        let start = self.at;
        let (mut subject, times) = self.prefixes()?;
        let at = self.at;
        let default = if subject.is_none() && times == Times::Latency { self.default_measure()? } else { None };
        let metric = match default {
            Some((known, metric)) => {
                subject = Some(known);
                metric
            }
            None => self.metric()?,
        };
        let measure = start..self.at;
        self.check_prefixes(subject, times, metric, start..at)?;
        self.check_measure(subject, metric, measure.clone())?;
        self.skip_spaces();
        let open = self.at;
        let name = if self.rest().starts_with('(') { Some(self.name(subject)?) } else { None };
        if let (Some(subject), None) = (subject, &name) {
            let example = match subject {
                Subject::Scenarios | Subject::Requests | Subject::Checks => None,
                Subject::Steps => Some("payment"),
                Subject::Tags => Some("region=eu"),
                Subject::Counters => Some("retries"),
                Subject::Values => Some("basket"),
                Subject::Gauges => Some("queue"),
            };
            if let Some(example) = example {
                let (subjects, written) = (subject.plural(), &self.text[measure.clone()]);
                let why = format!("{subjects} differ from each other; name one, as in `{written}({example})`");
                return Err(self.error(measure, why));
            }
        }
        let name = name.map(|name| Name { name, at: open..self.at });
        self.skip_spaces();
        let comparison = self.comparison()?;
        self.skip_spaces();
        let (value, share) = match subject {
            Some(Subject::Checks) if default.is_some() => self.share_of_checks()?,
            Some(Subject::Values | Subject::Gauges) if metric.is_a_time() || metric == Metric::Last => self.number()?,
            _ => self.value(metric)?,
        };
        Ok(Threshold { text: self.text.to_owned(), subject, times, metric, name, comparison, value, share })
    }

    /// Parses a subject that is also the name of its usual measure, as in `checks > 99%`.
    fn default_measure(&mut self) -> Result<Option<(Subject, Metric)>, ThresholdError> {
        let length = self.rest().find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(self.rest().len());
        let word = &self.rest()[..length];
        let measure = match word {
            "checks" => (Subject::Checks, Metric::Successes),
            "counters" => (Subject::Counters, Metric::Count),
            "gauges" => (Subject::Gauges, Metric::Last),
            "values" | "tags" => {
                let example = if word == "tags" { "region=eu" } else { "basket" };
                let why = format!("`{word}` needs a measure: `{word}.p95({example})`");
                return Err(self.error(self.at..self.at + length, why));
            }
            _ => return Ok(None),
        };
        self.at += length;
        Ok(Some(measure))
    }

    /// Refuses measures that the subject does not have.
    fn check_measure(
        &self,
        subject: Option<Subject>,
        metric: Metric,
        place: std::ops::Range<usize>,
    ) -> Result<(), ThresholdError> {
        let (fits, why) = match subject {
            Some(Subject::Checks) => (
                matches!(metric, Metric::Successes | Metric::Failures | Metric::Count),
                "checks pass or fail: `checks(has items) > 99%`, `checks.failures(has items) < 10`",
            ),
            Some(Subject::Counters) => (
                matches!(metric, Metric::Count | Metric::Rate),
                "a counter has a total and a rate: `counters(retries) < 100`, `counters.rate(retries) < 5/s`",
            ),
            Some(Subject::Values) => (
                metric.is_a_time() || matches!(metric, Metric::Count | Metric::Rate),
                "values have percentiles, `mean`, `min`, `max`, `count` and `rate`: `values.p95(basket) < 500`",
            ),
            Some(Subject::Gauges) => (
                matches!(metric, Metric::Last | Metric::Min | Metric::Max),
                "a gauge has its last value, `min` and `max`: `gauges(queue) < 100`, `gauges.max(queue) < 200`",
            ),
            _ => (metric != Metric::Last, "only gauges have a last value: `gauges(queue) < 100`"),
        };
        if fits { Ok(()) } else { Err(self.error(place, why)) }
    }

    /// Parses the prefixes of a measure, such as `requests.` and `service.`, each at most once.
    fn prefixes(&mut self) -> Result<(Option<Subject>, Times), ThresholdError> {
        let (mut subject, mut times) = (None, Times::Latency);
        while let Some((word, place)) = self.prefix() {
            let named = Times::NAMED.into_iter().find(|(name, _)| *name == word).map(|(_, times)| times);
            let known = Subject::ALL.into_iter().find(|subject| subject.plural() == word);
            match (known, named) {
                (Some(known), _) if subject.is_none() && times == Times::Latency => subject = Some(known),
                (_, Some(named)) if times == Times::Latency => times = named,
                (None, None) => {
                    let why = format!("there is no `{word}.`; {}", suggestion(word, PREFIXES));
                    return Err(self.error(place, why));
                }
                _ => return Err(self.error(place, "write each kind of prefix once, as in `requests.connect.p99`")),
            }
        }
        Ok((subject, times))
    }

    /// Refuses prefixes that do not fit the measure.
    fn check_prefixes(
        &self,
        subject: Option<Subject>,
        times: Times,
        metric: Metric,
        place: std::ops::Range<usize>,
    ) -> Result<(), ThresholdError> {
        let why = match (subject, times) {
            (_, Times::Service | Times::Lag | Times::Connect) if !metric.is_a_time() => {
                "`service.`, `lag.` and `connect.` select times: `service.p99`, `lag.max`, `connect.mean`"
            }
            (Some(subject), Times::Service | Times::Lag | Times::Connect) if subject.is_custom() => {
                let why = format!("{} have no times; leave out `service.`, `lag.` and `connect.`", subject.plural());
                return Err(self.error(place, why));
            }
            (Some(_), Times::Lag) => "`lag.` applies to the starts of scenarios, without another prefix",
            (Some(_), _) if metric.is_of_starts() => "starts are those of scenarios; leave out the prefix",
            (Some(Subject::Scenarios | Subject::Steps), Times::Connect) => "only requests wait for connections",
            _ => return Ok(()),
        };
        Err(self.error(place, why))
    }

    /// Parses a prefix, and returns it with its place.
    fn prefix(&mut self) -> Option<(&'a str, std::ops::Range<usize>)> {
        let length = self.rest().find(|c: char| !c.is_alphabetic() && c != '_').unwrap_or(self.rest().len());
        let (word, rest) = self.rest().split_at(length);
        if word.is_empty() || !rest.starts_with('.') {
            return None;
        }
        let place = self.at..self.at + length;
        self.at += length + 1;
        Some((word, place))
    }

    fn metric(&mut self) -> Result<Metric, ThresholdError> {
        let length =
            self.rest().find(|c: char| !c.is_alphanumeric() && c != '.' && c != '_').unwrap_or(self.rest().len());
        let (word, place) = (&self.rest()[..length], self.at..self.at + length);
        let metric = match word {
            "mean" | "avg" | "average" => Metric::Mean,
            "min" => Metric::Min,
            "max" => Metric::Max,
            "median" => Metric::Percentile(50.0),
            "successes" => Metric::Successes,
            "failures" => Metric::Failures,
            "interrupted" => Metric::Interrupted,
            "count" => Metric::Count,
            "rate" => Metric::Rate,
            "late" => Metric::Late,
            "dropped" => Metric::Dropped,
            "unstarted" => Metric::Unstarted,
            "achieved" => Metric::Achieved,
            "last" => Metric::Last,
            "" => return Err(self.error(place, "expected a measure, such as `p95`, `mean`, `failures` or `rate`")),
            _ => match word.strip_prefix('p').and_then(|number| number.parse::<f64>().ok()) {
                Some(percent) if (0.0..=100.0).contains(&percent) => Metric::Percentile(percent),
                Some(_) => return Err(self.error(place, "a percentile is between 0 and 100: `p95`, `p99.9`")),
                None => {
                    let help = suggestion(word, METRICS);
                    return Err(self.error(place, format!("there is no measure `{word}`; {help}")));
                }
            },
        };
        self.at += length;
        Ok(metric)
    }

    /// Parses a name in parentheses. It may contain pairs of parentheses, or be quoted.
    fn name(&mut self, subject: Option<Subject>) -> Result<String, ThresholdError> {
        let open = self.at;
        self.at += 1;
        self.skip_spaces();
        let unclosed = |reader: &Self| reader.error(open..open + 1, "unclosed parenthesis");
        let name = if let Some(quoted) = self.rest().strip_prefix('"') {
            let end = quoted.find('"').ok_or_else(|| self.error(self.at..self.at + 1, "unclosed quote"))?;
            self.at += end + 2;
            self.skip_spaces();
            if !self.rest().starts_with(')') {
                return Err(unclosed(self));
            }
            self.at += 1;
            quoted[..end].to_owned()
        } else {
            let mut depth = 1_usize;
            let end = self.rest().char_indices().find_map(|(at, c)| {
                match c {
                    '(' => depth += 1,
                    ')' => depth -= 1,
                    _ => {}
                }
                (depth == 0).then_some(at)
            });
            let end = end.ok_or_else(|| unclosed(self))?;
            let name = self.rest()[..end].trim().to_owned();
            self.at += end + 1;
            name
        };
        if name.is_empty() {
            let kind = subject.map_or("scenario, a request or a step", Subject::singular);
            return Err(self.error(open..self.at, format!("expected the name of a {kind}")));
        }
        Ok(name)
    }

    fn comparison(&mut self) -> Result<Comparison, ThresholdError> {
        for (sign, comparison) in [
            ("<=", Comparison::AtMost),
            (">=", Comparison::AtLeast),
            ("==", Comparison::Equal),
            ("!=", Comparison::Unequal),
            ("<", Comparison::Less),
            (">", Comparison::More),
        ] {
            if self.rest().starts_with(sign) {
                self.at += sign.len();
                return Ok(comparison);
            }
        }
        let length = self.rest().chars().next().map_or(0, char::len_utf8);
        let why = match self.rest().starts_with('=') {
            true => "write `==` for equality",
            false => "expected `<`, `<=`, `>`, `>=`, `==` or `!=`",
        };
        Err(self.error(self.at..self.at + length, why))
    }

    /// Parses a number that scenarios record, which may be negative and has no unit.
    fn number(&mut self) -> Result<(f64, bool), ThresholdError> {
        let written = self.rest().trim_end();
        let place = self.at..self.at + written.len();
        let is_number = |c: char| c.is_ascii_digit() || c == '.' || c == '-';
        let number = written.parse::<f64>().ok().filter(|number| number.is_finite() && written.chars().all(is_number));
        match number {
            Some(number) => Ok((number, false)),
            None => Err(self.error(place, "expected a number without a unit: `500`, `-1.5`")),
        }
    }

    /// Parses the share of checks that must pass.
    fn share_of_checks(&mut self) -> Result<(f64, bool), ThresholdError> {
        let written = self.rest().trim_end();
        let place = self.at..self.at + written.len();
        match self.value(Metric::Successes)? {
            (share, true) => Ok((share, true)),
            _ => Err(self.error(
                place,
                "expected the share of checks that pass: `99%`; for numbers, write `checks.successes` or `checks.failures`",
            )),
        }
    }

    fn value(&mut self, metric: Metric) -> Result<(f64, bool), ThresholdError> {
        let written = self.rest().trim_end();
        let place = self.at..self.at + written.len();
        let digits = written.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(written.len());
        let unit = written[digits..].trim();
        let number = match written[..digits].parse::<f64>() {
            Ok(number) if number.is_finite() => number,
            _ => return Err(self.error(place, "expected a number")),
        };
        let value = match (metric, unit) {
            (Metric::Percentile(_) | Metric::Mean | Metric::Min | Metric::Max, unit) => {
                let factor = match unit {
                    "us" | "µs" => 1e-6,
                    "ms" => 1e-3,
                    "s" => 1.0,
                    "m" | "min" => 60.0,
                    "" => return Err(self.error(place, "a time needs a unit: `200ms`, `1.5s`")),
                    _ => return Err(self.error(place, "expected a time: `250us`, `200ms`, `1.5s`, `2m`")),
                };
                (number * factor, false)
            }
            (Metric::Rate, "" | "/s") => (number, false),
            (Metric::Rate, _) => return Err(self.error(place, "expected a rate: `50/s`")),
            (Metric::Achieved, unit) if unit != "%" => {
                return Err(self.error(place, "expected a share of the planned starts: `99%`"));
            }
            (_, "") => (number, false),
            (Metric::Count, "%") => {
                return Err(self.error(place, "a count has no percentage; use `failures` or `successes`"));
            }
            (_, "%") => (number / 100.0, true),
            _ => return Err(self.error(place, "expected a number or a percentage: `1%`")),
        };
        Ok(value)
    }
}
