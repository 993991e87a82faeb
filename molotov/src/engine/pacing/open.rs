//! The open model: scenarios start at planned times, whatever the service does.
//!
//! A worker takes the next start of the schedule and waits for its time. When it starts, an idle worker or a new one takes the next
//! start, so there are as many workers as the plan needs. If all are busy and no more are allowed, the first worker that becomes
//! free takes the next start late, or the start is dropped.

use std::{cell::RefCell, collections::HashSet, time::Duration};

use super::{Pace, Planned, WorkerPace};
use crate::{
    load::{OpenModel, Part, Schedule},
    metrics::{StartSample, WaitedFor},
    options::WhenBusy,
};

/// How long a worker is idle before it ends.
const KEEP_IDLE: Duration = Duration::from_secs(10);

/// With `drop`, a start still happens if it is at most this late, because timers and threads are not exact.
const ON_TIME: Duration = Duration::from_millis(2);

/// Gives the planned starts of a shard to its workers.
pub(in crate::engine) struct OpenLoop {
    state: RefCell<State>,
    /// Records what happened at the start that was planned for a time.
    record: Box<dyn Fn(Duration, StartSample)>,
    /// Wakes the worker in a slot.
    wake: Box<dyn Fn(usize)>,
    /// Asks for new workers.
    grow: Box<dyn Fn()>,
}

struct State {
    model: OpenModel,
    schedule: Schedule,
    /// The most workers of this shard.
    limit: usize,
    changes: u64,
    /// The number of workers, including requested ones that do not exist yet.
    workers: usize,
    /// The number of workers that have not set up their sessions.
    joining: usize,
    /// The number of workers that wait for the time of a start.
    waiting: usize,
    /// The slots of idle workers. The last one is woken first.
    idle: Vec<usize>,
    /// The slots of workers that were woken and have not taken a start yet.
    woken: HashSet<usize>,
    /// The number of requested workers that do not exist yet.
    wanted: usize,
    /// How long a worker takes to set up its sessions: the longest recent time, which decays slowly.
    setup: Duration,
    /// When a worker last finished setting up its sessions.
    set_up_until: Duration,
    /// When the plan ended early.
    over: Option<Duration>,
}

/// How a shard takes part in an open model.
pub(in crate::engine) struct OpenShard {
    pub(in crate::engine) part: Part,
    /// The most workers of the shard.
    pub(in crate::engine) limit: usize,
    pub(in crate::engine) record: Box<dyn Fn(Duration, StartSample)>,
    pub(in crate::engine) wake: Box<dyn Fn(usize)>,
    pub(in crate::engine) grow: Box<dyn Fn()>,
}

impl OpenLoop {
    pub(in crate::engine) fn new(model: &OpenModel, shard: OpenShard) -> OpenLoop {
        let OpenShard { part, limit, record, wake, grow } = shard;
        let state = State {
            model: model.clone(),
            schedule: Schedule::new(model, part),
            limit,
            changes: 0,
            workers: 0,
            joining: 0,
            waiting: 0,
            idle: Vec::new(),
            woken: HashSet::new(),
            wanted: 0,
            setup: Duration::ZERO,
            set_up_until: Duration::ZERO,
            over: None,
        };
        let open = OpenLoop { state: RefCell::new(state), record, wake, grow };
        open.provide(Duration::ZERO);
        open
    }

    pub(super) fn start_of(&self, now: Duration) -> Option<Duration> {
        let state = self.state.borrow();
        (state.schedule.peek().is_some() && now < state.end()).then_some(now)
    }

    /// Returns how many new workers are needed, which the caller starts.
    pub(super) fn take_wanted(&self) -> usize {
        std::mem::take(&mut self.state.borrow_mut().wanted)
    }

    /// Returns when the plan ends.
    pub(super) fn end(&self) -> Duration {
        self.state.borrow().end()
    }

    /// Ends the plan. Starts after this time are not owed. Returns whether it had not been ended before.
    pub(super) fn end_early(&self, now: Duration) -> bool {
        let over = &mut self.state.borrow_mut().over;
        let is_new = over.is_none();
        over.get_or_insert(now);
        is_new
    }

    pub(super) fn join(&self, now: Duration, setup: Duration) -> Duration {
        let state = &mut *self.state.borrow_mut();
        state.joining -= 1;
        state.set_up_until = now;
        state.setup = setup.max(state.setup.mul_f64(0.9));
        state.model.rate.end()
    }

