//! The life of a run, with scenarios that make no requests.

use std::{
    rc::Rc,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::future::LocalBoxFuture;
use proptest::prelude::*;

use super::{Control, Plan, Summary, Verdict, run};
use crate::{
    Failure,
    options::{Args, Options},
    registry::{GlobalTeardown, Need, Origin, Registry, Scenario, Slots, Teardown},
    run::{Line, Progress},
    session::Context,
    ui::{RunLimits, Screen},
};

/// Keeps what it is shown.
#[derive(Default, Clone)]
struct Kept(Arc<Mutex<Vec<Line>>>);

impl Screen for Kept {
    fn line(&mut self, line: &Line) {
        self.0.lock().unwrap().push(line.clone());
    }

    fn progress(&mut self, _: &Progress) {}

    fn finish(&mut self, _: &Summary) {}
}

impl Kept {
    fn has(&self, text: &str) -> bool {
        self.0.lock().unwrap().iter().any(|line| line.text.contains(text))
    }
}

type Body = Box<dyn for<'a> Fn(&'a Slots) -> LocalBoxFuture<'a, Result<(), Failure>> + Send + Sync>;

struct Scripted {
    name: String,
    weight: f64,
    delay: Duration,
    body: Body,
    origin: Origin,
}

impl Scenario for Scripted {
    fn name(&self) -> &str {
        &self.name
    }

    fn weight(&self) -> f64 {
        self.weight
    }

    fn delay(&self) -> Duration {
        self.delay
    }

    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn needs(&self) -> Vec<Need> {
        Vec::new()
    }

    fn run<'a>(&'a self, slots: &'a Slots) -> LocalBoxFuture<'a, Result<(), Failure>> {
        (self.body)(slots)
    }
}

fn scenario(name: &str, weight: f64, body: Body) -> Scripted {
    let origin = Origin {
        function: "scripted".into(),
        module: module_path!().into(),
        file: file!().into(),
        line: line!(),
        extension: None,
    };
    Scripted { name: name.to_owned(), weight, delay: Duration::ZERO, body, origin }
}

fn counting(counter: &Arc<AtomicU64>) -> Body {
    let counter = counter.clone();
    Box::new(move |_| {
        counter.fetch_add(1, Ordering::Relaxed);
        Box::pin(async { Ok(()) })
    })
}

fn plan(args: Args, scenarios: impl IntoIterator<Item = Scripted>) -> Plan {
    let mut registry = Registry::new();
    scenarios.into_iter().for_each(|scenario| registry.add_scenario(scenario));
    Plan::new(args, &registry).unwrap()
}

fn execute(plan: Plan) -> (Summary, Kept) {
    let mut screen = Kept::default();
    let (_control, inbox) = Control::new();
    let summary = run(&plan, &mut screen, inbox);
    (summary, screen)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// `-r` is exact, whatever the workers and threads.
    #[test]
    fn max_runs_is_exact(workers in 1_usize..40, threads in 1_usize..5, runs in 1_u64..30) {
        let counter = Arc::new(AtomicU64::new(0));
        let args = Args { workers, threads: Some(threads), max_runs: Some(runs), ..Args::default() };
        let (summary, _) = execute(plan(args, [scenario("one", 1.0, counting(&counter))]));
        let expected = workers as u64 * runs;
        prop_assert_eq!(counter.load(Ordering::Relaxed), expected);
        prop_assert_eq!(summary.totals.successes, expected);
        prop_assert_eq!((summary.totals.failures, summary.totals.interrupted), (0, 0));
    }
}

#[test]
fn single_run_goes_by_name() {
    let order = Arc::new(Mutex::new(Vec::new()));
    let noting = |name: &'static str| {
        let order = order.clone();
        scenario(
            name,
            1.0,
            Box::new(move |_| {
                order.lock().unwrap().push(name);
                Box::pin(async { Ok(()) })
            }),
        )
    };
    let args = Args { single_run: true, ..Args::default() };
    let (summary, _) = execute(plan(args, [noting("b"), noting("c"), noting("a")]));
    assert_eq!(*order.lock().unwrap(), ["a", "b", "c"]);
    assert_eq!(summary.totals.successes, 3);
}

