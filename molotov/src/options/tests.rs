//! Tests of precedence, of dependent defaults, and of the table.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use super::*;

fn read(lines: &[(&str, &str)]) -> Options {
    let mut options = Options::default();
    for (name, text) in lines {
        let entry = OPTIONS.iter().find(|entry| entry.name == *name).unwrap();
        options.add((entry.read)(text).unwrap());
    }
    options
}

#[test]
fn options_that_are_not_given_have_defaults() {
    assert_eq!(Options::default().resolve(), Args::default());
}

#[test]
fn options_that_are_given_as_their_default_are_given() {
    for (name, text) in
        [("workers", "1"), ("duration", "86400"), ("ramp_up", "0"), ("max_runs", "0"), ("color", "auto")]
    {
        let options = read(&[(name, text)]);
        assert_ne!(options, Options::default(), "{name}");
        let args = options.clone().resolve();
        assert_eq!(args.given, options, "{name}");
        assert_eq!(Args { given: Options::default(), ..args }, Args::default(), "{name}");
    }
}

#[test]
fn sizing_changes_defaults() {
    let sized = |more: &[(&str, &str)]| {
        let args = read(&[&[("sizing", "true")], more].concat()).resolve();
        (args.workers, args.ramp_up.as_secs())
    };
    assert_eq!(sized(&[]), (500, 300));
    assert_eq!(sized(&[("workers", "1")]), (1, 300));
    assert_eq!(sized(&[("ramp_up", "0")]), (500, 0));
    assert_eq!(sized(&[("workers", "20"), ("ramp_up", "10")]), (20, 10));
}

#[test]
fn upper_layers_replace_values_and_the_same_layer_adds() {
    let lower = read(&[("workers", "2"), ("report", "json:-"), ("report", "html:/dev/null"), ("delay", "3")]);
    assert_eq!(lower.report.as_ref().unwrap().len(), 2);
    let upper = read(&[("workers", "5"), ("report", "csv:/dev/null"), ("duration", "1m")]);
    let overridden: Vec<_> = lower.overridden_by(&upper).map(|entry| entry.name).collect();
    assert_eq!(overridden, ["workers", "report"]);
    let args = upper.over(lower).resolve();
    assert_eq!((args.workers, args.duration, args.delay), (5, Duration::from_secs(60), Duration::from_secs(3)));
    assert_eq!(args.report.iter().map(ToString::to_string).collect::<Vec<_>>(), ["csv:/dev/null"]);
}

#[test]
fn values_from_code_are_checked() {
    let options = Options { workers: Some(0), ..Options::default() };
    assert_eq!(options.check(), Err("workers: the minimum is 1".to_owned()));
    let options = Options { statsd_address: Some("tcp://x".to_owned()), ..Options::default() };
    assert!(options.check().unwrap_err().starts_with("statsd_address: statsd is reached over"));
    let options = Options { duration: Some(Duration::MAX), threads: Some(None), ..Options::default() };
    assert_eq!(options.check(), Ok(()));
}

/// What scripts see in `args` is valid in a `molotov.json`.
#[test]
fn values_of_options_can_be_read_back() {
    let given = read(&[
        ("scenario", "a.py"),
        ("single_mode", "one"),
        ("config", "molotov.json"),
        ("threads", "2"),
        ("seed", "18446744073709551615"),
        ("max_runs", "3"),
        ("fail", "4"),
        ("use_extension", "a"),
        ("use_extension", "b"),
        ("threshold", "p95 < 1s"),
        ("report", "json:-"),
        ("web", "0.0.0.0:8089"),
        ("host", "http://h:81/api"),
        ("header", "A: b"),
        ("cookie", "c=d"),
        ("method", "PUT"),
        ("body", "x"),
        ("rate", "30/m"),
        ("stage", "30s:5/s"),
        ("stage", "1m:0/s,0s:7/s"),
        ("cluster", "nats://127.0.0.1:4222"),
        ("agents", "3"),
        ("signing_key", "seed.nk"),
        ("join", "nats://127.0.0.1:4222"),
        ("agent_name", "load-1"),
    ]);
    let args = given.resolve();
    for entry in OPTIONS {
        let shown = (entry.json)(&args);
        let read =
            entry.read_json(&shown.to_string()).unwrap_or_else(|error| panic!("{}: {}", entry.name, error.message));
        assert_eq!((entry.given)(&read), Some(shown), "{}", entry.name);
    }
}

/// The table has a method of `LoadTest` for each option, or a reason why there is none.
#[test]
fn options_without_a_method_of_load_test_have_a_reason() {
    macro_rules! reasons {
        ($(
            $(#[$doc:meta])+
            $name:ident: $type:ty = $default:expr, { $($description:tt)+ }
            { $($method:tt)+ }
        )+) => {
            [ $( (stringify!($name), stringify!($($method)+)) ),+ ]
        };
    }
    let methods = option_table!(reasons);
    assert_eq!(methods.len(), OPTIONS.len());
    for (name, method) in methods {
        let reason = method.strip_prefix("none: \"").map(|reason| reason.trim_end_matches('"'));
        assert!(reason.is_none_or(|reason| reason.contains(' ')), "{name}: {method}");
    }
}
