//! Stalls of the service in a closed loop.

use std::{fmt, time::Duration};

use super::LatencySource;
use crate::{format, options::Rate};

/// The times at which the service stalled and kept the workers of a closed loop from sending.
///
/// During a stall, throughput is under a tenth of its median, and most workers wait for a response. The workers send nothing
/// meanwhile, so the latencies of the run contain only one slow request for each of them. Nothing here corrects the latencies.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Stalls {
    /// The number of stalls.
    pub count: u64,
    /// The time of all stalls together.
    pub total: Duration,
    /// The time of the longest stall.
    pub longest: Duration,
    /// The first 100 stalls.
    pub first: Vec<Stall>,
    /// What the throughput counts: requests, or scenarios in a run without requests.
    pub subject: LatencySource,
    /// The throughput of the run without its stalls, per second.
    pub throughput: f64,
    /// The number of requests or scenarios that this throughput would have sent during the stalls.
    pub unsent: u64,
    /// The number of scenarios that started per second, without the stalls, rounded down to three digits: a value for `--rate`.
    pub rate: Option<Rate>,
}

/// A stall of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stall {
    /// When it began, from the start of the run.
    pub start: Duration,
    /// How long it lasted.
    pub length: Duration,
}

/// Two or three sentences.
///
/// ```text
/// The service stalled 3 times, for 6.1 s in all (the longest 2.1 s): most workers waited for a response and sent nothing. A
/// steady 180 requests per second would have sent 1,100 requests meanwhile, and no latency here includes their wait. To
/// measure it, start scenarios at a steady rate: `--rate 180/s`.
/// ```
impl fmt::Display for Stalls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = format::elapsed(self.total);
        match self.count {
            1 => write!(f, "The service stalled once, for {total}")?,
            count => {
                let longest = format::elapsed(self.longest);
                write!(f, "The service stalled {count} times, for {total} in all (the longest {longest})")?;
            }
        }
        // `180.0` would look like a measurement of four digits.
        let throughput = format::rate(self.throughput);
        let throughput = throughput.strip_suffix(".0").unwrap_or(&throughput);
        let (verb, noun) = match self.subject {
            LatencySource::Requests => ("sent", "request"),
            LatencySource::Scenarios => ("started", "scenario"),
        };
        write!(
            f,
            ": most workers waited for a response and {verb} nothing. A steady {} {noun}s per second would have {verb} {} \
             meanwhile, and no latency here includes their wait.",
            throughput,
            format::plural(self.unsent, noun),
        )?;
        match self.rate {
            Some(rate) => write!(f, " To measure it, start scenarios at a steady rate: `--rate {rate}`."),
            None => Ok(()),
        }
    }
}
