//! What limited a run whose scenarios start at a rate.

use std::{fmt, time::Duration};

use super::{GeneratorLimit, StreamStarts, Summary};
use crate::{
    format,
    metrics::{Bottleneck, Histogram, Snapshot, Starts},
};

/// A run that starts less than this share of the planned scenarios was limited.
const ENOUGH: f64 = 0.99;

/// The limit of a run that started less than 99 % of the scenarios that its plan asked for.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Limit {
    /// What limited the run.
    pub limiter: Limiter,
    /// The planned rate, in starts per second, on average.
    pub asked: f64,
    /// The rate at which scenarios started, per second, on average.
    pub achieved: f64,
    /// The starts that were late, dropped, or did not happen.
    pub starts: Starts,
    /// The most workers that ran at once, in all processes.
    pub workers: usize,
    /// How many workers for each process the rate needs at the measured service time; `None` if that is not more than there were.
    pub workers_needed: Option<usize>,
    /// Whether the run had several processes, so that `--workers` is the number of each.
    several_processes: bool,
    /// What was wrong with the load generator, and what to do about it.
    generator: Option<GeneratorLimit>,
}

/// What limited a run whose scenarios start at a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Limiter {
    /// All workers were busy, and no more were allowed.
    Workers,
    /// Workers were setting up their sessions when scenarios were to start.
    Setup,
    /// The load generator: its CPU, its event loops, or its open files.
    Generator(Bottleneck),
    /// Nothing that Molotov measures.
    Unknown,
}

impl Limiter {
    /// Returns its name in reports: `workers`, `setup`, `unknown`, or the [name of the bottleneck](Bottleneck::name).
    pub fn name(self) -> &'static str {
        match self {
            Limiter::Workers => "workers",
            Limiter::Setup => "setup",
            Limiter::Generator(bottleneck) => bottleneck.name(),
            Limiter::Unknown => "unknown",
        }
    }
}

impl Summary {
    /// Returns what limited the run, and what distorted its measurements, each in one sentence.
    pub(crate) fn advice(&self) -> Vec<String> {
        let limit = self.limit();
        // The sentence about a limit of the load generator says the same.
        let named = limit.as_ref().is_some_and(|limit| matches!(limit.limiter, Limiter::Generator(_)));
        let advice = self.generator_limit().filter(|_| !named).map(|limit| limit.to_string());
        limit.map(|limit| limit.to_string()).into_iter().chain(advice).collect()
    }

    /// Returns what limited a run that started less than 99 % of the planned scenarios; `None` for other runs.
    pub fn limit(&self) -> Option<Limit> {
        let StreamStarts { asked, achieved, starts, .. } = self.all_starts()?;
        let starts = starts.into_owned();
        // A run that is stopped may miss the start that is due at that moment.
        let missing = starts.planned() - starts.started;
        if missing <= 1 || starts.started as f64 >= ENOUGH * starts.planned() as f64 {
            return None;
        }
        let generator = self.generator_limit();
        let limiter = limiter(generator.as_ref().map(|limit| limit.bottleneck), &starts);
        let generator = generator.filter(|_| matches!(limiter, Limiter::Generator(_)));
        let needed = (asked * mean_service_time(&self.snapshot).as_secs_f64()).ceil() as usize;
        let workers_needed = (needed > self.workers).then(|| needed.div_ceil(self.processes.max(1)));
        let several_processes = self.processes > 1;
        Some(Limit {
            limiter,
            asked,
            achieved,
            starts,
            workers: self.workers,
            workers_needed,
            several_processes,
            generator,
        })
    }
}

