//! Tests of the command line.

use std::time::Duration;

use super::*;
use crate::options::{Arrivals, Color, Level, OPTIONS, Rate, Stage, WhenBusy};

fn request(line: &str) -> Result<ParsedLine, UsageError> {
    let words = line.split(' ').filter(|word| !word.is_empty());
    parse(["loadtest"].into_iter().chain(words).map(OsString::from).collect(), EntryPoint::Crate)
}

/// The options of a run, without the record of which of them were given.
#[track_caller]
fn args(line: &str) -> Args {
    match request(line) {
        Ok(ParsedLine::Run(options)) => Args { given: Options::default(), ..options.resolve() },
        other => panic!("`{line}` gave {other:?}"),
    }
}

#[track_caller]
fn error(line: &str) -> UsageError {
    match request(line) {
        Err(error) => error,
        other => panic!("`{line}` gave {other:?}"),
    }
}

#[test]
fn definition_is_consistent() {
    command(EntryPoint::Crate).debug_assert();
    command(EntryPoint::Command).debug_assert();
}

#[test]
fn options_have_defaults() {
    assert_eq!(args(""), Args::default());
}

#[test]
fn options_set_their_fields() {
    type Change = fn(&mut Args);
    let changed: [(&str, Change); 48] = [
        ("--single-run", |a| a.single_run = true),
        ("-s browse", |a| a.single_mode = Some("browse".to_owned())),
        ("--single-mode=browse", |a| a.single_mode = Some("browse".to_owned())),
        ("--debug", |a| a.debug = true),
        ("--web 8089", |a| a.web = Some(8089.into())),
        ("--web=127.0.0.1:8089", |a| a.web = Some(8089.into())),
        ("-v", |a| a.verbose = 1),
        ("-vv", |a| a.verbose = 2),
        ("--verbose --verbose", |a| a.verbose = 2),
        ("-w 20", |a| a.workers = 20),
        ("-w20", |a| a.workers = 20),
        ("--workers 7 --workers 20", |a| a.workers = 20),
        ("--ramp-up 1.5", |a| a.ramp_up = Duration::from_millis(1_500)),
        ("--rate 500/s", |a| a.rate = Some(Rate::per_second(500.0))),
        ("--stage 30s:20,1m:5 --stage=0:7", |a| {
            let stages = [(30, 20), (60, 5), (0, 7)];
            a.stage.0.extend(
                stages.map(|(time, workers)| Stage { time: Duration::from_secs(time), to: Level::Workers(workers) }),
            );
        }),
        ("--arrivals poisson", |a| a.arrivals = Arrivals::Poisson),
        ("--when-busy drop", |a| a.when_busy = WhenBusy::Drop),
        ("--warm-up 4s", |a| a.warm_up = Duration::from_secs(4)),
        ("--delay 250ms", |a| a.delay = Duration::from_millis(250)),
        ("--console-update 0", |a| a.console_update = Duration::ZERO),
        ("-p 1", |_| ()),
        ("-d 1m30s", |a| a.duration = Duration::from_secs(90)),
        ("-d 0", |a| a.duration = Duration::ZERO),
        ("--dur=90", |a| a.duration = Duration::from_secs(90)),
        ("-r 5", |a| a.max_runs = Some(5)),
        ("-r=5", |a| a.max_runs = Some(5)),
        ("-r 0", |_| ()),
        ("-q", |a| a.quiet = true),
        ("-f 0", |a| a.fail = Some(0)),
        ("--uvloop", |a| a.uvloop = true),
        ("--force", |a| a.force_shutdown = true),
        ("--host http://h:80/api/", |a| a.host = Some("http://h/api".parse().unwrap())),
        ("-H A:b --header=C:d", |a| a.header = vec!["A:b".parse().unwrap(), "C:d".parse().unwrap()]),
        ("-HA:b", |a| a.header = vec!["A:b".parse().unwrap()]),
        ("-X put", |a| a.method = Some(http::Method::PUT)),
        ("--method=PURGE", |a| a.method = Some("PURGE".parse().unwrap())),
        ("--body a=1", |a| a.body = Some("a=1".to_owned())),
        ("http://h/a", |a| a.scenario = Some("http://h/a".to_owned())),
        ("http://h/a -w 1 https://h/b", |a| a.scenario = Some("http://h/a https://h/b".to_owned())),
        ("--use-extension x http://h/a", |a| {
            a.scenario = Some("http://h/a".to_owned());
            a.use_extension = vec!["x".to_owned()];
        }),
        ("--cookie a=1 --coo=b=2", |a| a.cookie = vec!["a=1".parse().unwrap(), "b=2".parse().unwrap()]),
        ("--threads 3", |a| a.threads = Some(3)),
        ("--seed 18446744073709551615", |a| a.seed = Some(u64::MAX)),
        ("--list", |a| a.list = true),
        ("--color never", |a| a.color = Color::Never),
        ("--col=always", |a| a.color = Color::Always),
        ("--timeout 0.5", |a| a.timeout = Duration::from_millis(500)),
        ("--show-secrets", |a| a.show_secrets = true),
    ];
    for (line, change) in changed {
        let mut expected = Args::default();
        change(&mut expected);
        assert_eq!(args(line), expected, "{line}");
    }
}

