//! Members: whoever generates the load of a run, be it a thread of this process, a process, or a machine.

use std::{collections::BTreeMap, io, sync::Arc, time::Duration, time::Instant};

use super::{
    message::Message,
    update::{Command, MemberId, Update},
};
use crate::{queue::Sender, run::Incomplete};

/// A member of a run, as its coordinator sees it. What it has to say arrives as [`Update`]s.
pub(super) trait Member: Send {
    /// As messages name it: `thread 3`, `the process 4711`.
    fn name(&self) -> String;

    /// As tables name it; `None` for what is in the coordinator's own process.
    fn label(&self) -> Option<Arc<str>> {
        None
    }

    /// Lets it begin a run that started at `epoch`; its updates go to `sender`. Some begin when they join.
    fn begin(&mut self, sender: &Sender<Message>, epoch: Instant) -> io::Result<()> {
        let _ = (sender, epoch);
        Ok(())
    }

    /// Sends it a command. One that has ended takes none.
    fn send(&mut self, command: Command);

    /// Takes note of what it has said itself.
    fn observe(&mut self, update: &Update);

    /// Looks whether all is well, and returns what it should have said itself. To be called again and again.
    fn look_after(&mut self) -> Vec<Update>;

    /// Whether it is about to end, so that it is to be looked after soon.
    fn is_ending(&self) -> bool {
        false
    }

    /// Whether nothing is to be expected of it any more.
    fn has_ended(&self) -> bool;

    /// Its counts are incomplete since a moment of the run.
    fn incomplete(&self, since: Duration) -> Incomplete;

    /// Lets go of it: waits for its end, unless it was given up.
    fn release(self: Box<Self>);
}

/// The members of a run, or the threads of one of its processes.
#[derive(Default)]
pub(super) struct Members {
    joined: BTreeMap<MemberId, MemberState>,
    next: u32,
}

/// A member, and what it has reported.
pub(super) struct MemberState {
    member: Box<dyn Member>,
    running: usize,
    most: usize,
    /// Until when it has reported its measures.
    reported: Duration,
    /// Its work is over, or it was given up.
    done: bool,
    lost: bool,
}

impl Members {
    /// The identity of the next member.
    pub(super) fn next_id(&mut self) -> MemberId {
        self.next += 1;
        MemberId(self.next - 1)
    }

    /// A member joins under the identity that it was given.
    pub(super) fn join(&mut self, id: MemberId, member: Box<dyn Member>) {
        self.joined.insert(
            id,
            MemberState { member, running: 0, most: 0, reported: Duration::ZERO, done: false, lost: false },
        );
    }

    pub(super) fn is_empty(&self) -> bool {
        self.joined.is_empty()
    }

    pub(super) fn get_mut(&mut self, id: MemberId) -> Option<&mut MemberState> {
        self.joined.get_mut(&id)
    }

    pub(super) fn begin(&mut self, sender: &Sender<Message>, epoch: Instant) -> io::Result<()> {
        self.joined.values_mut().try_for_each(|joined| joined.member.begin(sender, epoch))
    }

    pub(super) fn send(&mut self, command: Command) {
        self.joined.values_mut().for_each(|joined| joined.member.send(command));
    }

    /// What members should have said themselves.
    pub(super) fn look_after(&mut self) -> Vec<(MemberId, Update)> {
        let look = |(id, joined): (&MemberId, &mut MemberState)| {
            joined.member.look_after().into_iter().map(|update| (*id, update)).collect::<Vec<_>>()
        };
        self.joined.iter_mut().flat_map(look).collect()
    }

    pub(super) fn some_are_ending(&self) -> bool {
        self.joined.values().any(|joined| joined.member.is_ending())
    }

    pub(super) fn all_ended(&self) -> bool {
        self.joined.values().all(|joined| joined.member.has_ended())
    }

    /// How many have not ended.
    pub(super) fn living(&self) -> usize {
        self.joined.values().filter(|joined| !joined.done).count()
    }

    /// How many workers run.
    pub(super) fn running(&self) -> usize {
        self.joined.values().map(|joined| joined.running).sum()
    }

    /// How many workers ran at most.
    pub(super) fn most(&self) -> usize {
        self.joined.values().map(|joined| joined.most).sum()
    }

    /// The workers of all as those of one.
    pub(super) fn workers(&self) -> Update {
        Update::Workers { running: self.running(), most: self.most() }
    }

    /// What all have reported as what one has.
    pub(super) fn reported(&self) -> Update {
        let reported =
            |done| self.joined.values().filter(move |joined| joined.done == done).map(|joined| joined.reported);
        Update::Reported(reported(false).min().or_else(|| reported(true).max()).unwrap_or_default())
    }

    /// Lets go of all.
    pub(super) fn release(&mut self) {
        for joined in std::mem::take(&mut self.joined).into_values() {
            joined.member.release();
        }
    }
}

impl MemberState {
    /// Takes note of what the member has said; `false` when that is no part of the run any more, since the member was given up.
    pub(super) fn record(&mut self, update: &Update) -> bool {
        self.member.observe(update);
        let is_lost = matches!(update, Update::Lost(_));
        let is_news = is_lost && !self.lost;
        self.lost |= is_lost;
        if self.done {
            return is_news;
        }
        match update {
            Update::Workers { running, most } => (self.running, self.most) = (*running, *most),
            Update::Reported(until) => self.reported = self.reported.max(*until),
            Update::Done { .. } | Update::Lost(_) => (self.running, self.done) = (0, true),
            _ => {}
        }
        true
    }

    pub(super) fn name(&self) -> String {
        self.member.name()
    }

    pub(super) fn label(&self) -> Option<Arc<str>> {
        self.member.label()
    }

    /// Whether its work is over, or it was given up.
    pub(super) fn is_done(&self) -> bool {
        self.done
    }

    /// Its counts are incomplete since its last report.
    pub(super) fn incomplete(&self) -> Incomplete {
        self.member.incomplete(self.reported)
    }
}
