//! Searches against simulated services, in virtual time.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{cmp::Reverse, collections::BinaryHeap, ops::Range, time::Duration};

use super::{Action, Moment, Search};
use crate::{
    load::{Load, Model},
    metrics::{Health, Snapshot},
    options::{Args, Arrivals, OPTIONS, Options, Rate},
    run::{Capacity, SearchEnd},
};

/// A start after this time is late.
const LATE: Duration = Duration::from_millis(10);

/// How often the coordinator looks, and how often members report.
const TICK: Duration = Duration::from_millis(100);
const PERIOD: Duration = Duration::from_millis(200);

/// A service that handles a number of requests at a time, and queues the others.
struct Service {
    /// When each of its slots is free.
    slots: BinaryHeap<Reverse<Duration>>,
    time: Duration,
    /// Service times vary by up to this share.
    noise: f64,
    /// The share of requests that fail.
    failing: f64,
    /// It starts no request in this time.
    frozen: Range<Duration>,
    /// Whether the load generator uses all of its CPU time.
    generator_is_busy: bool,
}

impl Service {
    fn new(slots: usize, time: Duration) -> Service {
        let slots = std::iter::repeat_n(Reverse(Duration::ZERO), slots).collect();
        Service {
            slots,
            time,
            noise: 0.0,
            failing: 0.0,
            frozen: Duration::ZERO..Duration::ZERO,
            generator_is_busy: false,
        }
    }

    fn capacity(&self) -> f64 {
        self.slots.len() as f64 / self.time.as_secs_f64()
    }

    /// Returns when a request that arrives at `at` ends. Requests arrive in order.
    fn serve(&mut self, at: Duration, rng: &mut fastrand::Rng) -> Duration {
        let Reverse(free) = self.slots.pop().unwrap_or_default();
        let mut start = free.max(at);
        if self.frozen.contains(&start) {
            start = self.frozen.end;
        }
        let end = start + self.time.mul_f64(1.0 + self.noise * (2.0 * rng.f64() - 1.0));
        self.slots.push(Reverse(end));
        end
    }
}

/// A scenario in progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Running {
    end: Duration,
    planned: Duration,
    start: Duration,
    worker: usize,
}

/// A run in virtual time.
struct Simulation {
    service: Service,
    rng: fastrand::Rng,
    arrivals: Arrivals,
    load: Load,
    running: BinaryHeap<Reverse<Running>>,
    /// Open model: when the next start is planned, and when each worker of a limited number is free.
    next: Option<Duration>,
    free: Option<BinaryHeap<Reverse<Duration>>>,
    /// Closed loop: workers that run.
    workers: usize,
    /// What was measured since the last report.
    started: Vec<(Duration, Duration)>,
    ended: Vec<Running>,
}

impl Simulation {
    fn new(args: &Args, service: Service, workers: Option<usize>, seed: u64) -> Simulation {
        Simulation {
            service,
            rng: fastrand::Rng::with_seed(seed),
            arrivals: args.arrivals,
            load: Load::new(args, &[], true, None),
            running: BinaryHeap::new(),
            next: None,
            free: workers.map(|workers| std::iter::repeat_n(Reverse(Duration::ZERO), workers).collect()),
            workers: 0,
            started: Vec::new(),
            ended: Vec::new(),
        }
    }

    fn level(&self, now: Duration) -> f64 {
        match &self.load.streams[0].model {
            Model::Open(open) => open.rate.at(now) / 3_600e6,
            Model::Closed(closed) => closed.workers.at(now),
        }
    }

    fn gap(&mut self, rate: f64) -> Duration {
        let units = match self.arrivals {
            Arrivals::Even => 1.0,
            Arrivals::Poisson => -(1.0 - self.rng.f64()).ln(),
        };
        Duration::from_secs_f64((units / rate).min(1e6))
    }

    fn start(&mut self, planned: Duration, start: Duration, worker: usize) -> Duration {
        let end = self.service.serve(start, &mut self.rng);
        self.running.push(Reverse(Running { end, planned, start, worker }));
        end
    }