#[test]
fn a_duration_of_zero_is_one_run() {
    let counter = Arc::new(AtomicU64::new(0));
    let args = Args { workers: 7, duration: Duration::ZERO, ..Args::default() };
    let (summary, _) = execute(plan(args, [scenario("one", 1.0, counting(&counter))]));
    assert_eq!((counter.load(Ordering::Relaxed), summary.totals.successes), (7, 7));
}

#[test]
fn a_scenario_that_never_waits_does_not_outlast_the_duration() {
    let counter = Arc::new(AtomicU64::new(0));
    let args = Args { workers: 3, threads: Some(1), duration: Duration::from_millis(150), ..Args::default() };
    let before = Instant::now();
    let (summary, _) = execute(plan(args, [scenario("busy", 1.0, counting(&counter))]));
    assert!(before.elapsed() < Duration::from_secs(5));
    assert_eq!(summary.totals.successes, counter.load(Ordering::Relaxed));
    assert!(summary.totals.successes > 3);
}

#[test]
fn failures_and_panics_are_counted_and_told() {
    let failing = scenario("fails", 1.0, Box::new(|_| Box::pin(async { Err(Failure::msg("no luck")) })));
    let panicking = scenario(
        "panics",
        1.0,
        Box::new(|_| {
            Box::pin(async {
                tokio::task::yield_now().await;
                panic!("at the disco")
            })
        }),
    );
    let args = Args { single_run: true, workers: 4, fail: Some(8), ..Args::default() };
    let (summary, screen) = execute(plan(args, [failing, panicking]));
    assert_eq!((summary.totals.successes, summary.totals.failures), (0, 8));
    assert!(matches!(summary.verdict, Verdict::TooManyFailures));
    assert!(screen.has("no luck") && screen.has("at the disco"));
    let mut kinds: Vec<_> = summary.snapshot.errors.iter().map(|e| (e.kind.as_str(), e.count)).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, [("Failure", 4), ("panic", 4)]);
}

#[test]
fn the_first_failure_stops_everything_when_asked() {
    let counter = Arc::new(AtomicU64::new(0));
    let failing = {
        let counter = counter.clone();
        scenario(
            "fails",
            1.0,
            Box::new(move |_| {
                let run = counter.fetch_add(1, Ordering::Relaxed);
                Box::pin(async move { if run == 40 { Err(Failure::msg("enough")) } else { Ok(()) } })
            }),
        )
    };
    let args = Args { exception: true, workers: 4, threads: Some(2), ..Args::default() };
    let (summary, _) = execute(plan(args, [failing]));
    assert_eq!(summary.totals.failures, 1);
    assert_eq!(summary.totals.successes + 1, counter.load(Ordering::Relaxed));
}

#[test]
fn stop_lets_scenarios_end_and_force_interrupts_them() {
    for force in [false, true] {
        let (begun, begin) = std::sync::mpsc::channel();
        let begun = Mutex::new(begun);
        let release = Arc::new(tokio::sync::Semaphore::new(0));
        let waiting = {
            let release = release.clone();
            scenario(
                "waits",
                1.0,
                Box::new(move |_| {
                    begun.lock().unwrap().send(()).unwrap();
                    let release = release.clone();
                    Box::pin(async move {
                        // Closed to let everybody through, those too who come before the stop does.
                        let _ = release.acquire().await;
                        Ok(())
                    })
                }),
            )
        };
        let plan = plan(Args { workers: 3, ..Args::default() }, [waiting]);
        let (control, inbox) = Control::new();
        let runner = std::thread::spawn(move || run(&plan, &mut Kept::default(), inbox));
        for _ in 0..3 {
            begin.recv().unwrap();
        }
        control.stop();
        if force {
            control.force();
        } else {
            release.close();
        }
        let summary = runner.join().unwrap();
        let begun = 3 + begin.try_iter().count() as u64;
        assert_eq!(summary.totals.successes + summary.totals.interrupted, begun, "force: {force}");
        assert_eq!(summary.totals.interrupted, if force { 3 } else { 0 });
    }
}

