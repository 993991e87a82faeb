//! Checks, groups, and values of the scenarios' own.

use std::collections::BTreeMap;

use futures_util::FutureExt;

use super::*;
use crate::options::ScenarioOptions;

fn custom(name: &str) -> TestScenario {
    scenario(
        name,
        1.0,
        Box::new(|slots| {
            let ctx = slots.context().clone();
            Box::pin(async move {
                let step = ctx.step();
                ctx.check("even", step.is_multiple_of(2));
                ctx.check("small", if step < 4 { Ok(()) } else { Err(format!("{step} is too large")) });
                ctx.count("items", 3);
                ctx.record("basket", step as f64);
                ctx.gauge("queue", step as f64);
                ctx.group("checkout", async {
                    ctx.measure("pay", async {}).await;
                    ctx.operation("LINE", "echo").await.finish(()).await;
                    ctx.group("thanks", async { Ok(()) }).await
                })
                .await?;
                ctx.operation("LINE", "echo").await.finish(()).await;
                Ok(())
            })
        }),
    )
}

#[test]
fn scenarios_measure_what_they_like() {
    let args = Args { workers: 4, threads: Some(2), max_runs: Some(4), ..Args::default() };
    let (summary, _) = execute(plan(args, [custom("buy")]));
    let snapshot = &summary.snapshot;
    assert_eq!(summary.totals.failures, 0);
    let checks: Vec<_> = snapshot.checks.iter().map(|(name, check)| (&**name, check.passed, check.failed)).collect();
    assert_eq!(checks, [("even", 8, 8), ("small", 12, 4)]);
    let sample = snapshot.checks["small"].sample.as_ref().unwrap();
    assert_eq!((sample.scenario.as_str(), sample.message.as_deref()), ("buy", Some("4 is too large")));
    assert!(sample.place.as_ref().is_some_and(|place| place.contains("custom.rs:")), "{sample:?}");
    assert_eq!(snapshot.counters["items"], 48);
    let basket = &snapshot.values["basket"];
    assert_eq!((basket.count(), basket.min(), basket.max(), basket.sum()), (16, 1.0, 4.0, 40.0));
    let queue = &snapshot.gauges["queue"];
    assert_eq!((queue.min, queue.max), (1.0, 4.0));
    let steps: Vec<_> = snapshot.steps.iter().map(|(name, stats)| (&**name, stats.counts.ok)).collect();
    assert_eq!(steps, [("checkout", 16), ("checkout / pay", 16), ("checkout / thanks", 16)]);
    let requests: Vec<_> = snapshot.requests.iter().map(|(name, stats)| (&**name, stats.counts.ok)).collect();
    assert_eq!(requests, [("LINE echo", 16), ("checkout / LINE echo", 16)]);
}

#[test]
fn scenarios_have_their_own_rows_of_requests_if_wanted() {
    let args = Args { single_run: true, split_requests: true, ..Args::default() };
    let (summary, _) = execute(plan(args, [custom("buy"), custom("browse")]));
    let requests: Vec<_> = summary.snapshot.requests.keys().map(|name| &**name).collect();
    assert_eq!(
        requests,
        ["browse / LINE echo", "browse / checkout / LINE echo", "buy / LINE echo", "buy / checkout / LINE echo"]
    );
}

/// Two futures of a scenario that take turns each have their own group.
#[test]
fn groups_that_run_side_by_side_stay_apart() {
    let both = scenario(
        "both",
        1.0,
        Box::new(|slots| {
            let ctx = slots.context().clone();
            Box::pin(async move {
                let work = |name: &'static str| {
                    let ctx = &ctx;
                    async move {
                        for _ in 0..3 {
                            tokio::task::yield_now().await;
                            ctx.operation("LINE", name).await.finish(()).await;
                        }
                        Ok(())
                    }
                };
                let (left, right, ()) =
                    tokio::join!(ctx.group("left", work("l")), ctx.group("right", work("r")), async {
                        tokio::task::yield_now().await;
                        ctx.operation("LINE", "none").await.finish(()).await;
                    });
                left.and(right)
            })
        }),
    );
    let (summary, _) = execute(plan(Args { max_runs: Some(2), ..Args::default() }, [both]));
    let requests: Vec<_> = summary.snapshot.requests.iter().map(|(name, stats)| (&**name, stats.counts.ok)).collect();
    assert_eq!(requests, [("LINE none", 2), ("left / LINE l", 6), ("right / LINE r", 6)]);
}

