//! The reference in the book is generated from the commands.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{fs, path::Path};

use molotov_tests::Program;

#[test]
fn the_reference_of_the_book_matches_the_commands() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("book/src/reference");
    for (name, program) in [
        ("molotov", env!("CARGO_BIN_EXE_molotov")),
        ("molostart", env!("CARGO_BIN_EXE_molostart")),
        ("moloslave", env!("CARGO_BIN_EXE_moloslave")),
    ] {
        let generated = Program::new(program, "--generate markdown").run().exited(0).stdout;
        let page = directory.join(name).with_extension("md");
        let written = fs::read_to_string(&page).unwrap();
        assert!(
            written == generated,
            "{} is out of date; regenerate it:\n    {name} --generate markdown > {}",
            page.display(),
            page.display()
        );
    }
}

#[test]
fn all_commands_generate_man_pages_and_completions() {
    for program in [env!("CARGO_BIN_EXE_molotov"), env!("CARGO_BIN_EXE_molostart"), env!("CARGO_BIN_EXE_moloslave")] {
        for kind in ["man", "bash", "elvish", "fish", "powershell", "zsh"] {
            let generated = Program::new(program, &format!("--generate {kind}")).run().exited(0);
            assert!(generated.stdout.contains("help") && generated.stderr.is_empty(), "{generated:#?}");
        }
        let output = Program::new(program, "--generate nothing").run().exited(2);
        assert!(output.stderr.contains("invalid value 'nothing'"), "{output:#?}");
    }
}
