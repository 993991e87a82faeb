//! Messages that are written outside the screen of a run.

use std::io::{self, Write};

use crate::{
    options::{Args, ReportTarget},
    secrets,
};

/// Announces an extension on the stream that shows the run.
pub(crate) fn announce_extension(args: &Args, name: &str) {
    let line = format!("Loading extension '{name}'\n");
    // The console reports streams that cannot be written.
    let _ = match shows_on_stderr(args) {
        true => io::stderr().lock().write_all(line.as_bytes()),
        false => io::stdout().lock().write_all(line.as_bytes()),
    };
}

/// Whether a report takes standard output, so that the run is shown on standard error.
pub(crate) fn shows_on_stderr(args: &Args) -> bool {
    args.report.iter().any(ReportTarget::is_standard_output)
}

/// Writes an error to standard error.
pub(crate) fn complain(message: &str) {
    let _ = writeln!(io::stderr().lock(), "error: {}", secrets::mask(message));
}

/// Writes a line to standard error.
pub(crate) fn inform(message: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", secrets::mask(message));
}

/// Writes a warning to standard error.
pub(crate) fn note(message: &str) {
    let _ = writeln!(io::stderr().lock(), "warning: {}", secrets::mask(message));
}
