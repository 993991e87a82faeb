//! The activity of a run: its lines, of which similar ones are shown once.

use std::collections::{VecDeque, vec_deque};

use crate::run::{Line, LineKind};

/// The number of entries that are kept.
const ENTRIES: usize = 2_000;
/// Similar lines are counted if the first of them is among this many last entries.
const NEARBY: usize = 16;

/// A line, and how many similar ones followed it.
#[derive(Debug)]
pub(in super::super) struct Entry {
    pub(in super::super) line: Line,
    /// The number of similar lines, such as the same message from other workers.
    pub(in super::super) more: u64,
}

/// The last lines of a run.
#[derive(Debug, Default)]
pub(in super::super) struct Activity(VecDeque<Entry>);

impl Activity {
    /// Adds a line. Returns whether it is a new entry.
    pub(super) fn add(&mut self, line: Line) -> bool {
        let nearby = self.0.iter_mut().rev().take(NEARBY);
        if let Some(entry) = nearby.into_iter().find(|entry| is_similar(&entry.line, &line)) {
            entry.more += 1;
            return false;
        }
        if self.0.len() >= ENTRIES {
            self.0.pop_front();
        }
        self.0.push_back(Entry { line, more: 0 });
        true
    }

    pub(in super::super) fn entries(&self) -> vec_deque::Iter<'_, Entry> {
        self.0.iter()
    }

    pub(in super::super) fn len(&self) -> usize {
        self.0.len()
    }
}

/// Whether one of two lines says enough: what workers do, or the same failure. What scenarios print is always shown.
fn is_similar(one: &Line, other: &Line) -> bool {
    let by_workers = one.worker.is_some() && other.worker.is_some();
    match (one.kind, other.kind) {
        (LineKind::Info, LineKind::Info) => by_workers && without_digits(&one.text).eq(without_digits(&other.text)),
        (LineKind::Failure, LineKind::Failure) => by_workers && one.text == other.text,
        _ => false,
    }
}

/// `Ran 4 scenarios` and `Ran 12 scenarios` are similar.
fn without_digits(text: &str) -> impl Iterator<Item = char> {
    text.chars().filter(|c| !c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_what_many_workers_do() {
        let mut activity = Activity::default();
        for worker in 0..20 {
            activity.add(Line::info("Starting").by_worker(worker));
            activity.add(Line::info("Running scenarios").by_worker(worker));
            activity.add(Line::info(format!("Ran {worker} scenarios")).by_worker(worker));
        }
        (0..3).for_each(|worker| {
            activity.add(Line::failure("boom").by_worker(worker));
        });
        activity.add(Line::failure("bang").by_worker(0));
        let shown: Vec<_> = activity.entries().map(|entry| (entry.line.text.as_str(), entry.more)).collect();
        let expected = [("Starting", 19), ("Running scenarios", 19), ("Ran 0 scenarios", 19), ("boom", 2), ("bang", 0)];
        assert_eq!(shown, expected);
    }

    #[test]
    fn shows_everything_that_scenarios_print() {
        let mut activity = Activity::default();
        (0..5).for_each(|_| {
            activity.add(Line::print("hello").by_worker(1));
        });
        assert_eq!(activity.len(), 5);
    }
}