#[test]
fn force_shutdown_cuts_at_the_duration() {
    let pending = scenario("hangs", 1.0, Box::new(|_| Box::pin(std::future::pending())));
    let args = Args { workers: 3, duration: Duration::from_millis(100), force_shutdown: true, ..Args::default() };
    let before = Instant::now();
    let (summary, _) = execute(plan(args, [pending]));
    assert_eq!(summary.totals.interrupted, 3);
    assert!(before.elapsed() >= Duration::from_millis(100) && before.elapsed() < Duration::from_secs(4));
}

#[test]
fn a_busy_thread_is_named_and_left() {
    let release = Arc::new(AtomicU64::new(0));
    let busy = {
        let release = release.clone();
        scenario(
            "spins",
            1.0,
            Box::new(move |_| {
                while release.load(Ordering::Relaxed) == 0 {
                    std::thread::yield_now();
                }
                Box::pin(async { Ok(()) })
            }),
        )
    };
    let args = Args { duration: Duration::from_millis(50), force_shutdown: true, ..Args::default() };
    let (summary, screen) = execute(plan(args, [busy]));
    release.store(1, Ordering::Relaxed);
    assert_eq!(summary.totals.interrupted, 1);
    assert!(screen.has("left in the scenario `spins`"));
}

#[test]
fn delays_are_cut_by_a_stop_and_kept_otherwise() {
    let counter = Arc::new(AtomicU64::new(0));
    let args = Args { delay: Duration::from_millis(60), max_runs: Some(3), ..Args::default() };
    let before = Instant::now();
    execute(plan(args, [scenario("one", 1.0, counting(&counter))]));
    assert!(before.elapsed() >= Duration::from_millis(120));

    let (begun, begin) = std::sync::mpsc::channel();
    let begun = Mutex::new(begun);
    let noting = scenario(
        "one",
        1.0,
        Box::new(move |_| {
            begun.lock().unwrap().send(()).unwrap();
            Box::pin(async { Ok(()) })
        }),
    );
    let plan = plan(Args { delay: Duration::from_secs(3600), ..Args::default() }, [noting]);
    let (control, inbox) = Control::new();
    let runner = std::thread::spawn(move || run(&plan, &mut Kept::default(), inbox));
    begin.recv().unwrap();
    control.stop();
    assert_eq!(runner.join().unwrap().totals.successes, 1);
}

#[test]
fn a_seed_repeats_the_picks() {
    let picks = |seed| {
        let order = Arc::new(Mutex::new(Vec::new()));
        let noting = |name: &'static str, weight| {
            let order = order.clone();
            scenario(
                name,
                weight,
                Box::new(move |slots| {
                    order.lock().unwrap().push((name, slots.context().random_below(1_000_000)));
                    Box::pin(async { Ok(()) })
                }),
            )
        };
        let args = Args { seed: Some(seed), max_runs: Some(50), ..Args::default() };
        execute(plan(args, [noting("a", 30.0), noting("b", 70.0)]));
        Arc::into_inner(order).unwrap().into_inner().unwrap()
    };
    assert_eq!(picks(7), picks(7));
    assert_ne!(picks(7), picks(8));
}

#[test]
fn runs_do_not_meet() {
    let value = |mine: u64| {
        let seen = Arc::new(AtomicU64::new(0));
        let body: Body = {
            let seen = seen.clone();
            Box::new(move |_| {
                let first = crate::get_var_or_init("who", || mine);
                seen.fetch_max(first, Ordering::Relaxed);
                Box::pin(async { Ok(()) })
            })
        };
        let plan = plan(Args { workers: 4, max_runs: Some(20), ..Args::default() }, [scenario("one", 1.0, body)]);
        std::thread::spawn(move || {
            let (summary, _) = execute(plan);
            (summary.totals.successes, seen.load(Ordering::Relaxed))
        })
    };
    let runs = [value(1), value(2), value(3)];
    let seen: Vec<_> = runs.into_iter().map(|run| run.join().unwrap()).collect();
    assert_eq!(seen, [(80, 1), (80, 2), (80, 3)]);
}

