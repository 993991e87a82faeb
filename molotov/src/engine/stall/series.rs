//! Finds series of bins in which almost nothing ended although most workers waited.

use std::time::Duration;

use super::bins::{BIN, Bin, Kind};
use crate::run::Stall;

/// A stall is at least this long. Shorter ones do not always contain a whole bin.
const SHORTEST: Duration = Duration::from_millis(500);

/// What a part of a run contains.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Found {
    pub(super) stalls: Vec<Stall>,
    /// The bins outside of stalls and their edges, in which enough workers ran.
    pub(super) steady: Steady,
    /// The time of the bins in which enough workers ran, and the same time multiplied by the number of workers, in seconds.
    pub(super) time: f64,
    pub(super) worker_time: f64,
    /// The time that operations waited unusually long meanwhile, in seconds.
    pub(super) waiting_time: f64,
}

/// What ended while the service did not stall.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Steady {
    pub(super) bins: u64,
    pub(super) requests: u64,
    pub(super) scenarios: u64,
}

/// Finds the stalls in consecutive bins. `first` is the number of the first one, and `waiting` the number of operations that
/// waited during the whole bin before it.
pub(super) fn find(bins: &[Bin], first: u32, waiting: i64, kind: Kind) -> Found {
    let part = Part::new(bins, waiting, kind);
    let mut found = Found::default();
    let mut is_steady = part.is_counted.clone();
    for (from, to) in part.series() {
        let length = part.length(from, to);
        if length < SHORTEST {
            continue;
        }
        let start = (BIN * (first + from as u32)).saturating_sub(part.before(from));
        found.stalls.push(Stall { start, length });
        is_steady[from - 1..bins.len().min(to + 1)].fill(false);
    }
    for (at, (bin, is_steady)) in bins.iter().zip(is_steady).enumerate() {
        if part.is_counted[at] {
            found.time += BIN.as_secs_f64();
            found.worker_time += BIN.as_secs_f64() * f64::from(bin.workers);
            found.waiting_time += BIN.as_secs_f64() * part.waiting[at] as f64;
        }
        if is_steady {
            found.steady.bins += 1;
            found.steady.requests += u64::from(bin.requests.count);
            found.steady.scenarios += u64::from(bin.scenarios.count);
        }
    }
    found
}

/// Returns the last bin before `end` in which the service did not stall.
pub(super) fn last_steady(bins: &[Bin], end: usize, kind: Kind) -> Option<usize> {
    let part = Part::new(bins, 0, kind);
    (0..end).rev().find(|at| part.is_counted[*at] && !part.is_low[*at])
}

/// A part of a run.
struct Part<'a> {
    bins: &'a [Bin],
    kind: Kind,
    /// Bins in which at least half as many workers ran as usual. The others, as in a ramp-up, say nothing.
    is_counted: Vec<bool>,
    /// The usual number of operations that end in a bin.
    median: u32,
    /// Bins with less than a tenth of it.
    is_low: Vec<bool>,
    /// The number of operations that waited unusually long during the whole bin.
    waiting: Vec<i64>,
}

impl Part<'_> {
    fn new(bins: &[Bin], mut waiting: i64, kind: Kind) -> Part<'_> {
        let workers = median(bins.iter().map(|bin| bin.workers).filter(|workers| *workers > 0));
        let is_counted: Vec<_> =
            bins.iter().map(|bin| bin.workers > 0 && u64::from(bin.workers) * 2 >= u64::from(workers)).collect();
        let counted = bins.iter().zip(&is_counted).filter(|(_, is_counted)| **is_counted);
        let median = median(counted.map(|(bin, _)| bin.of(kind).count));
        let is_low = |count: u32| u64::from(count) * 10 < u64::from(median);
        let mut part = Part {
            is_low: bins.iter().zip(&is_counted).map(|(bin, counted)| *counted && is_low(bin.of(kind).count)).collect(),
            waiting: (bins.iter())
                .map(|bin| {
                    waiting += bin.of(kind).waiting_change;
                    waiting
                })
                .collect(),
            bins,
            kind,
            is_counted,
            median,
        };
        // If requests time out during a stall, they end together. Then the next ones wait.
        for (at, bin) in bins.iter().enumerate().take(bins.len().saturating_sub(2)).skip(2) {
            let ended = bin.of(kind);
            let is_between = [at - 2, at - 1, at + 1, at + 2].iter().all(|near| part.is_low[*near]);
            if is_between && part.is_counted[at] && is_low(ended.count.saturating_sub(ended.long)) {
                part.is_low[at] = true;
            }
        }
        part
    }

    /// Returns the series of low bins that follow a bin with more, and in which at least half of the workers waited: the first bin,
    /// and the one after the last.
    fn series(&self) -> impl Iterator<Item = (usize, usize)> {
        let starts =
            (1..self.bins.len()).filter(|at| self.is_low[*at] && !self.is_low[at - 1] && self.is_counted[at - 1]);
        let series = starts.map(|from| (from, from + self.is_low[from..].iter().take_while(|is_low| **is_low).count()));
        series.filter(|(from, to)| (*from..*to).any(|at| self.waiting[at] * 2 >= i64::from(self.bins[at].workers)))
    }

    fn length(&self, from: usize, to: usize) -> Duration {
        BIN * (to - from) as u32 + self.before(from) + self.after(to)
    }

    /// How long before the low bins the stall began: the part of the bin in which nothing ended any more.
    fn before(&self, from: usize) -> Duration {
        BIN.mul_f64(self.missing_share(from - 1))
    }

    /// How long after the low bins the stall ended. Operations that waited end together at that time. If they do not, the number of
    /// operations that are missing in the bin gives an estimate.
    fn after(&self, to: usize) -> Duration {
        let Some(ended) = self.bins.get(to).map(|bin| bin.of(self.kind)).filter(|_| self.is_counted[to]) else {
            return Duration::ZERO;
        };
        let together = ended.long > 0 && i64::from(ended.long) * 2 >= self.waiting[to - 1];
        match together {
            true => Duration::from_micros(ended.long_micros / u64::from(ended.long)).min(BIN),
            false => BIN.mul_f64(self.missing_share(to)),
        }
    }

    /// The share of the usual number that did not end in a bin.
    fn missing_share(&self, at: usize) -> f64 {
        (1.0 - f64::from(self.bins[at].of(self.kind).count) / f64::from(self.median)).clamp(0.0, 1.0)
    }
}

/// The median, the lower one of two; 0 if there is nothing.
fn median(numbers: impl Iterator<Item = u32>) -> u32 {
    let mut numbers: Vec<_> = numbers.collect();
    if numbers.is_empty() {
        return 0;
    }
    let middle = (numbers.len() - 1) / 2;
    *numbers.select_nth_unstable(middle).1
}
