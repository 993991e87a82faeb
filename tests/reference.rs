//! The reference of the book is what the commands say of themselves.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{fs, path::Path};

use molotov_tests::Program;

#[test]
fn the_book_has_every_option() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("book/src/reference");
    for (name, program) in [
        ("molotov", env!("CARGO_BIN_EXE_molotov")),
        ("molostart", env!("CARGO_BIN_EXE_molostart")),
        ("moloslave", env!("CARGO_BIN_EXE_moloslave")),
    ] {
        let made = Program::new(program, "--generate markdown").run().exited(0).stdout;
        let page = directory.join(name).with_extension("md");
        let written = fs::read_to_string(&page).unwrap();
        assert!(
            written == made,
            "{} is not what the command says; write it anew:\n    {name} --generate markdown > {}",
            page.display(),
            page.display()
        );
    }
}

#[test]
fn man_pages_and_completions_are_made_for_all() {
    for program in [env!("CARGO_BIN_EXE_molotov"), env!("CARGO_BIN_EXE_molostart"), env!("CARGO_BIN_EXE_moloslave")] {
        for kind in ["man", "bash", "elvish", "fish", "powershell", "zsh"] {
            let made = Program::new(program, &format!("--generate {kind}")).run().exited(0);
            assert!(made.stdout.contains("help") && made.stderr.is_empty(), "{made:#?}");
        }
        let output = Program::new(program, "--generate nothing").run().exited(2);
        assert!(output.stderr.contains("invalid value 'nothing'"), "{output:#?}");
    }
}
