//! Deadlines of requests: distant ones share a coarse clock, near ones use a timer of tokio.
//!
//! Timers only wake the task. The current time decides whether a deadline has passed, because a task that always has data to
//! read spends tokio's cooperative budget, and without budget a timer never fires.

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

/// The resolution of the clock.
const TICK: Duration = Duration::from_millis(50);
/// The number of ticks without a deadline after which the clock stops.
const UNUSED: usize = 100;
/// Deadlines that are at least this far away use the clock.
const FAR: Duration = Duration::from_secs(1);

/// The time by which something must end. It uses no timer before it is polled.
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

    /// Extends the deadline.
    pub(crate) fn postpone(&mut self, time: Duration) {
        *self = Self::new(self.at + time);
    }

    /// Returns whether the deadline has passed.
    pub(crate) fn has_passed(&self) -> bool {
        Instant::now() >= self.at
    }

    /// Returns `Ready` once the deadline has passed. Until then, it registers the task to be woken.
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
                if let Some(waiter) = &mut clock.lock().slots[*key]
                    && !waiter.waker.will_wake(cx.waker())
                {
                    waiter.waker.clone_from(cx.waker());
                }
                Poll::Pending
            }
        }
    }
}

/// Returns whether a deadline has passed, for loops that may not end. If so, it wakes the task, and the caller returns
/// `Pending` so that the owner of the deadline ends the request.
pub(crate) fn has_passed(at: Option<Instant>, cx: &Context<'_>) -> bool {
    let passed = at.is_some_and(|at| Instant::now() >= at);
    if passed {
        cx.waker().wake_by_ref();
    }
    passed
}

/// Returns the output of a future, or `None` if the deadline passes first.
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

/// The distant deadlines of one thread in one runtime.
///
/// The lock is needed because the task that ticks may run on another thread of the runtime. It is rarely contended.
struct Clock {
    runtime: Id,
    waiters: Mutex<Waiters>,
}

#[derive(Default)]
struct Waiters {
    slots: Vec<Option<Waiter>>,
    free: Vec<usize>,
    /// No deadline is earlier, so most ticks check only this.
    earliest: Option<Instant>,
    /// How many consecutive ticks found no deadline.
    unused: usize,
    ticking: bool,
}

struct Waiter {
    at: Instant,
    waker: Waker,
    expired: bool,
}

thread_local! {
    static CLOCK: RefCell<Option<Arc<Clock>>> = const { RefCell::new(None) };
}

impl Clock {
    /// Adds a deadline to the clock of this thread and runtime, and starts the clock if necessary.
    fn insert(at: Instant, waker: Waker) -> (Arc<Self>, usize) {
        let handle = Handle::current();
        let runtime = handle.id();
        let clock = CLOCK.with_borrow_mut(|kept| match kept {
            Some(clock) if clock.runtime == runtime => Arc::clone(clock),
            _ => {
                let clock = Arc::new(Self { runtime, waiters: Mutex::default() });
                *kept = Some(Arc::clone(&clock));
                clock
            }
        });
        // Both happen under one lock, so that the clock does not stop in between.
        let mut waiters = clock.lock();
        let key = waiters.insert(at, waker);
        let ticking = std::mem::replace(&mut waiters.ticking, true);
        drop(waiters);
        if !ticking {
            handle.spawn(tick(Ticking { clock: Arc::clone(&clock), stopped: false }));
        }
        (clock, key)
    }

    fn lock(&self) -> MutexGuard<'_, Waiters> {
        self.waiters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiters {
    fn insert(&mut self, at: Instant, waker: Waker) -> usize {
        self.earliest = Some(self.earliest.map_or(at, |earliest| earliest.min(at)));
        let waiter = Some(Waiter { at, waker, expired: false });
        match self.free.pop() {
            Some(key) => {
                self.slots[key] = waiter;
                key
            }
            None => {
                self.slots.push(waiter);
                self.slots.len() - 1
            }
        }
    }

    fn remove(&mut self, key: usize) {
        self.slots[key] = None;
        self.free.push(key);
    }

    /// Returns the wakers of expired deadlines, or `None` if the clock stops because it has had no deadlines for a while.
    fn tick(&mut self, now: Instant) -> Option<Vec<Waker>> {
        self.unused = if self.free.len() == self.slots.len() { self.unused + 1 } else { 0 };
        if self.unused >= UNUSED {
            (self.unused, self.ticking) = (0, false);
            return None;
        }
        Some(self.due(now))
    }

    /// Returns the wakers of expired deadlines, once for each.
    fn due(&mut self, now: Instant) -> Vec<Waker> {
        if self.earliest.is_none_or(|earliest| earliest > now) {
            return Vec::new();
        }
        self.earliest = None;
        let mut due = Vec::new();
        for waiter in self.slots.iter_mut().flatten().filter(|waiter| !waiter.expired) {
            if waiter.at <= now {
                waiter.expired = true;
                due.push(waiter.waker.clone());
            } else {
                self.earliest = Some(self.earliest.map_or(waiter.at, |earliest| earliest.min(waiter.at)));
            }
        }
        due
    }
}

/// Notes that the clock has stopped if its task is dropped with the runtime.
struct Ticking {
    clock: Arc<Clock>,
    /// Whether the clock has stopped. Another task may have started it again.
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
    async fn near_and_distant_deadlines_expire() {
        for wait in [30, 1_100].map(Duration::from_millis) {
            let start = Instant::now();
            let mut deadline = Deadline::new(start + wait);
            poll_fn(|cx| deadline.poll(cx)).await;
            assert!(start.elapsed() >= wait);
        }
    }

    #[tokio::test]
    async fn deadlines_expire_in_tasks_without_budget() {
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
    async fn slots_are_reused() {
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
    fn new_deadlines_keep_the_clock_running_or_restart_it() {
        let mut waiters = Waiters { ticking: true, ..Waiters::default() };
        let now = Instant::now();
        for _ in 1..UNUSED {
            assert!(waiters.tick(now).is_some());
        }
        // A deadline before the last tick keeps the clock running ...
        let key = waiters.insert(now + FAR, Waker::noop().clone());
        assert!(waiters.tick(now).is_some_and(|due| due.is_empty()) && waiters.ticking);
        assert_eq!(waiters.tick(now + FAR).map(|due| due.len()), Some(1));
        waiters.remove(key);
        for _ in 1..UNUSED {
            assert!(waiters.tick(now).is_some());
        }
        // ... and one after it finds the clock stopped, so that it is restarted.
        assert!(waiters.tick(now).is_none() && !waiters.ticking);
    }
}
