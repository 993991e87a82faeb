//! Pacing: when workers start, and when each of them starts its next scenario.
//!
//! Pacing compares the [plan of the load](crate::load) with what has started, and returns a [`Pace`]. Workers do not know whether
//! their load is a closed loop or a rate.

mod closed;
mod open;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub(super) use self::{
    closed::ClosedLoop,
    open::{OpenLoop, OpenShard},
};
use crate::load::{Arrival, Model};

/// What a worker does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// It starts a scenario at this time on the run's clock, or now if the time has passed.
    At(Duration),
    /// It waits until pacing wakes it, or until this time.
    Idle(Duration),
    /// It ends. `again` is whether the plan may need it later.
    Done { again: bool },
}

/// What pacing knows about a running worker.
#[derive(Debug)]
pub(super) struct WorkerPace {
    /// Its slot in the shard.
    slot: usize,
    /// Its number among the workers of its stream.
    number: usize,
    /// Whether it has set up its sessions.
    joined: bool,
    /// The number of scenarios that it has started.
    started: u64,
    /// The end of its time, and the time at which it ends, which is earlier if the plan needs fewer workers.
    over: Duration,
    end: Duration,
    /// The next start, as last computed.
    next: Option<Planned>,
    /// Whether that start is late because a worker was setting up its sessions.
    waited_for_setup: bool,
    /// The number of changes of the plan that the worker has followed.
    changes: u64,
    /// Since when it has been idle.
    idle_since: Option<Duration>,
}

/// The next start of a worker.
#[derive(Debug, Clone, Copy)]
enum Planned {
    /// In a closed loop: at this time.
    Time(Duration),
    /// At a rate: this start of the schedule.
    Arrival(Arrival),
}

impl WorkerPace {
    pub(super) fn new(slot: usize, number: usize) -> WorkerPace {
        WorkerPace {
            slot,
            number,
            joined: false,
            started: 0,
            over: Duration::MAX,
            end: Duration::MAX,
            next: None,
            waited_for_setup: false,
            changes: 0,
            idle_since: None,
        }
    }
}

/// Decides when the workers of a stream start scenarios.
pub(super) enum Pacing {
    Closed(ClosedLoop),
    Open(Box<OpenLoop>),
}

impl Pacing {
    /// Returns when a worker starts for the first or next time, from `now` on; `None` if the plan does not need it.
    pub(super) fn start_of(&self, worker: &WorkerPace, now: Duration) -> Option<Duration> {
        match self {
            Pacing::Closed(closed) => closed.start_of(worker.number, now),
            Pacing::Open(open) => open.start_of(now),
        }
    }

    /// Notes that a worker has set up its sessions, which took this long. Returns the end of its time.
    pub(super) fn join(&self, worker: &mut WorkerPace, now: Duration, setup: Duration) -> Duration {
        worker.joined = true;
        match self {
            Pacing::Closed(closed) => closed.join(worker, now),
            Pacing::Open(open) => open.join(now, setup),
        }
    }

    /// Returns what a worker does next. `delay` is the sleep after its last scenario.
    pub(super) fn next(&self, worker: &mut WorkerPace, now: Duration, delay: Duration) -> Pace {
        match self {
            Pacing::Closed(closed) => closed.next(worker, now, delay),
            Pacing::Open(open) => open.next(worker, now),
        }
    }

    /// Whether scenarios start at planned times, so that exact timers are worth their cost.
    pub(super) fn is_exact(&self) -> bool {
        matches!(self, Pacing::Open(_))
    }

    /// Records that a worker starts a scenario. Returns how late it starts; `None` in a closed loop, which plans no times.
    pub(super) fn started(&self, worker: &mut WorkerPace, now: Duration) -> Option<Duration> {
        match self {
            Pacing::Closed(_) => {
                (worker.started, worker.next) = (worker.started + 1, None);
                None
            }
            Pacing::Open(open) => Some(open.started(worker, now)),
        }
    }

    /// Notes that a worker ends, for any reason.
    pub(super) fn leave(&self, worker: &mut WorkerPace, now: Duration) {
        if let Pacing::Open(open) = self {
            open.leave(worker, now);
        }
    }

    /// The number of workers of the process that have a number: the most that the plan needs. `None` if workers start on demand.
    pub(super) fn workers(&self) -> Option<usize> {
        match self {
            Pacing::Closed(closed) => Some(closed.workers()),
            Pacing::Open(_) => None,
        }
    }

    /// Returns how many new workers are needed now. The caller starts them.
    pub(super) fn take_wanted(&self) -> usize {
        match self {
            Pacing::Closed(_) => 0,
            Pacing::Open(open) => open.take_wanted(),
        }
    }

    /// Returns when the plan ends: until then, a worker may start. Zero, if it ends with its workers.
    pub(super) fn end(&self) -> Duration {
        match self {
            Pacing::Closed(closed) => closed.end(),
            Pacing::Open(open) => open.end(),
        }
    }

    /// Whether the plan ends only with its workers, so that a change of the plan may add some at any time.
    pub(super) fn is_open_ended(&self) -> bool {
        matches!(self, Pacing::Closed(closed) if closed.is_open_ended())
    }

    /// Ends the plan at `now`: no worker starts any more, and rates start no scenarios. Returns whether it had not been ended before.
    pub(super) fn end_early(&self, now: Duration) -> bool {
        match self {
            Pacing::Closed(closed) => closed.end_early(),
            Pacing::Open(open) => open.end_early(now),
        }
    }

    /// Records the planned starts before `end` that have not happened. Call it after all workers have ended.
    pub(super) fn finish(&self, end: Duration) {
        if let Pacing::Open(open) = self {
            open.finish(end);
        }
    }

    /// Changes the plan. Workers compute their next start again.
    pub(super) fn change(&self, model: &Model, now: Duration) {
        match (self, model) {
            (Pacing::Closed(closed), Model::Closed(model)) => closed.change(model),
            (Pacing::Open(open), Model::Open(model)) => open.change(model, now),
            // A change does not change the models of streams.
            _ => {}
        }
    }
}
