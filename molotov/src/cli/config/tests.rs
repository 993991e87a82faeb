//! Tests of valid and invalid `molotov.json` files.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::options::{Args, Arrivals, Color, Delay, Rate, ScenarioOptions, Stages, WhenBusy};

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(Source { name: "molotov.json".to_owned(), text: text.to_owned() })
}

/// Parses the options of a test, given as the inside of its object.
fn applied(options: &str) -> Result<(Options, Vec<String>), ConfigError> {
    let text = format!("{{\n  \"molotov\": {{\"tests\": {{\n    \"test\": {{{options}}}\n  }}}}\n}}\n");
    parse(&text)?.options("test")
}

#[test]
fn warns_of_overridden_options() {
    let text =
        r#"{"molotov": {"tests": {"test": {"workers": 2, "max_runs": 3, "ramp_up": 1, "quiet": true, "fail": 4}}}}"#;
    // The delay is not in the file, and the number of runs is the same.
    let line = Options {
        scenario: Some(Some("test".to_owned())),
        workers: Some(7),
        max_runs: Some(Some(3)),
        ramp_up: Some(Duration::ZERO),
        delay: Some(Duration::from_secs(1)),
        ..Options::default()
    };
    let Configured { options, in_file, warnings } = parse(text).unwrap().over("test", line.clone()).unwrap();
    assert_eq!(in_file, ["workers", "ramp_up", "max_runs", "fail", "quiet"]);
    let expected = Options {
        scenario: None,
        workers: Some(2),
        ramp_up: Some(Duration::from_secs(1)),
        quiet: Some(true),
        fail: Some(Some(4)),
        ..line
    };
    assert_eq!(options, expected);
    assert_eq!(
        warnings,
        ["the test `test` in `molotov.json` overrides `--workers`, `--ramp-up` of the command line".to_owned()]
    );
    let warnings = parse(text).unwrap().over("test", Options::default()).unwrap().warnings;
    assert!(warnings.is_empty(), "{warnings:?}");
}

#[test]
fn all_options_set_their_fields() {
    let all = r#""scenario": "a.py", "single_run": true, "single_mode": "one", "debug": true, "verbose": 2, "workers": 5,
        "ramp_up": 1.5, "sizing": true, "sizing_tolerance": 2.5, "delay": "250ms", "console_update": 0.5, "processes": 3,
        "duration": "1m30s", "max_runs": 9, "quiet": true, "exception": true, "fail": 4, "console": true, "statsd": true,
        "statsd_address": "udp://127.0.0.1:99", "uvloop": true, "use_extension": ["x", "y.py"], "force_shutdown": true,
        "threads": 2, "seed": 11, "report": "out.json", "threshold": ["failures < 1%", "p95 < 1s"], "list": true,
        "color": "never", "host": "http://h:81/", "header": ["A: b"], "cookie": "c=d", "method": "PUT", "body": "x", "timeout": 10, "show_secrets": true, "rate": "30/m",
        "stage": ["30s:5/s", "1m:0/s,0s:7/s"], "arrivals": "poisson", "when_busy": "drop", "warm_up": "4s",
        "scenarios": {"a": {"rate": "9/s"}, "b": {"rate": null}, "c": {"delay": "1s..3s", "pacing": 10}}"#;
    let (options, warnings) = applied(all).unwrap();
    let seconds = Duration::from_secs_f64;
    let browse = ScenarioOptions { rate: Some(Rate::per_second(9)), ..ScenarioOptions::default() };
    let paced =
        ScenarioOptions { delay: Some(Delay::from(1..3)), pacing: Some(seconds(10.0)), ..ScenarioOptions::default() };
    let given_scenarios = BTreeMap::from([
        ("a".to_owned(), browse),
        ("b".to_owned(), ScenarioOptions::default()),
        ("c".to_owned(), paced),
    ]);
    let expected = Args {
        scenario: Some("a.py".to_owned()),
        single_run: true,
        single_mode: Some("one".to_owned()),
        debug: true,
        verbose: 2,
        workers: 5,
        ramp_up: seconds(1.5),
        sizing: true,
        sizing_tolerance: 2.5,
        delay: seconds(0.25),
        console_update: seconds(0.5),
        processes: 3,
        duration: seconds(90.0),
        max_runs: Some(9),
        quiet: true,
        exception: true,
        fail: Some(4),
        console: true,
        statsd: true,
        statsd_address: "udp://127.0.0.1:99".to_owned(),
        uvloop: true,
        use_extension: vec!["x".to_owned(), "y.py".to_owned()],
        force_shutdown: true,
        threads: Some(2),
        seed: Some(11),
        report: vec!["out.json".parse().unwrap()],
        threshold: ["failures < 1%", "p95 < 1s"].map(|text| text.parse().unwrap()).to_vec(),
        list: true,
        color: Color::Never,
        host: Some("http://h:81".parse().unwrap()),
        header: vec!["A: b".parse().unwrap()],
        cookie: vec!["c=d".parse().unwrap()],
        method: Some(http::Method::PUT),
        body: Some("x".to_owned()),
        timeout: seconds(10.0),
        show_secrets: true,
        rate: Some(Rate::per_second(0.5)),
        stage: Stages(["30s:5/s", "1m:0/s", "0s:7/s"].map(|stage| stage.parse().unwrap()).to_vec()),
        arrivals: Arrivals::Poisson,
        when_busy: WhenBusy::Drop,
        warm_up: seconds(4.0),
        scenarios: given_scenarios,
        given: options.clone(),
        ..Args::default()
    };
    assert_eq!((options.resolve(), warnings), (expected, Vec::new()));
}

