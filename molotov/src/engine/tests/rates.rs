//! Scenarios that start at a rate.

use super::*;
use crate::{
    metrics::Starts,
    options::{Arrivals, Rate, Stages, WhenBusy},
    run::PointStarts,
};

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn at_a_rate(rate: &str, duration: Duration) -> Args {
    Args { rate: Some(rate.parse::<Rate>().unwrap()), duration, ..Args::default() }
}

fn with_workers(mut args: Args, workers: usize) -> Args {
    args.workers = workers;
    args.given = Options { workers: Some(workers), ..Options::default() };
    args
}

fn sleeping(time: Duration) -> Body {
    Box::new(move |_| {
        Box::pin(async move {
            tokio::time::sleep(time).await;
            Ok(())
        })
    })
}

fn starts(summary: &Summary) -> Starts {
    summary.snapshot.all_starts()
}

#[test]
fn scenarios_start_at_the_rate() {
    for threads in [1, 3] {
        let counter = Arc::new(AtomicU64::new(0));
        let args = Args { threads: Some(threads), ..at_a_rate("500/s", ms(1_000)) };
        let (summary, _) = execute(plan(args, [scenario("one", 1.0, counting(&counter))]));
        let starts = starts(&summary);
        assert_eq!((starts.started, starts.dropped, starts.unstarted), (500, 0, 0), "{threads} threads");
        assert_eq!((summary.totals.successes, counter.load(Ordering::Relaxed)), (500, 500));
        assert_eq!(starts.lag.count(), 500);
        let all = summary.all_starts().unwrap();
        assert!(
            (all.asked - 500.0).abs() < 1e-6 && (all.achieved - 500.0).abs() < 1e-6,
            "{} {}",
            all.asked,
            all.achieved
        );
        let points: Vec<_> = summary.timeline.points().filter_map(|point| point.starts).collect();
        let sum = |count: fn(&PointStarts) -> u64| points.iter().map(|point| count(point)).sum::<u64>();
        assert_eq!((sum(|point| point.asked), sum(|point| point.started)), (500, 500));
        assert_eq!(points.iter().map(|point| point.service.count()).sum::<u64>(), 500);
        let elapsed = summary.totals.elapsed;
        assert!((ms(998)..ms(3_000)).contains(&elapsed), "{elapsed:?}");
        assert!(summary.workers <= 500);
    }
}

#[test]
fn stages_of_a_rate_ramp_up_and_jump() {
    let stages = ["400ms:100/s", "0s:300/s", "200ms:300/s", "0s:0/s", "300ms:0/s"];
    let stage = Stages(stages.map(|stage| stage.parse().unwrap()).to_vec());
    let args = Args { stage, ..Args::default() };
    let (summary, _) = execute(plan(args, [scenario("one", 1.0, sleeping(ms(1)))]));
    assert_eq!(starts(&summary).started, 20 + 60);
    // The run lasts as long as its plan, also without a start at its end.
    let elapsed = summary.totals.elapsed;
    assert!((ms(900)..ms(3_000)).contains(&elapsed), "{elapsed:?}");
}

#[test]
fn stages_of_workers_add_and_remove_workers() {
    let stage: Stages =
        Stages(["0s:4", "300ms:4", "0s:1", "300ms:1", "0s:3", "300ms:3"].map(|stage| stage.parse().unwrap()).to_vec());
    let args = Args { stage, threads: Some(2), ..Args::default() };
    let (summary, screen) = execute(plan(args, [scenario("one", 1.0, sleeping(ms(10)))]));
    assert_eq!(summary.workers, 4);
    let started = screen.0.lock().unwrap().iter().filter(|line| line.text == "Starting").count();
    assert_eq!(started, 4 + 2, "two of the three that ended started again");
    let elapsed = summary.totals.elapsed;
    assert!((ms(900)..ms(3_000)).contains(&elapsed), "{elapsed:?}");
    // At most (4 + 1 + 3) workers, each for 300 ms of scenarios of 10 ms.
    let runs = summary.totals.successes;
    assert!((100..=250).contains(&runs), "{runs}");
}

