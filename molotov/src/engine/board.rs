//! What each worker of a shard does now, for the coordinator to read when a worker does not end.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use super::clock::Clock;
use crate::{options::WorkerId, run::Line};

/// What a worker does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doing {
    /// It waits for its turn in the ramp-up.
    Waiting,
    /// It runs the fixture `setup`.
    Setup,
    /// It runs the fixture `setup_session`.
    SetupSession,
    /// It is between two scenarios.
    Resting,
    /// It runs the scenario of that number in the plan.
    Scenario(usize),
    /// It runs the fixture `teardown_session`.
    TeardownSession,
    /// It runs the fixture `teardown`.
    Teardown,
    /// It has ended.
    Ended,
}

const FIRST_SCENARIO: u32 = 16;

impl Doing {
    fn code(self) -> u32 {
        match self {
            Doing::Waiting => 0,
            Doing::Setup => 1,
            Doing::SetupSession => 2,
            Doing::Resting => 3,
            Doing::TeardownSession => 4,
            Doing::Teardown => 5,
            Doing::Ended => 6,
            Doing::Scenario(index) => FIRST_SCENARIO.saturating_add(index as u32),
        }
    }

    fn from_code(code: u32) -> Doing {
        match code {
            0 => Doing::Waiting,
            1 => Doing::Setup,
            2 => Doing::SetupSession,
            3 => Doing::Resting,
            4 => Doing::TeardownSession,
            5 => Doing::Teardown,
            code if code >= FIRST_SCENARIO => Doing::Scenario((code - FIRST_SCENARIO) as usize),
            _ => Doing::Ended,
        }
    }
}

/// A place for each worker; written by the shard, read by anyone. Workers that come later get places of their own.
#[derive(Debug)]
pub(super) struct Board {
    clock: Arc<Clock>,
    places: Mutex<Vec<Arc<Place>>>,
}

/// What one worker does.
#[derive(Debug)]
pub(crate) struct Place {
    worker: WorkerId,
    doing: AtomicU32,
    /// Milliseconds on the run's clock at which the worker's duration is over; `u64::MAX` until that is known.
    over: AtomicU64,
}

impl Place {
    fn new(worker: WorkerId) -> Arc<Place> {
        let (doing, over) = (AtomicU32::new(Doing::Waiting.code()), AtomicU64::new(u64::MAX));
        Arc::new(Place { worker, doing, over })
    }

    pub(crate) fn set(&self, doing: Doing) {
        self.doing.store(doing.code(), Ordering::Relaxed);
    }

    /// The worker's duration is over when the run's clock shows `over`.
    pub(crate) fn set_over(&self, over: Duration) {
        self.over.store(millis(over), Ordering::Relaxed);
    }

    fn doing(&self) -> Doing {
        Doing::from_code(self.doing.load(Ordering::Relaxed))
    }
}

impl Board {
    pub(crate) fn new(clock: Arc<Clock>, workers: impl Iterator<Item = WorkerId>) -> Board {
        Board { clock, places: Mutex::new(workers.map(Place::new).collect()) }
    }

    fn places(&self) -> MutexGuard<'_, Vec<Arc<Place>>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn workers(&self) -> Vec<WorkerId> {
        self.places().iter().map(|place| place.worker).collect()
    }

    /// The place of the worker in that slot.
    pub(crate) fn place(&self, slot: usize) -> Arc<Place> {
        self.places()[slot].clone()
    }

    /// A worker has come, in the next slot.
    pub(crate) fn add(&self, worker: WorkerId) {
        self.places().push(Place::new(worker));
    }

    /// The workers that have not ended, and what they do.
    pub(crate) fn unfinished(&self) -> Vec<(WorkerId, Doing)> {
        let doing = |place: &Arc<Place>| (place.worker, place.doing());
        self.places().iter().map(doing).filter(|(_, doing)| *doing != Doing::Ended).collect()
    }

    /// Whether every worker that has not ended should have done so, by its duration, at least `grace` ago. Pauses do not
    /// count.
    pub(crate) fn overdue(&self, grace: Duration) -> bool {
        let late = millis(self.clock.now().saturating_sub(grace));
        let places = self.places();
        let mut unfinished = places.iter().filter(|place| place.doing() != Doing::Ended).peekable();
        unfinished.peek().is_some() && unfinished.all(|place| place.over.load(Ordering::Relaxed) < late)
    }
}

/// The line that names a worker which did not end within `grace`.
pub(super) fn left_behind(worker: WorkerId, doing: Doing, scenarios: &[String], grace: Duration) -> Line {
    let what = match doing {
        Doing::Scenario(index) => match scenarios.get(index) {
            Some(name) => format!("the scenario `{name}`"),
            None => "a scenario".to_owned(),
        },
        Doing::Setup => "the fixture `setup`".to_owned(),
        Doing::SetupSession => "the fixture `setup_session`".to_owned(),
        Doing::TeardownSession => "the fixture `teardown_session`".to_owned(),
        Doing::Teardown => "the fixture `teardown`".to_owned(),
        Doing::Waiting | Doing::Resting | Doing::Ended => "its last step".to_owned(),
    };
    let text = format!("did not end within {} s: left in {what}", grace.as_secs());
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
    fn codes_go_there_and_back() {
        for doing in [Doing::Waiting, Doing::Setup, Doing::SetupSession, Doing::Resting, Doing::Scenario(0)]
            .into_iter()
            .chain([Doing::Scenario(70), Doing::TeardownSession, Doing::Teardown, Doing::Ended])
        {
            assert_eq!(Doing::from_code(doing.code()), doing);
        }
    }

    #[test]
    fn only_workers_past_their_time_are_overdue() {
        let clock = Arc::new(Clock::new(Instant::now() - Duration::from_secs(10)));
        let board = Board::new(clock, (0..2).map(WorkerId));
        assert!(!board.overdue(Duration::ZERO), "no worker's end is known yet");
        board.place(0).set_over(Duration::from_secs(1));
        assert!(!board.overdue(Duration::ZERO));
        board.place(1).set(Doing::Ended);
        assert!(board.overdue(Duration::from_secs(5)));
        assert!(!board.overdue(Duration::from_secs(60)));
        board.place(0).set(Doing::Ended);
        assert!(!board.overdue(Duration::ZERO), "nobody is left");
    }

    #[test]
    fn paused_workers_are_never_overdue() {
        let clock = Arc::new(Clock::new(Instant::now() - Duration::from_secs(10)));
        let board = Board::new(clock.clone(), [WorkerId(0)].into_iter());
        clock.pause(true);
        // Its duration goes on after the pause, however long that is.
        board.place(0).set_over(clock.now() + Duration::from_millis(1));
        std::thread::sleep(Duration::from_millis(20));
        assert!(!board.overdue(Duration::ZERO));
        clock.pause(false);
        let resumed = Instant::now();
        while !board.overdue(Duration::ZERO) {
            assert!(resumed.elapsed() < Duration::from_secs(10));
        }
    }
}
