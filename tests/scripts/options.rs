//! The options as scripts see them.

use std::collections::BTreeSet;

use molotov_tests::{LoadTestProgram, every_option};

use super::{MOLOTOV, Scripts};

const SCRIPT: &str = r#"
import molotov

@molotov.global_setup()
def init(args):
    for name, value in vars(args).items():
        print("OPTION", name, repr(value))

@molotov.scenario()
async def one(session):
    pass
"#;

/// The options that print something and run nothing.
const RUN_NOTHING: [&str; 7] = ["help", "generate", "from_curl", "from_har", "language", "output", "with_assets"];

/// The options in `args`, with their values.
fn seen(line: &str) -> Vec<(String, String)> {
    let output = Scripts::new(&[("loadtest.py", SCRIPT)]).program(&format!("-r 1 -c {line}")).run().exited(0);
    let options = output.stdout.lines().filter_map(|line| line.strip_prefix("OPTION ")?.split_once(' '));
    options.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[test]
fn args_have_every_option_of_the_command_line() {
    let help = Scripts::new(&[]).program("--help").run().exited(0).stdout;
    let words = help.split(|c: char| c.is_whitespace() || matches!(c, ',' | '=' | '.'));
    let named = words.filter_map(|word| word.strip_prefix("--")).map(|name| name.replace('-', "_"));
    // These options run nothing. `version` is in the original's namespace.
    let mut expected: BTreeSet<_> = named.filter(|name| !RUN_NOTHING.contains(&&**name)).collect();
    expected.insert("scenario".to_owned());
    // Only a `molotov.json` sets it.
    expected.insert("scenarios".to_owned());
    assert!(expected.len() > 30, "{expected:?}");
    let seen: BTreeSet<_> = seen("").into_iter().map(|(name, _)| name).collect();
    assert_eq!(seen, expected);
}

#[test]
fn args_have_values_as_python_writes_them() {
    let line =
        "-w 3 -d 90 --delay 1 --seed 5 --color never --threshold count<9 --report json:/dev/null --use-extension=os";
    let seen = seen(line);
    for (name, value) in [
        ("scenario", "'loadtest.py'"),
        ("workers", "3"),
        // The types are the original's.
        ("duration", "90"),
        ("delay", "1.0"),
        ("ramp_up", "0.0"),
        ("sizing_tolerance", "5.0"),
        ("quiet", "False"),
        ("max_runs", "1"),
        ("fail", "None"),
        ("seed", "5"),
        ("color", "'never'"),
        ("threshold", "['count<9']"),
        ("report", "['json:/dev/null']"),
        ("use_extension", "['os']"),
        ("statsd_address", "'udp://localhost:8125'"),
        ("rate", "None"),
        ("stage", "[]"),
        ("arrivals", "'even'"),
        ("warm_up", "0.0"),
    ] {
        assert!(seen.contains(&(name.to_owned(), value.to_owned())), "{name}: {seen:#?}");
    }
    let line = "-r 0 --rate 600/m --stage 50ms:10/s,50ms:10/s --when-busy drop --warm-up 0.05";
    let seen = self::seen(line);
    for (name, value) in
        [("rate", "'10/s'"), ("stage", "['0.05s:10/s', '0.05s:10/s']"), ("when_busy", "'drop'"), ("warm_up", "0.05")]
    {
        assert!(seen.contains(&(name.to_owned(), value.to_owned())), "{name}: {seen:#?}");
    }
}

const PICKED: &str = r#"
import molotov

@molotov.global_setup()
def init(args):
    print("RATES", args.scenarios)
    CHANGE

@molotov.scenario_picker()
def pick(worker_id, step_id):
    return "browse" if step_id == 1 else "chat"

@molotov.scenario(weight=3)
async def browse(session):
    pass

@molotov.scenario(weight=0)
async def chat(session):
    pass
"#;

#[test]
fn scenarios_of_scripts_have_rates_from_the_configuration() {
    let run = |rates: &str, options: &str, change: &str| {
        let config = format!(
            "{{\"molotov\": {{\"tests\": {{\"test\": {{\"console\": true, {options}\n  \"scenarios\": {rates}}}}}}}}}"
        );
        let script = PICKED.replace("CHANGE", change);
        Scripts::new(&[("loadtest.py", &script), ("molotov.json", &config)]).program("--config molotov.json").run()
    };
    let chat = r#"{"chat": {"rate": "2400/m"}}"#;
    let output = run(chat, r#""max_runs": 2, "duration": 0.5,"#, "pass").exited(0);
    assert!(output.stdout.contains("RATES {'chat': {'rate': '40/s'}}"), "{output:#?}");
    // The picker must not pick it.
    assert_eq!(output.totals(), (1 + 20, 1), "{output:#?}");
    assert!(output.stdout.contains("the picker named `chat`, which starts at its own rate"), "{output:#?}");
    // Only the scenario of the option.
    let output = run(chat, r#""single_mode": "chat", "duration": 0.5,"#, "pass").exited(0);
    assert_eq!(output.totals(), (20, 0), "{output:#?}");
    let change = "args.scenarios['chat']['rate'] = '20/s'";
    let output = run(chat, r#""single_mode": "chat", "duration": 0.5,"#, change).exited(0);
    assert_eq!(output.totals(), (10, 0), "{output:#?}");
    let output = run(chat, r#""single_mode": "chat", "duration": 0.5,"#, "args.scenarios = {'caht': {}}").exited(1);
    assert!(output.stderr.contains("`args.scenarios` has options of `caht`"), "{output:#?}");
    let output = run(r#"{"caht": {"rate": "5/s"}}"#, r#""duration": 1,"#, "pass").exited(2);
    for part in [
        "error: `scenarios` has options of `caht`, which is not a scenario; did you mean `chat`?",
        "molotov.json:2:17",
        "^^^^^^ not a scenario",
    ] {
        assert!(output.stderr.contains(part), "{output:#?}");
    }
}

#[test]
fn every_option_has_its_effect() {
    every_option(&LoadTestProgram::python(MOLOTOV));
}
