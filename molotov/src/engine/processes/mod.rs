//! Processes as members: forked after `global_setup`, each with its own shards, connected to the parent by a pair of sockets.
//!
//! Scripts rely on forks: what they create before the fork exists in every process, and later changes stay in one process. No
//! other thread exists before the last fork, so a child inherits no running thread.

mod child;
mod fork;
mod member;
mod other_threads;

use std::{io, os::unix::net::UnixStream, sync::Arc, time::Instant};

pub(super) use self::fork::leave;
use self::{member::Child, other_threads::other_threads};
use super::{
    control::Inbox,
    link::{Reader, Writer},
    member::{Member, Members},
    plan::Plan,
    update::MemberId,
};
use crate::{run::Line, ui::Screen, vars::Scope};

/// Forks the processes of a run, which join `members`. Returns in the parent only.
///
/// # Errors
///
/// Returns the reason in one sentence if the processes cannot be forked. None is left then.
pub(super) fn join(
    plan: &Plan,
    inbox: &mut Inbox,
    members: &mut Members,
    screen: &mut dyn Screen,
) -> Result<(), String> {
    let number = plan.args.processes;
    let others = other_threads();
    if !others.is_empty() {
        let names = others.join(", ");
        if plan.selection.event_loop.is_none() {
            return Err(format!(
                "cannot fork while other threads are alive: {names}; end them in `global_setup`, or use `--threads` instead \
                 of `--processes`"
            ));
        }
        // Like the original: scripts import libraries that start threads.
        let text = format!("other threads are alive and will not exist in the forked processes: {names}");
        screen.line(&Line::warning(text));
    }
    screen.line(&Line::info(format!("Forking {number} processes")));
    screen.before_fork();
    let ids: Vec<_> = (0..number).map(|_| members.next_id()).collect();
    let children = fork(plan, &plan.scope, inbox, &ids, &mut || screen.in_child())
        .map_err(|error| format!("cannot fork {number} processes: {error}; try a lower `--processes`"))?;
    children.into_iter().for_each(|child| members.join(child.id(), Box::new(child)));
    Ok(())
}

/// Forks the children of a run, one for each id. Returns in the parent only.
///
/// # Errors
///
/// If the system refuses a process. The children forked before have ended by then.
fn fork(
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
                let Some((reader, writer)) = link else { leave(1) };
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
