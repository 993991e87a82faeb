//! The table of options. An option is defined here and nowhere else.
//!
//! An entry becomes a field of [`Args`] and [`Options`], an option of the command line and of `molotov.json`, an attribute of
//! `args` in scripts, a row of the reference in the book, and a method of [`LoadTest`](crate::LoadTest):
//!
//! ```text
//! /// The documentation of the field of `Args`.
//! name: Type = default, {
//!     help: "A line for `--help`",
//!     group: Group::Load,
//!     ...                               // other fields of `Description`
//! }
//! { fn method(parameter: Type) = value, "Documentation of the method" }     // or: { none: "why there is no method" }
//! ```
//!
//! A method whose value is a `Result` is a `try fn`. Its error is that of the run.
//!
//! Each `Type` implements [`Value`](super::value::Value). The help shows the options in this order.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use http::Method;

use super::{
    Arrivals, BaseUrl, Color, Cookie, Header, OnLost, Rate, ReportTarget, ScenarioOptions, Sources, Stages, Threshold,
    WebAddress, WhenBusy, duration, scenarios,
    schema::{Description, Group, OptionSpec, define},
    statsd_address,
    value::{Value, at_most, percent, positive, positive_rate},
};

/// More workers than fit into the memory of any machine.
pub(super) const MAX_WORKERS: usize = 10_000_000;
/// More threads than any machine has cores.
const MAX_THREADS: usize = 4_096;
/// More processes than any machine has cores.
const MAX_PROCESSES: usize = 1_024;
/// More machines than one coordinator can direct.
const MAX_AGENTS: usize = 10_000;

