//! Stalls of simulated services, as closed loops of several shards see them.

use std::time::Duration;

use proptest::prelude::*;

use super::{BIN, BinEnd, BinRecorder, Bins, Kind, StallDetector};
use crate::{
    metrics::{HTTP, Limits, OperationSample, Outcome, Recorder},
    run::{LatencySource, Stalls},
};

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A closed loop against a service that freezes. All times are in milliseconds.
#[derive(Debug, Clone)]
struct Simulation {
    workers: u64,
    /// The start of each worker after the one before it.
    ramp_up: f64,
    /// The shortest and the longest time of a request, unless the service freezes.
    latency: (f64, f64),
    /// Each so many requests, one takes this long.
    slow: Option<(u64, f64)>,
    /// The name of those requests.
    slow_name: &'static str,
    /// Whether all workers send them at the same time.
    slow_together: bool,
    think: (f64, f64),
    /// When the service freezes, and for how long. Requests that are served meanwhile end as much later.
    freezes: Vec<(f64, f64)>,
    /// The time after which a request fails.
    timeout: f64,
    /// When the run is paused, and for how long.
    pause: Option<(f64, f64)>,
    /// When all threads are blocked, and for how long.
    block: Option<(f64, f64)>,
    length: f64,
    shards: u64,
    /// Whether its operations are requests.
    requests: bool,
    seed: u64,
}

impl Default for Simulation {
    fn default() -> Self {
        Simulation {
            workers: 20,
            ramp_up: 0.0,
            latency: (20.0, 60.0),
            slow: None,
            slow_name: "GET /",
            slow_together: false,
            think: (0.0, 0.0),
            freezes: Vec::new(),
            timeout: 1e9,
            pause: None,
            block: None,
            length: 10_000.0,
            shards: 3,
            requests: true,
            seed: 42,
        }
    }
}

/// The time at which work of this length ends that starts at `start` and is interrupted meanwhile.
fn end_of(start: f64, length: f64, interruptions: &[(f64, f64)]) -> f64 {
    let (mut end, mut sorted) = (start + length, interruptions.to_vec());
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    for (from, time) in sorted {
        if from + time > start && from < end {
            end += from + time - from.max(start);
        }
    }
    end
}

impl Simulation {
    /// The start and the end of each operation of a worker.
    fn operations(&self, worker: u64) -> Vec<(f64, f64, &'static str)> {
        let mut rng = fastrand::Rng::with_seed(self.seed * 1_000 + worker);
        let mut between = |(least, most): (f64, f64)| least + rng.f64() * (most - least);
        let mut now = self.ramp_up * worker as f64;
        let mut operations = Vec::new();
        for number in 1.. {
            if let Some((from, time)) = self.pause
                && (from..from + time).contains(&now)
            {
                now = from + time;
            }
            if let Some((from, time)) = self.block
                && (from..from + time).contains(&now)
            {
                now = from + time;
            }
            if now >= self.length {
                return operations;
            }
            let place = if self.slow_together { number } else { number + worker };
            let (latency, name) = match self.slow {
                Some((every, latency)) if place % every == 0 => (latency, self.slow_name),
                _ => (between(self.latency), "GET /"),
            };
            let mut end = end_of(now, latency, &self.freezes).min(now + self.timeout);
            if let Some((from, time)) = self.block
                && (from..from + time).contains(&end)
            {
                end = from + time;
            }
            operations.push((now, end, name));
            now = end + between(self.think);
        }
        operations
    }

    /// The reports of all shards.
    fn reports(&self) -> Vec<Bins> {
        let mut reports = Vec::new();
        for shard in 0..self.shards {
            let (bins, recorder) = (BinRecorder::default(), Recorder::new(Limits::default()));
            let scenario = recorder.scenario_id("loop");
            let workers: Vec<_> = (shard..self.workers).step_by(self.shards as usize).collect();
            let operations: Vec<_> = workers.iter().map(|worker| self.operations(*worker)).collect();
            let last = operations.iter().flatten().map(|(_, end, _)| *end).fold(self.length, f64::max);
            let mut ended: Vec<_> = operations.iter().flatten().copied().collect();
            ended.sort_by(|a, b| a.1.total_cmp(&b.1));
            let mut ended = ended.into_iter().peekable();
            for number in 1..=(last / 200.0).ceil() as u32 {
                let until = f64::from(number) * 200.0;
                if self.block.is_some_and(|(from, time)| until > from && until + 200.0 <= from + time) {
                    continue;
                }
                while let Some((start, end, name)) = ended.next_if(|(_, end, _)| *end < until) {
                    let took = Duration::from_secs_f64((end - start) / 1e3);
                    if self.requests {
                        let status = None;
                        let sample = OperationSample {
                            outcome: Outcome::Ok,
                            status,
                            first_byte: None,
                            connect: None,
                            total: took,
                            bytes_in: 0,
                            bytes_out: 0,
                            retried: 0,
                        };
                        recorder.operation(HTTP, name, &sample);
                    }
                    recorder.scenario(scenario, Outcome::Ok, took);
                    if took >= BIN {
                        let at = |millis: f64| Duration::from_secs_f64(millis / 1e3);
                        if self.requests {
                            bins.waited(Kind::Requests, name, at(start), at(end));
                        }
                        bins.waited(Kind::Scenarios, "loop", at(start), at(end));
                    }
                }
                let runs = |operations: &&Vec<(f64, f64, &str)>| {
                    operations.first().is_some_and(|first| first.0 < until)
                        && operations.last().is_some_and(|last| last.1.max(self.length) >= until)
                };
                let paused = self.pause.map_or(0.0, |(from, time)| (until - from).clamp(0.0, time));
                let end = BinEnd {
                    until: BIN * number,
                    workers: operations.iter().filter(runs).count(),
                    is_paused: self.pause.is_some_and(|(from, time)| (from..from + time).contains(&until)),
                    paused: Duration::from_secs_f64(paused / 1e3),
                };
                reports.push(bins.take(&end, &[recorder.take()]));
            }
        }
        reports
    }