    pub(super) fn next(&self, worker: &mut WorkerPace, now: Duration) -> Pace {
        let state = &mut *self.state.borrow_mut();
        let idle_since = worker.idle_since.take();
        if let Some(since) = idle_since
            && !state.is_woken(worker.slot)
            && now >= since.saturating_add(KEEP_IDLE)
        {
            return Pace::Done { again: false };
        }
        if let Some(Planned::Arrival(arrival)) = worker.next
            && state.over.is_none()
        {
            if worker.changes == state.changes {
                return Pace::At(arrival.at);
            }
            worker.changes = state.changes;
            match state.schedule.again(arrival) {
                Some(again) => {
                    worker.next = Some(Planned::Arrival(again));
                    return Pace::At(again.at);
                }
                None => {
                    worker.next = None;
                    state.waiting -= 1;
                }
            }
        }
        worker.changes = state.changes;
        let end = state.end();
        if state.model.when_busy == WhenBusy::Drop && state.is_exhausted() {
            while let Some(next) = state.schedule.peek().filter(|next| next.at + ON_TIME < now) {
                state.schedule.take();
                (self.record)(next.at, StartSample::Dropped(state.waited_for(next.at)));
            }
        }
        if now >= end {
            return Pace::Done { again: false };
        }
        let Some(next) = state.schedule.peek() else { return Pace::Done { again: false } };
        if next.at > now && state.waiting >= state.spares(now) {
            state.idle.push(worker.slot);
            let since = idle_since.unwrap_or(now);
            worker.idle_since = Some(since);
            return Pace::Idle(since.saturating_add(KEEP_IDLE).min(end));
        }
        state.schedule.take();
        state.waiting += 1;
        worker.waited_for_setup = next.at + ON_TIME < now && state.waited_for(next.at) == WaitedFor::Setup;
        worker.next = Some(Planned::Arrival(next));
        Pace::At(next.at)
    }

    pub(super) fn started(&self, worker: &mut WorkerPace, now: Duration) -> Duration {
        let lag = match worker.next.take() {
            Some(Planned::Arrival(arrival)) => {
                let state = &mut *self.state.borrow_mut();
                state.waiting -= 1;
                now.saturating_sub(arrival.at)
            }
            _ => Duration::ZERO,
        };
        let waited_for = match worker.waited_for_setup {
            true => Some(WaitedFor::Setup),
            false => (lag > ON_TIME && self.state.borrow().is_exhausted()).then_some(WaitedFor::BusyWorkers),
        };
        (self.record)(now.saturating_sub(lag), StartSample::Started { lag, waited_for });
        worker.started += 1;
        self.provide(now);
        lag
    }

    /// Makes sure that idle or new workers wait for the next starts.
    fn provide(&self, now: Duration) {
        let state = &mut *self.state.borrow_mut();
        if state.schedule.peek().is_none() || now >= state.end() {
            return;
        }
        let missing = state.spares(now).saturating_sub(state.waiting + state.woken.len() + state.joining);
        for _ in 0..missing {
            if let Some(slot) = state.idle.pop() {
                state.woken.insert(slot);
                (self.wake)(slot);
            } else if state.workers < state.limit {
                state.workers += 1;
                state.joining += 1;
                state.wanted += 1;
            } else {
                break;
            }
        }
        if state.wanted > 0 {
            (self.grow)();
        }
    }

    pub(super) fn leave(&self, worker: &mut WorkerPace, now: Duration) {
        let state = &mut *self.state.borrow_mut();
        state.workers -= 1;
        if !worker.joined {
            state.joining -= 1;
            state.set_up_until = now;
        }
        if worker.idle_since.take().is_some() {
            state.is_woken(worker.slot);
        }
        if let Some(Planned::Arrival(arrival)) = worker.next.take() {
            state.waiting -= 1;
            if arrival.at < now.min(state.end()) {
                (self.record)(arrival.at, StartSample::Unstarted(None));
            }
        }
    }

    /// Records the starts that were planned before `end` and have not happened.
    pub(super) fn finish(&self, end: Duration) {
        let state = &mut *self.state.borrow_mut();
        let end = end.min(state.end());
        while let Some(next) = state.schedule.peek().filter(|next| next.at < end) {
            state.schedule.take();
            let waited_for = state.waited_for(next.at);
            let sample = match state.model.when_busy {
                WhenBusy::Wait => StartSample::Unstarted((waited_for == WaitedFor::Setup).then_some(waited_for)),
                WhenBusy::Drop => StartSample::Dropped(waited_for),
            };
            (self.record)(next.at, sample);
        }
    }

    pub(super) fn change(&self, model: &OpenModel, now: Duration) {
        {
            let state = &mut *self.state.borrow_mut();
            state.schedule.change(&model.rate);
            state.model.clone_from(model);
            state.changes += 1;
        }
        self.provide(now);
    }
}

impl State {
    /// When the plan ends.
    fn end(&self) -> Duration {
        let end = self.model.rate.end();
        self.over.map_or(end, |over| over.min(end))
    }

    /// The number of workers that should wait for a start: one, plus those that the plan needs while a new worker sets up its
    /// sessions.
    fn spares(&self, now: Duration) -> usize {
        if self.setup < ON_TIME { 1 } else { 1 + self.schedule.starts_between(now, now.saturating_add(self.setup)) }
    }

    /// Returns whether a worker was woken for a start; otherwise, it was idle. Afterwards, it counts as neither.
    fn is_woken(&mut self, slot: usize) -> bool {
        if self.woken.remove(&slot) {
            return true;
        }
        if let Some(at) = self.idle.iter().rposition(|idle| *idle == slot) {
            self.idle.remove(at);
        }
        false
    }

    /// What a start waits for that is overdue, unless it is the load generator.
    fn waited_for(&self, planned: Duration) -> WaitedFor {
        let set_up = self.joining > 0 || planned < self.set_up_until;
        if set_up { WaitedFor::Setup } else { WaitedFor::BusyWorkers }
    }

    /// Whether all workers are busy and no more are allowed.
    fn is_exhausted(&self) -> bool {
        self.workers >= self.limit && self.idle.is_empty() && self.woken.is_empty() && self.joining == 0
    }
}
