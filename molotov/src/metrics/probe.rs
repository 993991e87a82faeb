//! Samples the resources that the generator uses: threads, processes, the machine.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use rustix::{
    process::{Resource, getrlimit},
    time::{ClockId, clock_gettime},
};

use super::{
    files::opened,
    health::{Health, Machine, Quota, ThreadHealth, share},
    system::{self, CpuTimes, QuotaTimes},
};

/// A thread is saturated if it is busy for at least this share of an interval.
const BUSY: f64 = 0.9;

/// The CPU time of one thread, by interval.
#[derive(Debug)]
pub(super) struct ThreadProbe {
    id: u32,
    clocks: Clocks,
    delay: Option<Duration>,
    preemptions: u64,
}

impl ThreadProbe {
    /// Starts to watch the calling thread.
    pub(super) fn start() -> ThreadProbe {
        ThreadProbe {
            id: system::thread_id(),
            clocks: Clocks::start(ClockId::ThreadCPUTime),
            delay: system::run_delay(),
            preemptions: system::preemptions(),
        }
    }

    /// Returns the thread's usage since the last call, in which its event loop ran up to `longest_lag` late. Only that thread may
    /// call this.
    pub(super) fn sample(&mut self, longest_lag: Duration) -> Health {
        let (cpu, wall) = self.clocks.lap();
        let before = std::mem::replace(&mut self.delay, system::run_delay());
        let threads_delay = self.delay.zip(before).map(|(now, before)| now.saturating_sub(before)).unwrap_or_default();
        let before = std::mem::replace(&mut self.preemptions, system::preemptions());
        let preemptions = self.preemptions.saturating_sub(before);
        let saturated = if share(cpu, wall) >= BUSY { wall } else { Duration::ZERO };
        let thread = ThreadHealth { id: self.id, cpu, delay: threads_delay, wall, preemptions, longest_lag };
        Health {
            threads_cpu: cpu,
            threads_wall: wall,
            threads_delay,
            preemptions,
            saturated,
            threads: vec![thread],
            ..Health::default()
        }
    }
}

/// The CPU time and open files of this process, sampled about once a second.
#[derive(Debug)]
pub(crate) struct ProcessProbe(Clocks);

impl ProcessProbe {
    /// Starts to watch this process.
    pub(crate) fn start() -> ProcessProbe {
        ProcessProbe(Clocks::start(ClockId::ProcessCPUTime))
    }

    /// Returns the process's usage since the last call, to be merged into the health of a snapshot.
    pub(crate) fn sample(&mut self) -> Health {
        let (process_cpu, process_wall) = self.0.lap();
        let (open_files, connections) = opened();
        let open_files_limit = getrlimit(Resource::Nofile).current;
        Health { process_cpu, process_wall, open_files, open_files_limit, connections, ..Health::default() }
    }
}

/// The CPU time of the machine, and CPU quotas. One process samples them for the whole run.
#[derive(Debug)]
pub(crate) struct MachineProbe {
    cpu: Option<CpuTimes>,
    quotas: Vec<(PathBuf, QuotaTimes)>,
}

impl MachineProbe {
    /// Starts to watch this machine, and the control groups of this process.
    pub(crate) fn start() -> MachineProbe {
        let quotas = system::quota_files().into_iter().filter_map(|file| {
            let times = system::quota_times(&file)?;
            Some((file, times))
        });
        MachineProbe { cpu: system::cpu_times(), quotas: quotas.collect() }
    }

    /// Returns the changes since the last call, to be merged into the health of a snapshot.
    pub(crate) fn sample(&mut self) -> Health {
        let before = std::mem::replace(&mut self.cpu, system::cpu_times());
        let mut machine = Machine::default();
        if let Some((now, before)) = self.cpu.zip(before) {
            // Some of these counters occasionally decrease slightly.
            machine.busy = now.busy.saturating_sub(before.busy);
            machine.stolen = now.stolen.saturating_sub(before.stolen);
            machine.total = now.total.saturating_sub(before.total);
        }
        let quotas = self.quotas.iter_mut().filter_map(|(file, times)| {
            let before = std::mem::replace(times, system::quota_times(file)?);
            Some(Quota {
                periods: times.periods.saturating_sub(before.periods),
                throttled_periods: times.throttled_periods.saturating_sub(before.throttled_periods),
                throttled: times.throttled.saturating_sub(before.throttled),
            })
        });
        // A group that is throttled stops all groups below it, so the most throttled one counts.
        let quota = quotas.max_by_key(|quota| (quota.throttled_periods, quota.periods)).unwrap_or_default();
        Health { machine, quota, ..Health::default() }
    }
}

