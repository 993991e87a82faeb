//! Deadlines of requests: far ones share one coarse clock per runtime, near ones take a timer of tokio's.
//!
//! Timers only wake the task. Whether a deadline has passed is decided by the time itself, because a task that always
//! finds data to read spends tokio's cooperative budget, and without budget a timer never fires.

use std::{
    cell::RefCell,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use tokio::{
    runtime::{Handle, Id},
    time::{Sleep, sleep},
};

/// How late a far deadline may be noticed.
const TICK: Duration = Duration::from_millis(50);
/// Ticks without a deadline after which the clock stops.
const UNUSED: usize = 100;
/// From here on a deadline is a far one.
const FAR: Duration = Duration::from_secs(1);

/// A point in time that a future in progress must not pass. Costs nothing until it is first polled.
pub(crate) struct Deadline {
    at: Instant,
    state: State,
}

enum State {
    Unarmed,
    Near(Pin<Box<Sleep>>),
    Far { clock: Arc<Clock>, key: usize },
}

impl Deadline {
    pub(crate) fn new(at: Instant) -> Self {
        Self { at, state: State::Unarmed }
    }

    /// Moves the deadline back.
    pub(crate) fn postpone(&mut self, time: Duration) {
        *self = Self::new(self.at + time);
    }

    /// Whether the deadline has passed.
    pub(crate) fn has_passed(&self) -> bool {
        Instant::now() >= self.at
    }

    /// Ready once the deadline has passed; until then, arranges for the task to be woken.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let left = self.at.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Poll::Ready(());
        }
        match &mut self.state {
            State::Unarmed if left < FAR => {
                let mut sleep = Box::pin(sleep(left));
                let polled = sleep.as_mut().poll(cx);
                self.state = State::Near(sleep);
                polled
            }
            State::Unarmed => {
                let (clock, key) = Clock::insert(self.at, cx.waker().clone());
                self.state = State::Far { clock, key };
                Poll::Pending
            }
            State::Near(sleep) => sleep.as_mut().poll(cx),
            State::Far { clock, key } => {
                if let Some(entry) = &mut clock.lock().slots[*key]
                    && !entry.waker.will_wake(cx.waker())
                {
                    entry.waker.clone_from(cx.waker());
                }
                Poll::Pending
            }
        }
    }
}

/// Whether a deadline has passed inside a loop that may go on without end. The caller then returns `Pending`: the task
/// is woken, and whoever owns the deadline ends the request.
pub(crate) fn has_passed(at: Option<Instant>, cx: &Context<'_>) -> bool {
    let passed = at.is_some_and(|at| Instant::now() >= at);
    if passed {
        cx.waker().wake_by_ref();
    }
    passed
}

/// The future's output; `None` if the deadline passes first.
pub(crate) async fn within<T>(deadline: &mut Option<Deadline>, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|cx| {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        match deadline.as_mut().map(|deadline| deadline.poll(cx)) {
            Some(Poll::Ready(())) => Poll::Ready(None),
            _ => Poll::Pending,
        }
    })
    .await
}

impl Drop for Deadline {
    fn drop(&mut self) {
        if let State::Far { clock, key } = &self.state {
            clock.lock().remove(*key);
        }
    }
}

/// The far deadlines of one thread in one runtime. Behind a lock nobody contends for, since the task that
/// looks at it belongs to the runtime, which may have several threads.
struct Clock {
    runtime: Id,
    entries: Mutex<Entries>,
}

#[derive(Default)]
struct Entries {
    slots: Vec<Option<Entry>>,
    free: Vec<usize>,
    /// No deadline is before this, so that most ticks look at nothing else.
    earliest: Option<Instant>,
    /// How many ticks in a row have found no deadline.
    unused: usize,
    ticking: bool,
}

struct Entry {
    at: Instant,
    waker: Waker,
    over: bool,
}

thread_local! {
    static CLOCK: RefCell<Option<Arc<Clock>>> = const { RefCell::new(None) };
}

