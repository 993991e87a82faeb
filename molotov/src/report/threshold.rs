//! Thresholds: conditions that decide whether a run was good, as in `p95(browse) < 200ms`.

use std::{fmt, str::FromStr, time::Duration};

use unicode_width::UnicodeWidthStr;

use super::{Summary, format, summary::Judged};
use crate::metrics::{Counts, Histogram, Stats};

/// A condition on the measures of a run.
///
/// `METRIC(NAME) OP VALUE`, the name left out for the whole run: `p99.9(GET /cart) < 1s`, `failures < 1%`,
/// `rate(checkout) > 50/s`, `successes >= 1000`.
///
/// ```
/// # use molotov::report::Threshold;
/// let threshold: Threshold = "p95(browse) < 200ms".parse()?;
/// let wrong = "p95(browse) < 200".parse::<Threshold>().unwrap_err();
/// assert_eq!(wrong.to_string(), "\
/// a time needs a unit: `200ms`, `1.5s`
///   p95(browse) < 200
///                 ^^^");
/// # Ok::<(), molotov::report::ThresholdError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Threshold {
    text: String,
    metric: Metric,
    name: Option<String>,
    comparison: Comparison,
    value: f64,
    share: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Metric {
    Percentile(f64),
    Mean,
    Min,
    Max,
    Successes,
    Failures,
    Interrupted,
    Count,
    Rate,
}

const METRICS: [&str; 10] =
    ["p95", "mean", "min", "max", "median", "successes", "failures", "interrupted", "count", "rate"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Less,
    AtMost,
    More,
    AtLeast,
    Equal,
    Unequal,
}

/// A threshold that cannot be read: why, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThresholdError {
    why: String,
    text: String,
    at: std::ops::Range<usize>,
}

impl ThresholdError {
    /// One sentence, without the place.
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

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Threshold {
    type Err = ThresholdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // What cannot be shown in a column of its own has no place in a threshold.
        let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        Reader { text: &clean, at: 0 }.threshold()
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
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

    fn threshold(mut self) -> Result<Threshold, ThresholdError> {
        self.skip_spaces();
        let metric = self.metric()?;
        self.skip_spaces();
        let name = if self.rest().starts_with('(') { Some(self.name()?) } else { None };
        self.skip_spaces();
        let comparison = self.comparison()?;
        self.skip_spaces();
        let (value, share) = self.value(metric)?;
        Ok(Threshold { text: self.text.trim().to_owned(), metric, name, comparison, value, share })
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
            "" => return Err(self.error(place, "expected a measure, such as `p95`, `mean`, `failures` or `rate`")),
            _ => match word.strip_prefix('p').and_then(|number| number.parse::<f64>().ok()) {
                Some(percent) if (0.0..=100.0).contains(&percent) => Metric::Percentile(percent),
                Some(_) => return Err(self.error(place, "a percentile lies between 0 and 100: `p95`, `p99.9`")),
                None => {
                    let near = METRICS.iter().min_by_key(|known| strsim::damerau_levenshtein(known, word));
                    let near = near.filter(|known| strsim::damerau_levenshtein(known, word) <= 2);
                    let help = match near {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => format!("there are: {}", METRICS.join(", ")),
                    };
                    return Err(self.error(place, format!("there is no measure `{word}`; {help}")));
                }
            },
        };
        self.at += length;
        Ok(metric)
    }

