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

#[test]
fn the_page_of_the_rust_api_has_every_method() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let page = fs::read_to_string(root.join("book/src/reference/rust.md")).unwrap();
    let api = fs::read_to_string(root.join("molotov/public-api.txt")).unwrap();
    let mut missing = Vec::new();
    for line in api.lines().filter(|line| line.contains(" fn ")) {
        for owner in ["Session", "RequestBuilder", "Response", "Context", "SessionOptions"] {
            let Some((_, method)) = line.split_once(&format!(" molotov::session::{owner}::")) else { continue };
            let method = method.split(['(', '<']).next().unwrap();
            let of_a_trait = ["fmt", "clone", "default", "into_future", "drop"].contains(&method);
            let listed =
                [format!("`{method}("), format!("`{method}::<"), format!("`{method}`"), format!("::{method}(")];
            if !of_a_trait && !listed.iter().any(|listed| page.contains(listed)) {
                missing.push(format!("{owner}::{method}"));
            }
        }
    }
    missing.dedup();
    assert!(missing.is_empty(), "book/src/reference/rust.md has no {missing:?}");
}