#[test]
fn unique_numbers_occur_once() {
    let given = Arc::new(Mutex::new(Vec::new()));
    let body: Body = {
        let given = given.clone();
        Box::new(move |slots| {
            given.lock().unwrap().push(slots.context().unique());
            Box::pin(async { Ok(()) })
        })
    };
    let args = Args { workers: 6, threads: Some(3), max_runs: Some(50), ..Args::default() };
    execute(plan(args, [scenario("one", 1.0, body)]));
    let mut given = given.lock().unwrap().clone();
    given.sort_unstable();
    given.dedup();
    assert_eq!(given.len(), 300);
}

#[test]
fn an_infinite_number_fails_its_scenario() {
    let body: Body = Box::new(|slots| {
        Box::pin(async {
            slots.context().record("basket", f64::INFINITY);
            Ok(())
        })
    });
    let (summary, _) = execute(plan(Args { max_runs: Some(1), ..Args::default() }, [scenario("one", 1.0, body)]));
    assert_eq!(summary.totals.failures, 1);
    assert!(summary.snapshot.errors[0].message.contains("`basket` cannot record inf"), "{:?}", summary.snapshot.errors);
}

#[test]
fn think_time_is_no_latency() {
    const THINK: Duration = Duration::from_millis(300);
    let body: Body = Box::new(|slots| {
        let ctx = slots.context().clone();
        Box::pin(async move {
            ctx.group("read", async {
                // Both thoughts take 300 ms together.
                tokio::join!(ctx.think(THINK), ctx.think(THINK / 2));
                Ok(())
            })
            .await?;
            ctx.think(THINK).await;
            tokio::time::sleep(THINK / 3).await;
            Ok(())
        })
    });
    let args = Args { max_runs: Some(2), ..Args::default() };
    let started = Instant::now();
    let (summary, _) = execute(plan(args, [scenario("one", 1.0, body)]));
    assert!(started.elapsed() >= 2 * (2 * THINK + THINK / 3));
    let (scenario, group) = (&summary.snapshot.scenarios["one"].latency, &summary.snapshot.steps["read"].latency);
    assert!(scenario.min() >= THINK / 3 && scenario.max() < THINK, "{:?}", scenario.max());
    assert!(group.max() < THINK / 2, "{:?}", group.max());
}

#[test]
fn pacing_counts_from_start_to_start() {
    const PACING: Duration = Duration::from_millis(200);
    let starts = |work: Duration, delay: Duration| {
        let starts = Arc::new(Mutex::new(Vec::new()));
        let body: Body = {
            let starts = starts.clone();
            Box::new(move |_| {
                starts.lock().unwrap().push(Instant::now());
                Box::pin(tokio::time::sleep(work).then(|()| async { Ok(()) }))
            })
        };
        let given = ScenarioOptions { pacing: Some(PACING), ..ScenarioOptions::default() };
        let scenarios = BTreeMap::from([("one".to_owned(), given)]);
        let args = Args { max_runs: Some(4), delay, scenarios, ..Args::default() };
        execute(plan(args, [scenario("one", 1.0, body)]));
        let starts = starts.lock().unwrap();
        assert_eq!(starts.len(), 4);
        starts[3] - starts[0]
    };
    let paced = starts(PACING / 2, Duration::ZERO);
    assert!((3 * PACING..4 * PACING).contains(&paced), "{paced:?}");
    // The delay of all scenarios takes a part of the time.
    let paced = starts(PACING / 2, PACING / 4);
    assert!((3 * PACING..4 * PACING).contains(&paced), "{paced:?}");
    // A scenario that takes longer starts again at once.
    let slow = starts(PACING * 2, Duration::ZERO);
    assert!((6 * PACING..8 * PACING).contains(&slow), "{slow:?}");
}