    /// Runs from `now` to `to`, with a constant load.
    fn run(&mut self, now: Duration, to: Duration) {
        let level = self.level(now);
        if matches!(self.load.streams[0].model, Model::Open(_)) {
            self.run_open(level, now, to);
        } else {
            self.run_closed(level as usize, now, to);
        }
    }

    fn run_open(&mut self, rate: f64, now: Duration, to: Duration) {
        if rate <= 0.0 {
            self.next = None;
        } else {
            let mut next = self.next.unwrap_or(now);
            while next < to {
                let start = match &mut self.free {
                    None => next,
                    Some(free) => free.pop().map_or(next, |Reverse(free)| free.max(next)),
                };
                let end = self.start(next, start, 0);
                self.free.iter_mut().for_each(|free| free.push(Reverse(end)));
                self.started.push((next, start));
                next += self.gap(rate);
            }
            self.next = Some(next);
        }
        self.end(to);
    }

    fn run_closed(&mut self, workers: usize, now: Duration, to: Duration) {
        while self.workers < workers {
            self.start(now, now, self.workers);
            self.workers += 1;
        }
        while let Some(Reverse(running)) = self.running.peek().copied().filter(|Reverse(running)| running.end < to) {
            self.running.pop();
            self.ended.push(running);
            if running.worker < workers {
                self.start(running.end, running.end, running.worker);
            } else {
                self.workers -= 1;
            }
        }
    }

    fn end(&mut self, to: Duration) {
        while let Some(Reverse(running)) = self.running.peek().copied().filter(|Reverse(running)| running.end < to) {
            self.running.pop();
            self.ended.push(running);
        }
    }

    fn report(&mut self, until: Duration) -> Snapshot {
        let mut snapshot = Snapshot { until, ..Snapshot::default() };
        if self.service.generator_is_busy {
            let (threads_wall, threads_cpu, saturated) = (PERIOD, PERIOD, PERIOD);
            snapshot.health = Health { threads_wall, threads_cpu, saturated, ..Health::default() };
        }
        if matches!(self.load.streams[0].model, Model::Open(_)) {
            let (now, later): (Vec<_>, Vec<_>) = self.started.drain(..).partition(|(_, start)| *start < until);
            self.started = later;
            let starts = snapshot.starts.entry("".into()).or_default();
            starts.started = now.len() as u64;
            starts.lag = now.iter().map(|(planned, start)| *start - *planned).collect();
            starts.late = now.iter().filter(|(planned, start)| *start - *planned > LATE).count() as u64;
            starts.exhausted = starts.late;
        }
        let stats = snapshot.scenarios.entry("one".into()).or_default();
        stats.latency = self.ended.iter().map(|running| running.end - running.planned).collect();
        stats.service = self.ended.iter().map(|running| running.end - running.start).collect();
        for _ in self.ended.drain(..) {
            match self.rng.f64() < self.service.failing {
                true => stats.counts.failed += 1,
                false => stats.counts.ok += 1,
            }
        }
        snapshot
    }
}

fn args(options: &[(&str, &str)]) -> Args {
    let mut given = Options::default();
    for (name, value) in [("sizing", "true")].iter().chain(options) {
        let entry = OPTIONS.iter().find(|entry| entry.name == *name).unwrap();
        given.add((entry.read)(value).unwrap());
    }
    given.resolve()
}

/// Searches for the capacity of a service.
fn search(args: &Args, service: Service, workers: Option<usize>, seed: u64) -> (Capacity, Duration) {
    searched(args, Simulation::new(args, service, workers, seed))
}

