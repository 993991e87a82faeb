//! How long the operations of each name usually take, as far as that is longer than a bin.

use std::{collections::HashMap, sync::Arc, time::Duration};

use super::bins::BIN;
use crate::metrics::Stats;

/// An operation is not judged before this many of the same name have ended.
const LEAST: u64 = 3;

/// The most names. Operations of others are not judged.
const MOST_NAMES: usize = 2_000;

/// The usual latencies of a shard, by name.
#[derive(Debug, Default)]
pub(super) struct UsualLatencies(HashMap<Arc<str>, UsualLatency>);

#[derive(Debug, Default)]
struct UsualLatency {
    ended: u64,
    /// Those that took longer than a bin, by their latency: up to two bins, up to four, and so on.
    long: [u32; 12],
}

impl UsualLatencies {
    /// Counts what ended in a bin, and returns the sum.
    pub(super) fn add<'a>(&mut self, rows: impl IntoIterator<Item = (&'a Arc<str>, &'a Stats)>) -> u64 {
        let mut sum = 0;
        for (name, stats) in rows {
            let ended = stats.counts.ok + stats.counts.failed;
            sum += ended;
            if let Some(usual) = self.0.get_mut(name) {
                usual.ended += ended;
            } else if self.0.len() < MOST_NAMES {
                self.0.insert(name.clone(), UsualLatency { ended, ..UsualLatency::default() });
            }
        }
        sum
    }

    /// Counts an operation that took longer than a bin, and returns whether that is unusual for its name: at least twice as long as
    /// half of them.
    pub(super) fn is_unusual(&mut self, name: &str, took: Duration) -> bool {
        if !self.0.contains_key(name) {
            if self.0.len() >= MOST_NAMES {
                return false;
            }
            self.0.insert(name.into(), UsualLatency::default());
        }
        let Some(usual) = self.0.get_mut(name) else { return false };
        let is_unusual = usual.longest_usual().is_some_and(|longest| took >= 2 * longest);
        let bucket = (took.as_millis() / BIN.as_millis()).max(1).ilog2() as usize;
        usual.long[bucket.min(11)] += 1;
        is_unusual
    }
}

impl UsualLatency {
    /// A time that at least half of the operations do not exceed; `None` if there were too few.
    fn longest_usual(&self) -> Option<Duration> {
        let long: u64 = self.long.iter().map(|count| u64::from(*count)).sum();
        let all = self.ended.max(long);
        let (mut seen, mut longest) = (all - long, BIN);
        for count in self.long {
            if seen * 2 >= all {
                break;
            }
            seen += u64::from(count);
            longest *= 2;
        }
        (all >= LEAST).then_some(longest)
    }
}
