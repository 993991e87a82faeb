//! Failures and panics of scenarios, and what they do to the run.

use super::*;

#[test]
fn counts_and_shows_failures_and_panics() {
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
fn exception_option_stops_at_the_first_failure() {
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

/// A scenario that panics when a shard reads its delay, where panics of user code are not caught.
struct PanickingDelay(TestScenario);

impl Scenario for PanickingDelay {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn weight(&self) -> f64 {
        self.0.weight()
    }

    fn delay(&self) -> Delay {
        let shard = std::thread::current().name().is_some_and(|name| name.starts_with("molotov-"));
        assert!(!shard, "in the shard's own loop");
        Delay::ZERO
    }

    fn origin(&self) -> &Origin {
        self.0.origin()
    }

    fn needs(&self) -> Vec<Need> {
        Vec::new()
    }

    fn runs<'a>(&'a self, slots: &'a Slots) -> Runs<'a> {
        self.0.runs(slots)
    }
}

#[test]
fn panic_in_a_shard_loop_ends_the_run() {
    let mut registry = Registry::new();
    registry.add_scenario(PanickingDelay(scenario("fatal", 1.0, counting(&Arc::default()))));
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
    assert_eq!(threads, [Some(0), Some(1)], "the last measures of both threads are lost");
}
