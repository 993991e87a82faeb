//! Every contradiction, next to options that are close to it and valid.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use crate::options::{OPTIONS, Options, Source, Sources};

/// Options as on a command line: `rate=5/s stage=30s:2`.
fn args(line: &str) -> Args {
    let mut options = Options::default();
    for word in line.split_whitespace() {
        let (name, value) = word.split_once('=').unwrap();
        let option = OPTIONS.iter().find(|option| option.name == name).unwrap();
        options.add((option.read)(value).unwrap());
    }
    Args { sources: Sources::new(Source::CommandLine), ..options.resolve() }
}

#[track_caller]
fn refused(line: &str, message: &str) {
    assert_eq!(check_options(&args(line)).unwrap_err(), message, "{line}");
}

#[track_caller]
fn accepted(lines: &[&str]) {
    for line in lines {
        assert_eq!(check_options(&args(line)), Ok(()), "{line}");
    }
}

#[test]
fn options_without_a_plan_are_accepted() {
    accepted(&[
        "",
        "workers=5 ramp_up=3 duration=10 delay=1 max_runs=3",
        "single_run=true delay=1",
        "sizing=true",
        "duration=0",
        // Scenarios can have their own rates.
        "arrivals=poisson when_busy=drop",
    ]);
}

#[test]
fn plans_are_accepted() {
    accepted(&[
        "rate=5/s",
        "rate=5/s duration=60 workers=3 arrivals=poisson when_busy=drop warm_up=59",
        "rate=5/s max_runs=0 delay=0 ramp_up=0",
        "stage=30s:5 max_runs=3 delay=1 ramp_up=0",
        "stage=30s:5/s stage=0s:7/s,5s:7/s warm_up=34.9",
        "rate=5/s stage=30s:0/s",
        "workers=5 stage=30s:0",
        "stage=30s:5 single_run=true",
        "sizing=true rate=5/s",
        "sizing=true stage=30s:5/s",
    ]);
}

#[test]
fn stages_are_of_one_kind() {
    let message = "`--stage`: write all stages for workers (`30s:200`) or all for a rate (`30s:500/s`)";
    refused("stage=30s:5 stage=30s:5/s", message);
    refused("stage=30s:5/s stage=30s:5/s stage=0s:0", message);
    refused(
        "rate=9/s stage=30s:5",
        "`30s:5` in `--stage` is a number of workers, but `--rate` starts scenarios at a rate: write a rate in both, as in \
         `30s:500/s`, or leave out `--rate`",
    );
}

#[test]
fn stages_last_and_reach_a_level() {
    refused(
        "stage=0s:5 stage=0s:7",
        "the stages in `--stage` last 0 s together: give one of them a time, as in `30s:200`",
    );
    let zero = "nothing would ever start, since all stages in `--stage` go to 0: write a higher level in one";
    refused("stage=30s:0", zero);
    refused("stage=30s:0/s,0s:0/s", zero);
    // Under a rate, this is only a limit.
    refused("workers=3 stage=30s:0/s", zero);
}

#[test]
fn stages_replace_other_plans() {
    refused("stage=30s:5 duration=60", "`--stage` already says how long the run lasts: leave out `--duration`");
    refused("stage=30s:5/s duration=86400", "`--stage` already says how long the run lasts: leave out `--duration`");
    refused("stage=30s:5 ramp_up=3", "`--stage` already says how the load changes: leave out `--ramp-up`");
    refused("stage=30s:5/s ramp_up=3", "`--stage` already says how the load changes: leave out `--ramp-up`");
    refused(
        "sizing=true threshold=p95<1s max_runs=3",
        "`--sizing` with `--threshold` runs scenarios until it has found the capacity: leave out `--max-runs`",
    );
    refused("stage=30s:5 sizing=true", "`--sizing` itself decides how many workers run: leave out `--stage`");
}

