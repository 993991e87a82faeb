//! The log of a run without a terminal: which lines it leaves out, and a line of progress every ten seconds.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use super::screen::RunLimits;
use crate::{
    format,
    metrics::{Check, ErrorGroup, Histogram, Snapshot, Stats, Sum},
    report::layout::{cut, harmless, harmless_lines},
    run::{Light, Line, LineKind, PlanProgress, Progress},
};

/// Up to this number of workers, the log contains the lines of each worker.
const FEW_WORKERS: usize = 10;
/// How many failures and warnings of many workers are shown between two lines of progress.
const SHOWN: u32 = 5;
/// The same for few workers.
const SHOWN_OF_FEW: u32 = 100;
/// How many failures of few workers with the same text are shown between two lines of progress.
const REPEATS_OF_FEW: u32 = 10;
/// How many different texts are remembered. Texts after that count as known.
const MAX_TEXTS: usize = 1_000;
/// How many groups of failures follow a line of progress.
const MAX_GROUPS: usize = 3;
/// How many thresholds a line of progress names.
const MAX_THRESHOLDS: usize = 3;
/// The width of a group of failures, in columns.
const GROUP_WIDTH: usize = 160;

/// Decides which lines a log contains, and writes its lines of progress.
#[derive(Debug)]
pub(super) struct Log {
    limits: RunLimits,
    detail: Detail,
    /// When the next line of progress is due, from the start of the run.
    next: Duration,
    /// When the last one was written, without pauses.
    last: Duration,
    /// How many failures and warnings were shown since then.
    shown: u32,
    /// How often each text was shown.
    texts: HashMap<u64, u32>,
    /// Whether failures were left out since the last line of progress.
    failures_hidden: bool,
    warnings_hidden: u64,
    /// What has arrived since the last line of progress.
    arrived: Sum,
    /// The same, for a line that is being made.
    recent: Snapshot,
    /// What was measured from the warm-up to the last line of progress, if there are thresholds.
    total: Snapshot,
    /// What was measured later.
    later: Sum,
}

/// How many of the lines of workers a log contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Detail {
    /// All, with `-v`.
    All,
    /// All but frequent failures.
    FewWorkers,
    /// New kinds of failures only.
    ManyWorkers,
}

impl Log {
    pub(super) fn new() -> Log {
        Log {
            limits: RunLimits::default(),
            detail: Detail::FewWorkers,
            next: Duration::MAX,
            last: Duration::ZERO,
            shown: 0,
            texts: HashMap::new(),
            failures_hidden: false,
            warnings_hidden: 0,
            arrived: Sum::default(),
            recent: Snapshot::default(),
            later: Sum::default(),
            total: Snapshot::default(),
        }
    }

    /// The workers are about to start.
    pub(super) fn begin(&mut self, limits: &RunLimits) {
        self.detail = match limits.workers {
            _ if limits.verbose => Detail::All,
            Some(..=FEW_WORKERS) => Detail::FewWorkers,
            _ => Detail::ManyWorkers,
        };
        self.next = limits.log_interval;
        self.limits = limits.clone();
    }

    /// Returns whether the log contains a line.
    pub(super) fn shows(&mut self, line: &Line) -> bool {
        match line.kind {
            _ if self.detail == Detail::All => true,
            LineKind::Print => true,
            LineKind::MoreFailures => {
                self.failures_hidden = true;
                false
            }
            _ if line.worker.is_none() => true,
            LineKind::Info => self.detail != Detail::ManyWorkers,
            LineKind::Failure | LineKind::Warning => {
                let shown = self.has_room_for(&line.text);
                match line.kind {
                    _ if shown => {}
                    LineKind::Warning => self.warnings_hidden += 1,
                    _ => self.failures_hidden = true,
                }
                shown
            }
        }
    }

    /// Counts a failure or a warning, and returns whether to show it.
    fn has_room_for(&mut self, text: &str) -> bool {
        let (most, repeats) = match self.detail {
            Detail::All => (u32::MAX, u32::MAX),
            Detail::FewWorkers => (SHOWN_OF_FEW, REPEATS_OF_FEW),
            Detail::ManyWorkers => (SHOWN, 1),
        };
        if self.shown >= most {
            return false;
        }
        let key = key_of(text);
        if self.texts.len() >= MAX_TEXTS && !self.texts.contains_key(&key) {
            return false;
        }
        let count = self.texts.entry(key).or_default();
        if *count >= repeats {
            return false;
        }
        *count += 1;
        self.shown += 1;
        true
    }