/// Scenarios may keep what is not `Send` over an await.
#[test]
fn futures_need_not_be_send() {
    let local = scenario(
        "local",
        1.0,
        Box::new(|_| {
            Box::pin(async {
                let shared = Rc::new(3);
                let other = shared.clone();
                let task = tokio::task::spawn_local(async move { *other });
                assert_eq!(task.await.unwrap(), *shared);
                Ok(())
            })
        }),
    );
    let (summary, _) = execute(plan(Args { max_runs: Some(2), ..Args::default() }, [local]));
    assert_eq!(summary.totals.successes, 2);
}

#[test]
fn a_stop_before_the_start_runs_nothing() {
    let counter = Arc::new(AtomicU64::new(0));
    let plan = plan(Args::default(), [scenario("one", 1.0, counting(&counter))]);
    let (control, inbox) = Control::new();
    control.stop();
    let summary = run(&plan, &mut Kept::default(), inbox);
    assert_eq!((summary.totals.successes, counter.load(Ordering::Relaxed)), (0, 0));
}

#[test]
fn short_runs_know_how_many_workers_they_had() {
    let counter = Arc::new(AtomicU64::new(0));
    let args = Args { workers: 5, duration: Duration::ZERO, ..Args::default() };
    let (summary, _) = execute(plan(args, [scenario("one", 1.0, counting(&counter))]));
    assert!((1..=5).contains(&summary.workers), "{}", summary.workers);
}

/// Waits until a condition holds.
#[track_caller]
fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < Duration::from_secs(30), "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A scenario that takes a millisecond and keeps which workers have run it.
fn seen_workers(counter: &Arc<AtomicU64>, seen: &Arc<Mutex<std::collections::BTreeSet<usize>>>) -> Scripted {
    let (counter, seen) = (counter.clone(), seen.clone());
    scenario(
        "short",
        1.0,
        Box::new(move |slots| {
            counter.fetch_add(1, Ordering::SeqCst);
            seen.lock().unwrap().insert(slots.context().worker_id().0);
            Box::pin(async {
                tokio::time::sleep(Duration::from_millis(1)).await;
                Ok(())
            })
        }),
    )
}

#[test]
fn a_pause_holds_all_workers() {
    for threads in [1, 3] {
        let (counter, seen) = (Arc::new(AtomicU64::new(0)), Arc::default());
        let args = Args { workers: 6, threads: Some(threads), ..Args::default() };
        let plan = plan(args, [seen_workers(&counter, &seen)]);
        let (control, inbox) = Control::new();
        let screen = Kept::default();
        let mut shown = screen.clone();
        let runner = std::thread::spawn(move || run(&plan, &mut shown, inbox));
        let count = || counter.load(Ordering::SeqCst);
        until("it runs", || count() > 100);
        control.pause(true);
        until("the pause is shown", || screen.has("Paused"));
        // Scenarios that had begun end; then nothing moves.
        let mut last = count();
        until("it stands still", || {
            std::thread::sleep(Duration::from_millis(100));
            std::mem::replace(&mut last, count()) == count()
        });
        control.pause(false);
        until("it goes on", || count() > last + 100);
        control.pause(true);
        control.stop();
        let summary = runner.join().unwrap();
        assert_eq!((summary.totals.successes, summary.totals.interrupted), (count(), 0), "a paused run can be stopped");
    }
}

