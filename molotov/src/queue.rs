//! A queue whose senders never wait and whose memory is bounded. Urgent items overtake others, lines beyond the capacity are
//! dropped and counted, and measures merge.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Memory for waiting lines, in bytes.
const LINE_CAPACITY: usize = 12 << 20;
/// With this many waiting items that must arrive, new ones merge into them if that loses no detail.
const MERGE_FROM: usize = 64;
/// With this many, new ones merge even if that loses detail.
const MERGE_ALL_FROM: usize = 512;

/// An item of a queue.
pub(crate) trait Item: Sized {
    /// Whether it overtakes items that are not urgent.
    fn is_urgent(&self) -> bool {
        false
    }

    /// The memory of an item that may be dropped, in bytes; `None` for one that must arrive.
    fn droppable(&self) -> Option<usize>;

    /// The item that replaces dropped ones.
    fn dropped(count: u64) -> Self;

    /// Merges a newer item of the same source and kind into this one, or returns the newer item. With `exact`, also returns an
    /// item whose merging would lose detail.
    fn merge(&mut self, newer: Self, exact: bool) -> Option<Self>;
}

/// Creates a queue.
pub(crate) fn queue<T: Item>() -> (Sender<T>, Receiver<T>) {
    let state = State {
        urgent: VecDeque::new(),
        waiting: VecDeque::new(),
        bytes: 0,
        fixed: 0,
        senders: 1,
        receiver_gone: false,
    };
    let shared = Arc::new(Shared { state: Mutex::new(state), arrived: Condvar::new() });
    (Sender(shared.clone()), Receiver(shared))
}

/// The sending end; clones send to the same queue.
pub(crate) struct Sender<T>(Arc<Shared<T>>);

/// The receiving end.
pub(crate) struct Receiver<T>(Arc<Shared<T>>);

struct Shared<T> {
    state: Mutex<State<T>>,
    arrived: Condvar,
}

struct State<T> {
    urgent: VecDeque<T>,
    waiting: VecDeque<Queued<T>>,
    /// Memory of the waiting items that may be dropped, in bytes.
    bytes: usize,
    /// The number of waiting items that must arrive.
    fixed: usize,
    senders: usize,
    receiver_gone: bool,
}

enum Queued<T> {
    Item(T),
    /// The number of items that were dropped here.
    Dropped(u64),
}

/// Why nothing was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReceiveError {
    /// No item arrived in time.
    Timeout,
    /// The queue is empty, and all senders are gone.
    Disconnected,
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Item> Sender<T> {
    /// Sends an item without waiting. Returns `false` if the receiver is gone.
    pub(crate) fn send(&self, item: T) -> bool {
        let mut state = self.0.lock();
        if state.receiver_gone {
            return false;
        }
        if item.is_urgent() {
            state.urgent.push_back(item);
        } else {
            state.push(item);
        }
        drop(state);
        self.0.arrived.notify_one();
        true
    }
}

impl<T: Item> State<T> {
    fn push(&mut self, item: T) {
        match item.droppable() {
            Some(bytes) if self.bytes.saturating_add(bytes) > LINE_CAPACITY => match self.waiting.back_mut() {
                Some(Queued::Dropped(count)) => *count += 1,
                _ => self.waiting.push_back(Queued::Dropped(1)),
            },
            Some(bytes) => {
                self.bytes += bytes;
                self.waiting.push_back(Queued::Item(item));
            }
            None => {
                let mut item = item;
                for exact in [true, false] {
                    if self.fixed < if exact { MERGE_FROM } else { MERGE_ALL_FROM } {
                        break;
                    }
                    for waiting in self.waiting.iter_mut().rev() {
                        let Queued::Item(waiting) = waiting else { continue };
                        match waiting.merge(item, exact) {
                            None => return,
                            Some(returned) => item = returned,
                        }
                    }
                }
                self.waiting.push_back(Queued::Item(item));
                self.fixed += 1;
            }
        }
    }

    fn pop(&mut self) -> Option<T> {
        if let Some(urgent) = self.urgent.pop_front() {
            return Some(urgent);
        }
        match self.waiting.pop_front()? {
            Queued::Dropped(count) => Some(T::dropped(count)),
            Queued::Item(item) => {
                match item.droppable() {
                    Some(bytes) => self.bytes -= bytes,
                    None => self.fixed -= 1,
                }
                Some(item)
            }
        }
    }
}

impl<T: Item> Receiver<T> {
    /// Returns the next item if there is one.
    pub(crate) fn try_receive(&self) -> Result<T, ReceiveError> {
        let mut state = self.0.lock();
        let empty = if state.senders == 0 { ReceiveError::Disconnected } else { ReceiveError::Timeout };
        state.pop().ok_or(empty)
    }

    /// Waits for the next item until `until`.
    pub(crate) fn receive_until(&self, until: Instant) -> Result<T, ReceiveError> {
        let mut state = self.0.lock();
        loop {
            if let Some(item) = state.pop() {
                return Ok(item);
            }
            if state.senders == 0 {
                return Err(ReceiveError::Disconnected);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(ReceiveError::Timeout);
            }
            let waited = self.0.arrived.wait_timeout(state, left);
            state = waited.map_or_else(|poisoned| poisoned.into_inner().0, |(state, _)| state);
        }
    }

