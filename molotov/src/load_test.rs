//! Load tests from code: for `cargo test`, and for programs that choose what to run.

mod options;
mod report;
#[cfg(feature = "test-harness")]
mod test_main;

use std::{any::Any, sync::Arc, time::Duration};

pub use self::report::{Report, Row};
#[cfg(feature = "test-harness")]
pub use self::test_main::test_main;
use crate::{
    engine::{self, Control, Plan, Verdict},
    load::check_options,
    options::{Args, InvalidValue, Options, Rate},
    registry::{Registry, Scenario},
    run::Summary,
    ui::{Quiet, Screen, WebListener},
    vars::Scope,
};
#[doc(inline)]
pub use crate::{
    registry::{RegistryError, ScenarioFn},
    run::FixtureFailure,
};

/// A load test that is run from code.
///
/// It does not use the terminal or exit the process. Tests can run in parallel: each run has its own scenarios, variables and
/// counts.
///
/// ```no_run
/// use molotov::{LoadTest, secs};
///
/// #[test]
/// fn browsing_holds_fifty_users() -> Result<(), molotov::LoadTestError> {
///     let report = LoadTest::new().scenarios(["browse"]).workers(50).duration(secs(3)).run()?;
///     assert_eq!(report.failures(), 0, "{report}");
///     assert!(report.scenario("browse").unwrap().percentile(95.0) < secs(0.2));
///     Ok(())
/// }
/// ```
#[derive(Debug)]
#[must_use = "a load test does nothing until it is run"]
pub struct LoadTest {
    options: Options,
    /// The first value that could not be parsed.
    invalid: Option<String>,
    selection: Vec<Selection>,
    direct: Registry,
    fixtures: bool,
    variables: Arc<Scope>,
}

#[derive(Debug)]
enum Selection {
    Name(String),
    Module(String),
}

/// Returns a [`Duration`] of seconds: `secs(3)`, `secs(0.5)`.
///
/// # Panics
///
/// Panics if the number is negative, not finite, or too large for a [`Duration`].
///
/// ```
/// use std::time::Duration;
/// assert_eq!(molotov::secs(0.5), Duration::from_millis(500));
/// ```
pub fn secs(seconds: impl Into<f64>) -> Duration {
    Duration::from_secs_f64(seconds.into())
}

impl Default for LoadTest {
    fn default() -> Self {
        LoadTest::new()
    }
}

impl LoadTest {
    /// Returns a test of all scenarios that are linked into the program, with one worker that runs one scenario.
    pub fn new() -> LoadTest {
        LoadTest {
            options: Options::default(),
            invalid: None,
            selection: Vec::new(),
            direct: Registry::new(),
            fixtures: true,
            variables: Arc::default(),
        }
    }