#[test]
fn workers_come_and_go() {
    for threads in [1, 2] {
        let (counter, seen) = (Arc::new(AtomicU64::new(0)), Arc::default());
        let args = Args { workers: 10, threads: Some(threads), ..Args::default() };
        let plan = plan(args, [seen_workers(&counter, &seen)]);
        let (control, inbox) = Control::new();
        let runner = std::thread::spawn(move || run(&plan, &mut Kept::default(), inbox));
        let now = || {
            seen.lock().unwrap().clear();
            let since = counter.load(Ordering::SeqCst);
            until("some have run", || counter.load(Ordering::SeqCst) > since + 400);
            seen.lock().unwrap().iter().copied().collect::<Vec<_>>()
        };
        until("ten run", || now() == (0..10).collect::<Vec<_>>());
        control.change_workers(true);
        until("eleven run", || now() == (0..11).collect::<Vec<_>>());
        for _ in 0..3 {
            control.change_workers(false);
        }
        // 11, less 2, less 1, less 1.
        until("seven run", || now() == (0..7).collect::<Vec<_>>());
        control.change_workers(true);
        until("eight run", || now() == (0..8).collect::<Vec<_>>());
        for _ in 0..20 {
            control.change_workers(false);
        }
        until("one runs in each thread", || now() == (0..threads).collect::<Vec<_>>());
        control.stop();
        let summary = runner.join().unwrap();
        assert_eq!((summary.totals.successes, summary.totals.failures), (counter.load(Ordering::SeqCst), 0));
    }
}

/// Counts the workers that were torn down.
struct CountingTeardown(Arc<AtomicU64>, Origin);

impl Teardown for CountingTeardown {
    fn origin(&self) -> &Origin {
        &self.1
    }

    fn run(&self, _: &Context) -> crate::Result {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

#[test]
fn a_pause_uses_up_no_duration_and_ends_no_worker() {
    const DURATION: Duration = Duration::from_millis(900);
    let (counter, seen, torn_down) = (Arc::new(AtomicU64::new(0)), Arc::default(), Arc::new(AtomicU64::new(0)));
    let args = Args { workers: 4, threads: Some(2), duration: DURATION, force_shutdown: true, ..Args::default() };
    let mut registry = Registry::new();
    let short = seen_workers(&counter, &seen);
    let origin = short.origin.clone();
    registry.add_scenario(short);
    registry.add_teardown(CountingTeardown(torn_down.clone(), origin));
    let plan = Plan::new(args, &registry).unwrap();
    let (control, inbox) = Control::new();
    let screen = Kept::default();
    let mut shown = screen.clone();
    let runner = std::thread::spawn(move || run(&plan, &mut shown, inbox));
    until("it runs", || counter.load(Ordering::SeqCst) > 0);
    control.pause(true);
    until("the pause is shown", || screen.has("Paused"));
    let paused = Instant::now();
    until("the duration would be over", || paused.elapsed() > 2 * DURATION);
    let before = counter.load(Ordering::SeqCst);
    assert_eq!(torn_down.load(Ordering::SeqCst), 0);
    control.pause(false);
    let summary = runner.join().unwrap();
    assert!(summary.totals.successes > before, "{} after the pause", summary.totals.successes - before);
    assert!(summary.totals.paused >= 2 * DURATION && summary.totals.active() >= DURATION, "{summary:?}");
    assert_eq!(torn_down.load(Ordering::SeqCst), 4);
}

#[test]
fn scenarios_that_block_their_thread_are_counted_in_their_second() {
    let blocking = scenario(
        "blocks",
        1.0,
        Box::new(|_| {
            Box::pin(async {
                std::thread::sleep(Duration::from_millis(90));
                Ok(())
            })
        }),
    );
    let args = Args { threads: Some(1), duration: Duration::from_millis(1_600), ..Args::default() };
    let (summary, _) = execute(plan(args, [blocking]));
    let points: Vec<_> = summary.timeline.points().collect();
    let course: Vec<_> = points.iter().map(|point| point.successes).collect();
    // One in 90 ms at most, and one that had begun before.
    let possible = |point: &crate::run::Point| (point.period.as_secs_f64() / 0.09) as u64 + 1;
    assert!(course.len() >= 2, "{course:?}");
    assert!(points.iter().all(|point| point.successes <= possible(point)), "{course:?}");
    assert_eq!(course.iter().sum::<u64>(), summary.totals.successes);
}

/// A scenario that panics where a shard asks for its delay, outside of everything that catches panics of user code.
struct Fatal(Scripted);

impl Scenario for Fatal {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn weight(&self) -> f64 {
        self.0.weight()
    }

    fn delay(&self) -> Duration {
        let shard = std::thread::current().name().is_some_and(|name| name.starts_with("molotov-"));
        assert!(!shard, "in the shard's own loop");
        Duration::ZERO
    }

    fn origin(&self) -> &Origin {
        self.0.origin()
    }

    fn needs(&self) -> Vec<Need> {
        Vec::new()
    }

    fn run<'a>(&'a self, slots: &'a Slots) -> LocalBoxFuture<'a, Result<(), Failure>> {
        self.0.run(slots)
    }
}

#[test]
fn a_panic_in_a_shards_own_loop_ends_the_run() {
    let mut registry = Registry::new();
    registry.add_scenario(Fatal(scenario("fatal", 1.0, counting(&Arc::default()))));
    let plan = Plan::new(Args { workers: 4, threads: Some(2), ..Args::default() }, &registry).unwrap();
    let (done, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let _ = done.send(execute(plan).0);
    });
    let summary = ended.recv_timeout(Duration::from_secs(20)).expect("the run ends");
    let Verdict::SystemFailed(why) = summary.verdict else { panic!("{:?}", summary.verdict) };
    assert!(why.contains("panicked") && why.contains("own loop"), "{why}");
    let mut threads: Vec<_> = summary.incomplete.iter().map(|incomplete| incomplete.thread).collect();
    threads.sort_unstable();
    assert_eq!(threads, [Some(0), Some(1)], "their last measures are lost");
}

/// Asks the run to stop and to be forced down, as two Ctrl-C would.
struct Interrupting(Control, Origin);

impl GlobalTeardown for Interrupting {
    fn origin(&self) -> &Origin {
        &self.1
    }

