#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::{
    metrics::{HTTP, Limits, OperationSample, Outcome, Recorder, Status},
    run::Totals,
};

/// 100 runs of `browse` of 1 to 100 ms, 5 of them failed, 20 requests of 10 ms, in 10 s.
fn summary() -> Summary {
    let recorder = Recorder::new(Limits::default());
    let browse = recorder.scenario_id("browse");
    for n in 1..=100 {
        let outcome = if n <= 5 { Outcome::Failed } else { Outcome::Ok };
        recorder.scenario(browse, outcome, Duration::from_millis(n));
    }
    for _ in 0..20 {
        recorder.operation(
            HTTP,
            "GET /users/(all)/{n}",
            &OperationSample {
                outcome: Outcome::Ok,
                status: Some(Status::Code(200)),
                connect: None,
                first_byte: None,
                total: Duration::from_millis(10),
                bytes_in: 1,
                bytes_out: 1,
                retried: 0,
            },
        );
    }
    recorder.step("pay", Outcome::Ok, Duration::from_millis(7));
    recorder.step("stuck", Outcome::Interrupted, Duration::ZERO);
    let totals = Totals { elapsed: Duration::from_secs(10), ..Totals::default() };
    Summary { totals, snapshot: recorder.take(), ..Summary::default() }
}

#[test]
fn conditions_are_evaluated() {
    let summary = summary();
    for (text, passed, actual) in [
        ("p95(browse) < 96ms", true, "95.0ms"),
        ("p95(browse) < 95ms", false, "95.0ms"),
        ("p50(browse)<=50.1ms", true, "50.0ms"),
        ("median ( browse ) > 49ms", true, "50.0ms"),
        ("mean(browse) < 0.06s", true, "50.5ms"),
        ("max(browse) >= 100000us", true, "100ms"),
        ("min(browse) == 1ms", true, "1.00ms"),
        ("p99.9 < 11ms", false, "100ms"),
        ("p95 < 96ms", true, "95.0ms"),
        ("requests.p99.9 < 11ms", true, "10.0ms"),
        ("requests.failures == 0", true, "0"),
        ("requests.failures < 1%", true, "0.00 %"),
        ("requests.count == 20", true, "20"),
        ("requests.rate > 3/s", false, "2.00/s"),
        ("requests.p50(GET /users/(all)/{n}) == 10ms", true, "10.0ms"),
        ("scenarios.p95 < 96ms", true, "95.0ms"),
        ("scenarios.failures(browse) == 5", true, "5"),
        ("steps.max(pay) < 1s", true, "7.00ms"),
        ("max(pay) < 1s", true, "7.00ms"),
        ("p99(GET /users/(all)/{n}) < 1s", true, "10.0ms"),
        ("p99(\"GET /users/(all)/{n}\") < 1s", true, "10.0ms"),
        ("failures < 5%", false, "5.00 %"),
        ("failures <= 5%", true, "5.00 %"),
        ("failures == 5", true, "5"),
        ("failures != 5", false, "5"),
        ("successes(browse) >= 95%", true, "95.00 %"),
        ("interrupted == 0", true, "0"),
        ("count > 99", true, "100"),
        ("rate(browse) > 9/s", true, "10.0/s"),
        ("rate > 11", false, "10.0/s"),
    ] {
        let judged = text.parse::<Threshold>().unwrap().judge(&summary);
        assert_eq!((judged.passed, judged.actual.as_deref()), (passed, Some(actual)), "{text}");
        assert_eq!(judged.expression, text);
    }
}

#[test]
fn thresholds_on_unknown_names_are_broken() {
    let summary = summary();
    for (text, reason) in [
        ("p95(nobody) < 1s", "no scenario, request or step named `nobody` was measured"),
        ("count(nobody) == 0", "no scenario, request or step named `nobody` was measured"),
        ("failures(brwose) == 0", "no scenario, request or step named `brwose` was measured; did you mean `browse`?"),
        ("requests.failures(browse) < 1%", "no request named `browse` was measured"),
        ("steps.count(browse) > 1", "no step named `browse` was measured"),
        ("p95(stuck) < 1s", "`stuck` never ended"),
    ] {
        let judged = text.parse::<Threshold>().unwrap().judge(&summary);
        let expected = ThresholdResult {
            expression: text.to_owned(),
            actual: None,
            reason: Some(reason.to_owned()),
            passed: false,
        };
        assert_eq!(judged, expected);
    }
    for (text, reason) in [("p95 < 1s", "no scenario ended"), ("requests.failures < 1%", "no request ended")] {
        let judged = text.parse::<Threshold>().unwrap().judge(&Summary::default());
        assert_eq!((judged.passed, judged.outcome()), (false, reason), "{text}");
    }
}

#[test]
fn refuses_names_that_cannot_be_measured() {
    let mut shown = String::new();
    for text in ["p95(brwose) < 1s", "failures( \"Cart\" ) == 0", "scenarios.p95(GET /) < 1s", "p95(retired) < 1s"] {
        let error = text.parse::<Threshold>().unwrap().check(&["browse", "cart"], &["browse", "cart", "retired"]);
        shown += &format!("{}\n\n", error.unwrap_err());
    }
    insta::assert_snapshot!(shown);
    for text in [
        "p95 < 1s",
        "requests.rate > 1",
        "p95(browse) < 1s",
        "scenarios.p95(cart) < 1s",
        "p95(GET /brwose) < 1s",
        "p95(payment) < 1s",
        "steps.p95(brwose) < 1s",
        "requests.p95(brwose) < 1s",
    ] {
        let checked = text.parse::<Threshold>().unwrap().check(&["browse", "cart"], &["browse", "cart", "retired"]);
        assert_eq!(checked, Ok(()), "{text}");
    }
}

#[test]
fn errors_show_the_place() {
    let mut shown = String::new();
    for text in [
        "",
        "p95",
        "p95(browse) = 1s",
        "p101 < 1s",
        "q95 < 1s",
        "faliures < 1%",
        "p95(browse < 1s",
        "p95(\"browse) < 1s",
        "p95() < 1s",
        "p95(ünïcödé 漢字) < 200",
        "failures < many",
        "failures < 1s",
        "count < 1%",
        "rate > 50ms",
        "p95 < 1h",
        "mean < 1s or so",
        "request.p95 < 1s",
        "users.p95 < 1s",
        "requests.p950 < 1s",
        "requests. < 1s",
        "  steps.p95 < 1s",
    ] {
        shown += &format!("{}\n\n", text.parse::<Threshold>().unwrap_err());
    }
    insta::assert_snapshot!(shown);
}

proptest! {
    #[test]
    fn never_panics(text in r#"(requests\.|steps\.|p95|mean|failures|rate|é漢| |\(|\)|"|<|=|[0-9.]|ms|s|%|\n){0,12}"#) {
        match text.parse::<Threshold>() {
            Ok(threshold) => { threshold.judge(&summary()); }
            Err(error) => { let _ = error.to_string(); }
        }
    }
}
