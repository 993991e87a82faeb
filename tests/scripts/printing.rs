//! The output of scripts, into pipes and on terminals.

use super::Scripts;

const PRINTING: &str = r#"
import json
import molotov

@molotov.scenario()
async def one(session):
    print(json.dumps({"colour": "\x1b[31m", "text": "é\t" * 3}, ensure_ascii=False))
    print("raw \x1b[31m\ttext", end="")
    print("", "and more", sep=" | ", end="\r\n")
    print("several\n\nlines")
"#;

#[test]
fn output_into_a_pipe_is_unchanged() {
    let printed = "{\"colour\": \"\\u001b[31m\", \"text\": \"é\\té\\té\\t\"}\nraw \u{1b}[31m\ttext | and more\r\nseveral\n\nlines\n";
    for (line, times) in [("-r 2 -c", 2), ("-p 2 -r 1 -c", 2), ("-p 2 -r 1 -q", 2), ("-p 2 -r 1", 2)] {
        let scripts = Scripts::new(&[("loadtest.py", PRINTING)]);
        let output = scripts.program(line).run().exited(0);
        // The lines of two processes may alternate.
        for part in printed.split_inclusive('\n').filter(|part| part.len() > 1) {
            assert_eq!(output.stdout.matches(part).count(), times, "{line}: {part:?} in {output:#?}");
        }
        let json = output.stdout.lines().filter(|line| line.starts_with('{')).count();
        assert_eq!(json, times, "{line}: {output:#?}");
    }
}

#[test]
fn output_on_a_terminal_names_its_process() {
    let scripts = Scripts::new(&[("loadtest.py", PRINTING)]);
    let output = scripts.program("-p 2 -r 1 -c --color never").on_terminal(100).run().exited(0);
    let named = output.stdout.lines().filter(|line| line.contains("[P:") && line.contains("] raw ")).count();
    assert_eq!(named, 2, "{output:#?}");
    assert!(!output.stdout.contains("\u{1b}[31m"), "{output:#?}");
}

const NOISY: &str = r#"
import molotov

print("at import")

@molotov.global_setup()
def init(args):
    print("in global_setup")

@molotov.scenario()
async def one(session):
    print("in the scenario")
    await session.get("file:///etc/hostname")
"#;

#[test]
fn a_report_on_standard_output_is_not_mixed_with_other_output() {
    for line in ["", "-p 2"] {
        let scripts = Scripts::new(&[("loadtest.py", NOISY), ("witness.py", "")]);
        let line = format!("-r 1 --use-extension witness --report json:- {line} -- loadtest.py");
        let output = scripts.program(&line).run().exited(0);
        let report = molotov_tests::report(&output.stdout);
        assert!(report["totals"]["failures"].as_u64() > Some(0), "{output:#?}");
        assert_eq!((&report["run"]["program"], &report["run"]["language"]), (&"loadtest.py".into(), &"Python".into()));
        let message = report["errors"][0]["message"].as_str().unwrap();
        assert!(message.contains("the scheme `file` is not supported; use http or https"), "{message}");
        for part in ["at import", "in global_setup", "in the scenario", "Loading extension 'witness'"] {
            assert!(output.stderr.contains(part), "{line}: {output:#?}");
        }
        let full = scripts.program("-r 1").full().run().exited(1);
        assert!(full.stderr.contains("No space left on device"), "{full:#?}");
    }
}