impl Clock {
    /// Adds a deadline to the clock of this thread and runtime, and makes sure that the clock ticks.
    fn insert(at: Instant, waker: Waker) -> (Arc<Self>, usize) {
        let handle = Handle::current();
        let runtime = handle.id();
        let clock = CLOCK.with_borrow_mut(|kept| match kept {
            Some(clock) if clock.runtime == runtime => Arc::clone(clock),
            _ => {
                let clock = Arc::new(Self { runtime, entries: Mutex::default() });
                *kept = Some(Arc::clone(&clock));
                clock
            }
        });
        // Both under one lock: in between, the clock could stop.
        let mut entries = clock.lock();
        let key = entries.insert(at, waker);
        let ticking = std::mem::replace(&mut entries.ticking, true);
        drop(entries);
        if !ticking {
            handle.spawn(tick(Ticking { clock: Arc::clone(&clock), stopped: false }));
        }
        (clock, key)
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    fn insert(&mut self, at: Instant, waker: Waker) -> usize {
        self.earliest = Some(self.earliest.map_or(at, |earliest| earliest.min(at)));
        let entry = Some(Entry { at, waker, over: false });
        match self.free.pop() {
            Some(key) => {
                self.slots[key] = entry;
                key
            }
            None => {
                self.slots.push(entry);
                self.slots.len() - 1
            }
        }
    }

    fn remove(&mut self, key: usize) {
        self.slots[key] = None;
        self.free.push(key);
    }

    /// One tick: the tasks whose time is over, or `None` if the clock stops because it has no deadlines.
    fn tick(&mut self, now: Instant) -> Option<Vec<Waker>> {
        // It keeps ticking for a while without deadlines, as between two requests.
        self.unused = if self.free.len() == self.slots.len() { self.unused + 1 } else { 0 };
        if self.unused >= UNUSED {
            (self.unused, self.ticking) = (0, false);
            return None;
        }
        Some(self.due(now))
    }

    /// The tasks whose time is over.
    fn due(&mut self, now: Instant) -> Vec<Waker> {
        if self.earliest.is_none_or(|earliest| earliest > now) {
            return Vec::new();
        }
        self.earliest = None;
        let mut due = Vec::new();
        for entry in self.slots.iter_mut().flatten().filter(|entry| !entry.over) {
            if entry.at <= now {
                entry.over = true;
                due.push(entry.waker.clone());
            } else {
                self.earliest = Some(self.earliest.map_or(entry.at, |earliest| earliest.min(entry.at)));
            }
        }
        due
    }
}

/// Records that the clock has stopped when its task is dropped with the runtime.
struct Ticking {
    clock: Arc<Clock>,
    /// The clock has stopped already. Another task may make it tick by now.
    stopped: bool,
}

impl Drop for Ticking {
    fn drop(&mut self) {
        if !self.stopped {
            self.clock.lock().ticking = false;
        }
    }
}

async fn tick(mut ticking: Ticking) {
    loop {
        sleep(TICK).await;
        let due = ticking.clock.lock().tick(Instant::now());
        match due {
            Some(due) => due.into_iter().for_each(Waker::wake),
            None => {
                ticking.stopped = true;
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn near_and_far_deadlines_are_kept() {
        for wait in [30, 1_100].map(Duration::from_millis) {
            let start = Instant::now();
            let mut deadline = Deadline::new(start + wait);
            poll_fn(|cx| deadline.poll(cx)).await;
            assert!(start.elapsed() >= wait);
        }
    }

    #[tokio::test]
    async fn a_deadline_holds_for_a_task_that_spends_its_budget() {
        let before = Instant::now();
        let mut deadline = Some(Deadline::new(before + Duration::from_millis(20)));
        let busy = async {
            while before.elapsed() < Duration::from_secs(2) {
                tokio::task::coop::consume_budget().await;
            }
        };
        assert_eq!(within(&mut deadline, busy).await, None);
    }

    #[tokio::test]
    async fn slots_are_used_again() {
        let far = Instant::now() + Duration::from_secs(300);
        for _ in 0..3 {
            let mut deadline = Deadline::new(far);
            poll_fn(|cx| {
                assert!(deadline.poll(cx).is_pending());
                Poll::Ready(())
            })
            .await;
        }
        let slots = CLOCK.with_borrow(|clock| clock.as_ref().map(|clock| clock.lock().slots.len()));
        assert_eq!(slots, Some(1));
    }

    #[test]
    fn a_deadline_never_meets_a_clock_that_is_about_to_stop() {
        let mut entries = Entries { ticking: true, ..Entries::default() };
        let now = Instant::now();
        for _ in 1..UNUSED {
            assert!(entries.tick(now).is_some());
        }
        // One that comes before the last tick keeps the clock going ...
        let key = entries.insert(now + FAR, Waker::noop().clone());
        assert!(entries.tick(now).is_some_and(|due| due.is_empty()) && entries.ticking);
        assert_eq!(entries.tick(now + FAR).map(|due| due.len()), Some(1));
        entries.remove(key);
        for _ in 1..UNUSED {
            assert!(entries.tick(now).is_some());
        }
        // ... and one that comes after finds it stopped, so that it is started again.
        assert!(entries.tick(now).is_none() && !entries.ticking);
    }
}
