//! Pacing on a simulated clock: workers whose scenarios take a known time follow random plans.

use std::{
    cell::RefCell,
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    rc::Rc,
    time::Duration,
};

use proptest::prelude::*;

use super::{ClosedLoop, OpenLoop, OpenShard, Pace, WorkerPace};
use crate::{
    load::{ClosedModel, Levels, OpenModel, Part, Schedule},
    metrics::{StartSample, WaitedFor},
    options::{Arrivals, WhenBusy},
};

const PER_SECOND: u64 = 3_600_000_000;
const MOMENT: Duration = Duration::from_millis(2);

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A simulated shard under a rate.
struct Simulation {
    open: OpenLoop,
    /// How long setting up sessions and running a scenario take.
    setup: Duration,
    service: Duration,
    samples: Rc<RefCell<Vec<StartSample>>>,
    woken: Rc<RefCell<Vec<usize>>>,
    workers: BTreeMap<usize, Simulated>,
    slots: usize,
    /// When scenarios started.
    starts: Vec<Duration>,
    most: usize,
}

struct Simulated {
    pace: WorkerPace,
    /// When it does something next, and what it does until then.
    at: Duration,
    doing: Doing,
}

#[derive(Clone, Copy, PartialEq)]
enum Doing {
    Setup,
    Waiting,
    Running,
}

impl Simulation {
    fn new(model: &OpenModel, part: Part, limit: usize, setup: Duration, service: Duration) -> Simulation {
        let (samples, woken) = (Rc::<RefCell<Vec<_>>>::default(), Rc::<RefCell<Vec<_>>>::default());
        let (recorded, waking) = (samples.clone(), woken.clone());
        let open = OpenLoop::new(
            model,
            OpenShard {
                part,
                limit,
                record: Box::new(move |_planned, sample| recorded.borrow_mut().push(sample)),
                wake: Box::new(move |slot| waking.borrow_mut().push(slot)),
                grow: Box::new(|| ()),
            },
        );
        let (workers, starts) = (BTreeMap::new(), Vec::new());
        Simulation { open, setup, service, samples, woken, workers, slots: 0, starts, most: 0 }
    }

    /// Starts new workers, and wakes those that pacing wakes.
    fn settle(&mut self, now: Duration) {
        for _ in 0..self.open.take_wanted() {
            let pace = WorkerPace::new(self.slots, 0);
            self.workers.insert(self.slots, Simulated { pace, at: now + self.setup, doing: Doing::Setup });
            self.slots += 1;
        }
        self.most = self.most.max(self.workers.len());
        for slot in self.woken.take() {
            self.workers.get_mut(&slot).expect("it exists").at = now;
        }
    }

    /// Runs until the time, and lets all workers that wait compare the plan with it.
    fn run_until(&mut self, end: Duration) {
        self.settle(Duration::ZERO);
        while let Some((slot, now)) =
            self.workers.iter().map(|(slot, worker)| (*slot, worker.at)).min_by_key(|(_, at)| *at)
            && now < end
        {
            let mut worker = self.workers.remove(&slot).expect("it was found");
            if worker.doing == Doing::Setup {
                worker.pace.joined = true;
                self.open.join(now, self.setup);
            }
            match self.open.next(&mut worker.pace, now) {
                Pace::At(start) if start <= now => {
                    self.open.started(&mut worker.pace, now);
                    self.starts.push(now);
                    (worker.at, worker.doing) = (now + self.service, Doing::Running);
                    self.workers.insert(slot, worker);
                }
                Pace::At(later) | Pace::Idle(later) => {
                    assert!(later > now, "a wait ends in the future");
                    (worker.at, worker.doing) = (later, Doing::Waiting);
                    self.workers.insert(slot, worker);
                }
                Pace::Done { .. } => self.open.leave(&mut worker.pace, now),
            }
            self.settle(now);
        }
    }

    fn change(&mut self, model: &OpenModel, now: Duration) {
        self.open.change(model, now);
        for worker in self.workers.values_mut().filter(|worker| worker.doing == Doing::Waiting) {
            worker.at = now;
        }
        self.settle(now);
    }

    /// Stops the run at a time.
    fn stop(&mut self, now: Duration) {
        for mut worker in std::mem::take(&mut self.workers).into_values() {
            self.open.leave(&mut worker.pace, now);
        }
        self.open.finish(now);
    }

    fn count(&self, which: impl Fn(&StartSample) -> bool) -> usize {
        self.samples.borrow().iter().filter(|sample| which(sample)).count()
    }
}

/// The planned starts of a part before a time.
fn planned(model: &OpenModel, part: Part, end: Duration) -> Vec<Duration> {
    let mut schedule = Schedule::new(model, part);
    std::iter::from_fn(|| schedule.take()).map(|arrival| arrival.at).take_while(|at| *at < end).collect()
}

