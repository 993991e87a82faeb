//! Errors, grouped by kind, place and scenario.

use std::{hash::BuildHasher, time::SystemTime};

use foldhash::fast::FixedState;
use serde::{Deserialize, Serialize};

/// At most this many groups are kept. All other errors share one more.
pub(crate) const MAX_ERRORS: usize = 200;
/// The kind of the group for errors past the limit.
pub(crate) const OTHER: &str = "other errors";
/// The longest message that is kept, in bytes.
const MAX_MESSAGE: usize = 4 << 10;
/// The longest details that are kept, in bytes.
const MAX_DETAIL: usize = 32 << 10;

/// One error, as a worker reports it.
#[derive(Debug, Clone)]
pub(crate) struct ErrorSample<'a> {
    /// A short name for the error: its type, or the kind of a request's error.
    pub(crate) kind: &'a str,
    /// One sentence.
    pub(crate) message: &'a str,
    /// `file:line` of the source, if known.
    pub(crate) place: Option<&'a str>,
    /// The scenario in which it occurred.
    pub(crate) scenario: &'a str,
    /// Details such as a backtrace. Only those of the first error in a group are kept.
    pub(crate) detail: Option<String>,
    /// When it occurred.
    pub(crate) at: SystemTime,
}

/// All errors of one kind from one place in one scenario.
///
/// ```no_run
/// # use molotov::LoadTest;
/// let report = LoadTest::new().workers(20).max_runs(10).run()?;
/// for error in report.errors() {
///     println!("{} × {} in {}: {}", error.count, error.kind, error.scenario, error.message);
/// }
/// # Ok::<(), molotov::LoadTestError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ErrorGroup {
    /// A short name for the error: its type, or the kind of a request's error.
    pub kind: String,
    /// `file:line` of the source, if known.
    pub place: Option<String>,
    /// The scenario in which they occurred.
    pub scenario: String,
    /// The message of the first one.
    pub message: String,
    /// The details of the first one, such as a backtrace.
    pub detail: Option<String>,
    /// The number of errors.
    pub count: u64,
    /// When the first one occurred.
    pub first: SystemTime,
    /// When the last one occurred.
    pub last: SystemTime,
}

impl ErrorGroup {
    fn new(sample: ErrorSample<'_>) -> ErrorGroup {
        ErrorGroup {
            kind: sample.kind.to_owned(),
            place: sample.place.map(str::to_owned),
            scenario: sample.scenario.to_owned(),
            message: cut(sample.message, MAX_MESSAGE).to_owned(),
            detail: sample.detail.map(|detail| cut(&detail, MAX_DETAIL).to_owned()),
            count: 1,
            first: sample.at,
            last: sample.at,
        }
    }

    /// The fields that errors of a group have in common.
    fn key(&self) -> (&str, Option<&str>, &str) {
        (&self.kind, self.place.as_deref(), &self.scenario)
    }

    fn merge(&mut self, other: &ErrorGroup) {
        // Merging in any order must keep the same one of two errors that occurred at the same time.
        if (other.first, &other.message) < (self.first, &self.message) {
            self.message.clone_from(&other.message);
            self.detail.clone_from(&other.detail);
        }
        self.count += other.count;
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
    }
}

/// Merges groups, in the order of their first errors. At most [`MAX_ERRORS`] and one are kept.
pub(super) fn merge(groups: &mut Vec<ErrorGroup>, others: &[ErrorGroup]) {
    for other in others {
        let known = groups.iter_mut().find(|group| group.key() == other.key());
        if let Some(group) = known {
            group.merge(other);
        } else if groups.len() < MAX_ERRORS {
            groups.push(other.clone());
        } else if let Some(rest) = groups.iter_mut().find(|group| group.kind == OTHER) {
            rest.merge(other);
        } else {
            groups.push(rest(other.clone()));
        }
    }
    groups.sort_by(|a, b| (a.first, a.key()).cmp(&(b.first, b.key())));
}

/// Returns the group for errors past the limit, with its first error.
fn rest(group: ErrorGroup) -> ErrorGroup {
    ErrorGroup { kind: OTHER.to_owned(), place: None, scenario: String::new(), ..group }
}

/// The groups of one recorder. Finding a known group allocates nothing.
#[derive(Debug)]
pub(super) struct ErrorTable {
    limit: usize,
    groups: Vec<(u64, ErrorGroup)>,
}

impl ErrorTable {
    pub(super) fn new(limit: usize) -> ErrorTable {
        ErrorTable { limit, groups: Vec::new() }
    }