#[test]
fn rates_have_no_options_of_loops() {
    refused(
        "rate=5/s max_runs=3",
        "`--max-runs` counts the scenarios of each worker, but `--rate` shares one plan among all workers: limit the run \
         with `--duration`",
    );
    refused(
        "stage=30s:5/s max_runs=3",
        "`--max-runs` counts the scenarios of each worker, but `--stage` shares one plan among all workers: leave it out, \
         since `--stage` already says how long the run lasts",
    );
    refused(
        "rate=5/s single_run=true",
        "`--single-run` runs each scenario once, and `--rate` again and again: leave out one of them",
    );
    refused("stage=30s:5/s delay=1", "`--stage` says when scenarios start, so `--delay` has no effect: leave it out");
    refused(
        "rate=5/s ramp_up=10",
        "`--ramp-up` is for workers, but `--rate` starts scenarios at a rate: write `--stage` instead of both, as in \
         `10s:5/s,60s:5/s`",
    );
    refused("rate=5/s duration=0", "`--rate` starts nothing in a run of 0 s: set `--duration` to a longer time");
}

#[test]
fn warm_ups_are_shorter_than_the_run() {
    let message = |warm_up: &str, length: &str| {
        format!(
            "nothing would be left to measure after the {warm_up} s of `--warm-up`, since the run lasts {length} s: shorten \
             the warm-up or lengthen the run"
        )
    };
    refused("warm_up=10 duration=10", &message("10", "10"));
    refused("warm_up=10 duration=0", &message("10", "0"));
    refused("warm_up=2.5 stage=2s:5", &message("2.5", "2"));
    refused("warm_up=10 rate=5/s duration=10", &message("10", "10"));
    accepted(&["warm_up=10", "warm_up=10 duration=5 ramp_up=6", "warm_up=1.9 stage=2s:5", "warm_up=0 duration=0"]);
}

#[test]
fn options_are_named_as_they_were_written() {
    let mut args = args("stage=30s:5 ramp_up=3");
    args.sources.set("stage", Source::File { test: "spike".to_owned(), path: "molotov.json".into() });
    assert_eq!(
        check_options(&args).unwrap_err(),
        "`stage` in the test `spike` of `molotov.json` already says how the load changes: leave out `--ramp-up`"
    );
    args.sources.set("ramp_up", Source::Script);
    args.sources.set("stage", Source::Code);
    assert_eq!(
        check_options(&args).unwrap_err(),
        "`stages` already says how the load changes: leave out `args.ramp_up`"
    );
}

#[test]
fn options_fit_the_rates_of_scenarios() {
    let check = |line: &str, own: &[&str], others: bool| {
        let own: Vec<_> = own.iter().map(|name| ((*name).to_owned(), Rate::per_second(10))).collect();
        check_scenarios(&args(line), &own, others)
    };
    for (line, own, others) in [
        ("", &[][..], true),
        ("rate=5/s arrivals=poisson", &[], true),
        ("stage=5s:5/s when_busy=drop", &[], true),
        ("arrivals=poisson when_busy=drop duration=5 workers=3", &["chat"], false),
        ("rate=5/s", &["chat"], true),
        ("stage=5s:5 delay=1", &["chat"], true),
        ("max_runs=5 duration=60", &["chat"], true),
        ("max_runs=0", &["chat"], false),
    ] {
        assert_eq!(check(line, own, others), Ok(()), "{line}");
    }
    for option in ["arrivals=poisson", "arrivals=even", "when_busy=wait"] {
        let name = option.split('=').next().unwrap().replace('_', "-");
        let message = format!(
            "`--{name}` is about starts at a rate, but all scenarios run in a loop: set `--rate` too, or leave it out"
        );
        assert_eq!(check(option, &[], true), Err(message.clone()));
        assert_eq!(check(&format!("stage=5s:5 {option}"), &[], true), Err(message));
    }
    for option in ["rate=5/s", "stage=5s:5", "stage=5s:5/s", "max_runs=5", "delay=1", "ramp_up=5"] {
        let name = option.split('=').next().unwrap().replace('_', "-");
        let message = format!("`--{name}` is for scenarios without their own rate, and there are none: leave it out");
        assert_eq!(check(option, &["chat"], false), Err(message));
    }
    assert_eq!(
        check("max_runs=5", &["chat"], true).unwrap_err(),
        "the scenario `chat` starts at 10/s until the run ends: say when, with `--duration`"
    );
    assert_eq!(
        check("duration=0", &["chat"], true).unwrap_err(),
        "the scenario `chat` starts at 10/s, and never in a run of 0 s: set `--duration` to a longer time"
    );
}