fn any_plan() -> impl Strategy<Value = OpenModel> {
    let level = prop_oneof![Just(0_u64), 0_u64..80];
    let pieces = prop::collection::vec((1_u64..1_500, level.clone(), level), 1..5);
    (pieces, any::<bool>(), any::<u64>()).prop_map(|(pieces, poisson, seed)| {
        let add = |levels: Levels, (length, from, to): &(u64, u64, u64)| {
            levels.then(ms(*length), from * PER_SECOND, to * PER_SECOND)
        };
        OpenModel {
            rate: pieces.iter().fold(Levels::default(), add),
            arrivals: if poisson { Arrivals::Poisson } else { Arrivals::Even },
            when_busy: WhenBusy::Wait,
            workers: usize::MAX,
            seed,
        }
    })
}

fn parts(shards: usize) -> impl Iterator<Item = Part> {
    (0..shards).map(move |shard| Part { number: shard, of: shards })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// With workers enough, every start happens when it is planned, on one of the shards, until the run stops.
    #[test]
    fn starts_follow_the_plan(
        model in any_plan(),
        shards in prop_oneof![Just(1_usize), Just(2), Just(7)],
        service in 0_u64..400,
        stop in 1_u64..6_000,
    ) {
        let (mut starts, stop) = (Vec::new(), ms(stop));
        for part in parts(shards) {
            let mut simulation = Simulation::new(&model, part, usize::MAX, Duration::ZERO, ms(service));
            simulation.run_until(stop);
            simulation.stop(stop);
            prop_assert_eq!(simulation.count(|sample| !matches!(sample, StartSample::Started { .. })), 0);
            // At most one worker more than scenarios that run at once.
            let running = |at: &Duration| {
                simulation.starts.iter().filter(|start| (**start..=**start + ms(service)).contains(at)).count()
            };
            prop_assert!(simulation.most <= simulation.starts.iter().map(running).max().unwrap_or(0) + 1);
            starts.append(&mut simulation.starts);
        }
        starts.sort();
        prop_assert_eq!(starts, planned(&model, Part::WHOLE, stop));
    }

    /// With few workers, each start happens as soon as one is free, in the order of the plan.
    #[test]
    fn starts_wait_for_a_free_worker(model in any_plan(), limit in 1_usize..5, service in 0_u64..400) {
        let part = Part::WHOLE;
        let (end, service) = (model.rate.end(), ms(service));
        let mut simulation = Simulation::new(&model, part, limit, Duration::ZERO, service);
        simulation.run_until(Duration::MAX);
        simulation.stop(Duration::MAX);
        let mut free = BinaryHeap::from(vec![Reverse(Duration::ZERO); limit]);
        let (mut expected, mut unstarted) = (Vec::new(), 0);
        for at in planned(&model, part, Duration::MAX) {
            let Reverse(worker) = free.pop().expect("there are workers");
            let start = worker.max(at);
            // Nothing starts after the end of the plan.
            let starts = start < end || start == at;
            free.push(Reverse(if starts { start + service } else { worker }));
            if starts { expected.push(start) } else { unstarted += 1 }
        }
        prop_assert_eq!(&simulation.starts, &expected);
        prop_assert_eq!(simulation.count(|sample| *sample == StartSample::Unstarted(None)), unstarted);
        prop_assert!(simulation.most <= limit);
    }

    /// With `drop`, a start without a free worker is dropped.
    #[test]
    fn starts_are_dropped_without_a_free_worker(model in any_plan(), limit in 1_usize..5, service in 10_u64..400) {
        let part = Part::WHOLE;
        let model = OpenModel { when_busy: WhenBusy::Drop, ..model };
        let (end, service) = (model.rate.end(), ms(service));
        let mut simulation = Simulation::new(&model, part, limit, Duration::ZERO, service);
        simulation.run_until(Duration::MAX);
        simulation.stop(Duration::MAX);
        let mut free = BinaryHeap::from(vec![Reverse(Duration::ZERO); limit]);
        let (mut expected, mut dropped) = (Vec::new(), 0);
        for at in planned(&model, part, Duration::MAX) {
            let Reverse(worker) = free.pop().expect("there are workers");
            let start = worker.max(at);
            let starts = start <= at + MOMENT && (start < end || start == at);
            free.push(Reverse(if starts { start + service } else { worker }));
            if starts { expected.push(start) } else { dropped += 1 }
        }
        prop_assert_eq!(&simulation.starts, &expected);
        prop_assert_eq!(simulation.count(|sample| *sample == StartSample::Dropped(WaitedFor::BusyWorkers)), dropped);
    }

    /// A change of the plan at any time loses no start and repeats none.
    #[test]
    fn changes_of_the_plan_lose_nothing(
        model in any_plan(),
        shards in 1_usize..4,
        limit in 1_usize..20,
        service in 0_u64..300,
        at in 1_u64..3_000,
        factor in 0.2_f64..3.0,
    ) {
        let changed = OpenModel { rate: model.rate.scaled_after(ms(at), factor), ..model.clone() };
        let mut samples = 0;
        for part in parts(shards) {
            let mut simulation = Simulation::new(&model, part, limit, Duration::ZERO, ms(service));
            simulation.run_until(ms(at));
            simulation.change(&changed, ms(at));
            simulation.run_until(Duration::MAX);
            simulation.stop(Duration::MAX);
            samples += simulation.samples.borrow().len();
        }
        let expected = planned(&changed, Part::WHOLE, Duration::MAX).len();
        // A start just before the change may be planned just after the end by rounding.
        prop_assert!(samples.abs_diff(expected) <= 1, "{samples} of {expected}");
    }

    /// Setting up sessions delays only the first starts: afterwards, as many workers are ready as the plan needs.
    #[test]
    fn slow_setups_delay_only_the_first_starts(rate in 5_u64..100, setup in 10_u64..300, service in 1_u64..400) {
        let model = OpenModel {
            rate: Levels::constant(rate * PER_SECOND, ms(4_000)),
            arrivals: Arrivals::Even,
            when_busy: WhenBusy::Wait,
            workers: usize::MAX,
            seed: 0,
        };
        let mut simulation = Simulation::new(&model, Part::WHOLE, usize::MAX, ms(setup), ms(service));
        simulation.run_until(Duration::MAX);
        simulation.stop(Duration::MAX);
        let plan = planned(&model, Part::WHOLE, Duration::MAX);
        prop_assert_eq!(simulation.starts.len(), plan.len());
        let late = simulation.starts.iter().zip(&plan).filter(|(start, at)| start.saturating_sub(**at) > ms(1));
        let last = late.map(|(_, at)| *at).max().unwrap_or_default();
        prop_assert!(last <= ms(3 * setup + 2 * service + 1_000 / rate), "late at {last:?}");
        // Their cause is recorded, and no worker that is ready was busy.
        let samples = simulation.samples.borrow();
        for (sample, at) in samples.iter().zip(&plan) {
            let StartSample::Started { lag, waited_for } = *sample else { unreachable!("all have started") };
            prop_assert_eq!(waited_for, (lag > MOMENT).then_some(WaitedFor::Setup), "at {:?}: {:?}", at, lag);
        }
    }

    /// The starts that a setup keeps from happening are attributed to it, also if it never ends.
    #[test]
    fn setups_that_take_longer_than_the_plan_are_the_cause(rate in 1_u64..100, limit in 1_usize..5, drop: bool) {
        let model = OpenModel {
            rate: Levels::constant(rate * PER_SECOND, ms(1_000)),
            arrivals: Arrivals::Even,
            when_busy: if drop { WhenBusy::Drop } else { WhenBusy::Wait },
            workers: limit,
            seed: 0,
        };
        let mut simulation =
            Simulation::new(&model, Part::WHOLE, limit, ms(5_000), Duration::ZERO);
        simulation.run_until(ms(2_000));
        simulation.stop(ms(2_000));
        let expected = match drop {
            true => StartSample::Dropped(WaitedFor::Setup),
            false => StartSample::Unstarted(Some(WaitedFor::Setup)),
        };
        prop_assert_eq!(&*simulation.samples.borrow(), &vec![expected; rate as usize]);
    }

    /// In a closed loop, a worker runs while the plan needs it, and one scenario follows the other.
    #[test]
    fn a_closed_worker_fills_its_time(
        workers in 1_u64..30,
        ramp_up in 0_u64..2_000,
        span in 1_u64..3_000,
        service in 1_u64..200,
        delay in 0_u64..100,
        number in 0_usize..30,
    ) {
        let number = number % workers as usize;
        let closed = ClosedLoop::new(&ClosedModel {
            workers: Levels::default().then(ms(ramp_up), 0, workers).then(ms(1_000_000), workers, workers),
            span: Some(ms(span)),
            runs: None,
            delay: ms(delay),
        });
        let mut pace = WorkerPace::new(number, number);
        let start = closed.start_of(number, Duration::ZERO).expect("the plan needs it");
        let exact = ms(ramp_up).as_nanos() * number as u128 / u128::from(workers);
        prop_assert!(start.as_nanos().abs_diff(exact) <= 1_000, "{start:?}");
        prop_assert_eq!(closed.join(&mut pace, start), start + ms(span));
        let (mut now, mut runs) = (start, 0);
        let again = loop {
            match closed.next(&mut pace, now, Duration::ZERO) {
                Pace::At(at) if at <= now => {
                    (pace.started, pace.next) = (pace.started + 1, None);
                    (now, runs) = (now + ms(service), runs + 1);
                }
                Pace::At(at) => now = at,
                Pace::Idle(_) => unreachable!("it always has something to do"),
                Pace::Done { again } => break again,
            }
        };
        prop_assert!(!again);
        prop_assert_eq!(runs, span.div_ceil(service + delay).max(1));
        prop_assert!(now >= start + ms(span));
    }
}
