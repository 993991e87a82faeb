//! The plain data of a run: what the command line says, without clap.

mod invalid;
pub(crate) mod report_target;
pub(crate) mod threshold;

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

pub use self::{
    invalid::InvalidValue,
    report_target::ReportTarget,
    threshold::{Threshold, ThresholdError},
};

/// Every option of a run, as fixtures and contexts see it.
///
/// Built by the command line, or by hand through [`Args::default`] for a run started from code.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Args {
    /// Path or module name of a Python script.
    pub scenario: Option<String>,
    /// Each worker runs every scenario once, in name order.
    pub single_run: bool,
    /// The only scenario to run.
    pub single_mode: Option<String>,
    /// The `molotov.json` that was read.
    pub config: Option<PathBuf>,
    /// Trace what the engine does, on stderr.
    pub debug: bool,
    /// 0: failures in one line; 1: with backtraces; 2: requests and responses too.
    pub verbose: u8,
    /// Workers per process.
    pub workers: usize,
    /// Time over which the workers start: worker `i` starts at `i * ramp_up / workers`.
    pub ramp_up: Duration,
    /// Ramp workers up until the service fails.
    pub sizing: bool,
    /// Share of failures that ends the sizing, in percent.
    pub sizing_tolerance: f64,
    /// Sleep after each scenario, on top of the scenario's own.
    pub delay: Duration,
    /// How often the screen is refreshed.
    pub console_update: Duration,
    /// Number of processes.
    pub processes: usize,
    /// How long each worker runs, from its own start.
    pub duration: Duration,
    /// How many scenarios each worker runs; `None` is no limit.
    pub max_runs: Option<u64>,
    /// Print nothing but errors of the tool itself.
    pub quiet: bool,
    /// Stop everything on the first failure.
    pub exception: bool,
    /// Exit with 1 when at least that many scenarios failed.
    pub fail: Option<u64>,
    /// Plain console instead of the dashboard.
    pub console: bool,
    /// Send measures to statsd.
    pub statsd: bool,
    /// Where statsd listens.
    pub statsd_address: String,
    /// Python: ask for uvloop.
    pub uvloop: bool,
    /// Extensions to use, in load order.
    pub use_extension: Vec<String>,
    /// Cancel what still runs when the duration is over.
    pub force_shutdown: bool,
    /// Threads per process; `None`: one per core.
    pub threads: Option<usize>,
    /// Makes picks and the context's random data repeatable.
    pub seed: Option<u64>,
    /// Reports to write.
    pub report: Vec<ReportTarget>,
    /// Conditions that decide whether the run was good.
    pub threshold: Vec<Threshold>,
    /// Print what is registered and stop.
    pub list: bool,
    /// When to write colours.
    pub color: Color,
    /// Default total timeout of a request.
    pub timeout: Duration,
    /// Show passwords, tokens and cookies instead of masking them.
    pub show_secrets: bool,
    /// Keys of the configuration file that are no option, for scripts to read.
    pub extra: BTreeMap<String, serde_json::Value>,
}

impl Args {
    /// With what a sizing needs where nothing is said of it: 500 workers that start over five minutes.
    pub(crate) fn completed(mut self) -> Args {
        let default = Args::default();
        if self.sizing {
            if self.workers == default.workers {
                self.workers = 500;
            }
            if self.ramp_up == default.ramp_up {
                self.ramp_up = Duration::from_secs(300);
            }
        }
        self
    }
}

/// More workers than any machine holds: a slip is better refused than tried.
pub(crate) const MOST_WORKERS: usize = 10_000_000;
/// More threads than any machine runs.
pub(crate) const MOST_THREADS: usize = 4_096;

impl Args {
    /// What is wrong with numbers that code has set; the command line checks its own.
    pub(crate) fn refused(&self) -> Option<String> {
        let within = |what: &str, number: usize, most: usize| {
            (number == 0 || number > most).then(|| format!("{what}: {number} is not between 1 and {most}"))
        };
        within("workers", self.workers, MOST_WORKERS)
            .or_else(|| within("threads", self.threads.unwrap_or(1), MOST_THREADS))
            .or_else(|| self.timeout.is_zero().then(|| "timeout: the time must be longer than 0".to_owned()))
    }
}

/// When to write colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set and not empty.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Color {
    /// Whether to write colours to something that is a terminal or not. An empty `NO_COLOR` counts as not set.
    pub(crate) fn is_on(self, terminal: bool) -> bool {
        match self {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => {
                let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
                let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
                terminal && !set("NO_COLOR") && !dumb
            }
        }
    }
}

impl Default for Args {
    fn default() -> Self {
        Args {
            scenario: None,
            single_run: false,
            single_mode: None,
            config: None,
            debug: false,
            verbose: 0,
            workers: 1,
            ramp_up: Duration::ZERO,
            sizing: false,
            sizing_tolerance: 5.0,
            delay: Duration::ZERO,
            console_update: Duration::from_millis(200),
            processes: 1,
            duration: Duration::from_secs(86_400),
            max_runs: None,
            quiet: false,
            exception: false,
            fail: None,
            console: false,
            statsd: false,
            statsd_address: "udp://localhost:8125".to_owned(),
            uvloop: false,
            use_extension: Vec::new(),
            force_shutdown: false,
            threads: None,
            seed: None,
            report: Vec::new(),
            threshold: Vec::new(),
            list: false,
            color: Color::Auto,
            timeout: Duration::from_secs(300),
            show_secrets: false,
            extra: BTreeMap::new(),
        }
    }
}

/// Number of a worker, from 0 in every process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkerId(pub usize);

impl std::fmt::Display for WorkerId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Number of a scenario's run within its worker, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepId(pub u64);