/// A CPU clock together with the wall clock.
#[derive(Debug)]
struct Clocks {
    clock: ClockId,
    cpu: Duration,
    wall: Instant,
}

impl Clocks {
    fn start(clock: ClockId) -> Clocks {
        Clocks { clock, cpu: now(clock), wall: Instant::now() }
    }

    /// Returns the CPU time and the wall time since the last call.
    fn lap(&mut self) -> (Duration, Duration) {
        let (cpu, wall) = (now(self.clock), Instant::now());
        let lap = (cpu.saturating_sub(self.cpu), wall - self.wall);
        (self.cpu, self.wall) = (cpu, wall);
        lap
    }
}

fn now(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_thread_is_seen() {
        let mut probe = ThreadProbe::start();
        let started = now(ClockId::ThreadCPUTime);
        while now(ClockId::ThreadCPUTime) - started < Duration::from_millis(20) {}
        let health = probe.sample(Duration::from_millis(3));
        assert_eq!(health.threads[0].longest_lag, Duration::from_millis(3));
        assert_eq!(health.threads[0].cpu, health.threads_cpu);
        assert!(health.threads_cpu >= Duration::from_millis(20));
        assert!(health.threads_wall >= Duration::from_millis(20));
        assert!(probe.sample(Duration::ZERO).threads_cpu < Duration::from_millis(20), "a lap counts once");
    }

    #[test]
    fn open_files_are_counted() {
        let mut probe = ProcessProbe::start();
        let before = probe.sample();
        let files: Vec<_> = (0..40).map(|_| std::fs::File::open("/dev/null").unwrap()).collect();
        let after = probe.sample();
        drop(files);
        // Other tests of this binary open and close files meanwhile.
        assert!(after.open_files >= before.open_files + 20, "{} then {}", before.open_files, after.open_files);
        assert!(after.open_files_limit.is_none_or(|limit| limit >= after.open_files));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_machine_is_watched() {
        let mut probe = MachineProbe::start();
        let before = probe.cpu.unwrap();
        let started = now(ClockId::ThreadCPUTime);
        while now(ClockId::ThreadCPUTime) - started < Duration::from_millis(60) {}
        let Machine { busy, stolen, total } = probe.sample().machine;
        assert!(busy >= Duration::from_millis(30), "{busy:?}: counted in steps of 10 ms");
        assert!(busy + stolen <= total);
        let again = probe.sample().machine.total;
        let whole = probe.cpu.unwrap().total - before.total;
        assert!(
            total + again <= whole + Duration::from_millis(20),
            "a lap counts once: {total:?}, {again:?}, {whole:?}"
        );
    }

    /// Two threads that want the same CPU wait for each other.
    #[test]
    #[cfg(target_os = "linux")]
    fn a_thread_that_waits_for_a_cpu_is_seen() {
        use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
        let allowed = sched_getaffinity(None).unwrap();
        let mut one = CpuSet::new();
        one.set((0..CpuSet::MAX_CPU).find(|cpu| allowed.is_set(*cpu)).unwrap());
        let busy = move |probe: bool| {
            sched_setaffinity(None, &one).unwrap();
            let mut probe = probe.then(ThreadProbe::start);
            let until = Instant::now() + Duration::from_millis(300);
            while Instant::now() < until {}
            probe.as_mut().map(|probe| probe.sample(Duration::ZERO))
        };
        let [watched, other] = [true, false].map(|probe| std::thread::spawn(move || busy(probe)));
        let health = watched.join().unwrap().unwrap();
        other.join().unwrap();
        assert!(health.threads_delay >= Duration::from_millis(60), "{health:?}");
        assert!(health.preemptions > 0, "{health:?}");
        assert!(
            health.threads_cpu + health.threads_delay <= health.threads_wall + Duration::from_millis(5),
            "{health:?}"
        );
    }
}
