//! The status of each worker of a shard. The coordinator reads it when a worker does not end.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use super::clock::Clock;
use crate::{options::WorkerId, run::Line};

/// What a worker is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Activity {
    /// It waits for its start during the ramp-up.
    Waiting,
    /// It runs the fixture `setup`.
    Setup,
    /// It runs the fixture `setup_session`.
    SetupSession,
    /// It is between two scenarios.
    Idle,
    /// It runs the scenario with this index in the plan.
    Scenario(usize),
    /// It runs the fixture `teardown_session`.
    TeardownSession,
    /// It runs the fixture `teardown`.
    Teardown,
    /// It has ended.
    Ended,
}

const FIRST_SCENARIO: u32 = 16;

impl Activity {
    fn code(self) -> u32 {
        match self {
            Activity::Waiting => 0,
            Activity::Setup => 1,
            Activity::SetupSession => 2,
            Activity::Idle => 3,
            Activity::TeardownSession => 4,
            Activity::Teardown => 5,
            Activity::Ended => 6,
            Activity::Scenario(index) => FIRST_SCENARIO.saturating_add(index as u32),
        }
    }

    fn from_code(code: u32) -> Activity {
        match code {
            0 => Activity::Waiting,
            1 => Activity::Setup,
            2 => Activity::SetupSession,
            3 => Activity::Idle,
            4 => Activity::TeardownSession,
            5 => Activity::Teardown,
            code if code >= FIRST_SCENARIO => Activity::Scenario((code - FIRST_SCENARIO) as usize),
            _ => Activity::Ended,
        }
    }
}

/// The status of every worker of a shard, including workers added during the run. The shard writes it; any thread may read it.
#[derive(Debug)]
pub(super) struct StatusTable {
    clock: Arc<Clock>,
    statuses: Mutex<Vec<Arc<WorkerStatus>>>,
}

/// The status of one worker.
#[derive(Debug)]
pub(crate) struct WorkerStatus {
    worker: WorkerId,
    /// How many workers have had the slot.
    workers: AtomicU32,
    activity: AtomicU32,
    /// When the worker's duration is over, in milliseconds on the run's clock; `u64::MAX` before that is known.
    end: AtomicU64,
}

impl WorkerStatus {
    fn new(worker: WorkerId) -> Arc<WorkerStatus> {
        let (activity, end) = (AtomicU32::new(Activity::Waiting.code()), AtomicU64::new(u64::MAX));
        Arc::new(WorkerStatus { worker, workers: AtomicU32::new(0), activity, end })
    }

    pub(crate) fn set(&self, activity: Activity) {
        self.activity.store(activity.code(), Ordering::Relaxed);
    }

    /// Gives the slot to a new worker. Returns how many have had it before.
    pub(crate) fn restart(&self) -> u32 {
        self.set(Activity::Waiting);
        self.end.store(u64::MAX, Ordering::Relaxed);
        self.workers.fetch_add(1, Ordering::Relaxed)
    }

    /// Sets when the worker's duration is over, on the run's clock.
    pub(crate) fn set_end(&self, end: Duration) {
        self.end.store(millis(end), Ordering::Relaxed);
    }

    fn activity(&self) -> Activity {
        Activity::from_code(self.activity.load(Ordering::Relaxed))
    }
}

impl StatusTable {
    pub(crate) fn new(clock: Arc<Clock>) -> StatusTable {
        StatusTable { clock, statuses: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<WorkerStatus>>> {
        self.statuses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The status of the worker in this slot.
    pub(crate) fn get(&self, slot: usize) -> Arc<WorkerStatus> {
        self.lock()[slot].clone()
    }

    /// Adds a worker in the next slot, whose number `id` turns into its id. Returns the slot.
    pub(crate) fn add(&self, id: impl FnOnce(usize) -> WorkerId) -> usize {
        let mut statuses = self.lock();
        let slot = statuses.len();
        statuses.push(WorkerStatus::new(id(slot)));
        slot
    }

    /// The workers that have not ended, and what they are doing.
    pub(crate) fn unfinished(&self) -> Vec<(WorkerId, Activity)> {
        let statuses = self.lock();
        let activities = statuses.iter().map(|status| (status.worker, status.activity()));
        activities.filter(|(_, activity)| *activity != Activity::Ended).collect()
    }

    /// Whether the durations of all unfinished workers were over at least `grace` ago, not counting pauses. `false` if no
    /// worker is unfinished.
    pub(crate) fn overdue(&self, grace: Duration) -> bool {
        let limit = millis(self.clock.now().saturating_sub(grace));
        let statuses = self.lock();
        let mut unfinished = statuses.iter().filter(|status| status.activity() != Activity::Ended).peekable();
        unfinished.peek().is_some() && unfinished.all(|status| status.end.load(Ordering::Relaxed) < limit)
    }
}

/// The line that names a worker which did not end within `grace`.
pub(super) fn left_running(worker: WorkerId, activity: Activity, scenarios: &[String], grace: Duration) -> Line {
    let what = match activity {
        Activity::Scenario(index) => match scenarios.get(index) {
            Some(name) => format!("the scenario `{name}`"),
            None => "a scenario".to_owned(),
        },
        Activity::Setup => "the fixture `setup`".to_owned(),
        Activity::SetupSession => "the fixture `setup_session`".to_owned(),
        Activity::TeardownSession => "the fixture `teardown_session`".to_owned(),
        Activity::Teardown => "the fixture `teardown`".to_owned(),
        Activity::Waiting | Activity::Idle | Activity::Ended => "its last step".to_owned(),
    };
    let text = format!("did not end within {} s: abandoned in {what}", grace.as_secs());
    Line::warning(text).by_worker(worker.0)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn codes_round_trip() {
        for activity in
            [Activity::Waiting, Activity::Setup, Activity::SetupSession, Activity::Idle, Activity::Scenario(0)]
                .into_iter()
                .chain([Activity::Scenario(70), Activity::TeardownSession, Activity::Teardown, Activity::Ended])
        {
            assert_eq!(Activity::from_code(activity.code()), activity);
        }
    }

    #[test]
    fn only_workers_past_their_end_are_overdue() {
        let clock = Arc::new(Clock::new(Instant::now() - Duration::from_secs(10)));
        let statuses = StatusTable::new(clock);
        (0..2).for_each(|_| _ = statuses.add(WorkerId));
        assert!(!statuses.overdue(Duration::ZERO), "the end of no worker is known yet");
        statuses.get(0).set_end(Duration::from_secs(1));
        assert!(!statuses.overdue(Duration::ZERO));
        statuses.get(1).set(Activity::Ended);
        assert!(statuses.overdue(Duration::from_secs(5)));
        assert!(!statuses.overdue(Duration::from_secs(60)));
        statuses.get(0).set(Activity::Ended);
        assert!(!statuses.overdue(Duration::ZERO), "all workers have ended");
    }

    #[test]
    fn paused_workers_are_never_overdue() {
        let clock = Arc::new(Clock::new(Instant::now() - Duration::from_secs(10)));
        let statuses = StatusTable::new(clock.clone());
        statuses.add(WorkerId);
        clock.pause(true);
        // The duration continues after the pause, however long that is.
        statuses.get(0).set_end(clock.now() + Duration::from_millis(1));
        std::thread::sleep(Duration::from_millis(20));
        assert!(!statuses.overdue(Duration::ZERO));
        clock.pause(false);
        let resumed = Instant::now();
        while !statuses.overdue(Duration::ZERO) {
            assert!(resumed.elapsed() < Duration::from_secs(10));
        }
    }
}