#[test]
fn all_options_are_on_the_command_line() {
    for entry in line_options().filter(|entry| !entry.positional) {
        let values = [
            "2",
            "udp://localhost:1",
            "p95<1s",
            "json:-",
            "never",
            "5/s",
            "2s:5/s",
            "poisson",
            "drop",
            "http://h",
            "a: b",
            "c=d",
            "stop",
        ];
        let value = values.into_iter().find(|value| (entry.read)(value).is_ok()).unwrap_or("2");
        let line = match entry.kind {
            ValueKind::Flag | ValueKind::Count => format!("--{}", entry.long()),
            _ => format!("--{}={value}", entry.long()),
        };
        let options = match request(&line) {
            Ok(ParsedLine::Run(options)) => options,
            other => panic!("`{line}` gave {other:?}"),
        };
        assert!((entry.given)(&options).is_some_and(|given| !given.is_null()), "{line}: {options:?}");
        let others = OPTIONS.iter().filter(|other| (other.given)(&options).is_some());
        assert_eq!(others.count(), 1, "{line}: {options:?}");
    }
}

#[test]
fn short_options_can_be_combined() {
    let args = args("-cxvvw3");
    assert!(args.console && args.exception);
    assert_eq!((args.verbose, args.workers), (2, 3));
}

#[test]
fn errors_name_the_option_and_the_valid_values() {
    for (line, option, why) in [
        ("-w 0", "--workers", "the minimum is 1"),
        ("-w -3", "--workers", "negative"),
        ("-w many", "--workers", "whole number"),
        ("-w 1.5", "--workers", "whole number"),
        ("-w 99999999999", "--workers", "the maximum is"),
        ("-w 99999999999999999999999", "--workers", "too large"),
        ("-p 0", "--processes", "the minimum is 1"),
        ("-r -1", "--max-runs", "negative"),
        ("-f x", "--fail", "whole number"),
        ("--seed -4", "--seed", "negative"),
        ("--threads 0", "--threads", "the minimum is 1"),
        ("--threads 100000", "--threads", "the maximum is"),
        ("--host h:80", "--host", "the scheme is missing: `http://h:80`"),
        ("-H Accept", "--header", "write `Name: value`"),
        ("--cookie id", "--cookie", "write `name=value`"),
        ("-d a=1", "--duration", "write the body of a request with `--body`"),
        ("-X =", "--method", "write a method: `POST`"),
        ("a.py b.py", "unexpected argument 'b.py' found", "Usage: loadtest"),
        ("http://h a.py", "a run has either URLs or a script", "leave out `a.py`"),
        ("http://h localhost:80/x", "`localhost:80/x` is no URL", "write `http://localhost:80/x`"),
        ("-d soon", "--duration", "90s"),
        ("-d -5", "--duration", "negative"),
        ("-d nan", "--duration", "90s"),
        ("-d inf", "--duration", "100 years"),
        ("--ramp-up 1e99", "--ramp-up", "100 years"),
        ("--delay=-1s", "--delay", "negative"),
        ("--console-update often", "--console-update", "90s"),
        ("--timeout 0", "--timeout", "longer than 0"),
        ("--rate -5/s", "--rate", "a rate cannot be negative"),
        ("--color sometimes", "--color", "auto, always, never"),
        ("-s", "--single-mode", "value is required"),
        ("--nope", "--nope", "unexpected argument"),
        ("--c", "--c", "--config, --console, --console-update"),
        ("--th 2", "--th", "--threads, --threshold"),
        ("--quiet=yes", "--quiet", "unexpected value"),
    ] {
        let error = error(line);
        assert_eq!(error.exit_code, 2, "{line}");
        assert!(error.message.contains(option), "{line}: {}", error.message);
        assert!(error.message.contains(why), "{line}: {}", error.message);
    }
}

