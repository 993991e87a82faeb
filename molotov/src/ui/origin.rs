//! Where a line of a run comes from.

use crate::{report::layout::harmless, run::Line};

/// The agent and the process of a line, as screens show them before its text: `[A:load-2] [P:4711] `.
pub(super) fn origin(line: &Line) -> String {
    let agent = line.agent.as_ref().map(|agent| format!("[A:{}] ", harmless(agent)));
    let process = line.pid.map(|pid| format!("[P:{pid}] "));
    agent.into_iter().chain(process).collect()
}