#[test]
fn all_options_are_accepted() {
    for entry in OPTIONS.iter().filter(|entry| entry.in_file) {
        let values = [
            "true",
            "2",
            "\"never\"",
            "\"udp://localhost:1\"",
            "\"p95<1s\"",
            "\"json:-\"",
            "\"5/s\"",
            "\"2s:5/s\"",
            "\"poisson\"",
            "\"drop\"",
            "\"http://h\"",
            "\"a: b\"",
            "\"c=d\"",
            "\"stop\"",
            "{\"a\": {\"rate\": \"5/s\"}}",
        ];
        let given = values.iter().find_map(|value| applied(&format!("\"{}\": {value}", entry.name)).ok());
        let (options, warnings) = given.unwrap();
        assert!((entry.given)(&options).is_some_and(|given| !given.is_null()), "{}: {options:?}", entry.name);
        assert!(options.extra.is_empty() && warnings.is_empty(), "{}: {warnings:?}", entry.name);
    }
    let (options, warnings) = applied(r#""config": "other.json""#).unwrap();
    assert!(options.config.is_none() && warnings.len() == 1, "the file cannot name another: {warnings:?}");
}

#[test]
fn null_is_not_given() {
    let (options, _) = applied(r#""verbose": true, "max_runs": 0, "delay": null"#).unwrap();
    assert_eq!(options, Options { verbose: Some(1), max_runs: Some(Some(0)), ..Options::default() });
    assert_eq!(options.resolve().max_runs, None);
}

#[test]
fn environment_and_requirements_are_read() {
    let config = parse(r#"{"molotov": {"env": {"A": "b"}, "requirements": "r.txt", "tests": {}}}"#).unwrap();
    assert_eq!(config.env, BTreeMap::from([("A".to_owned(), "b".to_owned())]));
    assert_eq!((config.requirements.as_deref(), config.files), (Some("r.txt"), None));
}

#[test]
fn files_are_a_list_of_texts() {
    let config = parse(r#"{"molotov": {"files": ["load.py", "data"], "tests": {}}}"#).unwrap();
    assert_eq!((config.files, config.warnings), (Some(vec!["load.py".to_owned(), "data".to_owned()]), Vec::new()));
    let error = parse(r#"{"molotov": {"files": "load.py", "tests": {}}}"#).unwrap_err().to_string();
    assert!(error.starts_with("`files` must be an array of strings"), "{error}");
}

#[test]
fn byte_order_marks_are_refused() {
    let error = parse("\u{feff}{\"molotov\": {\"tests\": {}}}").unwrap_err().to_string();
    assert!(
        error.starts_with("the configuration begins with a byte order mark; save it as UTF-8 without one"),
        "{error}"
    );
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("molotov.json");
    fs::write(&path, [0xff, 0xfe, b'{', 0]).unwrap();
    let error = read(&path).unwrap_err().to_string();
    assert!(error.ends_with("is UTF-16; save it as UTF-8"), "{error}");
}

#[test]
fn unknown_keys_are_kept_with_a_warning() {
    let (args, warnings) = applied(r#""rampup": 3, "mine": {"deep": [1, 2]}"#).unwrap();
    assert_eq!(args.extra["mine"], serde_json::json!({"deep": [1, 2]}));
    insta::assert_snapshot!(warnings.join("\n\n"));
}

#[test]
fn last_of_repeated_keys_is_used_with_a_warning() {
    let (args, warnings) = applied("\n\"workers\": 3,\n\"max_runs\": 5,\n\"workers\": 4\n").unwrap();
    assert_eq!((args.workers, args.max_runs, warnings.len()), (Some(4), Some(Some(5)), 1));
    let text = r#"{
  "molotov": {"env": {"A": "1", "A": "2"}, "tests": {
    "test": {"workers": 3, "workers": 3},
    "other": {"workers": 2, "workers": 1},
    "test": {"workers": 4}
  }}
}"#;
    let config = parse(text).unwrap();
    let (args, rest) = config.options("test").unwrap();
    assert_eq!((args.workers, config.env["A"].as_str()), (Some(4), "2"));
    insta::assert_snapshot!(warnings.into_iter().chain(rest).collect::<Vec<_>>().join("\n\n"));
}

#[test]
fn errors_show_the_place() {
    let mut shown = String::new();
    for text in [
        "",
        "{\n  \"molotov\": {,}\n}",
        "{\"molotov\": {\"tests\": {\"test\": {\"workers\": 1}}}",
        "[1, 2]",
        "{\"tests\": {}}",
        "{\"molotov\": []}",
        "{\"molotov\": {\n  \"env\": {\"A\": 1},\n  \"tests\": {}}}",
        "{\"molotov\": {\n  \"env\": {}\n}}",
        "{\"molotov\": {\"tests\": [\"test\"]}}",
        "{\"molotov\": {\"tests\": {\"test\": 3}}}",
        "{\"molotov\": {\"tests\": {\n  \"tset\": {},\n  \"other\": {}}}}",
        "{\"molotov\": {\"tests\": {}}}",
    ] {
        let error = parse(text).and_then(|config| config.options("test")).unwrap_err();
        shown += &format!("{error}\n\n");
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn errors_of_options_show_the_place() {
    let mut shown = String::new();
    for options in [
        r#""workers": "ten""#,
        r#""workers": 0"#,
        r#""workers": 1.5"#,
        r#""duration": "soon""#,
        r#""duration": -1"#,
        r#""duration": [1]"#,
        r#""quiet": "no""#,
        r#""scenario": 3"#,
        r#""use_extension": ["a", 1]"#,
        r#""statsd_address": "tcp://x""#,
        r#""color": "pink""#,
        r#""threshold": ["p95 < 1s", "p95 < 200"]"#,
        r#""report": "out.txt""#,
        r#""verbose": "yes""#,
        r#""timeout": 0"#,
        r#""sizing_tolerance": 100"#,
        r#""scenarios": "browse""#,
        r#""scenarios": {"browse": "10/s"}"#,
        r#""scenarios": {"browse": {"rate": "10/s"}, "cart": {"rate": "10"}}"#,
        r#""scenarios": {"browse": {"rate": 10}}"#,
        r#""scenarios": {"browse": {"rate": "0/s"}}"#,
        r#""scenarios": {"browse": {"rat": "10/s"}}"#,
    ] {
        shown += &format!("{}\n\n", applied(options).unwrap_err());
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn unreadable_files_are_errors() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("molotov.json");
    assert!(read(&path).unwrap_err().to_string().starts_with("cannot read the configuration `"));
    fs::write(&path, b"{\"a\xff\": 1}").unwrap();
    assert!(read(&path).unwrap_err().to_string().contains("is not UTF-8: invalid utf-8 sequence"));
}

proptest! {
    #[test]
    fn never_panics(text in r#"[\{\}\[\]",:a-zé0-9\\ \n]{0,60}"#) {
        if let Ok(config) = parse(&text) {
            let _ = config.options("test");
        }
        let _ = applied(&text);
    }
}
