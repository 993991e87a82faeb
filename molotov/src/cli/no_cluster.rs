//! Replaces `cluster.rs` in programs that are built without the feature `cluster`.

use super::Subject;
use crate::{
    engine::{Agents, Plan},
    missing::missing,
    notice::complain,
    options::Args,
};

/// Reports that the program cannot run on several machines.
pub(super) fn agents(plan: &Plan, _subject: Subject) -> Result<Option<Box<dyn Agents>>, String> {
    match plan.args.agents {
        None => Ok(None),
        Some(_) => Err(missing("`--agents` does not work", "cluster")),
    }
}

/// Reports that the program cannot wait for runs, if the command line asks for it.
pub(super) fn join(args: &Args) -> Option<u8> {
    args.join.as_ref()?;
    complain(&missing("`--join` does not work", "cluster"));
    Some(2)
}
