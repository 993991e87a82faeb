//! Deadlines of requests: distant ones share a coarse clock, near ones use a timer of tokio.
//!
//! Timers only wake the task. The current time decides whether a deadline has passed, because a task that always has data to
//! read spends tokio's cooperative budget, and without budget a timer never fires.

use std::{
    cell::RefCell,
    future::{Future, poll_fn},
    pin::Pin,
    sync::{
        Arc, LazyLock, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use tokio::{
    runtime::{Handle, Id},
    time::{Sleep, sleep},
};

/// The resolution of the clock.
const TICK: Duration = Duration::from_millis(50);
/// The number of ticks after which the clock looks at every waiter, and stops if there is no deadline.
const ROUND: usize = 100;
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
    Far(Alarm),
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
        if matches!(self.state, State::Unarmed) {
            self.state = if left < FAR { State::Near(Box::pin(sleep(left))) } else { State::Far(Alarm::default()) };
        }
        match &mut self.state {
            State::Unarmed => Poll::Pending,
            State::Near(sleep) => sleep.as_mut().poll(cx),
            State::Far(alarm) => {
                alarm.set(self.at, cx);
                Poll::Pending
            }
        }
    }
}

/// Returns whether a timeout is so long that an [`Alarm`] is precise enough.
pub(crate) fn is_distant(timeout: Duration) -> bool {
    timeout >= FAR
}

/// Wakes a task at a distant time, up to a tick late. It can be set again for other times.
///
/// Setting it takes no lock, so that a connection can set its alarm for each request.
#[derive(Default)]
pub(crate) struct Alarm(Option<Registered>);

struct Registered {
    clock: Arc<Clock>,
    waiter: Arc<Waiter>,
    /// The same as the waiter's, for comparisons without the lock.
    waker: Waker,
}

impl Alarm {
    /// Wakes the task at this time. A later call replaces the time.
    pub(crate) fn set(&mut self, at: Instant, cx: &Context<'_>) {
        let registered = self.0.get_or_insert_with(|| {
            let (clock, waiter) = Clock::register(cx.waker());
            Registered { clock, waiter, waker: cx.waker().clone() }
        });
        if !registered.waker.will_wake(cx.waker()) {
            registered.waker.clone_from(cx.waker());
            *lock(&registered.waiter.waker) = cx.waker().clone();
        }
        registered.clock.set(&registered.waiter, nanoseconds(at));
    }