/// Runs the search of a simulation to its end.
fn searched(args: &Args, mut run: Simulation) -> (Capacity, Duration) {
    let mut search = Search::new(args, &run.load);
    let (mut now, mut reported) = (Duration::ZERO, Duration::ZERO);
    while now < args.search_time() {
        let next = now + TICK;
        run.run(now, next);
        now = next;
        if now.as_nanos().is_multiple_of(PERIOD.as_nanos()) {
            reported = now;
            search.measured(&run.report(now));
        }
        match search.advance(Moment { now, reported, workers: run.workers }, &run.load) {
            Some(Action::Load(load)) => {
                run.load = load;
                run.next = None;
            }
            Some(Action::Stop) => break,
            None => {}
        }
    }
    (search.result(false), now)
}

/// Prints the steps of a search, for a test that fails.
fn shown(capacity: &Capacity) -> String {
    let step = |step: &crate::run::SizingStep| {
        let values: Vec<_> = step.conditions.iter().map(|condition| condition.outcome().to_owned()).collect();
        format!(
            "{:>8.2} {:>6.1?} {:>8.1} {:>8.1} {:?} {:?}\n",
            step.load, step.time, step.started, step.ended, step.verdict, values
        )
    };
    format!("{capacity} {:?}\n{}", capacity.end, capacity.steps.iter().map(step).collect::<String>())
}

/// Searches with ten seeds. The interval holds the truth at least nine times, and is always narrow.
fn finds(truth: f64, args: &Args, service: impl Fn() -> Service) {
    let (mut hits, mut misses) = (0, String::new());
    let mut times = Vec::new();
    for seed in 0..10 {
        let (capacity, time) = search(args, service(), None, seed);
        times.push((time.as_secs(), capacity.steps.len()));
        let (Some(met), Some(broken)) = (capacity.met, capacity.broken) else { panic!("{}", shown(&capacity)) };
        assert!((broken - met) / (broken + met) <= 0.1, "{}", shown(&capacity));
        assert_eq!(capacity.end, SearchEnd::Found, "{}", shown(&capacity));
        if (met..=broken).contains(&truth) {
            hits += 1;
        } else {
            misses.push_str(&shown(&capacity));
        }
    }
    println!("{truth}: {hits} of 10; {times:?}\n{misses}");
    assert!(hits >= 9, "{hits} of 10 intervals hold {truth}: {misses}");
}

fn noisy(slots: usize, millis: u64) -> Service {
    Service { noise: 0.5, ..Service::new(slots, Duration::from_millis(millis)) }
}

#[test]
fn the_interval_of_a_rate_holds_the_capacity() {
    for (slots, millis) in [(4, 100), (6, 60), (10, 50)] {
        let service = || noisy(slots, millis);
        finds(service().capacity(), &args(&[("rate", "10/s"), ("arrivals", "poisson")]), service);
    }
}

#[test]
fn even_starts_find_the_capacity_quickly() {
    let service = || Service::new(10, Duration::from_millis(50));
    finds(200.0, &args(&[("rate", "30/s"), ("duration", "60")]), service);
}

/// In runs of 800 s at constant rates, the 95th percentile crosses 150 ms at 185/s.
#[test]
fn the_interval_of_a_rate_holds_the_limit_of_a_latency() {
    finds(185.0, &args(&[("rate", "20/s"), ("arrivals", "poisson"), ("threshold", "p95 < 150ms")]), || noisy(10, 50));
}

/// With `slots` requests at a time, `n` workers wait for `n / slots` service times.
#[test]
fn the_interval_of_workers_holds_the_limit_of_a_latency() {
    for (slots, millis) in [(4, 100), (10, 50), (30, 20)] {
        let limit = format!("p90 < {}ms", 4 * millis);
        let service = || Service { noise: 0.02, ..Service::new(slots, Duration::from_millis(millis)) };
        finds(4.0 * slots as f64, &args(&[("threshold", &limit), ("workers", "3"), ("duration", "120")]), service);
    }
}

#[test]
fn failures_at_every_load_are_not_a_capacity() {
    let service = || Service { failing: 0.3, ..Service::new(1_000, Duration::from_millis(20)) };
    let (capacity, time) = search(&args(&[("rate", "100/s")]), service(), None, 1);
    assert_eq!((capacity.end.name(), capacity.met), ("never_met", None), "{}", shown(&capacity));
    assert!(time < Duration::from_secs(60), "{time:?}");
    let (tolerant, _) = search(&args(&[("rate", "100/s"), ("sizing_tolerance", "40")]), noisy(20, 50), None, 1);
    assert_eq!(tolerant.end, SearchEnd::Found, "{}", shown(&tolerant));
}

