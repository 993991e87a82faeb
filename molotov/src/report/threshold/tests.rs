#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::{
    metrics::{HTTP, Limits, NOWHERE, OperationSample, Outcome, Recorder, StartSample, Status, WaitedFor},
    run::{Light, Totals},
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

/// A run in which `browse` starts at its own rate: 200 planned starts, of which 150 happen, each 20 ms late. `pay` runs in a closed
/// loop. Two of four requests wait for a connection.
fn at_a_rate() -> Summary {
    let recorder = Recorder::new(Limits::default());
    let (stream, browse, pay) =
        (recorder.stream_id("browse"), recorder.scenario_id("browse"), recorder.scenario_id("pay"));
    let ms = Duration::from_millis;
    for n in 0..150 {
        recorder.start(
            stream,
            StartSample::Started { lag: ms(20), waited_for: (n < 30).then_some(WaitedFor::BusyWorkers) },
        );
        recorder.planned_scenario(browse, Outcome::Ok, ms(20), ms(10));
    }
    (0..40).for_each(|_| recorder.start(stream, StartSample::Dropped(WaitedFor::BusyWorkers)));
    (0..10).for_each(|_| recorder.start(stream, StartSample::Unstarted(None)));
    recorder.scenario(pay, Outcome::Ok, ms(5));
    for connect in [None, Some(ms(3)), None, Some(ms(4))] {
        let (outcome, status) = (Outcome::Ok, Some(Status::Code(200)));
        let (total, first_byte) = (ms(9), None);
        let sample =
            OperationSample { outcome, status, connect, first_byte, total, bytes_in: 1, bytes_out: 1, retried: 0 };
        recorder.operation(HTTP, "GET /", &sample);
    }
    let totals = Totals { elapsed: Duration::from_secs(10), ..Totals::default() };
    Summary { totals, snapshot: recorder.take(), ..Summary::default() }
}

#[test]
fn conditions_on_starts_and_service_times_are_evaluated() {
    let summary = at_a_rate();
    for (text, passed, actual) in [
        ("p99(browse) < 20ms", false, "30.0ms"),
        ("service.p99(browse) < 20ms", true, "10.0ms"),
        ("scenarios.service.max < 20ms", true, "10.0ms"),
        ("service.min == 5ms", true, "5.00ms"),
        ("service.mean(pay) == 5ms", true, "5.00ms"),
        ("service.p99(GET /) < 10ms", true, "9.00ms"),
        ("late < 1%", false, "75.00 %"),
        ("late == 150", true, "150"),
        ("dropped < 20%", false, "20.00 %"),
        ("dropped(browse) <= 40", true, "40"),
        ("unstarted < 5.1%", true, "5.00 %"),
        ("achieved > 99%", false, "75.00 %"),
        ("lag.p99 < 10ms", false, "20.0ms"),
        ("lag.mean(browse) == 20ms", true, "20.0ms"),
        ("connect.max == 4ms", true, "4.00ms"),
        ("requests.connect.min(GET /) == 3ms", true, "3.00ms"),
    ] {
        let judged = text.parse::<Threshold>().unwrap().judge(&summary);
        assert_eq!((judged.passed, judged.actual.as_deref()), (passed, Some(actual)), "{text}");
    }
    let reason = |text: &str, summary: &Summary| text.parse::<Threshold>().unwrap().judge(summary).reason.unwrap();
    assert_eq!(
        reason("dropped(pay) == 0", &summary),
        "the starts of `pay` are not counted apart, because it does not have its own rate"
    );
    for text in ["dropped == 0", "lag.p99 < 1s", "achieved > 1%"] {
        assert_eq!(reason(text, &self::summary()), "no scenario was planned to start at a rate");
    }
    let connect = "connect.p99 < 1ms".parse::<Threshold>().unwrap().judge(&self::summary());
    assert_eq!((connect.passed, connect.actual.as_deref()), (true, Some("0µs")), "all connections were idle");
}