/// Passes the table to a macro.
macro_rules! option_table {
    ($consumer:ident) => {
        $consumer! {
            /// Path or module name of a Python script, or URLs to request, separated by spaces.
            scenario: Option<String> = None, {
                help: "Path or module of a Python script, or URLs to request",
                default: Some("loadtest.py"),
                group: Group::Selection,
                original: true,
                positional: true,
                value: "SCENARIO",
            }
            { none: "a load test from code runs no script" }

            /// Workers per process.
            workers: usize = 1, {
                help: "Number of workers of each process",
                group: Group::Load,
                original: true,
                short: Some('w'),
                value: "N",
                check: |workers| at_most(*workers, MAX_WORKERS),
                changeable: true,
            }
            { fn workers(workers: usize) = workers, "The number of workers, from 1 to 10,000,000. The default is 1." }

            /// Number of processes.
            processes: usize = 1, {
                help: "Number of processes",
                group: Group::Load,
                original: true,
                short: Some('p'),
                value: "N",
                check: |processes| at_most(*processes, MAX_PROCESSES),
                changeable: true,
            }
            { none: "processes are forked, which a program with other threads cannot do" }

            /// Threads per process; `None`: one per core.
            threads: Option<usize> = None, {
                help: "Threads of each process",
                default: Some("cores / processes"),
                group: Group::Load,
                value: "N",
                check: |threads| at_most(*threads, MAX_THREADS),
            }
            { fn threads(threads: usize) = threads, "The number of threads that run workers, from 1 to 4,096. The default is one per core." }

            /// Time over which the workers start: worker `i` starts at `i * ramp_up / workers`.
            ramp_up: Duration = Duration::ZERO, {
                help: "Time over which the workers start",
                group: Group::Load,
                original: true,
                value: "TIME",
                changeable: true,
            }
            { fn ramp_up(time: Duration) = time, "Time over which the workers start." }

            /// The rate at which scenarios start, over all threads and processes; `None`: workers start them in a loop.
            rate: Option<Rate> = None, {
                help: "Start scenarios at this rate, such as 500/s",
                group: Group::Load,
                value: "RATE",
                check: |rate| positive_rate(*rate),
                changeable: true,
            }
            {
                try fn rate(rate: impl TryInto<Rate, Error: Into<InvalidValue>>) = rate.try_into(),
                "The rate at which scenarios start, whatever the service does: `\"500/s\"` or a [`Rate`]. Without it, each worker \
                 starts the next scenario when the last one has ended. [`duration`](Self::duration) says how long the run lasts, \
                 and [`workers`](Self::workers) how many scenarios run at a time, at most."
            }

            /// The plan of the load over time.
            stage: Stages = Stages::default(), {
                help: "Go evenly to a load in a time: 30s:200, 1m:500/s",
                group: Group::Load,
                value: "STAGE",
                check: Stages::check_levels,
                changeable: true,
            }
            {
                try fn stages(stages: impl IntoIterator<Item: TryInto<Stage, Error: Into<InvalidValue>>>)
                    = Stages::collect(stages),
                "The plan of the load over time: stages of workers or of a rate, as a [`Stage`] or as a text such as `\"30s:200\"`. \
                 They say how long the run lasts."
            }

            /// The spacing of starts at a rate.
            arrivals: Arrivals = Arrivals::Even, {
                help: "Spacing of starts at a rate: even or poisson",
                group: Group::Load,
                value: "SPACING",
                changeable: true,
            }
            { fn arrivals(arrivals: Arrivals) = arrivals, "The spacing of starts at a rate. The default is even." }

            /// What happens if no worker is free for a start at a rate.
            when_busy: WhenBusy = WhenBusy::Wait, {
                help: "Starts at a rate without a free worker: wait or drop",
                group: Group::Load,
                value: "WHAT",
                changeable: true,
            }
            {
                fn when_busy(when_busy: WhenBusy) = when_busy,
                "What happens if no worker is free for a start at a rate. By default it waits."
            }

            /// The time at the start of the run whose measures are kept apart.
            warm_up: Duration = Duration::ZERO, {
                help: "Keep the measures of this time at the start apart",
                group: Group::Load,
                value: "TIME",
                changeable: true,
            }
            {
                fn warm_up(time: Duration) = time,
                "The time at the start of the run whose measures are kept apart from the results."
            }

            /// Options of scenarios, by name.
            scenarios: BTreeMap<String, ScenarioOptions> = BTreeMap::new(), {
                help: "Options of scenarios by name",
                group: Group::Load,
                check: scenarios::check,
                on_command_line: false,
                changeable: true,
            }
            { none: "`LoadTest::scenario_rate` sets the rate of a scenario" }

            /// Sleep after each scenario, in addition to its own delay.
            delay: Duration = Duration::ZERO, {
                help: "Sleep after each scenario",
                group: Group::Load,
                original: true,
                value: "TIME",
                changeable: true,
            }
            { fn delay(delay: Duration) = delay, "Sleep after each scenario, in addition to its own delay." }

            /// The default timeout of requests.
            timeout: Duration = Duration::from_secs(300), {
                help: "Timeout of a request",
                group: Group::Load,
                value: "TIME",
                check: |time| positive(*time),
                changeable: true,
            }
            { fn timeout(timeout: Duration) = timeout, "The default timeout of requests. The default is 300 s." }

            /// The address of the service, which paths such as `/cart` are added to.
            host: Option<BaseUrl> = None, {
                help: "Address of the service, for paths such as /cart",
                group: Group::Requests,
                value: "URL",
                changeable: true,
            }
            {
                try fn host(address: impl TryInto<BaseUrl, Error: Into<InvalidValue>>) = address.try_into(),
                "The address of the service, such as `\"http://127.0.0.1:8080\"`. Requests then need only a path: \
                 `session.get(\"/cart\")`. It replaces the base URL that `setup` sets."
            }

            /// Headers of all requests. A session or a request can replace them.
            header: Vec<Header> = Vec::new(), {
                help: "Header of all requests: \"Name: value\"",
                group: Group::Requests,
                short: Some('H'),
                value: "HEADER",
                changeable: true,
            }
            { none: "`SessionOptions::header` sets headers" }

            /// Cookies of all requests. A cookie that the server sets replaces one with the same name.
            cookie: Vec<Cookie> = Vec::new(), {
                help: "Cookie of all requests: name=value",
                group: Group::Requests,
                value: "COOKIE",
                changeable: true,
            }
            { none: "`SessionOptions::cookie` sets cookies" }

            /// The method of requests to URLs; `None`: GET, or POST with a body.
            method: Option<Method> = None, {
                help: "Method of requests to URLs",
                default: Some("GET, or POST with a body"),
                group: Group::Requests,
                short: Some('X'),
                value: "METHOD",
            }
            { none: "it is for requests without a scenario" }

            /// The body of requests to URLs: a text, or `@` and the path of a file.
            body: Option<String> = None, {
                help: "Body of requests to URLs: a text, @FILE, or @- (stdin)",
                group: Group::Requests,
                value: "BODY",
            }
            { none: "it is for requests without a scenario" }

            /// Find the largest load the service can handle.
            sizing: bool = false, {
                help: "Find the largest load the service can handle",
                group: Group::Load,
                original: true,
            }
            { none: "the result of a sizing is shown on the screen" }

            /// Share of failures that ends the sizing, in percent.
            sizing_tolerance: f64 = 5.0, {
                help: "Failures that end the sizing, in percent",
                group: Group::Load,
                original: true,
                value: "PCT",
                read: percent,
                changeable: true,
            }
            { none: "there is no method for `sizing`" }

            /// Each worker runs every scenario once, in name order.
            single_run: bool = false, {
                help: "Each worker runs every scenario once, by name",
                group: Group::Selection,
                original: true,
                changeable: true,
            }
            { fn single_run() = true, "Each worker runs every scenario once, in name order." }

            /// The only scenario to run.
            single_mode: Option<String> = None, {
                help: "Run only this scenario",
                group: Group::Selection,
                original: true,
                short: Some('s'),
                value: "NAME",
            }
            { none: "`LoadTest::scenarios` selects scenarios" }

            /// Extensions to use, in load order.
            use_extension: Vec<String> = Vec::new(), {
                help: "Extensions to load first, in order",
                group: Group::Selection,
                original: true,
                value: "NAME",
                several: true,
            }
            { none: "extensions are for command lines; a test links what it uses" }

            /// The configuration file.
            config: Option<PathBuf> = None, {
                help: "Read the options of the test [SCENARIO] from a molotov.json",
                group: Group::Selection,
                original: true,
                value: "FILE",
                in_file: false,
            }
            { none: "a load test from code sets its own options" }

            /// Makes random picks and the random data of contexts repeatable.
            seed: Option<u64> = None, {
                help: "Make random picks and data repeatable",
                group: Group::Selection,
                value: "N",
                changeable: true,
            }
            { fn seed(seed: u64) = seed, "Makes random picks and the random numbers of contexts repeatable." }

            /// Print what is registered and exit.
            list: bool = false, {
                help: "Print the scenarios and exit",
                group: Group::Selection,
            }
            { none: "there is nothing to run" }

            /// How long each worker runs, from its start.
            duration: Duration = Duration::from_secs(86_400), {
                read: duration::of_run,
                help: "How long a worker runs; 0: a single scenario",
                group: Group::Stopping,
                original: true,
                short: Some('d'),
                value: "TIME",
                changeable: true,
            }
            {
                fn duration(duration: Duration) = duration,
                "How long each worker runs, from its start. Replaces [`max_runs`](Self::max_runs)."
            }

            /// How many scenarios each worker runs; `None` is no limit.
            max_runs: Option<u64> = None, {
                help: "Scenarios a worker runs",
                default: Some("0, no limit"),
                group: Group::Stopping,
                original: true,
                short: Some('r'),
                value: "N",
                changeable: true,
            }
            {
                fn max_runs(runs: u64) = runs,
                "How many scenarios each worker runs. The default is 1; 0 is no limit. Replaces [`duration`](Self::duration)."
            }

            /// Stop everything on the first failure.
            exception: bool = false, {
                help: "Stop everything on the first failure",
                group: Group::Stopping,
                original: true,
                short: Some('x'),
                changeable: true,
            }
            { fn stop_on_failure() = true, "Stops on the first failure." }

            /// Interrupt running scenarios when the duration is over.
            force_shutdown: bool = false, {
                help: "Cancel running scenarios when the time is over",
                group: Group::Stopping,
                original: true,
                changeable: true,
            }
            {
                fn force_shutdown() = true,
                "Interrupts running scenarios when the duration is over. They are counted as interrupted."
            }

            /// Exit with 1 if at least this many scenarios failed.
            fail: Option<u64> = None, {
                help: "Exit with 1 when at least N scenarios failed",
                group: Group::Reports,
                original: true,
                short: Some('f'),
                value: "N",
                changeable: true,
            }
            { none: "`Report::failures` counts them" }

            /// Conditions that the run has to meet.
            threshold: Vec<Threshold> = Vec::new(), {
                help: "Condition to pass: \"p95(browse) < 200ms\"",
                group: Group::Reports,
                value: "EXPR",
            }
            { none: "`Report::assert` checks them" }

            /// Whether each scenario has its own rows of requests and steps, such as `buy / POST /orders`.
            split_requests: bool = false, {
                help: "Show the requests of each scenario apart",
                group: Group::Reports,
            }
            {
                fn split_requests() = true,
                "Shows the requests and steps of each scenario apart: `buy / POST /orders`."
            }

            /// Reports to write.
            report: Vec<ReportTarget> = Vec::new(), {
                help: match (cfg!(feature = "html-report"), cfg!(feature = "junit-report")) {
                    (true, true) => "Write a report: .html, .json, .xml, .md, .csv, or json:- (stdout)",
                    (true, false) => "Write a report: .html, .json, .md, .csv, or json:- (stdout)",
                    (false, true) => "Write a report: .json, .xml, .md, .csv, or json:- (stdout)",
                    (false, false) => "Write a report: .json, .md, .csv, or json:- (stdout)",
                },
                group: Group::Reports,
                value: "FILE",
                check: ReportTarget::check,
            }
            { none: "`report::write` writes `Report::summary`" }

            /// Send measures to statsd.
            statsd: bool = false, {
                help: "Send the measures to statsd",
                group: Group::Reports,
                original: true,
            }
            { none: "`Report` has the measures" }

            /// Where statsd listens.
            statsd_address: String = "udp://localhost:8125".to_owned(), {
                help: "Where statsd listens",
                group: Group::Reports,
                original: true,
                value: "URL",
                check: |address| statsd_address::parse(address).map(drop),
            }
            { none: "there is no method for `statsd`" }

            /// Print nothing but errors of the tool itself.
            quiet: bool = false, {
                help: "Print nothing but errors of the tool itself",
                group: Group::Output,
                original: true,
                short: Some('q'),
            }
            { none: "a load test from code prints nothing" }

            /// 0: failures in one line; 1: with backtraces; 2: requests and responses too.
            verbose: u8 = 0, {
                help: "-v: backtraces; -vv: requests and responses too",
                group: Group::Output,
                original: true,
                short: Some('v'),
                changeable: true,
            }
            { fn backtraces() = 1, "Failures carry backtraces." }

            /// Plain console instead of the dashboard.
            console: bool = false, {
                help: "Plain console instead of the dashboard",
                group: Group::Output,
                original: true,
                short: Some('c'),
            }
            { none: "a load test from code prints nothing" }

            /// How often the screen is refreshed.
            console_update: Duration = Duration::from_millis(200), {
                help: "How often the screen is refreshed",
                group: Group::Output,
                original: true,
                value: "TIME",
                changeable: true,
            }
            { none: "a load test from code prints nothing" }

            /// Where to serve the live page; `None`: nowhere.
            web: Option<WebAddress> = None, {
                help: "Serve a live page, at a port or ADDRESS:PORT",
                group: Group::Output,
                value: "ADDRESS",
                check: WebAddress::check,
            }
            {
                try fn web(address: impl TryInto<WebAddress, Error: Into<InvalidValue>>) = address.try_into(),
                "Serves the live page of the run: at a port of the loopback address, such as `8089`, or at an address such as \
                 `\"0.0.0.0:8089\"`."
            }

            /// When to write colors.
            color: Color = Color::Auto, {
                help: "Colors: auto, always or never",
                group: Group::Output,
                value: "WHEN",
            }
            { none: "a load test from code prints nothing" }

            /// Show passwords, tokens and cookies instead of masking them.
            show_secrets: bool = false, {
                help: "Do not mask passwords, tokens and cookies",
                group: Group::Output,
            }
            {
                fn show_secrets() = true,
                "Shows passwords, tokens and cookies in errors and names instead of masking them."
            }

            /// Trace what the engine does, on stderr.
            debug: bool = false, {
                help: "Trace what the engine does, on stderr",
                group: Group::Output,
                original: true,
            }
            { none: "a program sets up its own subscriber of `tracing`" }

            /// The broker of a run on several machines; `None`: the run starts one if `agents` is given.
            cluster: Option<String> = None, {
                help: "NATS server that connects the machines",
                group: Group::Machines,
                value: "URL",
            }
            { none: "an agent runs the scenarios of a program or a script, not of code that builds a run" }

            /// The number of machines that run the load; `None`: this one runs it.
            agents: Option<usize> = None, {
                help: "Run the load on N other machines",
                group: Group::Machines,
                value: "N",
                check: |agents| at_most(*agents, MAX_AGENTS),
            }
            { none: "an agent runs the scenarios of a program or a script, not of code that builds a run" }

            /// What happens to the run if an agent is lost.
            on_lost: OnLost = OnLost::Stop, {
                help: "What to do when an agent is lost: stop or continue",
                group: Group::Machines,
                value: "WHAT",
            }
            { none: "an agent runs the scenarios of a program or a script, not of code that builds a run" }

            /// The file of the key that signs what agents run.
            signing_key: Option<PathBuf> = None, {
                help: "Sign what agents run with the key in this file",
                group: Group::Machines,
                value: "FILE",
            }
            { none: "an agent runs the scenarios of a program or a script, not of code that builds a run" }

            /// The broker at which this machine waits for runs; `None`: it runs the load itself.
            join: Option<String> = None, {
                help: "Wait for runs at a NATS server, as one of their machines",
                group: Group::Machines,
                value: "URL",
                in_file: false,
            }
            { none: "an agent runs the scenarios of a program or a script, not of code that builds a run" }

            /// The public keys whose runs this machine takes part in; empty: all runs.
            trust: Vec<String> = Vec::new(), {
                help: "Run only what the owner of this public key has signed, with --join",
                group: Group::Machines,
                value: "KEY",
                in_file: false,
            }
            { none: "an agent runs the scenarios of a program or a script, not of code that builds a run" }

            /// The name of this machine in the tables of runs; `None`: that of the host.
            agent_name: Option<String> = None, {
                help: "Name of this machine in tables, with --join",
                default: Some("the host's name"),
                group: Group::Machines,
                value: "NAME",
                in_file: false,
            }
            { none: "an agent runs the scenarios of a program or a script, not of code that builds a run" }

            /// Use uvloop, in Python scripts.
            uvloop: bool = false, {
                help: "For Python scripts; no effect in Rust",
                group: Group::Python,
                original: true,
            }
            { none: "it has no effect in Rust" }
        }
    };
}
pub(crate) use option_table;