/// A generator whose CPU is busy is no reason for scenarios that fail.
#[test]
fn failures_are_not_blamed_on_the_generator() {
    for options in [[("threshold", "p95 < 2s"), ("workers", "10")], [("threshold", "p95 < 2s"), ("rate", "100/s")]] {
        let service =
            |failing| Service { failing, generator_is_busy: true, ..Service::new(1_000, Duration::from_millis(20)) };
        let (capacity, _) = search(&args(&options), service(0.3), None, 1);
        assert_eq!((capacity.end.name(), capacity.met), ("never_met", None), "{options:?}: {}", shown(&capacity));
        // It is a reason for slow ones.
        let slow = Service { time: Duration::from_secs(3), ..service(0.0) };
        let (capacity, _) = search(&args(&options), slow, None, 1);
        assert_eq!((capacity.end.name(), capacity.met), ("limited", None), "{options:?}: {}", shown(&capacity));
    }
}

/// In the first second of a step, no scenario ends.
#[test]
fn a_slow_service_is_not_overloaded() {
    for millis in [1_400, 2_500] {
        let service = Service::new(100, Duration::from_millis(millis));
        let truth = service.capacity();
        let (capacity, _) = search(&args(&[("rate", "10/s"), ("duration", "300")]), service, None, 1);
        assert_eq!(capacity.end, SearchEnd::Found, "{}", shown(&capacity));
        let (met, broken) = (capacity.met.unwrap(), capacity.broken.unwrap());
        // The service keeps up with 1 % more if 99 % suffice.
        assert!(met <= 1.011 * truth && broken >= truth, "{truth}: {}", shown(&capacity));
    }
}

/// The service responds to nothing after a while. All workers wait for it, if their number is limited.
#[test]
fn a_service_that_hangs_is_overloaded() {
    for workers in [None, Some(20)] {
        let frozen = Duration::from_secs(6)..Duration::from_secs(100_000);
        let service = Service { frozen, ..Service::new(100, Duration::from_millis(50)) };
        let (capacity, _) = search(&args(&[("rate", "30/s"), ("duration", "180")]), service, workers, 1);
        assert!(capacity.broken.is_some(), "{workers:?}: {}", shown(&capacity));
        assert_ne!(capacity.end.name(), "limited", "{workers:?}: {}", shown(&capacity));
    }
}

#[test]
fn a_search_ends_after_the_first_step_if_a_threshold_names_nothing() {
    for unit in [("rate", "100/s"), ("workers", "5")] {
        let args = args(&[("threshold", "p95(onne) < 1s"), unit, ("duration", "60")]);
        let (capacity, time) = search(&args, Service::new(10, Duration::from_millis(20)), None, 1);
        assert_eq!((capacity.steps.len(), capacity.met), (1, None), "{}", shown(&capacity));
        let SearchEnd::Limited(why) = &capacity.end else { panic!("{}", shown(&capacity)) };
        let reason = "no scenario, request or step named `onne` was measured; did you mean `one`?";
        assert_eq!(*why, format!("The threshold `p95(onne) < 1s` cannot be judged: {reason}."));
        assert!(time < Duration::from_secs(10), "{time:?}");
    }
}

#[test]
fn the_search_ends_at_the_highest_load() {
    let args = args(&[("threshold", "p95 < 2s"), ("workers", "1000")]);
    let (capacity, _) = search(&args, Service::new(20_000, Duration::from_secs(1)), None, 1);
    assert_eq!((capacity.end.name(), capacity.met), ("limited", Some(10_000.0)), "{}", shown(&capacity));
}