    /// In parentheses, which may stand in the name too, or in quotes within them.
    fn name(&mut self) -> Result<String, ThresholdError> {
        let open = self.at;
        self.at += 1;
        self.skip_spaces();
        let unclosed = |reader: &Self| reader.error(open..open + 1, "this parenthesis is not closed");
        let name = if let Some(quoted) = self.rest().strip_prefix('"') {
            let end = quoted.find('"').ok_or_else(|| self.error(self.at..self.at + 1, "this quote is not closed"))?;
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
            return Err(self.error(open..self.at, "expected the name of a scenario, a request or a step"));
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
            true => "write `==` to compare",
            false => "expected `<`, `<=`, `>`, `>=`, `==` or `!=`",
        };
        Err(self.error(self.at..self.at + length, why))
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
            (_, "") => (number, false),
            (Metric::Count, "%") => {
                return Err(self.error(place, "a count has no share; use `failures` or `successes`"));
            }
            (_, "%") => (number / 100.0, true),
            _ => return Err(self.error(place, "expected a number, or a share: `1%`")),
        };
        Ok(value)
    }
}

impl Threshold {
    /// Whether a run meets it.
    pub fn judge(&self, summary: &Summary) -> Judged {
        let actual = self.actual(summary);
        let passed = actual.is_some_and(|actual| match self.comparison {
            Comparison::Less => actual < self.value,
            Comparison::AtMost => actual <= self.value,
            Comparison::More => actual > self.value,
            Comparison::AtLeast => actual >= self.value,
            Comparison::Equal => actual == self.value,
            Comparison::Unequal => actual != self.value,
        });
        Judged { expression: self.text.clone(), actual: actual.map(|actual| self.shown(actual)), passed }
    }

    /// The measured value; `None` where nothing was measured.
    fn actual(&self, summary: &Summary) -> Option<f64> {
        let whole = Stats::default();
        let snapshot = &summary.snapshot;
        let stats = match &self.name {
            Some(name) => {
                let name = name.as_str();
                let maps = [&snapshot.scenarios, &snapshot.requests, &snapshot.steps];
                maps.into_iter().find_map(|rows| rows.get(name)).unwrap_or(&whole)
            }
            None => &whole,
        };
        let counts = if self.name.is_some() { stats.counts } else { snapshot.totals() };
        let ended = counts.ok + counts.failed;
        let time = |of: &dyn Fn(&Histogram) -> Duration| {
            let latency = if self.name.is_some() { stats.latency.clone() } else { all(summary) };
            (latency.count() > 0).then(|| of(&latency).as_secs_f64())
        };
        match self.metric {
            Metric::Percentile(percent) => time(&|latency| latency.percentile(percent)),
            Metric::Mean => time(&|latency| latency.mean()),
            Metric::Min => time(&|latency| latency.min()),
            Metric::Max => time(&|latency| latency.max()),
            Metric::Rate => {
                let seconds = summary.active().as_secs_f64();
                Some(if seconds > 0.0 { ended as f64 / seconds } else { 0.0 })
            }
            Metric::Count => Some(ended as f64),
            Metric::Successes => self.part(counts.ok, &counts),
            Metric::Failures => self.part(counts.failed, &counts),
            Metric::Interrupted => self.part(counts.interrupted, &counts),
        }
    }

    /// A count, or its share of what ended.
    fn part(&self, part: u64, counts: &Counts) -> Option<f64> {
        match (self.share, counts.ok + counts.failed) {
            (false, _) => Some(part as f64),
            (true, 0) => None,
            (true, ended) => Some(part as f64 / ended as f64),
        }
    }

    fn shown(&self, actual: f64) -> String {
        match self.metric {
            Metric::Percentile(_) | Metric::Mean | Metric::Min | Metric::Max => {
                format::latency(Duration::try_from_secs_f64(actual).unwrap_or_default())
            }
            Metric::Rate => format!("{}/s", format::rate(actual)),
            _ if self.share => format!("{:.2} %", actual * 100.0),
            _ => format!("{actual:.0}"),
        }
    }
}

