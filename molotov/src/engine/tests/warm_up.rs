//! The warm-up, which is measured apart.

use super::*;
use crate::{
    metrics::{Counts, Snapshot},
    options::Threshold,
    run::SizingResult,
};

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A service that fails in its first 300 ms, slowly. Counts the calls in the warm-up and in all.
fn slow_at_first(calls: &Arc<AtomicU64>) -> Body {
    let (calls, first) = (calls.clone(), std::sync::OnceLock::new());
    Box::new(move |_| {
        let is_slow = first.get_or_init(Instant::now).elapsed() < ms(300);
        calls.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move {
            tokio::time::sleep(if is_slow { ms(80) } else { ms(1) }).await;
            if is_slow { Err(Failure::msg("cold")) } else { Ok(()) }
        })
    })
}

fn warm_up_of(summary: &Summary) -> &Snapshot {
    summary.warm_up.as_ref().expect("the run has a warm-up")
}

/// The counts of both parts, checked against the calls.
#[track_caller]
fn counts(summary: &Summary, calls: &AtomicU64) -> (Counts, Counts) {
    let (run, warm_up) = (summary.snapshot.totals(), warm_up_of(summary).totals());
    assert_eq!(run.total() + warm_up.total(), calls.load(Ordering::Relaxed), "the warm-up is counted apart");
    assert_eq!((summary.totals.successes, summary.totals.failures), (run.ok, run.failed));
    (run, warm_up)
}

#[test]
fn the_warm_up_of_a_rate_is_measured_apart() {
    for threads in [1, 3] {
        let calls = Arc::new(AtomicU64::new(0));
        let threshold: Threshold = "failures == 0".parse().unwrap();
        let args = Args {
            rate: Some("200/s".parse().unwrap()),
            duration: ms(1_000),
            warm_up: ms(400),
            threads: Some(threads),
            threshold: vec![threshold],
            fail: Some(1),
            ..Args::default()
        };
        let (summary, screen) = execute(plan(args, [scenario("one", 1.0, slow_at_first(&calls))]));
        let (run, warm_up) = counts(&summary, &calls);
        assert_eq!((run.ok, run.failed, warm_up.total()), (120, 0, 80), "{threads} threads");
        assert!(warm_up.failed >= 55, "{warm_up:?}");
        assert_eq!(summary.verdict, Verdict::Ended, "failures of the warm-up break no threshold");
        assert!(screen.has("cold"), "failures of the warm-up are shown");
        assert!(summary.snapshot.errors.is_empty() && !warm_up_of(&summary).errors.is_empty());
        let of = |snapshot: &Snapshot| snapshot.all_starts().started;
        assert_eq!((of(&summary.snapshot), of(warm_up_of(&summary))), (120, 80));
        let row = &summary.snapshot.scenarios["one"];
        assert!(row.latency.percentile(90.0) < ms(60), "{:?}", row.latency.percentile(90.0));
        assert_eq!((row.latency.count(), row.service.count()), (120, 120));
        assert_eq!(summary.totals.warm_up, ms(400));
        let rate = run.ok as f64 / summary.totals.active().as_secs_f64();
        assert!((150.0..=201.0).contains(&rate), "{rate}");
        assert!(!warm_up_of(&summary).health.lag.is_empty() && !summary.snapshot.health.lag.is_empty());
    }
}

#[test]
fn the_warm_up_of_a_closed_loop_is_measured_apart() {
    let calls = Arc::new(AtomicU64::new(0));
    let args = Args { workers: 3, duration: ms(1_400), warm_up: ms(400), fail: Some(1), ..Args::default() };
    let (summary, _) = execute(plan(args, [scenario("one", 1.0, slow_at_first(&calls))]));
    let (run, warm_up) = counts(&summary, &calls);
    assert!(run.ok > 0 && run.failed == 0 && warm_up.failed > 0, "{run:?}, {warm_up:?}");
    assert_eq!(summary.verdict, Verdict::Ended, "failures of the warm-up do not count for `--fail`");
    let points: Vec<_> =
        summary.timeline.points().map(|point| (point.warm_up, point.successes + point.failures)).collect();
    assert!(points[0].0 && points[1..].iter().all(|point| !point.0), "{points:?}");
    assert_eq!(points.iter().map(|point| point.1).sum::<u64>(), run.total() + warm_up.total());
}

#[test]
fn a_run_that_ends_in_its_warm_up_has_no_results() {
    let calls = Arc::new(AtomicU64::new(0));
    let args = Args { duration: ms(200), warm_up: ms(60_000), ..Args::default() };
    let (summary, _) = execute(plan(args, [scenario("one", 1.0, slow_at_first(&calls))]));
    let (run, _) = counts(&summary, &calls);
    assert_eq!((run.total(), summary.totals.active()), (0, Duration::ZERO));
    assert!(summary.notes.iter().any(|note| note.contains("ended before its warm-up")), "{:?}", summary.notes);
}

#[test]
fn a_sizing_leaves_out_the_warm_up() {
    let calls = Arc::new(AtomicU64::new(0));
    let args =
        Args { duration: ms(900), warm_up: ms(400), sizing: true, workers: 20, ramp_up: ms(50), ..Args::default() };
    let (summary, _) = execute(plan(args, [scenario("one", 1.0, slow_at_first(&calls))]));
    let (run, warm_up) = counts(&summary, &calls);
    assert!(warm_up.failed >= 60 && run.failed == 0, "{warm_up:?}");
    assert!(matches!(summary.sizing, Some(SizingResult::NotReached { .. })), "{:?}", summary.sizing);
}
