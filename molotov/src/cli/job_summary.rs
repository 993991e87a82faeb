//! The summary of a job in GitHub Actions, to which each run adds its report.

use std::{
    env,
    fs::{self, OpenOptions},
    io::{self, Write},
    path::Path,
};

use crate::{report, run::Summary};

/// The variable with the path of the summary.
const VARIABLE: &str = "GITHUB_STEP_SUMMARY";
/// The size at which GitHub refuses the summary of a step.
const LIMIT: u64 = 1 << 20;

/// Adds a run to the summary of the job. Does nothing outside of GitHub Actions.
///
/// # Errors
///
/// If the summary cannot be written, or is full: one sentence.
pub(super) fn add(summary: &Summary) -> Result<(), String> {
    let is_in_a_job = env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true");
    match env::var_os(VARIABLE).filter(|path| is_in_a_job && !path.is_empty()) {
        None => Ok(()),
        Some(path) => append(Path::new(&path), &report::markdown(summary)).map_err(|error| {
            format!("cannot add the run to the summary of the job: {error}; unset `{VARIABLE}` to disable the summary")
        }),
    }
}

fn append(path: &Path, text: &str) -> io::Result<()> {
    let before = fs::metadata(path).map_or(0, |file| file.len());
    if before + text.len() as u64 + 1 > LIMIT {
        return Err(io::Error::other("it would be larger than 1 MiB"));
    }
    // An earlier paragraph or table ends here.
    let text = if before > 0 { format!("\n{text}") } else { text.to_owned() };
    OpenOptions::new().append(true).create(true).open(path)?.write_all(text.as_bytes())
}
