//! Processes as members: forked after `global_setup`, each with its own shards, connected to the parent by a pair of sockets.
//!
//! Scripts rely on forks: what they create before the fork exists in every process, and later changes stay in one process. No
//! other thread exists before the last fork, so a child inherits no running thread.

mod child;
mod fork;
mod member;
mod other_threads;

use std::{io, os::unix::net::UnixStream, sync::Arc, time::Instant};

pub(super) use self::{member::Child, other_threads::other_threads};
use super::{
    control::Inbox,
    link::{Reader, Writer},
    member::Member,
    plan::Plan,
    update::MemberId,
};
use crate::vars::Scope;

/// Forks the children of a run, one for each id. Returns in the parent only.
///
/// # Errors
///
/// If the system refuses a process. The children forked before have ended by then.
pub(super) fn fork(
    plan: &Plan,
    scope: &Arc<Scope>,
    inbox: &mut Inbox,
    ids: &[MemberId],
    in_child: &mut dyn FnMut(),
) -> io::Result<Vec<Child>> {
    let pairs = ids.iter().map(|_| UnixStream::pair()).collect::<io::Result<Vec<_>>>()?;
    let (ours, theirs): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
    let mut theirs: Vec<_> = theirs.into_iter().map(Some).collect();
    let mut ours: Vec<_> = ours.into_iter().map(Some).collect();
    let forked = Instant::now();
    let mut children: Vec<Child> = Vec::new();
    for (number, id) in ids.iter().copied().enumerate() {
        let pid = match fork::fork_one(plan.selection.event_loop.as_deref()) {
            Ok(Some(pid)) => pid,
            Ok(None) => {
                let stream = theirs[number].take();
                // An open end here would keep the other children from noticing that the parent has exited.
                drop((ours, theirs, children));
                in_child();
                let link = stream.and_then(|stream| Some((stream.try_clone().ok()?, stream)));
                let Some((reader, writer)) = link else { fork::leave(1) };
                let (reader, writer) = (Reader::new(reader), Writer::new(writer));
                let scope = scope.clone();
                child::run(child::ChildStart { plan, scope, inbox, reader, writer, id, number, forked });
            }
            Err(error) => {
                drop((ours, theirs));
                children.into_iter().for_each(|child| Box::new(child).release());
                return Err(error);
            }
        };
        theirs[number] = None;
        let stream = ours[number].take().ok_or(io::ErrorKind::NotFound)?;
        let writer = Writer::new(stream.try_clone()?);
        children.push(Child::new(id, number, pid, forked, stream, writer));
    }
    Ok(children)
}
