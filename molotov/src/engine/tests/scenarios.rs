//! What scenarios may rely on.

use super::*;

#[test]
fn equal_seeds_repeat_the_picks() {
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
fn concurrent_runs_share_no_variables() {
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

/// Scenarios may hold values that are not `Send` across an await.
#[test]
fn scenarios_need_not_be_send() {
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
