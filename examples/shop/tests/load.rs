//! Load tests of the shop, as tests.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use molotov::{LoadTest, prelude::*};
use molotov_examples::Counter;
use shop as _;

/// Starts a server, which ends with the runtime of the test.
async fn serve() -> String {
    let (told, address) = tokio::sync::oneshot::channel();
    tokio::spawn(molotov_examples::serve("127.0.0.1:0", Counter::default(), |address| told.send(address).unwrap()));
    format!("http://{}", address.await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_users_browse() {
    let url = serve().await;
    let home = url.clone();
    let report = LoadTest::new()
        .variable("shop", url)
        .scenarios(["browse"])
        .scenario("home", async move |session: &Session| -> Result<()> {
            session.get(&home).send().await?.error_for_status()?;
            Ok(())
        })
        .workers(50)
        .max_runs(4)
        .run_async()
        .await
        .unwrap();
    assert_eq!((report.successes(), report.failures()), (200, 0), "{report}");
    report.assert("failures == 0");
    report.assert("p99(browse) < 5s");
    assert_eq!(report.request("GET /").unwrap().count(), 200);
    assert!(report.scenario("buy").is_none(), "it was not chosen");
    assert!(report.scenario("browse").unwrap().percentile(99.0) < secs(5));
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_side_by_side_do_not_meet() {
    // All workers of both runs wait for each other here, so both runs are active at the same time.
    let everyone = Arc::new(tokio::sync::Barrier::new(10 + 20));
    let run = |name: &'static str, workers: usize| {
        let everyone = Arc::clone(&everyone);
        let test = LoadTest::new().scenario(name, async move |session: &Session| -> Result<()> {
            if session.attached::<&str>().is_none() {
                everyone.wait().await;
            }
            let owner = get_var_or_init("owner", || name.to_owned());
            assert_eq!(owner, name);
            session.attach(name);
            Ok(())
        });
        async move { test.workers(workers).max_runs(30).run_async().await.unwrap() }
    };
    let (one, two) = tokio::join!(run("one", 10), run("two", 20));
    assert_eq!((one.successes(), two.successes()), (300, 600));
    assert_eq!(one.scenario_names().collect::<Vec<_>>(), ["one"]);
    assert_eq!(two.scenario_names().collect::<Vec<_>>(), ["two"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_has_its_message_and_place() {
    let url = serve().await;
    let report = LoadTest::new()
        .scenario("wrong", async move |session: &Session| -> Result<()> {
            let response = session.get(format!("{url}/nowhere")).send().await?;
            assert_eq!(response.status(), 200, "the page is gone");
            Ok(())
        })
        .workers(2)
        .max_runs(3)
        .run_async()
        .await
        .unwrap();
    assert_eq!(report.failures(), 6);
    let [error] = report.errors() else { panic!("one kind of error in one place: {report}") };
    assert!(error.message.contains("the page is gone"), "{}", error.message);
    assert!(error.place.as_deref().unwrap().contains("tests/load.rs:"), "{error:?}");
    assert_eq!(error.count, 6);
    assert_eq!(report.request("GET /nowhere").unwrap().statuses().collect::<Vec<_>>(), [("404", 6)]);
}
