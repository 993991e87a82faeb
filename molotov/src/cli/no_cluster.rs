//! Replaces `cluster.rs` in programs that are built without the feature `cluster`.

use super::Subject;
use crate::{
    engine::{Agents, Plan},
    missing::missing,
};

/// Reports that the program cannot run on several machines.
pub(super) fn agents(plan: &Plan, _subject: Subject) -> Result<Option<Box<dyn Agents>>, String> {
    match plan.args.agents {
        None => Ok(None),
        Some(_) => Err(missing("`--agents` does not work", "cluster")),
    }
}