/// 90 of 100 checks passed, two counters, numbers from 1 to 100, a gauge, and requests with a tag, in 10 s.
fn custom() -> Summary {
    let recorder = Recorder::new(Limits::default());
    for n in 1..=100 {
        let failed = (n % 10 == 0).then_some((None, NOWHERE));
        recorder.check(if n <= 50 { "has items" } else { "is cached" }, "browse", failed.filter(|_| n > 50));
        recorder.check("always", "browse", failed);
        recorder.value("basket", f64::from(n));
    }
    recorder.count("retries", 40);
    recorder.gauge("queue", -3.0, Duration::from_secs(1));
    recorder.gauge("queue", 12.5, Duration::from_secs(2));
    for milliseconds in 1..=20 {
        let total = Duration::from_millis(milliseconds);
        let (outcome, status) = if milliseconds == 20 { (Outcome::Failed, 500) } else { (Outcome::Ok, 200) };
        let (connect, first_byte, status) = (None, None, Some(Status::Code(status)));
        let sample =
            OperationSample { outcome, status, connect, first_byte, total, bytes_in: 1, bytes_out: 1, retried: 0 };
        recorder.tagged("region=eu", HTTP, &sample);
    }
    let totals = Totals { elapsed: Duration::from_secs(10), ..Totals::default() };
    Summary { totals, snapshot: recorder.take(), ..Summary::default() }
}

#[test]
fn conditions_on_checks_and_own_values_are_evaluated() {
    let summary = custom();
    for (text, passed, actual) in [
        ("checks > 99%", false, "92.50 %"),
        ("checks(always) >= 90%", true, "90.00 %"),
        ("checks( \"has items\" ) == 100%", true, "100.00 %"),
        ("checks.successes(always) > 99%", false, "90.00 %"),
        ("checks.successes(always) == 90", true, "90"),
        ("checks.failures(is cached) == 0", false, "5"),
        ("checks.failures < 10%", true, "7.50 %"),
        ("checks.count(has items) == 50", true, "50"),
        ("counters(retries) < 100", true, "40"),
        ("counters.count(retries) == 40", true, "40"),
        ("counters.rate(retries) < 5/s", true, "4.00/s"),
        ("counters(never used) == 0", true, "0"),
        ("values.p95(basket) < 94", false, "94.9"),
        ("values.median(basket) < 51", true, "50.2"),
        ("values.mean(basket) == 50.5", true, "50.5"),
        ("values.max(basket) <= 100", true, "100"),
        ("values.min(basket) > -0.5", true, "1"),
        ("values.count(basket) == 100", true, "100"),
        ("values.rate(basket) > 9/s", true, "10.0/s"),
        ("gauges(queue) < 12", false, "12.5"),
        ("gauges.last(queue) == 12.5", true, "12.5"),
        ("gauges.min(queue) > -2.5", false, "-3"),
        ("gauges.max(queue) < 100", true, "12.5"),
        ("tags.p95(region=eu) < 19.5ms", true, "19.0ms"),
        ("tags.failures(region=eu) < 1%", false, "5.00 %"),
        ("tags.rate(region=eu) > 1/s", true, "2.00/s"),
    ] {
        let judged = text.parse::<Threshold>().unwrap().judge(&summary);
        assert_eq!((judged.passed, judged.actual.as_deref()), (passed, Some(actual)), "{text}");
    }
    for (text, reason) in [
        ("checks(has item) > 99%", "no check named `has item` was measured; did you mean `has items`?"),
        ("checks.failures(nothing) == 0", "no check named `nothing` was measured"),
        ("counters(retires) < 100", "no counter named `retires` was measured; did you mean `retries`?"),
        ("values.p95(baskets) < 1", "no value named `baskets` was measured; did you mean `basket`?"),
        ("gauges(quue) < 1", "no gauge named `quue` was measured; did you mean `queue`?"),
        ("tags.p95(region=us) < 1s", "no tag named `region=us` was measured; did you mean `region=eu`?"),
        ("p95(region=eu) < 1s", "no scenario, request or step named `region=eu` was measured"),
    ] {
        let judged = text.parse::<Threshold>().unwrap().judge(&summary);
        assert_eq!((judged.passed, judged.outcome()), (false, reason), "{text}");
    }
    let nothing = "checks > 99%".parse::<Threshold>().unwrap().judge(&Summary::default());
    assert_eq!((nothing.passed, nothing.outcome()), (false, "no check was made"));
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
            measured: None,
            limit: judged.limit,
            reason: Some(reason.to_owned()),
            passed: false,
            is_bound: judged.is_bound,
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
    for text in [
        "dropped(brwose) < 1",
        "p95(brwose) < 1s",
        "failures( \"Cart\" ) == 0",
        "scenarios.p95(GET /) < 1s",
        "p95(retired) < 1s",
    ] {
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
        "servise.p95 < 1s",
        "service.failures < 1%",
        "service.lag.p95 < 1s",
        "requests.lag.p95 < 1s",
        "requests.dropped < 1",
        "steps.connect.p95(pay) < 1s",
        "achieved > 50/s",
        "droped < 1%",
        "check(has items) > 99%",
        "checks.p95(has items) < 1s",
        "checks(has items) > 99",
        "checks() > 99%",
        "checks.service.p95 < 1s",
        "counters < 100",
        "counters(retries) < 5%",
        "counters.rate(retries) < 5ms",
        "values(basket) < 500",
        "values.p95(basket) < 500ms",
        "values.failures(basket) < 5",
        "values.p95 < 500",
        "gauges.p95(queue) < 5",
        "gauges(queue) < --5",
        "tags(region=eu) < 1",
        "tags.p95 < 1s",
        "requests.last < 5",
    ] {
        shown += &format!("{}\n\n", text.parse::<Threshold>().unwrap_err());
    }
    insta::assert_snapshot!(shown);
}

