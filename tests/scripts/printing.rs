//! What scripts print, where standard output is read by another program and where it is a terminal.

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
fn what_scripts_print_into_a_pipe_is_not_changed() {
    let printed = "{\"colour\": \"\\u001b[31m\", \"text\": \"é\\té\\té\\t\"}\nraw \u{1b}[31m\ttext | and more\r\nseveral\n\nlines\n";
    for (line, times) in [("-r 2 -c", 2), ("-p 2 -r 1 -c", 2), ("-p 2 -r 1 -q", 2), ("-p 2 -r 1", 2)] {
        let scripts = Scripts::new(&[("loadtest.py", PRINTING)]);
        let output = scripts.program(line).run().exited(0);
        // Lines of two processes may take turns.
        for part in printed.split_inclusive('\n').filter(|part| part.len() > 1) {
            assert_eq!(output.stdout.matches(part).count(), times, "{line}: {part:?} in {output:#?}");
        }
        let json = output.stdout.lines().filter(|line| line.starts_with('{')).count();
        assert_eq!(json, times, "{line}: {output:#?}");
    }
}

#[test]
fn what_scripts_print_on_a_terminal_names_its_process() {
    let scripts = Scripts::new(&[("loadtest.py", PRINTING)]);
    let output = scripts.program("-p 2 -r 1 -c --color never").on_terminal(100).run().exited(0);
    let named = output.stdout.lines().filter(|line| line.contains("[P:") && line.contains("] raw ")).count();
    assert_eq!(named, 2, "{output:#?}");
    assert!(!output.stdout.contains("\u{1b}[31m"), "{output:#?}");
}