    fn stalls(&self) -> Option<Stalls> {
        let mut detector = StallDetector::default();
        self.reports().iter().for_each(|bins| detector.add(bins));
        detector.finish()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(32) })]

    /// Stalls of two seconds are found wherever they begin, and their lengths are right within 10 %.
    #[test]
    fn finds_stalls_and_their_lengths(
        workers in 4_u64..100,
        latency in (1.0_f64..300.0, 0.0_f64..100.0),
        think in 0.0_f64..300.0,
        freezes in prop::collection::vec(0.0_f64..2_000.0, 1..4),
        ramp_up in prop_oneof![Just(0.0), 0.0_f64..20.0],
        requests: bool,
        shards in 1_u64..5,
        seed in 0_u64..1_000,
    ) {
        let simulation = Simulation {
            workers, ramp_up, requests, seed,
            shards: shards.min(workers),
            latency: (latency.0, latency.0 + latency.1),
            think: (0.0, think),
            freezes: freezes.iter().enumerate().map(|(number, at)| (4_000.0 + number as f64 * 5_000.0 + at, 2_000.0)).collect(),
            length: 5_000.0 * (freezes.len() + 1) as f64 + 5_000.0,
            ..Simulation::default()
        };
        // With fewer operations, a gap may be chance.
        prop_assume!(workers as f64 / (latency.0 + latency.1 / 2.0 + think / 2.0) * 2_000.0 > 40.0);
        let stalls = simulation.stalls();
        prop_assert!(stalls.is_some(), "found none");
        let stalls = stalls.unwrap();
        prop_assert_eq!(stalls.count as usize, freezes.len(), "{:?}", stalls);
        for (stall, (start, _)) in stalls.first.iter().zip(&simulation.freezes) {
            let (length, late) = (stall.length.as_secs_f64(), stall.start.as_secs_f64() - start / 1e3);
            prop_assert!((length - 2.0).abs() < 0.2, "{:?} instead of {:?}", stall, start);
            prop_assert!(late.abs() < 0.2, "{:?} instead of {:?}", stall, start);
        }
        let subject = if requests { LatencySource::Requests } else { LatencySource::Scenarios };
        prop_assert_eq!(stalls.subject, subject);
    }

    /// A service that does not stall has none, whatever its latency, its load and the user's pauses are.
    #[test]
    fn finds_none_in_a_steady_service(
        workers in 1_u64..100,
        latency in (0.5_f64..3_000.0, 0.0_f64..3_000.0),
        think in (0.0_f64..3_000.0, 0.0_f64..2_000.0),
        ramp_up in prop_oneof![Just(0.0), 0.0_f64..100.0],
        slow in prop::option::of((2_u64..200, 0.0_f64..5_000.0)),
        pause in prop::option::of((0.0_f64..8_000.0, 0.0_f64..4_000.0)),
        block in prop::option::of((0.0_f64..8_000.0, 0.0_f64..4_000.0)),
        requests: bool,
        seed in 0_u64..1_000,
    ) {
        // One worker that waits for one slow request looks like all workers of a service that stalls.
        let slow = slow.filter(|(every, _)| workers > 3 && *every > 20);
        let simulation = Simulation {
            workers, ramp_up, slow, pause, requests, seed,
            block: if pause.is_some() { None } else { block },
            latency: (latency.0, latency.0 + latency.1),
            think: (think.0, think.0 + think.1),
            length: 20_000.0,
            shards: 2.min(workers),
            ..Simulation::default()
        };
        prop_assert_eq!(simulation.stalls(), None);
    }

    /// The order in which bins arrive and are merged changes nothing.
    #[test]
    fn bins_merge_in_any_order(seed in 0_u64..1_000, groups in 1_usize..40) {
        let simulation = Simulation { freezes: vec![(4_000.0, 2_000.0)], seed, ..Simulation::default() };
        let expected = simulation.stalls();
        let mut reports = simulation.reports();
        fastrand::Rng::with_seed(seed).shuffle(&mut reports);
        let mut detector = StallDetector::default();
        for group in reports.chunks(groups) {
            let mut merged = Bins::default();
            group.iter().for_each(|bins| merged.merge(bins));
            detector.add(&postcard::from_bytes(&postcard::to_allocvec(&merged).unwrap()).unwrap());
        }
        prop_assert_eq!(detector.finish(), expected);
    }
}