/// The plan asks for 50 starts per second, and two workers can make 20.
#[test]
fn starts_without_a_free_worker_wait_or_are_dropped() {
    let run = |when_busy| {
        let args = Args { when_busy, threads: Some(1), ..with_workers(at_a_rate("50/s", ms(1_000)), 2) };
        execute(plan(args, [scenario("one", 1.0, sleeping(ms(95)))])).0
    };
    let waited = run(WhenBusy::Wait);
    let of = starts(&waited);
    assert_eq!((of.planned(), of.dropped), (50, 0));
    assert!((16..=22).contains(&of.started) && of.late >= of.started - 4, "{of:?}");
    let row = &waited.snapshot.scenarios["one"];
    let (response, service) = (row.latency.percentile(99.0), row.service.percentile(99.0));
    assert!(response > ms(500) && service < ms(200), "{response:?}, {service:?}");

    let dropped = run(WhenBusy::Drop);
    let of = starts(&dropped);
    assert_eq!((of.planned(), of.unstarted), (50, 0), "{of:?}");
    assert!((16..=22).contains(&of.started), "{of:?}");
    let response = dropped.snapshot.scenarios["one"].latency.percentile(99.0);
    assert!(response < ms(300), "{response:?}");
}

#[test]
fn poisson_arrivals_with_a_seed_repeat() {
    let run = |threads| {
        let args = Args {
            arrivals: Arrivals::Poisson,
            seed: Some(7),
            threads: Some(threads),
            ..at_a_rate("300/s", ms(1_000))
        };
        starts(&execute(plan(args, [scenario("one", 1.0, sleeping(ms(1)))])).0).started
    };
    let started = run(1);
    assert!((230..=370).contains(&started), "{started}");
    assert_eq!(run(2), started);
}

#[test]
fn a_pause_moves_the_plan() {
    let counter = Arc::new(AtomicU64::new(0));
    let (control, inbox) = Control::new();
    let plan = plan(at_a_rate("100/s", ms(600)), [scenario("one", 1.0, counting(&counter))]);
    let summary = std::thread::scope(|scope| {
        let run = scope.spawn(|| run(&plan, &mut RecordingScreen::default(), inbox));
        until("20 scenarios have started", || counter.load(Ordering::Relaxed) >= 20);
        control.pause(true);
        std::thread::sleep(ms(400));
        control.pause(false);
        run.join().unwrap()
    });
    let starts = starts(&summary);
    assert_eq!((starts.started, starts.unstarted), (60, 0), "what was not started meanwhile is not owed");
    assert!(summary.totals.elapsed >= ms(980), "{:?}", summary.totals);
}

#[test]
fn a_stop_ends_the_plan() {
    let counter = Arc::new(AtomicU64::new(0));
    let (control, inbox) = Control::new();
    let plan = plan(at_a_rate("100/s", Duration::from_secs(600)), [scenario("one", 1.0, counting(&counter))]);
    let summary = std::thread::scope(|scope| {
        let run = scope.spawn(|| run(&plan, &mut RecordingScreen::default(), inbox));
        until("20 scenarios have started", || counter.load(Ordering::Relaxed) >= 20);
        control.stop();
        run.join().unwrap()
    });
    let starts = starts(&summary);
    assert!(starts.planned() < 200 && starts.unstarted <= 2, "{starts:?}");
}

#[test]
fn the_load_can_be_raised() {
    let counter = Arc::new(AtomicU64::new(0));
    let (control, inbox) = Control::new();
    let plan = plan(at_a_rate("100/s", ms(1_000)), [scenario("one", 1.0, counting(&counter))]);
    let screen = RecordingScreen::default();
    let summary = std::thread::scope(|scope| {
        let mut watched = screen.clone();
        let plan = &plan;
        let run = scope.spawn(move || run(plan, &mut watched, inbox));
        until("10 scenarios have started", || counter.load(Ordering::Relaxed) >= 10);
        (0..5).for_each(|_| control.change_workers(true));
        run.join().unwrap()
    });
    // 1.1 to the power of 5 is 1.61.
    let started = starts(&summary).started;
    assert!((130..=161).contains(&started), "{started}");
    assert!(screen.has("Changing to 110/s"));
}

/// Keeps the coordinator from sending the stop to the shards until the worker has ended.
#[derive(Clone, Default)]
struct SlowScreen {
    is_drawing: Arc<AtomicBool>,
    torn_down: Arc<AtomicU64>,
}

