//! How long a run lasts: runs, durations and delays.

use super::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// `-r` is exact for any number of workers and threads.
    #[test]
    fn every_worker_runs_exactly_max_runs_scenarios(workers in 1_usize..40, threads in 1_usize..5, runs in 1_u64..30) {
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
fn single_run_takes_scenarios_in_name_order() {
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
fn zero_duration_runs_one_scenario_per_worker() {
    let counter = Arc::new(AtomicU64::new(0));
    let args = Args { workers: 7, duration: Duration::ZERO, ..Args::default() };
    let (summary, _) = execute(plan(args, [scenario("one", 1.0, counting(&counter))]));
    assert_eq!((counter.load(Ordering::Relaxed), summary.totals.successes), (7, 7));
}

#[test]
fn duration_ends_workers_whose_scenarios_never_wait() {
    let counter = Arc::new(AtomicU64::new(0));
    let args = Args { workers: 3, threads: Some(1), duration: Duration::from_millis(150), ..Args::default() };
    let before = Instant::now();
    let (summary, _) = execute(plan(args, [scenario("busy", 1.0, counting(&counter))]));
    assert!(before.elapsed() < Duration::from_secs(5));
    assert_eq!(summary.totals.successes, counter.load(Ordering::Relaxed));
    assert!(summary.totals.successes > 3);
}

#[test]
fn delays_last_until_a_stop() {
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
    let runner = std::thread::spawn(move || run(&plan, &mut RecordingScreen::default(), inbox));
    begin.recv().unwrap();
    control.stop();
    assert_eq!(runner.join().unwrap().totals.successes, 1);
}
