//! Runs on several machines, in programs that are built with the feature `cluster`.

use super::Subject;
use crate::{
    cluster::coordinator,
    engine::{Agents, Plan},
};

/// Prepares the agents of a run; `None` if it runs on this machine only.
///
/// # Errors
///
/// Returns a sentence that says what is wrong with the options.
pub(super) fn agents(plan: &Plan, subject: Subject) -> Result<Option<Box<dyn Agents>>, String> {
    let subject = match subject {
        Subject::Command => coordinator::Subject::Command { python: python() },
        Subject::Program => coordinator::Subject::Program,
    };
    let cluster = coordinator::prepare(&plan.args, subject, false)?;
    Ok(cluster.map(|cluster| Box::new(cluster) as Box<dyn Agents>))
}

/// The version of the Python that scripts run with.
fn python() -> Option<String> {
    #[cfg(feature = "python")]
    return Some(super::scripts::version());
    #[cfg(not(feature = "python"))]
    None
}
