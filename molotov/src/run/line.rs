//! Lines: what a run says while it goes on.

use serde::{Deserialize, Serialize};

/// One message of a run, for the screen to show. Its text may have several lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The process it comes from, when there are several.
    pub pid: Option<u32>,
    /// The worker it comes from, if it comes from one.
    pub worker: Option<usize>,
    /// What it is.
    pub kind: LineKind,
    /// What it says, without a line end.
    pub text: String,
}

/// What a [`Line`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum LineKind {
    /// The run tells what it does.
    Info,
    /// Printed by a scenario.
    Print,
    /// Something failed.
    Failure,
    /// Something the user should know, that fails nothing.
    Warning,
}

impl Line {
    /// A line of the run itself.
    pub fn info(text: impl Into<String>) -> Line {
        Line { pid: None, worker: None, kind: LineKind::Info, text: text.into() }
    }

    /// A warning of the run itself.
    pub fn warning(text: impl Into<String>) -> Line {
        Line { kind: LineKind::Warning, ..Line::info(text) }
    }

    /// A failure.
    pub fn failure(text: impl Into<String>) -> Line {
        Line { kind: LineKind::Failure, ..Line::info(text) }
    }

    /// What a scenario printed.
    pub fn print(text: impl Into<String>) -> Line {
        Line { kind: LineKind::Print, ..Line::info(text) }
    }

    /// About how much memory it takes, in bytes.
    pub(crate) fn memory(&self) -> usize {
        self.text.len() + 160
    }

    /// The same line, as told by a worker.
    #[must_use]
    pub fn by_worker(self, worker: usize) -> Line {
        Line { worker: Some(worker), ..self }
    }

    /// The same line, as told by one of several processes.
    #[must_use]
    pub fn by_process(self, pid: u32) -> Line {
        Line { pid: Some(pid), ..self }
    }
}
