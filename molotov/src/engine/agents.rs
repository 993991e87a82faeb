//! Agents, which run the members of a run on other machines.

use std::time::Instant;

use super::{
    member::Member,
    message::Message,
    update::{MemberId, Update},
};
use crate::{
    load::Load,
    queue::Sender,
    run::{Line, Verdict},
};

/// The agents of a run. They are gathered before the run begins, and dismissed when it has ended.
pub(crate) trait Agents: Send {
    /// Starts to gather the agents, without waiting for them.
    ///
    /// # Errors
    ///
    /// Returns a sentence that says why that is impossible.
    fn gather(&mut self, reports: Reports) -> Result<(), String>;

    /// Returns the gathered agents, or why the run cannot begin, as soon as either is known. Called at intervals.
    fn gathered(&mut self) -> Option<Result<Gathered, Verdict>>;

    /// Ends the preparation of the run early: [`gathered`](Self::gathered) returns `Verdict::Ended`, or the failure of a fixture, after
    /// the `global_teardown` of the agents.
    fn stop(&mut self);

    /// Frees the agents, and deletes what the run has left at the broker. Returns facts about the run, in sentences.
    fn dismiss(&mut self) -> Vec<String>;
}

/// Agents that wait for the start of the run.
pub(crate) struct Gathered {
    pub(crate) members: Vec<(MemberId, Box<dyn Member>)>,
    /// The plan of the load, which `global_setup` may have changed.
    pub(crate) load: Load,
    /// How many threads run workers, over all agents.
    pub(crate) threads: usize,
    /// When the workers start.
    pub(crate) epoch: Instant,
}

/// Passes what agents report to the coordinator of the run.
#[derive(Debug, Clone)]
pub(crate) struct Reports(Sender<Message>);

impl Reports {
    pub(crate) fn new(sender: Sender<Message>) -> Reports {
        Reports(sender)
    }

    pub(crate) fn line(&self, line: Line) {
        self.0.send(Message::Line(line));
    }

    pub(crate) fn update(&self, member: MemberId, update: Update) {
        self.0.send(Message::Update(member, update));
    }
}