    pub(super) fn measures(&mut self, measures: &Snapshot) {
        self.arrived.add(measures.clone());
        if !self.limits.thresholds.is_empty() && !measures.warm_up {
            self.later.add(measures.clone());
        }
    }

    /// Returns the lines of progress if they are due.
    pub(super) fn progress(&mut self, progress: &Progress) -> Option<String> {
        let elapsed = progress.totals.elapsed;
        if elapsed < self.next {
            return None;
        }
        self.recent = self.arrived.take();
        self.total.merge(&self.later.take());
        let interval = self.limits.log_interval.max(Duration::from_millis(1));
        while self.next <= elapsed {
            self.next += interval;
        }
        let mut text = format!("[{}] {}\n", format::clock(elapsed), self.parts(progress).join(" | "));
        if std::mem::take(&mut self.failures_hidden) {
            self.groups(&mut text);
        }
        text.push_str(&self.hidden_warnings());
        self.last = progress.totals.without_pauses();
        self.shown = 0;
        if self.detail == Detail::FewWorkers {
            self.texts.clear();
        }
        self.recent = Snapshot::default();
        Some(text)
    }

    /// The number of warnings that were left out since the last line of progress.
    pub(super) fn hidden_warnings(&mut self) -> String {
        match std::mem::take(&mut self.warnings_hidden) {
            0 => String::new(),
            hidden => format!("... and {} (-v shows all)\n", format::plural(hidden, "more warning")),
        }
    }

    /// The parts of a line of progress. None contains `SUCCESSES: ` or `FAILURES: `, because scripts look for these words.
    fn parts(&self, progress: &Progress) -> Vec<String> {
        let mut parts = vec![format::plural(progress.workers as u64, "worker")];
        if progress.agents > 0 {
            parts.push(format::plural(progress.agents as u64, "agent"));
        } else if progress.processes > 1 {
            parts.push(format::plural(progress.processes as u64, "process"));
        }
        if progress.totals.elapsed < progress.warm_up_until {
            parts.push("warm-up".to_owned());
        }
        let seconds = progress.totals.without_pauses().saturating_sub(self.last).as_secs_f64();
        let per_second = |count: u64| format::rate(if seconds > 0.0 { count as f64 / seconds } else { 0.0 });
        let counts = self.recent.totals();
        parts.extend(progress.plan.as_ref().map(plan));
        parts.push(format!("{} scenarios/s", per_second(counts.ok + counts.failed)));
        let requests: u64 = self.recent.requests.values().map(ended).sum();
        if requests > 0 {
            parts.push(format!("{} requests/s", per_second(requests)));
        }
        parts.extend(self.p95());
        let (failed, all) = (counts.failed, progress.totals.failures);
        parts.push(match format::percent(failed, counts.ok + failed) {
            _ if failed + all == 0 => "no failures".to_owned(),
            // The coordinator may count before the log does.
            share if failed >= all => format!("{} ({share})", format::plural(failed, "failure")),
            share => format!("{} ({share}), {} in all", format::plural(failed, "failure"), format::count(all)),
        });
        parts.extend(self.checks());
        match &progress.sizing {
            Some(sizing) => parts.push(format!("sizing: {sizing}")),
            None => parts.extend(self.thresholds(progress)),
        }
        parts
    }

    /// The 95th percentile of requests, or of scenarios if there are no requests.
    fn p95(&self) -> Option<String> {
        let (timed, name) = match self.recent.requests.is_empty() {
            true => (&self.recent.scenarios, "scenarios"),
            false => (&self.recent.requests, "requests"),
        };
        let mut all = Histogram::default();
        all.merge_all(timed.values().map(|stats| &stats.latency));
        Some(format!("p95 of {name} {}", format::latency(all.percentile_if_enough(95.0)?)))
    }

