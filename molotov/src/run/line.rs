//! Lines of text that a run shows.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::MemberLabel;
use crate::format;

/// A message of a run. Its text may have several lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The agent it comes from, if it comes from one.
    pub agent: Option<Arc<str>>,
    /// The process it comes from, if the run has several.
    pub pid: Option<u32>,
    /// The worker it comes from, if it comes from one.
    pub worker: Option<usize>,
    /// The kind of message.
    pub kind: LineKind,
    /// The text, without a line ending.
    pub text: String,
}

/// The kind of a [`Line`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum LineKind {
    /// The run reports what it is doing.
    Info,
    /// Printed by a scenario.
    Print,
    /// Something failed.
    Failure,
    /// Something the user should know that is not a failure.
    Warning,
    /// The number of failures that have no line.
    MoreFailures,
}

impl Line {
    /// A line of the run itself.
    pub fn info(text: impl Into<String>) -> Line {
        Line { agent: None, pid: None, worker: None, kind: LineKind::Info, text: text.into() }
    }

    /// A warning of the run itself.
    pub fn warning(text: impl Into<String>) -> Line {
        Line { kind: LineKind::Warning, ..Line::info(text) }
    }

    /// A failure.
    pub fn failure(text: impl Into<String>) -> Line {
        Line { kind: LineKind::Failure, ..Line::info(text) }
    }

    /// The number of failures that have no line.
    pub fn more_failures(count: u64) -> Line {
        let text = format!("... and {}", format::plural(count, "more failure"));
        Line { kind: LineKind::MoreFailures, ..Line::info(text) }
    }

    /// A line printed by a scenario.
    pub fn print(text: impl Into<String>) -> Line {
        Line { kind: LineKind::Print, ..Line::info(text) }
    }

    /// Its approximate size in memory, in bytes.
    pub(crate) fn memory(&self) -> usize {
        self.text.len() + 160
    }

    /// The same line, from a worker.
    #[must_use]
    pub fn by_worker(self, worker: usize) -> Line {
        Line { worker: Some(worker), ..self }
    }

    /// The same line, from one of several processes.
    #[must_use]
    pub fn by_process(self, pid: u32) -> Line {
        Line { pid: Some(pid), ..self }
    }

    /// The same line, from a member of the run.
    #[must_use]
    pub fn by_member(self, member: &MemberLabel) -> Line {
        match member {
            MemberLabel::Process(pid) => self.by_process(*pid),
            MemberLabel::Agent(name) => Line { agent: Some(Arc::clone(name)), ..self },
        }
    }
}