    pub(super) fn add(&mut self, sample: ErrorSample<'_>) {
        let key = (sample.kind, sample.place, sample.scenario);
        let hash = FixedState::default().hash_one(key);
        let known = self.groups.iter().position(|(known, group)| *known == hash && group.key() == key);
        match known.or_else(|| (self.groups.len() > self.limit).then_some(self.limit)) {
            Some(index) => self.groups[index].1.again(sample.at),
            None if self.groups.len() < self.limit => self.groups.push((hash, ErrorGroup::new(sample))),
            // The last group has no hash to compare with, and is found by its index.
            None => self.groups.push((0, rest(ErrorGroup::new(sample)))),
        }
    }

    /// Moves the counts since the last call to `groups`.
    pub(super) fn take_into(&mut self, groups: &mut Vec<ErrorGroup>) {
        let counted = self.groups.iter_mut().filter(|(_, group)| group.count > 0);
        let taken: Vec<_> = counted
            .map(|(_, group)| {
                let taken = group.clone();
                group.count = 0;
                taken
            })
            .collect();
        merge(groups, &taken);
    }
}

impl ErrorGroup {
    fn again(&mut self, at: SystemTime) {
        if self.count == 0 {
            (self.first, self.last) = (at, at);
        }
        self.count += 1;
        self.first = self.first.min(at);
        self.last = self.last.max(at);
    }
}

fn cut(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn sample(kind: &str, second: u64) -> ErrorSample<'_> {
        ErrorSample {
            kind,
            message: "no route",
            place: Some("src/lib.rs:3"),
            scenario: "browse",
            detail: None,
            at: SystemTime::UNIX_EPOCH + Duration::from_secs(second),
        }
    }

    #[test]
    fn the_same_error_again_counts_and_keeps_the_first_sample() {
        let mut table = ErrorTable::new(10);
        table.add(sample("connect", 2));
        table.add(ErrorSample { message: "later", ..sample("connect", 5) });
        table.add(sample("timeout", 1));
        let mut groups = Vec::new();
        table.take_into(&mut groups);
        assert_eq!(
            groups.iter().map(|group| (&*group.kind, group.count)).collect::<Vec<_>>(),
            [("timeout", 1), ("connect", 2)]
        );
        assert_eq!(groups[1].message, "no route");
        assert_eq!(groups[1].last.duration_since(groups[1].first).unwrap(), Duration::from_secs(3));

        table.add(sample("connect", 9));
        let mut later = Vec::new();
        table.take_into(&mut later);
        assert_eq!(later.len(), 1, "what was taken is not given again");
        assert_eq!((later[0].count, later[0].first), (1, SystemTime::UNIX_EPOCH + Duration::from_secs(9)));
        merge(&mut groups, &later);
        assert_eq!((groups[1].count, &*groups[1].message), (3, "no route"));
    }

    #[test]
    fn place_and_scenario_separate_groups() {
        let mut table = ErrorTable::new(10);
        table.add(sample("connect", 1));
        table.add(ErrorSample { place: None, ..sample("connect", 1) });
        table.add(ErrorSample { scenario: "buy", ..sample("connect", 1) });
        let mut groups = Vec::new();
        table.take_into(&mut groups);
        assert_eq!(groups.len(), 3);
    }

    #[test]
    fn past_the_bound_all_is_counted_in_one_group() {
        let kinds: Vec<String> = (0..MAX_ERRORS + 50).map(|n| format!("kind {n}")).collect();
        let mut table = ErrorTable::new(MAX_ERRORS);
        kinds.iter().for_each(|kind| table.add(sample(kind, 1)));
        let mut groups = Vec::new();
        table.take_into(&mut groups);
        assert_eq!(groups.len(), MAX_ERRORS + 1);
        let mut merged = groups.clone();
        let others: Vec<String> = (0..70).map(|n| format!("another {n}")).collect();
        let mut table = ErrorTable::new(MAX_ERRORS);
        others.iter().for_each(|kind| table.add(sample(kind, 1)));
        table.take_into(&mut merged);
        assert_eq!(merged.len(), MAX_ERRORS + 1);
        let rest = merged.iter().find(|group| group.kind == OTHER).unwrap();
        assert_eq!(rest.count, 50 + 70);
        assert_eq!(merged.iter().map(|group| group.count).sum::<u64>(), MAX_ERRORS as u64 + 50 + 70);
    }

    #[test]
    fn long_messages_are_cut() {
        let message = "ü".repeat(MAX_MESSAGE);
        let group = ErrorGroup::new(ErrorSample { message: &message, ..sample("connect", 1) });
        assert_eq!(group.message.len(), MAX_MESSAGE);
    }
}