    /// Selects scenarios by name. Further calls select more scenarios.
    ///
    /// ```no_run
    /// # use molotov::LoadTest;
    /// let report = LoadTest::new().scenarios(["browse", "buy"]).workers(20).max_runs(10).run()?;
    /// # Ok::<(), molotov::LoadTestError>(())
    /// ```
    pub fn scenarios<I>(mut self, names: I) -> LoadTest
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.selection.extend(names.into_iter().map(|name| Selection::Name(name.into())));
        self
    }

    /// Selects the scenarios of a module and its submodules by the full path of the module.
    ///
    /// ```no_run
    /// # use molotov::LoadTest;
    /// let report = LoadTest::new().module("shop::checkout").run()?;
    /// let report = LoadTest::new().module(module_path!()).run()?;
    /// # Ok::<(), molotov::LoadTestError>(())
    /// ```
    pub fn module(mut self, path: impl Into<String>) -> LoadTest {
        self.selection.push(Selection::Module(path.into()));
        self
    }

    /// Adds an `async` function or closure as a scenario. Registered scenarios then run only if they are selected by name.
    ///
    /// It takes the parameters that a function with the attribute [`scenario`](macro@crate::scenario) takes, up to eight.
    ///
    /// ```no_run
    /// # use molotov::{LoadTest, prelude::*};
    /// async fn ping(session: &Session) -> Result<()> {
    ///     session.get("http://127.0.0.1:8080/ping").send().await?.error_for_status()?;
    ///     Ok(())
    /// }
    /// let greet = async |session: &mut Session, WorkerId(id): WorkerId| -> Result<()> {
    ///     let url = format!("http://127.0.0.1:8080/hello/{id}");
    ///     session.get(url).send().await?.error_for_status()?;
    ///     Ok(())
    /// };
    /// let report = LoadTest::new().scenario("ping", ping).scenario("greet", greet).workers(10).max_runs(5).run()?;
    /// assert_eq!(report.successes(), 50);
    /// # Ok::<(), molotov::LoadTestError>(())
    /// ```
    #[track_caller]
    pub fn scenario<P: 'static>(mut self, name: impl Into<String>, scenario: impl ScenarioFn<P>) -> LoadTest {
        self.direct.add_scenario_fn(name, scenario);
        self
    }

    /// Sets the rate at which a scenario starts, beside the others: `"10/s"` or a [`Rate`].
    ///
    /// It replaces the rate of the attribute. [`duration`](Self::duration) says how long the run lasts.
    ///
    /// ```no_run
    /// # use molotov::{LoadTest, secs};
    /// let test = LoadTest::new().scenarios(["browse", "checkout"]).workers(20).scenario_rate("checkout", "30/m");
    /// let report = test.duration(secs(60)).run()?;
    /// # Ok::<(), molotov::LoadTestError>(())
    /// ```
    pub fn scenario_rate(
        mut self,
        scenario: impl Into<String>,
        rate: impl TryInto<Rate, Error: Into<InvalidValue>>,
    ) -> LoadTest {
        match rate.try_into() {
            Ok(rate) => {
                let scenarios = self.options.scenarios.get_or_insert_default();
                scenarios.entry(scenario.into()).or_default().rate = Some(rate);
            }
            Err(error) => {
                let error: InvalidValue = error.into();
                self.invalid.get_or_insert(format!("scenario_rate: {error}"));
            }
        }
        self
    }

    /// Runs without the fixtures and listeners that are linked into the program.
    pub fn without_fixtures(mut self) -> LoadTest {
        self.fixtures = false;
        self
    }

    /// Sets a variable of the run before it starts. Fixtures and scenarios read it with [`get_var`](crate::get_var).
    pub fn variable<T: Any + Send + Sync>(self, name: impl Into<String>, value: T) -> LoadTest {
        let entered = self.variables.enter();
        crate::set_var(name, value);
        drop(entered);
        self
    }

    /// Sets options. The last one of those that limit the run replaces the others.
    fn with(mut self, options: Options) -> LoadTest {
        if options.max_runs.is_some() {
            self.options.duration = None;
        }
        if options.duration.is_some() || options.single_run.is_some() {
            self.options.max_runs = None;
        }
        self.options.add(options);
        self
    }

    /// Runs the test on a new thread and waits until it ends.
    ///
    /// Inside a tokio runtime, this blocks the thread; see [`run_async`](Self::run_async).
    ///
    /// # Errors
    ///
    /// Returns an error if there is no scenario to run, if scenarios and fixtures conflict, if an option is invalid, or if a
    /// fixture fails. Failed scenarios are not errors; the report counts them.
    pub fn run(self) -> Result<Report, LoadTestError> {
        let plan = self.plan()?;
        let thread = std::thread::Builder::new().name("molotov-run".to_owned());
        std::thread::scope(|scope| {
            match thread.spawn_scoped(scope, move || execute(&plan, &mut *quiet(&plan)?))?.join() {
                Ok(report) => report,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }

    /// Runs the test like [`run`](Self::run), without blocking the runtime of the caller, which may run the server.
    ///
    /// Dropping the future stops the run.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`run`](Self::run).
    ///
    /// ```no_run
    /// # use molotov::LoadTest;
    /// # async fn sample() -> Result<(), molotov::LoadTestError> {
    /// let report = LoadTest::new().workers(20).max_runs(10).run_async().await?;
    /// assert_eq!(report.failures(), 0, "{report}");
    /// # Ok(()) }
    /// ```
    pub async fn run_async(self) -> Result<Report, LoadTestError> {
        let plan = self.plan()?;
        let (control, inbox) = Control::new();
        let stop_when_dropped = Forced(control);
        let (done, report) = tokio::sync::oneshot::channel();
        let thread = std::thread::Builder::new().name("molotov-run".to_owned()).spawn(move || {
            let _ = done.send(quiet(&plan).and_then(|mut screen| judge(engine::run(&plan, &mut *screen, inbox))));
        })?;
        let report = report.await;
        drop(stop_when_dropped);
        match (report, thread.join()) {
            (Ok(report), _) => report,
            (Err(_), Err(panic)) => std::panic::resume_unwind(panic),
            (Err(_), Ok(())) => unreachable!("the thread sends its report before it ends"),
        }
    }

    /// Returns the options of the run. By default, each worker runs one scenario.
    fn args(&self) -> Result<Args, String> {
        self.invalid.clone().map_or(Ok(()), Err)?;
        self.options.check()?;
        let mut args = self.options.clone().resolve();
        check_options(&args)?;
        let given = &args.given;
        if given.max_runs.is_none() && given.duration.is_none() && given.stage.is_none() && !args.single_run {
            if args.rate.is_some() {
                return Err("`rate` starts scenarios until the run ends: say when, with `duration`".to_owned());
            }
            args.max_runs = Some(1);
        }
        Ok(args)
    }

    fn plan(self) -> Result<Plan, LoadTestError> {
        let args = self.args().map_err(LoadTestError::Options)?;
        let mut registry = Registry::collect();
        if !self.fixtures {
            registry.clear_fixtures();
        }
        if !self.selection.is_empty() || !self.direct.scenarios().is_empty() {
            let wanted = |selection: &Selection, scenario: &dyn Scenario| match selection {
                Selection::Name(name) => scenario.name() == name,
                Selection::Module(path) => scenario.origin().is_in(path),
            };
            for selection in &self.selection {
                if !registry.scenarios().iter().any(|scenario| wanted(selection, &**scenario)) {
                    return Err(LoadTestError::NotFound(match selection {
                        Selection::Name(name) => format!("scenario `{name}`"),
                        Selection::Module(path) => format!("scenario in the module `{path}`"),
                    }));
                }
            }
            registry.retain(|scenario| self.selection.iter().any(|selection| wanted(selection, scenario)));
        }
        registry.extend(self.direct);
        let plan = Plan::new(args, &registry).map_err(|errors| match &errors[..] {
            [RegistryError::Options(error)] => LoadTestError::Options(error.clone()),
            _ => LoadTestError::Registry(errors),
        })?;
        Ok(plan.with_variables(self.variables))
    }
}

/// Forces the run to end when the caller's future is dropped.
struct Forced(Control);

impl Drop for Forced {
    fn drop(&mut self) {
        self.0.force();
    }
}

/// Returns a screen that shows nothing, or only the live page.
fn quiet(plan: &Plan) -> Result<Box<dyn Screen>, LoadTestError> {
    match plan.args.web.map(WebListener::bind).transpose() {
        Ok(Some(web)) => Ok(web.over(Box::new(Quiet))),
        Ok(None) => Ok(Box::new(Quiet)),
        Err(error) => Err(LoadTestError::System(error)),
    }
}

fn execute(plan: &Plan, screen: &mut dyn Screen) -> Result<Report, LoadTestError> {
    let (_control, inbox) = Control::new();
    judge(engine::run(plan, screen, inbox))
}

fn judge(summary: Summary) -> Result<Report, LoadTestError> {
    match summary.verdict {
        Verdict::FixtureFailed(failed) => Err(LoadTestError::Fixture(failed)),
        Verdict::SystemFailed(why) => Err(LoadTestError::System(why)),
        Verdict::Ended
        | Verdict::TooManyFailures
        | Verdict::ThresholdBroken
        | Verdict::ProcessLost(_)
        | Verdict::Exit(_) => Ok(Report { summary }),
    }
}

/// The error of a load test that could not run.
///
/// ```
/// use molotov::{LoadTest, LoadTestError};
/// let error = LoadTest::new().scenarios(["no such scenario"]).run().unwrap_err();
/// assert!(matches!(error, LoadTestError::NotFound(_)), "{error}");
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadTestError {
    /// A selected scenario or module does not exist.
    #[error("there is no {0}; is its module linked into the test (`use my_crate as _;`)?")]
    NotFound(String),
    /// An option is invalid, or contradicts another option or the scenarios.
    #[error("the load test cannot run with these options: {0}")]
    Options(String),
    /// The registered scenarios and fixtures cannot run together.
    #[error("{}", list(.0))]
    Registry(Vec<RegistryError>),
    /// A fixture failed.
    #[error("the fixture `{}` failed: {}", .0.fixture, .0.message)]
    Fixture(FixtureFailure),
    /// The run could not continue for a reason outside fixtures and scenarios, such as a limit on threads.
    #[error("{0}")]
    System(String),
}

// The system refused a thread.
impl From<std::io::Error> for LoadTestError {
    fn from(error: std::io::Error) -> Self {
        LoadTestError::System(engine::no_thread(&error))
    }
}

fn list(errors: &[RegistryError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::{
        sync::Mutex,
        time::{Duration, Instant},
    };

    use super::*;
    use crate::{
        Failure, Result,
        options::{Arrivals, Stage, StepId, WhenBusy, WorkerId},
        session::{Context, Session},
    };

    #[test]
    fn refuses_numbers_that_are_out_of_range() {
        let test = || LoadTest::new().scenario("idle", async |_: &Session| ()).without_fixtures();
        for (test, why) in [
            (test().workers(0), "workers: the minimum is 1"),
            (test().workers(usize::MAX), "workers: the maximum is 10000000"),
            (test().threads(0), "threads: the minimum is 1"),
            (test().threads(usize::MAX), "threads: the maximum is 4096"),
            (test().timeout(Duration::ZERO), "timeout: the time must be longer than 0"),
        ] {
            let error = test.run().unwrap_err();
            assert!(matches!(error, LoadTestError::Options(_)), "{error}");
            assert!(error.to_string().contains(why), "{error}");
        }
    }

    fn idle() -> LoadTest {
        LoadTest::new().scenario("idle", async || ()).without_fixtures()
    }

    #[test]
    fn loads_over_time_run_as_planned() {
        for test in [
            idle().rate("100/s").duration(secs(0.2)),
            idle().rate(Rate::per_second(100)).duration(secs(0.2)).arrivals(Arrivals::Even).when_busy(WhenBusy::Wait),
            idle().stages(["0s:100/s", "200ms:100/s"]),
            idle().stages([Stage::rate(secs(0.4), Rate::per_second(100))]).workers(20),
            idle().rate("200/s").stages(["200ms:0/s"]),
        ] {
            let report = test.run().unwrap();
            assert_eq!((report.successes(), report.failures()), (20, 0), "{report}");
        }
        let looped = || LoadTest::new().scenario("idle", async || tokio::time::sleep(secs(0.01)).await);
        let report = looped().without_fixtures().stages([Stage::workers(secs(0), 3), Stage::workers(secs(0.2), 3)]);
        let report = report.run().unwrap();
        assert_eq!(report.summary().workers, 3);
        assert!((6..=60).contains(&report.successes()), "{report}");
    }

    #[test]
    fn scenarios_have_rates_of_their_own_beside_the_others() {
        let both = || idle().scenario("loop", async || tokio::time::sleep(secs(0.01)).await).duration(secs(0.2));
        let report = both().scenario_rate("idle", "100/s").workers(2).run().unwrap();
        let runs = |report: &Report, name: &str| report.scenario(name).map_or(0, |row| row.successes());
        assert_eq!(runs(&report, "idle"), 20);
        assert!((4..=60).contains(&runs(&report, "loop")), "{report}");
        let report = both().scenario_rate("idle", "100/s").rate("50/s").run().unwrap();
        assert_eq!((runs(&report, "idle"), runs(&report, "loop")), (20, 10));
        // Each scenario once, at no rate.
        let report = both().scenario_rate("idle", "100/s").single_run().run().unwrap();
        assert_eq!((runs(&report, "idle"), runs(&report, "loop")), (1, 1));
        let error = both().scenario_rate("idel", "5/s").run().unwrap_err().to_string();
        assert!(
            error.contains("`scenarios` has options of `idel`, which is not a scenario; did you mean `idle`?"),
            "{error}"
        );
    }

    #[test]
    fn refuses_contradictory_loads() {
        for (test, why) in [
            (idle().rate("fast"), "rate: write a number and a unit of time"),
            (idle().rate("0/s"), "rate: the rate must be higher than 0"),
            (idle().stages(["1s:2", "5"]), "stages: write a time and a level"),
            (idle().stages([Stage::workers(secs(1), usize::MAX)]), "stage: the maximum is 10000000 workers"),
            (idle().stages(["1s:2", "1s:2/s"]), "stage: write all stages for workers"),
            (idle().rate("5/s"), "`rate` starts scenarios until the run ends: say when, with `duration`"),
            (idle().rate("5/s").max_runs(5), "`max_runs` counts the scenarios of each worker, but `rate` shares"),
            (idle().rate("5/s").single_run(), "`single_run` runs each scenario once"),
            (
                idle().stages(["1s:2"]).duration(secs(5)),
                "`stages` already says how long the run lasts: leave out `duration`",
            ),
            (idle().stages(["0s:2"]), "the stages in `stages` last 0 s together"),
            (idle().duration(secs(5)).warm_up(secs(5)), "nothing would be left to measure after the 5 s of `warm_up`"),
            (idle().scenario_rate("idle", "10"), "scenario_rate: write a number and a unit of time"),
            (
                idle().scenario_rate("idle", "10/s"),
                "the scenario `idle` starts at 10/s until the run ends: say when, with `duration`",
            ),
            (
                idle().scenario_rate("idle", "10/s").rate("5/s").duration(secs(1)),
                "`rate` is for scenarios without their own rate, and there are none: leave it out",
            ),
            (idle().arrivals(Arrivals::Poisson), "`arrivals` is about starts at a rate"),
        ] {
            let error = test.run().unwrap_err();
            assert!(matches!(error, LoadTestError::Options(_)), "{error}");
            assert!(error.to_string().contains(why), "{error}");
        }
    }

    #[test]
    fn scenarios_take_the_parameters_of_the_attribute() {
        async fn all(
            args: &Args,
            session: &mut Session,
            ctx: &Context,
            worker: WorkerId,
            StepId(step): StepId,
        ) -> Result {
            crate::ensure!(args.workers == 2 && worker == ctx.worker_id() && step == ctx.step());
            session.attach(worker);
            Ok(())
        }
        let text = "x".to_owned();
        let report = LoadTest::new()
            .without_fixtures()
            .scenario("all", all)
            .scenario("none", async || ())
            .scenario("closure", async move |ctx: &Context, session: &Session| -> Result {
                crate::ensure!(session.context().worker_id() == ctx.worker_id() && text == "x");
                Ok(())
            })
            .workers(2)
            .max_runs(20)
            .run()
            .unwrap();
        assert_eq!((report.successes(), report.failures()), (40, 0), "{report}");
        assert_eq!(report.scenario_names().collect::<Vec<_>>(), ["all", "closure", "none"]);
    }

    #[test]
    fn refuses_sessions_without_a_factory_and_sessions_taken_twice() {
        struct Socket;
        let report = LoadTest::new().without_fixtures().scenario("chat", async |_: &mut Socket| ()).run();
        let error = report.unwrap_err().to_string();
        assert!(error.contains("`chat`") && error.contains("Socket`") && error.contains("load_test.rs:"), "{error}");
        let twice = async |_: &Session, _: &mut Session| ();
        let error = LoadTest::new().without_fixtures().scenario("twice", twice).run().unwrap_err().to_string();
        assert!(error.contains("takes the session") && error.contains("more than once"), "{error}");
    }

    #[test]
    fn latencies_exclude_the_time_for_backtraces() {
        // The longest time in which the scenario made a failure.
        static TOOK: Mutex<Duration> = Mutex::new(Duration::ZERO);

        async fn fail() -> Result {
            let started = Instant::now();
            let failure = Failure::msg("deep");
            let mut took = TOOK.lock().unwrap();
            *took = started.elapsed().max(*took);
            Err(failure)
        }

        let test = LoadTest::new()
            .without_fixtures()
            .scenario("deep", async |session: &Session| session.measure("step", fail()).await);
        let report = test.backtraces().max_runs(3).run().unwrap();
        let took = *TOOK.lock().unwrap();
        for stats in [&report.summary.snapshot.scenarios["deep"], &report.summary.snapshot.steps["step"]] {
            let slowest = stats.latency.max();
            assert!(slowest < took / 2, "{slowest:?} measured, of which a backtrace took {took:?}");
        }
        assert!(report.summary.snapshot.errors[0].detail.is_some(), "there were backtraces");
    }
}
