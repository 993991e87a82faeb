//! What the thread that talks to the broker and the members of a run both know.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::cluster::protocol::COORDINATOR_TIMEOUT;

/// The state of the connection and of the agents.
#[derive(Debug)]
pub(super) struct Shared(Mutex<State>);

#[derive(Debug)]
pub(super) struct State {
    /// Since when the broker can be reached without a break; `Err` holds since when it cannot.
    pub(super) broker: Result<Instant, Instant>,
    /// The agents, by number.
    pub(super) agents: Vec<AgentState>,
    /// The number of the agent of each assignment that counts.
    pub(super) assigned: HashMap<usize, usize>,
    /// Since when no agent is at work.
    pub(super) idle_since: Option<Instant>,
    /// When the run began.
    pub(super) epoch: Option<Instant>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct AgentState {
    pub(super) name: String,
    /// When it was last heard.
    pub(super) heard: Option<Instant>,
    /// It has been silent for too long.
    pub(super) is_cut_off: bool,
    /// It sends nothing more.
    pub(super) has_ended: bool,
    /// Some of its measures are missing: it was lost, or a process or thread of it, or messages were lost on the way.
    pub(super) is_incomplete: bool,
    /// How late its first and its last thread began.
    pub(super) began: Option<(Duration, Duration)>,
}

impl Shared {
    pub(super) fn new(agents: usize) -> Shared {
        let agents = vec![AgentState::default(); agents];
        Shared(Mutex::new(State {
            broker: Ok(Instant::now()),
            agents,
            assigned: HashMap::new(),
            idle_since: None,
            epoch: None,
        }))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that the agent of an assignment was heard. Returns its number; `None` if the assignment does not count.
    pub(super) fn heard(&self, assignment: usize) -> Option<usize> {
        let mut state = self.lock();
        let number = *state.assigned.get(&assignment)?;
        state.agents.get_mut(number)?.heard = Some(Instant::now());
        Some(number)
    }
}

impl State {
    /// How long an agent has been silent although the broker could be reached.
    pub(super) fn silence(&self, number: usize) -> Duration {
        let (Ok(up_since), Some(agent)) = (self.broker, self.agents.get(number)) else { return Duration::ZERO };
        agent.heard.map_or(up_since, |heard| heard.max(up_since)).elapsed()
    }

    /// Whether the broker has been away for so long that the agents have stopped on their own.
    pub(super) fn agents_have_stopped(&self) -> bool {
        self.broker.is_err_and(|since| since.elapsed() >= COORDINATOR_TIMEOUT)
    }

    /// Notes the state of an agent, and whether any agent is still at work.
    pub(super) fn change(&mut self, number: usize, change: impl FnOnce(&mut AgentState)) {
        if let Some(agent) = self.agents.get_mut(number) {
            change(agent);
        }
        let is_idle = self.agents.iter().all(|agent| agent.has_ended || agent.is_cut_off);
        self.idle_since = is_idle.then(|| self.idle_since.unwrap_or_else(Instant::now));
    }

    /// The time of the run at a moment.
    pub(super) fn time(&self, moment: Instant) -> Duration {
        self.epoch.map_or(Duration::ZERO, |epoch| moment.saturating_duration_since(epoch))
    }
}
