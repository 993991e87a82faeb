//! How a process takes part in the load of a run.

use super::plan::Plan;
use crate::load::{Model, OpenModel, Part};

/// The part of a process in the load of a run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Split {
    /// The process among those of all machines.
    pub(super) process: Part,
    /// Whether the load is that of all machines. Otherwise, each process of this machine has the closed loops of the plan.
    is_shared: bool,
    /// Whether `--workers` limits the workers under a rate.
    is_limited: bool,
}

impl Split {
    /// Returns the part of the process with this number on this machine.
    pub(super) fn of(plan: &Plan, process: usize) -> Split {
        let machine = plan.part.unwrap_or(Part::WHOLE);
        Split {
            process: machine.part(process, plan.args.processes),
            is_shared: plan.part.is_some(),
            is_limited: plan.args.given.workers.is_some(),
        }
    }

    /// Returns the numbers of workers that the process has: those of closed loops, and those that identify workers.
    pub(super) fn workers(self) -> Part {
        if self.is_shared { self.process } else { Part::WHOLE }
    }

    /// Whether the load is that of all machines, so that the numbers of workers are unique over all processes.
    pub(super) fn is_shared(self) -> bool {
        self.is_shared
    }

    /// Returns the most workers of the process in a stream with this model.
    pub(super) fn most_workers(self, model: &Model) -> usize {
        match model {
            Model::Closed(closed) => self.workers().count(usize::try_from(closed.workers.max()).unwrap_or(usize::MAX)),
            Model::Open(open) => self.most_open_workers(open),
        }
    }

    fn most_open_workers(self, model: &OpenModel) -> usize {
        if self.is_shared && self.is_limited { self.process.count(model.workers) } else { model.workers }
    }

    /// Returns the planned starts of the process and its most workers; `None` if it has no worker.
    ///
    /// Processes without workers leave their starts to the others.
    pub(super) fn starts(self, model: &OpenModel) -> Option<(Part, usize)> {
        let workers = self.most_open_workers(model);
        let with_workers = if self.is_shared && self.is_limited { model.workers } else { usize::MAX };
        let Part { number, of } = self.process;
        (workers > 0).then_some((Part { number, of: of.min(with_workers) }, workers))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::{
        engine::threads,
        load::Schedule,
        options::{Args, Arrivals, Options, Rate},
        registry::Registry,
    };

    /// The threads of all machines: for each, the part of its process and its number among the threads of the process.
    struct Thread {
        plan: Plan,
        split: Split,
        number: usize,
        of: usize,
    }

    fn threads(args: &Args, machines: &[usize]) -> Vec<Thread> {
        let mut registry = Registry::new();
        registry.add_scenario_fn("browse", async || crate::Result::<()>::Ok(()));
        let mut all = Vec::new();
        for (machine, threads) in machines.iter().enumerate() {
            let args = Args { threads: Some(*threads), seed: Some(7), ..args.clone() };
            let part = Some(Part { number: machine, of: machines.len() });
            let plan = Plan { part, ..Plan::new(args, &registry).unwrap() };
            for process in 0..plan.args.processes {
                let split = Split::of(&plan, process);
                let of = threads::per_process(&plan, split);
                all.extend((0..of).map(|number| Thread { plan: plan.clone(), split, number, of }));
            }
        }
        all
    }

    fn with_workers(args: Args, workers: usize) -> Args {
        Args { workers, given: Options { workers: Some(workers), ..Options::default() }, ..args }
    }

    proptest! {
        #[test]
        fn machines_with_different_threads_have_each_worker_once(
            machines in prop::collection::vec(1..5_usize, 1..5), processes in 1..3_usize, workers in 1..40_usize,
        ) {
            let args = with_workers(Args { processes, ..Args::default() }, workers);
            let mut numbers = Vec::new();
            for Thread { split, number, of, .. } in threads(&args, &machines) {
                let part = split.workers().part(number, of);
                numbers.extend((0..part.count(workers)).map(|index| part.nth(index)));
            }
            numbers.sort_unstable();
            prop_assert_eq!(numbers, (0..workers).collect::<Vec<_>>());
        }

        #[test]
        fn machines_with_different_threads_have_each_start_once(
            machines in prop::collection::vec(1..5_usize, 1..5),
            processes in 1..3_usize,
            workers in prop::option::of(1..12_usize),
            poisson: bool,
        ) {
            let arrivals = if poisson { Arrivals::Poisson } else { Arrivals::Even };
            let duration = Duration::from_secs(10);
            let args = Args { rate: Some(Rate::per_second(9)), processes, duration, arrivals, ..Args::default() };
            let args = match workers {
                Some(workers) => with_workers(args, workers),
                None => args,
            };
            let (mut starts, mut most) = (Vec::new(), 0);
            let threads = threads(&args, &machines);
            let Model::Open(model) = threads[0].plan.load.streams[0].model.clone() else { unreachable!("it has a rate") };
            let taken = |part| {
                let mut schedule = Schedule::new(&model, part);
                std::iter::from_fn(move || schedule.take()).map(|arrival| arrival.at).collect::<Vec<_>>()
            };
            for Thread { split, number, of, .. } in &threads {
                let Some((part, workers)) = split.starts(&model) else { continue };
                starts.extend(taken(part.part(*number, *of)));
                most += if *number == 0 { workers } else { 0 };
            }
            starts.sort_unstable();
            prop_assert_eq!(starts, taken(Part::WHOLE));
            match workers {
                Some(workers) => prop_assert_eq!(most, workers),
                None => prop_assert_eq!(most, model.workers * processes * machines.len()),
            }
        }
    }

    #[test]
    fn processes_of_one_machine_have_all_workers_each() {
        let args = with_workers(Args { processes: 2, threads: Some(2), ..Args::default() }, 5);
        let mut registry = Registry::new();
        registry.add_scenario_fn("browse", async || crate::Result::<()>::Ok(()));
        let plan = Plan::new(args, &registry).unwrap();
        for process in [0, 1] {
            let split = Split::of(&plan, process);
            assert_eq!(split.workers(), Part::WHOLE);
            assert_eq!(split.process, Part { number: process, of: 2 });
            assert_eq!(split.most_workers(&plan.load.streams[0].model), 5);
        }
    }
}