proptest! {
    #[test]
    fn never_panics(text in r#"(requests\.|steps\.|checks|values\.|counters|gauges|tags\.|last|service\.|lag\.|connect\.|dropped|achieved|p95|mean|failures|rate|é漢| |\(|\)|"|<|=|[0-9.]|ms|s|%|\n){0,12}"#) {
        match text.parse::<Threshold>() {
            Ok(threshold) => { threshold.judge(&summary()); threshold.judge(&custom()); }
            Err(error) => { let _ = error.to_string(); }
        }
    }
}

#[test]
fn high_shares_are_close_if_little_is_missing() {
    let recorder = Recorder::new(Limits::default());
    for n in 0..1_000 {
        recorder.check("nearly all", "browse", (n < 49).then_some((None, NOWHERE)));
    }
    let snapshot = recorder.take();
    for (text, light) in [
        ("checks > 95%", Light::Close),
        ("checks > 94%", Light::Met),
        ("checks > 95.2%", Light::Broken),
        ("checks.failures < 5%", Light::Close),
        ("checks.failures < 6%", Light::Met),
    ] {
        let result = text.parse::<Threshold>().unwrap().judge_measures(&snapshot, Duration::from_secs(1));
        assert_eq!(result.light(), light, "{text}");
    }
}

#[test]
fn only_bounds_can_be_close() {
    let recorder = Recorder::new(Limits::default());
    let browse = recorder.scenario_id("browse");
    (0..95).for_each(|_| recorder.scenario(browse, Outcome::Ok, Duration::from_millis(1)));
    let snapshot = recorder.take();
    for (text, light) in [
        ("count < 100", Light::Close),
        ("count >= 90", Light::Close),
        ("count < 200", Light::Met),
        ("count == 95", Light::Met),
        ("count != 96", Light::Met),
        ("count < 95", Light::Broken),
        ("p95(nobody) < 1s", Light::Unknown),
        ("successes > 99%", Light::Met),
        ("failures < 1%", Light::Met),
    ] {
        let result = text.parse::<Threshold>().unwrap().judge_measures(&snapshot, Duration::from_secs(1));
        assert_eq!(result.light(), light, "{text}");
    }
}