/// A generator without CPU time also keeps its workers busy, so it is named first. Code that blocks its threads also delays setups.
fn limiter(bottleneck: Option<Bottleneck>, starts: &Starts) -> Limiter {
    let not_in_time = starts.late + starts.dropped + starts.unstarted;
    let most_waited_for_setup = starts.setting_up > 0 && 2 * starts.setting_up >= not_in_time;
    match bottleneck {
        Some(bottleneck @ (Bottleneck::Cpu | Bottleneck::Quota | Bottleneck::OpenFiles)) => {
            Limiter::Generator(bottleneck)
        }
        found if most_waited_for_setup && found != Some(Bottleneck::Lag) => Limiter::Setup,
        _ if starts.exhausted > 0 => Limiter::Workers,
        Some(bottleneck) => Limiter::Generator(bottleneck),
        None => Limiter::Unknown,
    }
}

fn mean_service_time(snapshot: &Snapshot) -> Duration {
    let mut all = Histogram::default();
    snapshot.scenarios.values().for_each(|stats| all.merge(&stats.service));
    all.mean()
}

/// One sentence.
///
/// ```text
/// Scenarios started at 20.0/s instead of 50.0/s (30 dropped, 18 late), because all 2 workers were busy: allow at least 5 with
/// `--workers`.
/// ```
impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (achieved, asked) = (format::rate(self.achieved), format::rate(self.asked));
        let counts = [
            (self.starts.dropped, "dropped"),
            (self.starts.unstarted, "not started before the end"),
            (self.starts.late, "late"),
        ];
        let counts = counts.into_iter().filter(|(count, _)| *count > 0);
        let counts =
            counts.map(|(count, what)| format!("{} {what}", format::count(count))).collect::<Vec<_>>().join(", ");
        write!(f, "Scenarios started at {achieved}/s instead of {asked}/s ({counts}), ")?;
        match (self.limiter, &self.generator) {
            (Limiter::Workers, _) => {
                let workers = match self.workers {
                    1 => "the only worker was".to_owned(),
                    workers => format!("all {} were", format::plural(workers as u64, "worker")),
                };
                let each = if self.several_processes { " for each process" } else { "" };
                match self.workers_needed {
                    Some(needed) => {
                        write!(f, "because {workers} busy: allow at least {needed}{each} with `--workers`.")
                    }
                    None => write!(f, "because {workers} busy at times: allow more{each} with `--workers`."),
                }
            }
            (Limiter::Setup, _) => write!(
                f,
                "because {} waited for workers in `setup` or `setup_session`: make these fixtures faster, or exclude the \
                 beginning of the run with `--warm-up`.",
                format::plural(self.starts.setting_up, "start")
            ),
            (_, Some(GeneratorLimit { place, reason, .. })) => {
                write!(f, "because the load generator was the bottleneck{place}: {reason}.")
            }
            (_, None) => {
                write!(f, "for a reason that Molotov does not measure: look for code in scenarios that blocks.")
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        load::Load,
        metrics::{Health, Limits, Outcome, Recorder, StartSample, WaitedFor},
        options::{Args, Rate},
    };

    /// A run of 10 s with these starts, whose scenarios take 100 ms.
    fn run(started: u64, dropped: u64, unstarted: u64, exhausted: bool) -> Summary {
        let recorder = Recorder::new(Limits::default());
        let (stream, scenario) = (recorder.stream_id(""), recorder.scenario_id("one"));
        let lag = Duration::from_millis(if exhausted { 30 } else { 1 });
        for _ in 0..started {
            let waited_for = exhausted.then_some(WaitedFor::BusyWorkers);
            recorder.start(stream, StartSample::Started { lag, waited_for });
            recorder.planned_scenario(scenario, Outcome::Ok, lag, Duration::from_millis(100));
        }
        (0..dropped).for_each(|_| recorder.start(stream, StartSample::Dropped(WaitedFor::BusyWorkers)));
        (0..unstarted).for_each(|_| recorder.start(stream, StartSample::Unstarted(None)));
        let mut snapshot = recorder.take();
        snapshot.health = Health::default();
        let duration = Duration::from_secs(10);
        let rate = Some(Rate::per_second((started + dropped + unstarted) as f64 / 10.0));
        let load = Arc::new(Load::new(&Args { rate, duration, ..Args::default() }, &[], true, None));
        Summary { snapshot, load, workers: 2, processes: 1, planned_time: duration, ..Summary::default() }
    }

    #[test]
    fn runs_that_follow_their_plan_have_no_limit() {
        for summary in [run(1_000, 0, 10, true), run(10, 0, 1, false), run(500, 0, 0, true), Summary::default()] {
            assert_eq!(summary.limit(), None);
        }
    }

    #[test]
    fn busy_workers_are_the_limit() {
        let limit = run(200, 300, 0, true).limit().unwrap();
        assert_eq!(
            (limit.limiter, limit.asked, limit.achieved, limit.workers_needed),
            (Limiter::Workers, 50.0, 20.0, Some(5))
        );
        assert_eq!(
            limit.to_string(),
            "Scenarios started at 20.0/s instead of 50.0/s (300 dropped, 200 late), because all 2 workers were busy: allow at \
             least 5 with `--workers`."
        );
        let several = Summary { processes: 3, ..run(200, 0, 300, true) };
        let limit = several.limit().unwrap();
        assert_eq!(limit.workers_needed, Some(2), "the option is per process");
        assert!(limit.to_string().ends_with("busy: allow at least 2 for each process with `--workers`."), "{limit}");
        let enough = Summary { workers: 10, ..run(200, 5, 0, true) };
        assert_eq!(
            enough.limit().unwrap().to_string(),
            "Scenarios started at 20.0/s instead of 20.5/s (5 dropped, 200 late), because all 10 workers were busy at times: \
             allow more with `--workers`."
        );
    }

    #[test]
    fn a_busy_generator_is_the_limit() {
        let mut busy = run(200, 300, 0, true);
        let ten = Duration::from_secs(10);
        busy.snapshot.health = Health { threads_wall: ten, threads_cpu: ten, saturated: ten, ..Health::default() };
        let limit = busy.limit().unwrap();
        assert_eq!(limit.limiter, Limiter::Generator(Bottleneck::Cpu));
        assert_eq!(
            limit.to_string(),
            "Scenarios started at 20.0/s instead of 50.0/s (300 dropped, 200 late), because the load generator was the \
             bottleneck: its threads were busy 100 % of the time; use more threads, processes or machines, or fewer workers."
        );
        let mut files = run(200, 300, 0, false);
        files.snapshot.health = Health { open_files: 1_024, open_files_limit: Some(1_024), ..Health::default() };
        assert_eq!(files.limit().unwrap().limiter.name(), "open_files");
    }

    #[test]
    fn slow_setups_are_the_limit() {
        let mut slow = run(200, 100, 200, true);
        slow.snapshot.starts.values_mut().next().unwrap().setting_up = 249;
        assert_eq!(slow.limit().unwrap().limiter, Limiter::Workers, "most of the 500 starts waited for busy workers");
        slow.snapshot.starts.values_mut().next().unwrap().setting_up = 250;
        let limit = slow.limit().unwrap();
        assert_eq!((limit.limiter, limit.limiter.name()), (Limiter::Setup, "setup"));
        assert_eq!(
            limit.to_string(),
            "Scenarios started at 20.0/s instead of 50.0/s (100 dropped, 200 not started before the end, 200 late), because \
             250 starts waited for workers in `setup` or `setup_session`: make these fixtures faster, or exclude the \
             beginning of the run with `--warm-up`."
        );
    }

    #[test]
    fn an_unknown_limit_is_not_guessed() {
        let limit = run(200, 0, 300, false).limit().unwrap();
        assert_eq!(limit.limiter.name(), "unknown");
        assert_eq!(
            limit.to_string(),
            "Scenarios started at 20.0/s instead of 50.0/s (300 not started before the end), for a reason that Molotov does not \
             measure: look for code in scenarios that blocks."
        );
    }
}