    /// The share of checks that failed, if any did: `checks 2.0 % failed (has items and 3 others)`.
    fn checks(&self) -> Option<String> {
        let mut failed: Vec<_> = self.recent.checks.iter().filter(|(_, check)| check.failed > 0).collect();
        failed.sort_by_key(|(_, check)| std::cmp::Reverse(check.failed));
        let (most, _) = failed.first()?;
        let others = match failed.len() - 1 {
            0 => String::new(),
            others => format!(" and {}", format::plural(others as u64, "other")),
        };
        let count = failed.iter().map(|(_, check)| check.failed).sum();
        let share = format::percent(count, self.recent.checks.values().map(Check::total).sum());
        Some(harmless(&format!("checks {share} failed ({most}{others})")))
    }

    /// The thresholds that are broken so far, and those that are close to it.
    fn thresholds(&self, progress: &Progress) -> Option<String> {
        let active = progress.totals.active();
        let judged = self.limits.thresholds.iter().map(|threshold| threshold.judge_measures(&self.total, active));
        let mut alarming: Vec<_> = judged
            .filter_map(|result| match result.light() {
                Light::Broken => Some((0, format!("broken: {} ({})", result.expression, result.outcome()))),
                Light::Close => Some((1, format!("close: {} ({})", result.expression, result.outcome()))),
                Light::Met | Light::Unknown => None,
            })
            .collect();
        alarming.sort_by_key(|(rank, _)| *rank);
        let more = alarming.len().saturating_sub(MAX_THRESHOLDS);
        let named = alarming.into_iter().take(MAX_THRESHOLDS).map(|(_, text)| text);
        let more = (more > 0).then(|| format!("and {}", format::plural(more as u64, "more threshold")));
        let text = named.chain(more).collect::<Vec<_>>().join(", ");
        (!text.is_empty()).then(|| harmless(&text))
    }

    /// Writes the most frequent failures since the last line of progress.
    fn groups(&self, text: &mut String) {
        let mut groups: Vec<&ErrorGroup> = self.recent.errors.iter().collect();
        groups.sort_by_key(|group| std::cmp::Reverse(group.count));
        for group in groups.iter().take(MAX_GROUPS) {
            let scenario = if group.scenario.is_empty() { String::new() } else { format!(" in {}", group.scenario) };
            let message = group.message.lines().next().unwrap_or_default();
            // Messages of Python's exceptions start with their type.
            let message =
                message.strip_prefix(&*group.kind).and_then(|rest| rest.strip_prefix(": ")).unwrap_or(message);
            let line = format!("    {} x {}{scenario}: {message}", format::count(group.count), group.kind);
            let line = harmless_lines(&line).next().unwrap_or_default();
            text.push_str(&cut(&line, GROUP_WIDTH));
            text.push('\n');
        }
        let rest = groups.iter().skip(MAX_GROUPS).map(|group| group.count).sum();
        if rest > 0 {
            let kinds = format::plural((groups.len() - MAX_GROUPS) as u64, "other kind");
            text.push_str(&format!("    {} of {kinds}\n", format::plural(rest, "failure")));
        }
    }
}

/// A plan of load: `asked 500/s, achieved 480.2/s, 31 late`.
fn plan(plan: &PlanProgress) -> String {
    let mut text = format!("asked {}/s, achieved {}/s", format::rate(plan.rate), format::rate(plan.achieved));
    for (count, what) in [(plan.late, "late"), (plan.dropped, "dropped")] {
        if count > 0 {
            text.push_str(&format!(", {} {what}", format::count(count)));
        }
    }
    text
}

fn ended(stats: &Stats) -> u64 {
    stats.counts.ok + stats.counts.failed
}

