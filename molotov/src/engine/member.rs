//! Members generate the load of a run. A member is a thread of this process or another process.

use std::{collections::BTreeMap, io, time::Duration, time::Instant};

use super::{
    message::Message,
    update::{Command, MemberId, Update},
};
use crate::{
    format,
    queue::Sender,
    run::{Incomplete, MemberLabel},
};

/// A member of a run, as its coordinator sees it. It reports by [`Update`]s.
pub(crate) trait Member: Send {
    /// Its name in messages: `thread 3`, `the process 4711`.
    fn name(&self) -> String;

    /// Its label in tables and lines; `None` for a thread of the coordinator's process.
    fn label(&self) -> Option<MemberLabel> {
        None
    }

    /// Starts its work in a run that started at `epoch`. Its updates go to `sender`. Threads start when they join.
    fn begin(&mut self, sender: &Sender<Message>, epoch: Instant) -> io::Result<()> {
        let _ = (sender, epoch);
        Ok(())
    }

    /// Sends it a command, unless it has ended.
    fn send(&mut self, command: Command);

    /// Notes an update that it sent.
    fn observe(&mut self, update: &Update);

    /// Checks its state, and returns updates that it could not send itself. Called at intervals.
    fn look_after(&mut self) -> Vec<Update>;

    /// Whether it is about to end. If so, `look_after` is called sooner.
    fn is_ending(&self) -> bool {
        false
    }

    /// Whether it cannot be reached at the moment.
    fn is_cut_off(&self) -> bool {
        false
    }

    /// Whether it sends no more updates.
    fn has_ended(&self) -> bool;

    /// Describes that its counts are incomplete since this time of the run.
    fn incomplete(&self, since: Duration) -> Incomplete;

    /// Waits for its end, unless it was given up.
    fn release(self: Box<Self>);
}

/// The members of a run, or the threads of one of its processes.
#[derive(Default)]
pub(super) struct Members {
    members: BTreeMap<MemberId, MemberState>,
    next: u32,
}

/// A member and the state that it has reported.
pub(super) struct MemberState {
    member: Box<dyn Member>,
    running: usize,
    most: usize,
    /// The time of the run up to which it has reported its measures.
    reported: Duration,
    /// Whether its work is done or it was given up.
    done: bool,
    given_up: bool,
    lost: bool,
    /// Whether it waits without workers.
    idle: bool,
}

impl Members {
    /// Returns a new id.
    pub(super) fn next_id(&mut self) -> MemberId {
        self.next += 1;
        MemberId(self.next - 1)
    }

    /// Adds a member.
    pub(super) fn join(&mut self, id: MemberId, member: Box<dyn Member>) {
        self.members.insert(
            id,
            MemberState {
                member,
                running: 0,
                most: 0,
                reported: Duration::ZERO,
                done: false,
                given_up: false,
                lost: false,
                idle: false,
            },
        );
    }

    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub(super) fn get_mut(&mut self, id: MemberId) -> Option<&mut MemberState> {
        self.members.get_mut(&id)
    }

    pub(super) fn begin(&mut self, sender: &Sender<Message>, epoch: Instant) -> io::Result<()> {
        self.members.values_mut().try_for_each(|state| state.member.begin(sender, epoch))
    }

    pub(super) fn send(&mut self, command: Command) {
        self.members.values_mut().for_each(|state| state.member.send(command.clone()));
    }

    /// Checks all members, and returns updates that they could not send themselves.
    pub(super) fn look_after(&mut self) -> Vec<(MemberId, Update)> {
        let look = |(id, state): (&MemberId, &mut MemberState)| {
            state.member.look_after().into_iter().map(|update| (*id, update)).collect::<Vec<_>>()
        };
        self.members.iter_mut().flat_map(look).collect()
    }

    pub(super) fn some_are_ending(&self) -> bool {
        self.members.values().any(|state| state.member.is_ending())
    }

    pub(super) fn all_ended(&self) -> bool {
        self.members.values().all(|state| state.member.has_ended())
    }

    /// Whether some members wait without workers, and no other member has any.
    pub(super) fn are_idle(&self) -> bool {
        let mut living = self.members.values().filter(|state| !state.done && !state.is_cut_off()).peekable();
        living.peek().is_some() && living.all(|state| state.idle)
    }

    /// How many members have not ended.
    pub(super) fn living(&self) -> usize {
        self.members.values().filter(|state| !state.done).count()
    }

    /// How many agents have not ended.
    pub(super) fn living_agents(&self) -> usize {
        let is_agent = |state: &MemberState| state.label().is_some_and(|label| label.is_agent());
        self.members.values().filter(|state| !state.done && is_agent(state)).count()
    }

    /// How many workers are running.
    pub(super) fn running(&self) -> usize {
        self.members.values().map(|state| state.running).sum()
    }

    /// The most workers that ran at once.
    pub(super) fn most(&self) -> usize {
        self.members.values().map(|state| state.most).sum()
    }

    /// The workers of all members, as an update of one.
    pub(super) fn workers(&self) -> Update {
        Update::Workers { running: self.running(), most: self.most() }
    }

    /// The time up to which all members have reported, as an update of one.
    pub(super) fn reported(&self) -> Update {
        Update::Reported(self.reported_until())
    }

    /// The time up to which all members have reported.
    pub(super) fn reported_until(&self) -> Duration {
        let reported = |done| {
            let counts = move |state: &&MemberState| state.done == done && !state.member.is_cut_off();
            self.members.values().filter(counts).map(|state| state.reported)
        };
        reported(false).min().or_else(|| reported(true).max()).unwrap_or_default()
    }

    /// Releases all members.
    pub(super) fn release(&mut self) {
        for state in std::mem::take(&mut self.members).into_values() {
            state.member.release();
        }
    }
}

impl MemberState {
    /// Notes an update. Returns `false` if it no longer counts because the member has ended or was given up.
    pub(super) fn record(&mut self, update: &Update) -> bool {
        self.member.observe(update);
        let is_lost = matches!(update, Update::Lost(_));
        let is_news = is_lost && !self.lost;
        self.lost |= is_lost;
        self.given_up |= matches!(update, Update::Abandoned);
        if self.done {
            // `global_teardown` of another machine runs after the work is done.
            let is_late = matches!(update, Update::Line(_) | Update::Note(_) | Update::Exit(_));
            return is_news || is_late && !self.lost && !self.given_up;
        }
        match update {
            Update::Workers { running, most } => (self.running, self.most) = (*running, *most),
            Update::Idle(idle) => self.idle = *idle,
            Update::Reported(until) => self.reported = self.reported.max(*until),
            Update::Done { .. } | Update::Lost(_) => (self.running, self.done) = (0, true),
            _ => {}
        }
        true
    }

    pub(super) fn name(&self) -> String {
        self.member.name()
    }

    pub(super) fn label(&self) -> Option<MemberLabel> {
        self.member.label()
    }

    pub(super) fn is_cut_off(&self) -> bool {
        self.member.is_cut_off()
    }

    /// Whether its work is done or it was given up.
    pub(super) fn is_done(&self) -> bool {
        self.done
    }

    /// Describes that this many of its updates were lost on the way.
    pub(super) fn missing(&self, updates: u64) -> String {
        let (count, since) = (format::plural(updates, "update"), format::elapsed(self.incomplete().since));
        format!("{count} of {} were lost on the way: its counts are incomplete since {since}", self.name())
    }

    /// Describes that its counts are incomplete since its last report.
    pub(super) fn incomplete(&self) -> Incomplete {
        self.member.incomplete(self.reported)
    }
}