impl Screen for SlowScreen {
    fn line(&mut self, _: &Line) {}

    fn progress(&mut self, _: &Progress) {
        self.is_drawing.store(true, Ordering::SeqCst);
        until("the worker has ended", || self.torn_down.load(Ordering::SeqCst) > 0);
        // The shard ends after its last worker, without further events.
        std::thread::sleep(ms(20));
    }

    fn finish(&mut self, _: &Summary) {}
}

/// The shard ends before the command to stop arrives.
#[test]
fn a_stop_by_a_scenario_ends_the_plan() {
    let (control, inbox) = Control::new();
    let mut screen = SlowScreen::default();
    let is_drawing = screen.is_drawing.clone();
    let body: Body = Box::new(move |_| {
        if is_drawing.load(Ordering::SeqCst) {
            control.stop();
        }
        Box::pin(async { Ok(()) })
    });
    let args = Args { threads: Some(1), ..with_workers(at_a_rate("200/s", Duration::from_secs(600)), 1) };
    let mut registry = Registry::new();
    let one = scenario("one", 1.0, body);
    registry.add_teardown(CountingTeardown(screen.torn_down.clone(), one.origin.clone()));
    registry.add_scenario(one);
    let summary = run(&Plan::new(args, &registry).unwrap(), &mut screen, inbox);
    let starts = starts(&summary);
    assert!(starts.started > 0 && starts.unstarted < 200, "{starts:?}");
}

/// A fixture that takes a moment, and counts how often it has ended.
struct SlowSetup(Duration, Arc<AtomicU64>, Origin);

impl Setup for SlowSetup {
    fn origin(&self) -> &Origin {
        &self.2
    }

    fn run<'a>(&'a self, _: &'a Context) -> LocalBoxFuture<'a, crate::Result<Option<SessionOptions>>> {
        Box::pin(async {
            tokio::time::sleep(self.0).await;
            self.1.fetch_add(1, Ordering::SeqCst);
            Ok(None)
        })
    }
}

/// Counts how often it has run.
struct CountingSetupSession(Arc<AtomicU64>, Origin);

impl SetupSession for CountingSetupSession {
    fn origin(&self) -> &Origin {
        &self.1
    }

    fn needs(&self) -> Vec<Need> {
        Vec::new()
    }

    fn run<'a>(&'a self, _: &'a Slots) -> LocalBoxFuture<'a, crate::Result> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Box::pin(async { Ok(()) })
    }
}

/// The plan ends, or the run stops, while a worker sets up.
#[test]
fn workers_that_are_not_needed_any_more_open_no_sessions() {
    for is_stopped in [false, true] {
        let [begun, set_up, opened, torn_down] = std::array::from_fn(|_| Arc::new(AtomicU64::new(0)));
        let duration = if is_stopped { Duration::from_secs(600) } else { ms(200) };
        let mut registry = Registry::new();
        let one = scenario("one", 1.0, counting(&begun));
        registry.add_setup(SlowSetup(ms(400), set_up.clone(), one.origin.clone()));
        registry.add_setup_session(CountingSetupSession(opened.clone(), one.origin.clone()));
        registry.add_teardown(CountingTeardown(torn_down.clone(), one.origin.clone()));
        registry.add_scenario(one);
        let plan = Plan::new(Args { threads: Some(1), ..at_a_rate("100/s", duration) }, &registry).unwrap();
        let (control, inbox) = Control::new();
        let screen = RecordingScreen::default();
        let summary = std::thread::scope(|scope| {
            let (mut shown, plan) = (screen.clone(), &plan);
            let run = scope.spawn(move || run(plan, &mut shown, inbox));
            until("a worker sets up", || screen.has("Starting"));
            if is_stopped {
                control.stop();
            }
            run.join().unwrap()
        });
        let count = |counter: &Arc<AtomicU64>| counter.load(Ordering::SeqCst);
        assert!(count(&set_up) > 0 && count(&set_up) == count(&torn_down), "{is_stopped}: {}", count(&torn_down));
        assert_eq!((count(&opened), count(&begun)), (0, 0), "{is_stopped}: {} set up", count(&set_up));
        assert_eq!(starts(&summary).started, 0);
    }
}
