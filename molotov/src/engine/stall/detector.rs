//! The detector of a run: keeps the bins of all members, and finds stalls in them.

use std::collections::VecDeque;

use super::{
    bins::{BIN, Bin, Bins, Kind},
    series::{self, Found, Steady},
};
use crate::{
    options::Rate,
    run::{LatencySource, Stalls},
};

/// With this many bins, those of a past hour are searched and dropped.
const SEARCH_FROM: usize = 18_000;
/// The last minute stays, because an operation is counted when it ends.
const KEPT: usize = 300;
/// With this many bins, all are searched and dropped, even during a stall.
const SEARCH_ALL_FROM: usize = 2 * SEARCH_FROM;
/// The number of stalls that are listed.
const LISTED: usize = 100;
/// Stalls are reported if at least this much would have ended meanwhile. Less may be chance.
const LEAST_UNSENT: u64 = 10;

/// Finds the stalls of a run. Its memory is bounded, however long the run is.
#[derive(Debug, Default)]
pub(in crate::engine) struct StallDetector {
    /// Bins that were not searched yet, and the number of the first one.
    bins: VecDeque<Bin>,
    first: u32,
    /// How many operations waited during the whole bin before the first one: requests and scenarios.
    waiting: [i64; 2],
    /// The number of bins at which the next search happens, if not [`SEARCH_FROM`].
    search_from: usize,
    has_requests: bool,
    total: Total,
}

/// The stalls of the bins that were dropped.
#[derive(Debug, Default)]
struct Total {
    stalls: Stalls,
    steady: Steady,
    time: f64,
    worker_time: f64,
    waiting_time: f64,
}

impl StallDetector {
    /// Adds bins of a member.
    pub(in crate::engine) fn add(&mut self, bins: &Bins) {
        for (number, bin) in bins.iter() {
            // A bin that was dropped counts in the first one that is left.
            let index = number.saturating_sub(self.first) as usize;
            if index >= self.bins.len() {
                self.bins.resize(index + 1, Bin::default());
            }
            self.bins[index].merge(bin);
            self.has_requests |= bin.requests.count > 0;
        }
        if self.bins.len() >= self.search_from.max(SEARCH_FROM) {
            self.search_the_past();
        }
    }

    /// Returns the stalls of the run; `None` if there were none.
    pub(in crate::engine) fn finish(mut self) -> Option<Stalls> {
        self.search(self.bins.len());
        let kind = self.kind();
        let Total { mut stalls, steady, time, worker_time, waiting_time } = self.total;
        let per_second = |count: u64| count as f64 / (BIN.as_secs_f64() * steady.bins.max(1) as f64);
        let (subject, ended) = match kind {
            Kind::Requests => (LatencySource::Requests, steady.requests),
            Kind::Scenarios => (LatencySource::Scenarios, steady.scenarios),
        };
        stalls.subject = subject;
        stalls.throughput = per_second(ended);
        stalls.unsent = (stalls.throughput * stalls.total.as_secs_f64()).round() as u64;
        stalls.rate = rounded_down(per_second(steady.scenarios));
        // If the workers waited independently of each other, all of them did so for this share of the time.
        let workers = worker_time / time;
        let chance = (waiting_time / worker_time).min(1.0).powf(workers);
        let is_chance = workers > 1.0 && chance * time * 2.0 >= stalls.total.as_secs_f64();
        (stalls.count > 0 && stalls.unsent >= LEAST_UNSENT && !is_chance).then_some(stalls)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.bins.len()
    }

    fn kind(&self) -> Kind {
        if self.has_requests { Kind::Requests } else { Kind::Scenarios }
    }

    /// Searches the bins up to the last one in which the service did not stall, except for those of the last minute.
    fn search_the_past(&mut self) {
        let (past, kind) = (self.bins.len() - KEPT, self.kind());
        let cut = series::last_steady(self.bins.make_contiguous(), past, kind);
        match cut {
            Some(cut) => self.search(cut),
            None if self.bins.len() >= SEARCH_ALL_FROM => self.search(past),
            None => {}
        }
        self.search_from = self.bins.len() + KEPT;
    }

    /// Searches the bins before `end`, with that one as the edge of a stall, and drops them.
    fn search(&mut self, end: usize) {
        let (kind, edge) = (self.kind(), self.bins.len().min(end + 1));
        let bins = &self.bins.make_contiguous()[..edge];
        self.total.add(series::find(bins, self.first, self.waiting[kind as usize], kind));
        for bin in self.bins.drain(..end) {
            for kind in [Kind::Requests, Kind::Scenarios] {
                self.waiting[kind as usize] += bin.of(kind).waiting_change;
            }
        }
        self.first += end as u32;
    }
}

impl Total {
    fn add(&mut self, found: Found) {
        let stalls = &mut self.stalls;
        for stall in found.stalls {
            stalls.count += 1;
            stalls.total += stall.length;
            stalls.longest = stalls.longest.max(stall.length);
            if stalls.first.len() < LISTED {
                stalls.first.push(stall);
            }
        }
        self.steady.bins += found.steady.bins;
        self.steady.requests += found.steady.requests;
        self.steady.scenarios += found.steady.scenarios;
        self.time += found.time;
        self.worker_time += found.worker_time;
        self.waiting_time += found.waiting_time;
    }
}

/// A rate of at most this many starts per second, with three digits.
fn rounded_down(per_second: f64) -> Option<Rate> {
    if per_second <= 0.0 {
        return None;
    }
    let step = 10_f64.powf(per_second.log10().floor() - 2.0);
    // So that 180 does not become 179 because of a rounding error.
    Some(Rate::per_second((per_second / step + 1e-6).floor() * step)).filter(|rate| rate.starts_per_second() > 0.0)
}
