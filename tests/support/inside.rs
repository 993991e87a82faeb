//! Used by the programs under test.

use std::{fs::OpenOptions, io::Write};

/// The URL of a path on the test's server.
///
/// # Panics
///
/// Panics if the test did not set `TARGET`.
pub fn target(path: &str) -> String {
    let server = std::env::var("TARGET").expect("TARGET names the server");
    format!("{server}{path}")
}

/// Whether the variable `DO`, which the test sets, contains `what`.
pub fn asked(what: &str) -> bool {
    std::env::var("DO").is_ok_and(|list| list.split(',').any(|item| item == what))
}

/// Appends a line to the journal, which the test reads.
///
/// # Panics
///
/// Panics if the journal cannot be written.
pub fn note(entry: &str) {
    let Ok(journal) = std::env::var("JOURNAL") else { return };
    let mut file = OpenOptions::new().create(true).append(true).open(journal).expect("the journal opens");
    // A single write, so that the lines of several threads do not mix.
    file.write_all(format!("{entry}\n").as_bytes()).expect("the journal takes a line");
}
