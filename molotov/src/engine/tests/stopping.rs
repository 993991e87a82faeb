//! Stopping a run and forcing it down.

use super::*;

#[test]
fn stop_finishes_scenarios_and_force_interrupts_them() {
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
                        // Closed to release all scenarios, including those that start before the stop.
                        let _ = release.acquire().await;
                        Ok(())
                    })
                }),
            )
        };
        let plan = plan(Args { workers: 3, ..Args::default() }, [waiting]);
        let (control, inbox) = Control::new();
        let runner = std::thread::spawn(move || run(&plan, &mut RecordingScreen::default(), inbox));
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
fn force_shutdown_interrupts_at_the_duration() {
    let pending = scenario("hangs", 1.0, Box::new(|_| Box::pin(std::future::pending())));
    let args = Args { workers: 3, duration: Duration::from_millis(100), force_shutdown: true, ..Args::default() };
    let before = Instant::now();
    let (summary, _) = execute(plan(args, [pending]));
    assert_eq!(summary.totals.interrupted, 3);
    assert!(before.elapsed() >= Duration::from_millis(100) && before.elapsed() < Duration::from_secs(4));
}

#[test]
fn names_and_abandons_busy_threads() {
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
    assert!(screen.has("abandoned in the scenario `spins`"));
}

#[test]
fn stop_before_the_start_runs_nothing() {
    let counter = Arc::new(AtomicU64::new(0));
    let plan = plan(Args::default(), [scenario("one", 1.0, counting(&counter))]);
    let (control, inbox) = Control::new();
    control.stop();
    let summary = run(&plan, &mut RecordingScreen::default(), inbox);
    assert_eq!((summary.totals.successes, counter.load(Ordering::Relaxed)), (0, 0));
}

/// Stops the run and forces it down, like pressing Ctrl-C twice.
struct InterruptingTeardown(Control, Origin);

impl GlobalTeardown for InterruptingTeardown {
    fn origin(&self) -> &Origin {
        &self.1
    }

    fn run(&self, _: &Args) -> crate::Result {
        self.0.stop();
        self.0.force();
        Ok(())
    }
}

/// Records whether `settle` may skip waiting for the reader.
#[derive(Default)]
struct ImpatientScreen(bool);

impl Screen for ImpatientScreen {
    fn line(&mut self, _: &Line) {}

    fn progress(&mut self, _: &Progress) {}

    fn finish(&mut self, _: &Summary) {}

    fn flush(&mut self, hurry: &mut dyn FnMut() -> bool) {
        self.0 = hurry();
    }
}

#[test]
fn remembers_a_force_during_global_teardown() {
    let (control, inbox) = Control::new();
    let mut registry = Registry::new();
    let scenario = scenario("one", 1.0, counting(&Arc::default()));
    registry.add_global_teardown(InterruptingTeardown(control, scenario.origin.clone()));
    registry.add_scenario(scenario);
    let plan = Plan::new(Args { max_runs: Some(1), ..Args::default() }, &registry).unwrap();
    let mut screen = ImpatientScreen::default();
    let summary = run(&plan, &mut screen, inbox);
    assert_eq!(summary.totals.successes, 1);
    assert!(screen.0, "waited for a reader although the run was forced down");
}