#[test]
fn says_what_a_steady_rate_would_have_sent() {
    let simulation = Simulation {
        latency: (50.0, 50.0),
        freezes: vec![(4_100.0, 2_000.0), (8_100.0, 1_000.0)],
        length: 12_000.0,
        ..Simulation::default()
    };
    let stalls = simulation.stalls().unwrap();
    assert_eq!((stalls.count, stalls.first.len()), (2, 2));
    let close = |value: f64, to: f64| (value - to).abs() <= to * 0.1;
    assert!(close(stalls.total.as_secs_f64(), 3.0) && close(stalls.longest.as_secs_f64(), 2.0), "{stalls:?}");
    // 20 workers send a request every 50 ms.
    assert!(close(stalls.throughput, 400.0) && close(stalls.unsent as f64, 1_200.0), "{stalls:?}");
    assert!(close(stalls.rate.unwrap().starts_per_second(), 400.0), "{stalls:?}");
    let text = Stalls {
        total: ms(6_100),
        longest: ms(2_060),
        count: 3,
        throughput: 180.0,
        unsent: 1_098,
        rate: "90/s".parse().ok(),
        ..stalls.clone()
    };
    assert_eq!(
        text.to_string(),
        "The service stalled 3 times, for 6.1 s in all (the longest 2.1 s): most workers waited for a response and sent nothing. \
         A steady 180 requests per second would have sent 1,098 requests meanwhile, and no latency here includes their wait. \
         To measure it, start scenarios at a steady rate: `--rate 90/s`."
    );
    let text = Stalls { count: 1, subject: LatencySource::Scenarios, ..text }.to_string();
    assert!(
        text.starts_with(
            "The service stalled once, for 6.1 s: most workers waited for a response and started nothing."
        )
    );
    assert!(text.contains("A steady 180 scenarios per second would have started 1,098 scenarios meanwhile"), "{text}");
}

/// Requests time out after a second, so the workers send again during the stall.
#[test]
fn timeouts_do_not_split_a_stall() {
    for latency in [(5.0, 10.0), (80.0, 120.0)] {
        let simulation = Simulation {
            latency,
            freezes: vec![(4_100.0, 5_000.0)],
            timeout: 1_000.0,
            length: 20_000.0,
            ..Simulation::default()
        };
        let stalls = simulation.stalls().unwrap();
        assert!(stalls.count == 1 && stalls.total.abs_diff(ms(5_000)) < ms(500), "{stalls:?}");
    }
}

/// A single worker: one request in a thousand takes 2 s. That is a stall if the others of the same name are fast, and none if
/// the slow ones have their own name.
#[test]
fn requests_that_are_slow_by_name_are_no_stall() {
    let simulation = Simulation {
        workers: 1,
        shards: 1,
        latency: (5.0, 5.0),
        length: 30_000.0,
        slow: Some((1_000, 2_000.0)),
        ..Simulation::default()
    };
    assert_eq!(simulation.stalls().unwrap().count, 4);
    assert_eq!(Simulation { slow_name: "GET /export", ..simulation }.stalls(), None);
}

/// All workers run the same steps at the same time, and one step always takes 3 s.
#[test]
fn steps_that_are_slow_by_name_are_no_stall() {
    let lockstep = Simulation {
        latency: (200.0, 200.0),
        slow: Some((40, 3_000.0)),
        slow_together: true,
        length: 60_000.0,
        ..Simulation::default()
    };
    assert!(lockstep.stalls().is_some());
    assert_eq!(Simulation { slow_name: "GET /export", ..lockstep }.stalls(), None);
}

/// A day of bins needs no more memory than two hours, and each stall is found once.
#[test]
fn memory_is_bounded() {
    let mut detector = StallDetector::default();
    let (minute, mut now) =
        (Simulation { freezes: vec![(20_000.0, 2_000.0)], length: 60_000.0, shards: 1, ..Simulation::default() }, 0);
    let reports = minute.reports();
    let mut most = 0;
    for _ in 0..8 * 60 {
        for bins in &reports {
            let mut moved = Bins::default();
            bins.iter().for_each(|(number, bin)| moved.put(number + now, bin));
            detector.add(&moved);
            most = most.max(detector.len());
        }
        now += 300;
    }
    assert!(most <= 18_300, "{most}");
    let stalls = detector.finish().unwrap();
    assert_eq!((stalls.count, stalls.first.len()), (480, 100));
    assert!(stalls.total.abs_diff(ms(960_000)) < ms(48_000), "{stalls:?}");
}