    /// Wakes nothing until the next time is set.
    pub(crate) fn clear(&self) {
        if let Some(registered) = &self.0 {
            registered.waiter.at.store(NEVER, Ordering::Relaxed);
        }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if let Some(Registered { waiter, .. }) = &self.0 {
            self.clear();
            // The clock removes the waiter later, and a waker keeps the memory of its task.
            *lock(&waiter.waker) = Waker::noop().clone();
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
///
/// The caller pins the future. Otherwise, the future of this function would contain it twice.
pub(crate) async fn within<T>(
    deadline: &mut Option<Deadline>,
    mut future: Pin<&mut impl Future<Output = T>>,
) -> Option<T> {
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

/// A time that never comes.
const NEVER: u64 = u64::MAX;

/// Returns a time as a number, for atomics.
fn nanoseconds(at: Instant) -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(at.saturating_duration_since(*START).as_nanos()).unwrap_or(NEVER)
}

/// The distant deadlines of one thread in one runtime.
///
/// The task that ticks may run on another thread of the runtime, so everything here is shared between threads. The lock is taken
/// when an alarm is registered, and when a deadline is earlier than all others.
struct Clock {
    runtime: Id,
    /// No deadline is earlier, so most ticks check only this. The clock may have stopped if this is [`NEVER`].
    earliest: AtomicU64,
    waiters: Mutex<Waiters>,
}

#[derive(Default)]
struct Waiters {
    all: Vec<Arc<Waiter>>,
    /// The number of ticks since the last look at all waiters.
    ticks: usize,
    ticking: bool,
}

struct Waiter {
    at: AtomicU64,
    waker: Mutex<Waker>,
}

thread_local! {
    static CLOCK: RefCell<Option<Arc<Clock>>> = const { RefCell::new(None) };
}

impl Clock {
    /// Adds a waiter to the clock of this thread and runtime.
    fn register(waker: &Waker) -> (Arc<Self>, Arc<Waiter>) {
        let runtime = Handle::current().id();
        let clock = CLOCK.with_borrow_mut(|kept| match kept {
            Some(clock) if clock.runtime == runtime => Arc::clone(clock),
            _ => {
                let clock = Arc::new(Self { runtime, earliest: AtomicU64::new(NEVER), waiters: Mutex::default() });
                *kept = Some(Arc::clone(&clock));
                clock
            }
        });
        let waiter = Arc::new(Waiter { at: AtomicU64::new(NEVER), waker: Mutex::new(waker.clone()) });
        lock(&clock.waiters).add(Arc::clone(&waiter));
        (clock, waiter)
    }

    /// Sets the time of a waiter, and starts the clock if necessary.
    #[inline]
    fn set(self: &Arc<Self>, waiter: &Waiter, at: u64) {
        // A look at all waiters first forgets the earliest time and then reads those of the waiters. In this order, it sees the
        // new time, or the comparison sees that the earliest is unknown.
        waiter.at.swap(at, Ordering::SeqCst);
        if at < self.earliest.load(Ordering::SeqCst) {
            self.becomes_earliest(at);
        }
    }

    #[cold]
    fn becomes_earliest(self: &Arc<Self>, at: u64) {
        // The clock does not look or stop while the lock is held.
        let mut waiters = lock(&self.waiters);
        self.earliest.fetch_min(at, Ordering::SeqCst);
        if !std::mem::replace(&mut waiters.ticking, true) {
            waiters.ticks = 0;
            drop(waiters);
            Handle::current().spawn(tick(Ticking { clock: Arc::clone(self), stopped: false }));
        }
    }

    /// Returns the wakers of waiters whose time has come, or `None` if the clock stops because there are no times.
    fn tick(&self, now: u64) -> Option<Vec<Waker>> {
        let waiters = &mut *lock(&self.waiters);
        waiters.ticks += 1;
        if waiters.ticks < ROUND && self.earliest.load(Ordering::SeqCst) > now {
            return Some(Vec::new());
        }
        waiters.ticks = 0;
        self.earliest.store(NEVER, Ordering::SeqCst);
        let (mut due, mut earliest) = (Vec::new(), NEVER);
        for waiter in &waiters.all {
            let at = waiter.at.load(Ordering::SeqCst);
            if at > now {
                earliest = earliest.min(at);
            } else if waiter.at.compare_exchange(at, NEVER, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
                due.push(lock(&waiter.waker).clone());
            }
        }
        self.earliest.fetch_min(earliest, Ordering::SeqCst);
        waiters.ticking = earliest != NEVER || !due.is_empty();
        waiters.ticking.then_some(due)
    }
}

impl Waiters {
    fn add(&mut self, waiter: Arc<Waiter>) {
        if self.all.len() == self.all.capacity() {
            // Remove those whose alarm has been dropped before the list grows.
            self.all.retain(|waiter| Arc::strong_count(waiter) > 1);
        }
        self.all.push(waiter);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
            let mut waiters = lock(&self.clock.waiters);
            self.clock.earliest.store(NEVER, Ordering::SeqCst);
            waiters.ticking = false;
        }
    }
}

async fn tick(mut ticking: Ticking) {
    loop {
        sleep(TICK).await;
        let due = ticking.clock.tick(nanoseconds(Instant::now()));
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
    use std::pin::pin;

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
        assert_eq!(within(&mut deadline, pin!(busy)).await, None);
    }

    #[tokio::test]
    async fn dropped_alarms_are_removed() {
        let far = Instant::now() + Duration::from_secs(300);
        for _ in 0..100 {
            let mut deadline = Deadline::new(far);
            assert!(poll_fn(|cx| Poll::Ready(deadline.poll(cx))).await.is_pending());
        }
        let waiters = CLOCK.with_borrow(|clock| clock.as_ref().map(|clock| lock(&clock.waiters).all.len()));
        assert!(waiters.is_some_and(|waiters| waiters <= 8), "{waiters:?}");
    }

    #[tokio::test]
    async fn alarms_wake_the_last_task_at_the_last_time() {
        let start = Instant::now();
        let mut alarm = Alarm::default();
        poll_fn(|cx| {
            alarm.set(start + Duration::from_secs(300), cx);
            Poll::Ready(())
        })
        .await;
        let task = tokio::spawn(async move {
            poll_fn(|cx| match start.elapsed() {
                passed if passed >= Duration::from_millis(100) => Poll::Ready(passed),
                _ => {
                    alarm.set(start + Duration::from_millis(100), cx);
                    Poll::Pending
                }
            })
            .await
        });
        let passed = tokio::time::timeout(Duration::from_secs(10), task).await.expect("not woken").expect("a panic");
        assert!(passed >= Duration::from_millis(100));
    }

    #[tokio::test]
    async fn the_clock_stops_without_deadlines_and_starts_with_the_next_one() {
        let (clock, waiter) = Clock::register(Waker::noop());
        let is_ticking = || lock(&clock.waiters).ticking;
        assert!(!is_ticking());
        clock.set(&waiter, 1_000);
        assert!(is_ticking());
        // Before the end of a round, only the earliest time counts, even if its waiter was set to another.
        clock.set(&waiter, 2_000);
        assert_eq!(clock.tick(999).map(|due| due.len()), Some(0));
        assert_eq!(clock.tick(1_000).map(|due| due.len()), Some(0));
        assert_eq!(clock.earliest.load(Ordering::SeqCst), 2_000);
        assert_eq!(clock.tick(2_000).map(|due| due.len()), Some(1), "the time has come");
        for _ in 1..ROUND {
            assert_eq!(clock.tick(2_001).map(|due| due.len()), Some(0), "it wakes once");
        }
        assert!(clock.tick(2_001).is_none() && !is_ticking());
        clock.set(&waiter, 3_000);
        assert!(is_ticking());
    }
}