/// Texts that differ only in numbers have the same key.
fn key_of(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    for part in text.split(|character: char| character.is_ascii_digit()).filter(|part| !part.is_empty()) {
        part.hash(&mut hasher);
    }
    hasher.finish()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::{
        metrics::{ErrorSample, HTTP, Limits, NOWHERE, OperationSample, Outcome, Recorder, Status},
        run::Totals,
    };

    fn log(workers: usize, verbose: bool, thresholds: &[&str]) -> Log {
        let mut log = Log::new();
        log.begin(&RunLimits {
            workers: Some(workers),
            verbose,
            log_interval: Duration::from_secs(10),
            thresholds: thresholds.iter().map(|text| text.parse().unwrap()).collect(),
            ..RunLimits::default()
        });
        log
    }

    fn failure(text: &str) -> Line {
        Line::failure(text).by_worker(0)
    }

    /// What happens in a second: scenarios of 20 ms with one request, the first of which fail.
    fn second(failed: u64, ok: u64) -> Snapshot {
        let recorder = Recorder::new(Limits::default());
        let (id, total) = (recorder.scenario_id("browse"), Duration::from_millis(20));
        for number in 0..failed + ok {
            let outcome = if number < failed { Outcome::Failed } else { Outcome::Ok };
            recorder.scenario(id, outcome, total);
            recorder.operation(
                HTTP,
                "GET /",
                &OperationSample {
                    outcome,
                    status: Some(Status::Code(200)),
                    connect: None,
                    first_byte: None,
                    total,
                    bytes_in: 1,
                    bytes_out: 1,
                    retried: 0,
                },
            );
            if outcome == Outcome::Failed {
                let kind = ["AssertionError", "Timeout", "KeyError", "OSError", "TypeError"][number as usize % 5];
                recorder.error(ErrorSample {
                    kind,
                    message: &format!("{kind}: it is \x1b[31mnot\nsecond"),
                    place: None,
                    scenario: "browse",
                    detail: None,
                    at: SystemTime::UNIX_EPOCH,
                });
            }
        }
        recorder.take()
    }

    /// Follows a run in virtual time, with a progress event every fifth of a second. Returns the log.
    fn follow(log: &mut Log, seconds: u64, measures: &Snapshot, lines: &[Line]) -> String {
        let mut text = String::new();
        let mut totals = Totals::default();
        for fifth in 1..=5 * seconds {
            for line in lines.iter().filter(|line| log.shows(line)) {
                text.push_str(&format!("{}\n", line.text));
            }
            totals.elapsed = Duration::from_millis(200 * fifth);
            if fifth % 5 == 0 {
                log.measures(measures);
                totals.failures += measures.totals().failed;
                totals.successes += measures.totals().ok;
            }
            let progress = Progress { totals, workers: 500, processes: 1, ..Progress::default() };
            text.push_str(&log.progress(&progress).unwrap_or_default());
        }
        text
    }

    #[test]
    fn writes_a_line_of_progress_every_ten_seconds() {
        let text = follow(&mut log(500, false, &[]), 35, &second(0, 40), &[]);
        let line = |at| {
            format!("[{at}s] 500 workers | 40.0 scenarios/s | 40.0 requests/s | p95 of requests 20.0ms | no failures\n")
        };
        assert_eq!(text, [10, 20, 30].map(line).concat());
        let text = follow(&mut log(500, false, &[]), 9, &second(0, 40), &[]);
        assert_eq!(text, "");
    }

    #[test]
    fn groups_the_failures_of_many_workers() {
        let lines = ["user 17: it is not", "user 4: it is not", "timed out"].map(failure);
        let info = Line::info("Starting").by_worker(3);
        let lines = [&lines[..], &[info, Line::more_failures(12)]].concat();
        let text = follow(&mut log(500, false, &[]), 25, &second(9, 1), &lines);
        let groups = "    20 x AssertionError in browse: it is \\u{1b}[31mnot\n    20 x KeyError in browse: it is \
                      \\u{1b}[31mnot\n    20 x OSError in browse: it is \\u{1b}[31mnot\n    30 failures of 2 other \
                      kinds\n";
        let progress =
            "500 workers | 10.0 scenarios/s | 10.0 requests/s | p95 of requests 20.0ms | 90 failures (90.0 %)";
        assert_eq!(
            text,
            format!("user 17: it is not\ntimed out\n[10s] {progress}\n{groups}[20s] {progress}, 180 in all\n{groups}")
        );
    }

    #[test]
    fn shows_every_failure_of_few_workers_unless_they_are_frequent() {
        let mut log = log(FEW_WORKERS, false, &[]);
        assert!(log.shows(&Line::info("Starting").by_worker(3)));
        let shown = |log: &mut Log, number: u32, text: fn(u32) -> String| {
            (0..number).filter(|number| log.shows(&failure(&text(*number)))).count()
        };
        let same = |_| "it is not".to_owned();
        let different = |number| format!("it is {}", "not ".repeat(number as usize));
        assert_eq!(shown(&mut log, 25, same), 10);
        assert_eq!(shown(&mut log, 200, different), 90);
        let text = follow(&mut log, 10, &second(5, 0), &[]);
        assert!(text.ends_with("    10 x OSError in browse: it is \\u{1b}[31mnot\n    20 failures of 2 other kinds\n"));
        assert_eq!(shown(&mut log, 25, same), 10, "in the next ten seconds");
    }

    #[test]
    fn shows_everything_if_verbose() {
        let mut log = log(500, true, &[]);
        for line in [Line::info("Starting").by_worker(3), failure("it is not"), Line::more_failures(3)] {
            assert!((0..1_000).all(|_| log.shows(&line)), "{line:?}");
        }
    }

    #[test]
    fn never_hides_output_of_scripts_and_lines_of_the_run() {
        let mut log = log(500, false, &[]);
        for line in [Line::print("paid").by_worker(3), Line::failure("process 3 was killed"), Line::warning("slow")] {
            assert!((0..1_000).all(|_| log.shows(&line)), "{line:?}");
        }
        let warning = Line::warning("teardown failed").by_worker(3);
        assert_eq!((0..1_000).filter(|_| log.shows(&warning)).count(), 1);
        assert_eq!(log.hidden_warnings(), "... and 999 more warnings (-v shows all)\n");
        assert_eq!(log.hidden_warnings(), "");
    }

    #[test]
    fn names_thresholds_that_are_broken_or_close() {
        let thresholds = ["failures < 1%", "p95(GET /) < 21ms", "p95(GET /) < 1s", "count(other) > 3"];
        let text = follow(&mut log(500, false, &thresholds), 10, &second(1, 39), &[]);
        assert!(
            text.ends_with("10 failures (2.5 %) | broken: failures < 1% (2.50 %), close: p95(GET /) < 21ms (20.0ms)\n"),
            "{text}"
        );
        let text = follow(&mut log(500, false, &["failures < 10%"]), 10, &second(1, 39), &[]);
        assert!(text.ends_with("10 failures (2.5 %)\n"), "{text}");
    }

    #[test]
    fn names_the_check_that_fails_most() {
        let recorder = Recorder::new(Limits::default());
        for n in 0..100 {
            recorder.check("has \x1b[31mitems", "browse", (n % 50 == 0).then_some((None, NOWHERE)));
            recorder.check("is cached", "browse", (n == 0).then_some((None, NOWHERE)));
            recorder.check("known", "browse", None);
        }
        let mut log = log(500, false, &["checks(known) > 99%"]);
        let text = follow(&mut log, 10, &recorder.take(), &[]);
        assert!(text.ends_with("no failures | checks 1.0 % failed (has \\u{1b}[31mitems and 1 other)\n"), "{text}");
        assert!(follow(&mut log, 20, &second(0, 1), &[]).ends_with("no failures\n"));
    }

    #[test]
    fn compares_a_rate_with_its_plan_and_follows_a_warm_up_and_a_sizing() {
        let mut log = log(500, false, &["failures < 1%"]);
        log.measures(&Snapshot { warm_up: true, ..second(1, 0) });
        let plan = PlanProgress {
            rate: 500.0,
            achieved: 480.2,
            planned: 5_000,
            planned_in_all: 5_000,
            started: 4_802,
            late: 31,
            dropped: 0,
        };
        let progress = Progress {
            totals: Totals { elapsed: Duration::from_secs(11), ..Totals::default() },
            workers: 12,
            processes: 2,
            plan: Some(plan),
            warm_up_until: Duration::from_secs(30),
            ..Progress::default()
        };
        assert_eq!(
            log.progress(&progress).unwrap(),
            "[11s] 12 workers | 2 processes | warm-up | asked 500.0/s, achieved 480.2/s, 31 late | 0.09 scenarios/s | \
             0.09 requests/s | 1 failure (100 %)\n"
        );
        assert_eq!(log.progress(&progress), None);
    }
}