    fn run(&self, _: &Args) -> crate::Result {
        self.0.stop();
        self.0.force();
        Ok(())
    }
}

/// Keeps whether it need not wait for a reader that does not read.
#[derive(Default)]
struct Hurried(bool);

impl Screen for Hurried {
    fn line(&mut self, _: &Line) {}

    fn progress(&mut self, _: &Progress) {}

    fn finish(&mut self, _: &Summary) {}

    fn flush(&mut self, hurry: &mut dyn FnMut() -> bool) {
        self.0 = hurry();
    }
}

#[test]
fn a_force_in_global_teardown_is_not_lost() {
    let (control, inbox) = Control::new();
    let mut registry = Registry::new();
    let scenario = scenario("one", 1.0, counting(&Arc::default()));
    registry.add_global_teardown(Interrupting(control, scenario.origin.clone()));
    registry.add_scenario(scenario);
    let plan = Plan::new(Args { max_runs: Some(1), ..Args::default() }, &registry).unwrap();
    let mut screen = Hurried::default();
    let summary = run(&plan, &mut screen, inbox);
    assert_eq!(summary.totals.successes, 1);
    assert!(screen.0, "it waits for a reader although the run was forced down");
}

#[test]
fn a_duration_that_is_given_is_shown_as_progress() {
    #[derive(Default)]
    struct ShownDuration(Option<Duration>);

    impl Screen for ShownDuration {
        fn begin(&mut self, limits: &RunLimits) {
            self.0 = limits.duration;
        }

        fn line(&mut self, _: &Line) {}

        fn progress(&mut self, _: &Progress) {}

        fn finish(&mut self, _: &Summary) {}
    }

    // The default, when it is asked for, and more than that.
    for duration in [None, Some(Duration::from_secs(86_400)), Some(Duration::from_secs(2 * 86_400))] {
        let failing = scenario("failing", 1.0, Box::new(|_| Box::pin(async { Err(Failure::msg("at once")) })));
        let options = Options { duration, exception: Some(true), ..Options::default() };
        let mut screen = ShownDuration::default();
        let (_control, inbox) = Control::new();
        run(&plan(options.resolve(), [failing]), &mut screen, inbox);
        assert_eq!(screen.0, duration);
    }
}