option_table!(define);

/// How long a search for the capacity may take, unless `--duration` is given.
const SEARCH_TIME: Duration = Duration::from_secs(15 * 60);
/// The number of workers of each process with which such a search begins, unless `--workers` is given.
const SEARCH_WORKERS: usize = 10;

impl Args {
    /// Returns an option as the user writes it, for messages: `--ramp-up`.
    pub(crate) fn name(&self, option: &str) -> String {
        self.sources.name(option)
    }

    /// Returns whether the run searches for the highest load at which the service meets the thresholds.
    pub(crate) fn searches_capacity(&self) -> bool {
        self.sizing && (self.rate.is_some() || self.stage.are_of_a_rate() || !self.threshold.is_empty())
    }

    /// Returns how long a search for the capacity may take.
    pub(crate) fn search_time(&self) -> Duration {
        let is_given = self.given.duration.is_some() || self.duration != Args::default().duration;
        if is_given { self.duration } else { SEARCH_TIME }
    }

    /// The values of the options that are given, by name.
    pub(crate) fn given_values(&self) -> impl Iterator<Item = (&'static str, serde_json::Value)> {
        OPTIONS.iter().filter_map(|spec| Some((spec.name, (spec.given)(&self.given)?)))
    }

    /// Applies defaults that depend on other options.
    pub(super) fn apply_dependent_defaults(&mut self) {
        self.max_runs = self.max_runs.filter(|runs| *runs > 0);
        if self.searches_capacity() {
            if self.given.workers.is_none() {
                self.workers = SEARCH_WORKERS;
            }
        } else if self.sizing {
            if self.given.workers.is_none() {
                self.workers = 500;
            }
            if self.given.ramp_up.is_none() {
                self.ramp_up = Duration::from_secs(300);
            }
        }
    }
}