#[test]
fn a_search_that_begins_too_high_goes_down() {
    let (capacity, _) = search(&args(&[("rate", "2000/s")]), Service::new(10, Duration::from_millis(100)), None, 1);
    assert_eq!(capacity.end, SearchEnd::Found, "{}", shown(&capacity));
    assert!(capacity.met <= Some(100.0) && capacity.broken >= Some(100.0), "{}", shown(&capacity));
}

#[test]
fn a_hiccup_does_not_become_the_capacity() {
    for at in [1, 6, 12, 20, 25] {
        let frozen = Duration::from_secs(at)..Duration::from_secs(at + 2);
        let service = Service { frozen, ..Service::new(10, Duration::from_millis(50)) };
        let (capacity, _) = search(&args(&[("rate", "30/s"), ("duration", "180")]), service, None, 1);
        assert_eq!(capacity.end, SearchEnd::Found, "at {at} s: {}", shown(&capacity));
        // The service keeps up with 202/s if 99 % suffice.
        assert!(capacity.met <= Some(202.1) && capacity.broken >= Some(200.0), "at {at} s: {}", shown(&capacity));
    }
}

/// Twenty workers make at most 200 scenarios of 100 ms per second.
#[test]
fn busy_workers_are_not_the_capacity_of_the_service() {
    let (capacity, _) = search(&args(&[("rate", "50/s")]), Service::new(100, Duration::from_millis(100)), Some(20), 1);
    let SearchEnd::Limited(why) = &capacity.end else { panic!("{}", shown(&capacity)) };
    assert!(why.contains("all workers were busy") && why.contains("--workers"), "{why}");
    assert!(capacity.met >= Some(100.0) && capacity.met <= Some(200.0), "{}", shown(&capacity));
    assert_eq!(capacity.broken, None, "{}", shown(&capacity));

    // The first load is too much for the workers.
    let (capacity, _) = search(&args(&[("rate", "500/s")]), Service::new(100, Duration::from_millis(100)), Some(20), 1);
    assert_eq!(capacity.end.name(), "limited", "{}", shown(&capacity));

    // The service is the reason that they are busy.
    let (capacity, _) = search(&args(&[("rate", "10/s")]), Service::new(5, Duration::from_millis(100)), Some(40), 1);
    assert_eq!(capacity.end, SearchEnd::Found, "{}", shown(&capacity));
    assert!(capacity.met <= Some(50.0) && capacity.broken >= Some(50.0), "{}", shown(&capacity));
}

#[test]
fn a_search_without_time_says_what_it_knows() {
    let options = args(&[("rate", "10/s"), ("duration", "6")]);
    let (capacity, _) = search(&options, Service::new(100, Duration::from_millis(10)), None, 1);
    assert_eq!((capacity.end.name(), capacity.broken), ("out_of_time", None), "{}", shown(&capacity));
    assert!(capacity.met >= Some(20.0), "{}", shown(&capacity));
}

/// Scenarios with their own rates keep them beside the others, and their proportions if there are no others.
#[test]
fn steps_have_the_rates_of_scenarios_that_have_their_own() {
    let args = args(&[("rate", "30/s"), ("duration", "60")]);
    let own = [("ads".to_owned(), Rate::per_second(30.0)), ("chat".to_owned(), Rate::per_second(10.0))];
    for weighted in [true, false] {
        let mut run = Simulation::new(&args, Service::new(10, Duration::from_millis(100)), None, 1);
        run.load = Load::new(&args, &own, weighted, None);
        let (capacity, _) = searched(&args, run);
        assert!(capacity.steps.len() > 2, "{}", shown(&capacity));
        for step in &capacity.steps {
            let [ads, chat] = ["ads", "chat"].map(|name| step.rates[name]);
            let expected = if weighted { [30.0, 10.0] } else { [0.75 * step.load, 0.25 * step.load] };
            let is_near = |(rate, expected): (f64, f64)| (rate - expected).abs() < 1e-3 * expected;
            assert!([(ads, expected[0]), (chat, expected[1])].into_iter().all(is_near), "{step:?}");
        }
    }
}