#[test]
fn contradictions_exit_with_1_as_in_the_original() {
    for (line, message) in [
        ("-q -v", "You can't use -q and -v at the same time"),
        ("--single-run -s a", "You can't use --single-mode and --single-run at the same time"),
    ] {
        let error = refuse_contradictions(&args(line)).unwrap_err();
        assert_eq!((error.exit_code, error.message.as_str()), (1, message), "{line}");
    }
}

#[test]
fn options_with_values_are_parsed() {
    let args =
        args("-p 4 --sizing --sizing-tolerance 3.5% --statsd --statsd-address udp://127.0.0.1:1 --config m.json");
    assert_eq!((args.processes, args.sizing, args.sizing_tolerance), (4, true, 3.5));
    assert_eq!((args.statsd, args.statsd_address.as_str()), (true, "udp://127.0.0.1:1"));
    assert_eq!(args.config, Some("m.json".into()));
    let args = self::args(
        "--use-extension a b -q --report out.json --report x.CSV --threshold failures<1% --threshold p95<1s",
    );
    assert_eq!(args.use_extension, ["a", "b"]);
    assert_eq!(args.report.iter().map(ToString::to_string).collect::<Vec<_>>(), ["out.json", "x.CSV"]);
    assert_eq!(args.threshold.iter().map(ToString::to_string).collect::<Vec<_>>(), ["failures<1%", "p95<1s"]);
}

#[test]
fn version_and_help_are_printed() {
    match request("--version") {
        Ok(ParsedLine::Print(text)) => assert_eq!(text, format!("{}\n", env!("CARGO_PKG_VERSION"))),
        other => panic!("{other:?}"),
    }
    for line in ["-h", "--help", "--he", "-w 3 -h"] {
        match request(line) {
            Ok(ParsedLine::Print(text)) => assert!(text.contains("Usage: loadtest [OPTIONS]"), "{text}"),
            other => panic!("{line}: {other:?}"),
        }
    }
}

#[test]
fn help() {
    for (entry_point, name, width) in [
        (EntryPoint::Crate, "crate_80", 80),
        (EntryPoint::Crate, "crate_120", 120),
        (EntryPoint::Command, "command_80", 80),
    ] {
        let command = command(entry_point);
        // The feature `command` adds options, which the reference in the book shows.
        #[cfg(feature = "command")]
        let command = match entry_point {
            EntryPoint::Command => ["generate", "from-curl", "from-har", "language", "output", "with-assets"]
                .into_iter()
                .fold(command, |command, added| command.mut_arg(added, |arg| arg.hide(true))),
            EntryPoint::Crate => command,
        };
        // So does the feature `cluster`.
        let command = (OPTIONS.iter().filter(|entry| entry.group.title() == "Many machines"))
            .fold(command, |command, entry| command.mut_arg(entry.name, |arg| arg.hide(true)));
        let text = command.bin_name("molotov").term_width(width).render_help().to_string();
        assert!(text.lines().all(|line| line.chars().count() <= width), "wider than {width}:\n{text}");
        insta::assert_snapshot!(name, text);
    }
}