/// The times of all requests; where there was none, of all scenarios.
fn all(summary: &Summary) -> Histogram {
    let mut all = Histogram::default();
    let snapshot = &summary.snapshot;
    let rows = if snapshot.requests.is_empty() { &snapshot.scenarios } else { &snapshot.requests };
    rows.values().for_each(|stats| all.merge(&stats.latency));
    all
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::metrics::{Limits, Outcome, Recorder, RequestSample};

    /// 100 runs of `browse` of 1 to 100 ms, 5 of them failed, 20 requests of 10 ms, in 10 s.
    fn summary() -> Summary {
        let recorder = Recorder::new(Limits::default());
        let browse = recorder.scenario_id("browse");
        for n in 1..=100 {
            let outcome = if n <= 5 { Outcome::Failed } else { Outcome::Ok };
            recorder.scenario(browse, outcome, Duration::from_millis(n));
        }
        for _ in 0..20 {
            recorder.request(
                "GET /users/(all)/{n}",
                &RequestSample {
                    outcome: Outcome::Ok,
                    status: Some(200),
                    first_byte: None,
                    total: Duration::from_millis(10),
                    bytes_in: 1,
                    bytes_out: 1,
                },
            );
        }
        Summary { elapsed: Duration::from_secs(10), snapshot: recorder.take(), ..Summary::default() }
    }

    #[test]
    fn conditions_are_judged() {
        let summary = summary();
        for (text, passed, actual) in [
            ("p95(browse) < 96ms", true, "95.0ms"),
            ("p95(browse) < 95ms", false, "95.0ms"),
            ("p50(browse)<=50.1ms", true, "50.0ms"),
            ("median ( browse ) > 49ms", true, "50.0ms"),
            ("mean(browse) < 0.06s", true, "50.5ms"),
            ("max(browse) >= 100000us", true, "100ms"),
            ("min(browse) == 1ms", true, "1.00ms"),
            ("p99.9 < 11ms", true, "10.0ms"),
            ("p99(GET /users/(all)/{n}) < 1s", true, "10.0ms"),
            ("p99(\"GET /users/(all)/{n}\") < 1s", true, "10.0ms"),
            ("failures < 5%", false, "5.00 %"),
            ("failures <= 5%", true, "5.00 %"),
            ("failures == 5", true, "5"),
            ("failures != 5", false, "5"),
            ("successes(browse) >= 95%", true, "95.00 %"),
            ("interrupted == 0", true, "0"),
            ("count > 99", true, "100"),
            ("rate(browse) > 9/s", true, "10.0/s"),
            ("rate > 11", false, "10.0/s"),
            ("count(nobody) == 0", true, "0"),
        ] {
            let judged = text.parse::<Threshold>().unwrap().judge(&summary);
            assert_eq!((judged.passed, judged.actual.as_deref()), (passed, Some(actual)), "{text}");
            assert_eq!(judged.expression, text);
        }
        for text in ["p95(nobody) < 1s", "failures(nobody) < 1%"] {
            let judged = text.parse::<Threshold>().unwrap().judge(&summary);
            assert_eq!((judged.passed, judged.actual), (false, None), "{text}: nothing was measured");
        }
    }

    #[test]
    fn what_is_wrong_is_shown_where_it_stands() {
        let mut shown = String::new();
        for text in [
            "",
            "p95",
            "p95(browse) = 1s",
            "p101 < 1s",
            "q95 < 1s",
            "faliures < 1%",
            "p95(browse < 1s",
            "p95(\"browse) < 1s",
            "p95() < 1s",
            "p95(ünïcödé 漢字) < 200",
            "failures < many",
            "failures < 1s",
            "count < 1%",
            "rate > 50ms",
            "p95 < 1h",
            "mean < 1s or so",
        ] {
            shown += &format!("{}\n\n", text.parse::<Threshold>().unwrap_err());
        }
        insta::assert_snapshot!(shown);
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(text in r#"(p95|mean|failures|rate|é漢| |\(|\)|"|<|=|[0-9.]|ms|s|%|\n){0,12}"#) {
            match text.parse::<Threshold>() {
                Ok(threshold) => { threshold.judge(&summary()); }
                Err(error) => { let _ = error.to_string(); }
            }
        }
    }
}
