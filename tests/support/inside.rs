//! What the programs under test use themselves.

use std::{fs::OpenOptions, io::Write};

/// The address of the server to hit.
///
/// # Panics
///
/// When the test gave none.
pub fn target(path: &str) -> String {
    let server = std::env::var("TARGET").expect("TARGET names the server");
    format!("{server}{path}")
}

/// Whether the test asked for `what` by the variable `DO`.
pub fn asked(what: &str) -> bool {
    std::env::var("DO").is_ok_and(|asked| asked.split(',').any(|one| one == what))
}

/// Adds a line to the journal that the test reads.
///
/// # Panics
///
/// When the journal cannot be written.
pub fn note(entry: &str) {
    let Ok(journal) = std::env::var("JOURNAL") else { return };
    let mut file = OpenOptions::new().create(true).append(true).open(journal).expect("the journal opens");
    // One write, so that lines of several threads do not mix.
    file.write_all(format!("{entry}\n").as_bytes()).expect("the journal takes a line");
}
