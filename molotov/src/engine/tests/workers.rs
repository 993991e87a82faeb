//! Pausing a run, and changing its number of workers.

use super::*;

#[test]
fn short_runs_report_their_workers() {
    let counter = Arc::new(AtomicU64::new(0));
    let args = Args { workers: 5, duration: Duration::ZERO, ..Args::default() };
    let (summary, _) = execute(plan(args, [scenario("one", 1.0, counting(&counter))]));
    assert!((1..=5).contains(&summary.workers), "{}", summary.workers);
}

/// A scenario that takes a millisecond and records which workers run it.
fn short_scenario(counter: &Arc<AtomicU64>, seen: &Arc<Mutex<std::collections::BTreeSet<usize>>>) -> TestScenario {
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
fn pause_holds_all_workers() {
    for threads in [1, 3] {
        let (counter, seen) = (Arc::new(AtomicU64::new(0)), Arc::default());
        let args = Args { workers: 6, threads: Some(threads), ..Args::default() };
        let plan = plan(args, [short_scenario(&counter, &seen)]);
        let (control, inbox) = Control::new();
        let screen = RecordingScreen::default();
        let mut shown = screen.clone();
        let runner = std::thread::spawn(move || run(&plan, &mut shown, inbox));
        let count = || counter.load(Ordering::SeqCst);
        until("it runs", || count() > 100);
        control.pause(true);
        until("the pause is shown", || screen.has("Paused"));
        // Running scenarios end. Then the count stays.
        let mut last = count();
        until("the count stays", || {
            std::thread::sleep(Duration::from_millis(100));
            std::mem::replace(&mut last, count()) == count()
        });
        control.pause(false);
        until("it resumes", || count() > last + 100);
        control.pause(true);
        control.stop();
        let summary = runner.join().unwrap();
        assert_eq!((summary.totals.successes, summary.totals.interrupted), (count(), 0), "a paused run can be stopped");
    }
}

#[test]
fn adds_and_removes_workers() {
    for threads in [1, 2] {
        let (counter, seen) = (Arc::new(AtomicU64::new(0)), Arc::default());
        let args = Args { workers: 10, threads: Some(threads), ..Args::default() };
        let plan = plan(args, [short_scenario(&counter, &seen)]);
        let (control, inbox) = Control::new();
        let runner = std::thread::spawn(move || run(&plan, &mut RecordingScreen::default(), inbox));
        let now = || {
            seen.lock().unwrap().clear();
            let since = counter.load(Ordering::SeqCst);
            until("some scenarios have run", || counter.load(Ordering::SeqCst) > since + 400);
            seen.lock().unwrap().iter().copied().collect::<Vec<_>>()
        };
        until("ten run", || now() == (0..10).collect::<Vec<_>>());
        control.change_workers(true);
        until("eleven run", || now() == (0..11).collect::<Vec<_>>());
        for _ in 0..3 {
            control.change_workers(false);
        }
        // 11 - 2 - 1 - 1
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

#[test]
fn pause_uses_no_duration_and_ends_no_worker() {
    const DURATION: Duration = Duration::from_millis(900);
    let (counter, seen, torn_down) = (Arc::new(AtomicU64::new(0)), Arc::default(), Arc::new(AtomicU64::new(0)));
    let args = Args { workers: 4, threads: Some(2), duration: DURATION, force_shutdown: true, ..Args::default() };
    let mut registry = Registry::new();
    let short = short_scenario(&counter, &seen);
    let origin = short.origin.clone();
    registry.add_scenario(short);
    registry.add_teardown(CountingTeardown(torn_down.clone(), origin));
    let plan = Plan::new(args, &registry).unwrap();
    let (control, inbox) = Control::new();
    let screen = RecordingScreen::default();
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
    assert_eq!(summary.stalls, None, "a pause is no stall");
}

/// Returns the first random number of each worker in a run whose workers end and start again.
fn first_numbers(seed: u64) -> Vec<(usize, u64)> {
    let numbers: Arc<Mutex<Vec<_>>> = Arc::default();
    let seen = numbers.clone();
    let stages = [(0, 2), (100, 2), (0, 0), (50, 0), (0, 2), (100, 2)];
    let stage = stages.map(|(time, workers)| Stage::workers(Duration::from_millis(time), workers)).to_vec();
    let args = Args { seed: Some(seed), stage: Stages(stage), threads: Some(1), ..Args::default() };
    let one = scenario(
        "one",
        1.0,
        Box::new(move |slots| {
            let context = slots.context();
            if context.step() == 1 {
                seen.lock().unwrap().push((context.worker_id().0, context.random_below(1 << 60)));
            }
            Box::pin(async {
                tokio::time::sleep(Duration::from_millis(1)).await;
                Ok(())
            })
        }),
    );
    execute(plan(args, [one]));
    let mut numbers = std::mem::take(&mut *numbers.lock().unwrap());
    // The two workers start at the same time.
    numbers.chunks_mut(2).for_each(<[_]>::sort_unstable);
    numbers
}

#[test]
fn workers_that_start_again_have_other_random_numbers() {
    let numbers = first_numbers(7);
    assert_eq!(numbers.iter().map(|(worker, _)| *worker).collect::<Vec<_>>(), [0, 1, 0, 1]);
    let different: std::collections::BTreeSet<_> = numbers.iter().map(|(_, number)| number).collect();
    assert_eq!(different.len(), 4, "{numbers:?}");
    assert_eq!(first_numbers(7), numbers, "a seed repeats them");
}