    /// Waits for the next item. Returns `None` when all senders are gone.
    pub(crate) fn receive(&self) -> Option<T> {
        loop {
            match self.receive_until(Instant::now() + Duration::from_secs(3600)) {
                Ok(item) => return Some(item),
                Err(ReceiveError::Disconnected) => return None,
                Err(ReceiveError::Timeout) => {}
            }
        }
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.0.lock().senders += 1;
        Sender(self.0.clone())
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.0.lock().senders -= 1;
        self.0.arrived.notify_one();
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.receiver_gone = true;
        state.urgent = VecDeque::new();
        state.waiting = VecDeque::new();
    }
}

impl<T> std::fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

impl<T> std::fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Receiver").field("waiting", &self.0.lock().waiting.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    enum Sent {
        Urgent,
        Line(String),
        Dropped(u64),
        Count(u16, u64),
    }

    impl Item for Sent {
        fn is_urgent(&self) -> bool {
            *self == Sent::Urgent
        }

        fn droppable(&self) -> Option<usize> {
            if let Sent::Line(text) = self { Some(text.len()) } else { None }
        }

        fn dropped(count: u64) -> Self {
            Sent::Dropped(count)
        }

        fn merge(&mut self, newer: Self, exact: bool) -> Option<Self> {
            match (self, newer) {
                (Sent::Count(of, count), Sent::Count(also, more)) if *of == also => *count += more,
                (Sent::Count(_, count), Sent::Count(_, more)) if !exact => *count += more,
                (_, newer) => return Some(newer),
            }
            None
        }
    }

    fn line() -> Sent {
        Sent::Line("x".repeat(1 << 20))
    }

    #[test]
    fn drops_and_counts_lines_beyond_its_capacity() {
        let (sender, receiver) = queue();
        for _ in 0..20 {
            sender.send(line());
        }
        sender.send(Sent::Count(0, 1));
        sender.send(line());
        for _ in 0..12 {
            assert_eq!(receiver.try_receive(), Ok(line()));
        }
        sender.send(line());
        let rest: Vec<_> = std::iter::from_fn(|| receiver.try_receive().ok()).collect();
        assert_eq!(rest, [Sent::Dropped(8), Sent::Count(0, 1), Sent::Dropped(1), line()]);
    }

    #[test]
    fn urgent_items_overtake() {
        let (sender, receiver) = queue();
        sender.send(line());
        sender.send(Sent::Urgent);
        assert_eq!(receiver.try_receive(), Ok(Sent::Urgent));
        assert_eq!(receiver.try_receive(), Ok(line()));
    }

    #[test]
    fn merges_items_that_must_arrive() {
        let (sender, receiver) = queue();
        for n in 0..10_000 {
            sender.send(Sent::Count(n % 3, 1));
        }
        let counts: Vec<_> = std::iter::from_fn(|| receiver.try_receive().ok()).collect();
        assert_eq!(counts.len(), MERGE_FROM);
        let sum = |of| {
            counts
                .iter()
                .map(|sent| {
                    if let Sent::Count(n, count) = sent
                        && *n == of
                    {
                        *count
                    } else {
                        0
                    }
                })
                .sum()
        };
        let sums: [u64; 3] = [sum(0), sum(1), sum(2)];
        assert_eq!(sums, [3_334, 3_333, 3_333]);
    }

    #[test]
    fn keeps_counts_after_dropped_lines() {
        let (sender, receiver) = queue();
        (0..MERGE_FROM).for_each(|_| _ = sender.send(Sent::Count(0, 1)));
        (0..20).for_each(|_| _ = sender.send(line()));
        sender.send(Sent::Count(0, 1));
        sender.send(Sent::Count(1, 1));
        let counts = std::iter::from_fn(|| receiver.try_receive().ok());
        let sum: u64 = counts.map(|sent| if let Sent::Count(_, count) = sent { count } else { 0 }).sum();
        assert_eq!(sum, MERGE_FROM as u64 + 2);
    }

    #[test]
    fn loses_detail_rather_than_growing_without_limit() {
        let (sender, receiver) = queue();
        (0..2_000).for_each(|n| _ = sender.send(Sent::Count(n, 1)));
        let counts: Vec<_> = std::iter::from_fn(|| receiver.try_receive().ok()).collect();
        assert_eq!(counts.len(), MERGE_ALL_FROM);
        let sum: u64 = counts.iter().map(|sent| if let Sent::Count(_, count) = sent { *count } else { 0 }).sum();
        assert_eq!(sum, 2_000);
    }

    #[test]
    fn notices_when_senders_and_receiver_are_gone() {
        let (sender, receiver) = queue();
        let other = sender.clone();
        assert!(other.send(Sent::Urgent));
        drop(sender);
        drop(other);
        assert_eq!(receiver.receive(), Some(Sent::Urgent));
        assert_eq!(receiver.receive(), None);
        let (sender, receiver) = queue();
        drop(receiver);
        assert!(!sender.send(Sent::Urgent));
    }
}
