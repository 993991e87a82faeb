//! How the load generator itself fared: a slow generator measures itself, so a run has to say when it was the bottleneck.

use std::time::{Duration, Instant};

use rustix::{
    process::{Resource, getrlimit},
    time::{ClockId, clock_gettime},
};
use serde::{Deserialize, Serialize};

use super::{Histogram, files::opened};

/// From this share of an interval on, a thread counts as saturated.
const BUSY: f64 = 0.9;
/// From this lag on, measured latencies are as much the generator's as the server's.
const LATE: Duration = Duration::from_millis(50);
/// Shorter than this, a run has no steady state to judge.
const SHORTEST: Duration = Duration::from_secs(1);

/// Load on the generator, merged over threads and processes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Health {
    /// CPU time of the threads that run workers.
    pub threads_cpu: Duration,
    /// How long those threads lived, added up.
    pub threads_wall: Duration,
    /// The part of `threads_wall` in which a thread was busy nearly all the time.
    pub saturated: Duration,
    /// CPU time of the processes, all threads included.
    pub process_cpu: Duration,
    /// How long the processes lived, added up.
    pub process_wall: Duration,
    /// How late the event loops were when they looked at their timers.
    pub lag: Histogram,
    /// The most open files of any process.
    pub open_files: u64,
    /// The lowest limit of open files of any process; `None`: unlimited, or not known.
    pub open_files_limit: Option<u64>,
    /// The most TCP connections that any process had at once, as seen each second.
    pub connections: u64,
}

/// What made the generator the bottleneck.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Bottleneck {
    /// Its threads were busy nearly all the time.
    Cpu,
    /// Its event loops answered late.
    Lag,
    /// It came close to the limit of open files.
    OpenFiles,
}

impl Health {
    /// Adds what another thread or process, or the same one later, came to.
    pub fn merge(&mut self, other: &Health) {
        self.threads_cpu += other.threads_cpu;
        self.threads_wall += other.threads_wall;
        self.saturated += other.saturated;
        self.process_cpu += other.process_cpu;
        self.process_wall += other.process_wall;
        self.lag.merge(&other.lag);
        self.open_files = self.open_files.max(other.open_files);
        self.connections = self.connections.max(other.connections);
        self.open_files_limit = match (self.open_files_limit, other.open_files_limit) {
            (Some(ours), Some(theirs)) => Some(ours.min(theirs)),
            (ours, theirs) => ours.or(theirs),
        };
    }

    /// Share of the time in which the threads that run workers used a CPU, 0 to 1.
    pub fn cpu(&self) -> f64 {
        share(self.threads_cpu, self.threads_wall)
    }

    /// Cores in use by a process, all its threads included, on average.
    pub fn cores(&self) -> f64 {
        share(self.process_cpu, self.process_wall)
    }

    /// Whether the generator, not the service under load, limited the run.
    pub fn bottleneck(&self) -> Option<Bottleneck> {
        let near_limit = self.open_files_limit.is_some_and(|limit| self.open_files >= limit - limit / 20);
        if near_limit {
            Some(Bottleneck::OpenFiles)
        } else if self.threads_wall < SHORTEST {
            None
        } else if share(self.saturated, self.threads_wall) >= 0.5 {
            Some(Bottleneck::Cpu)
        } else if self.lag.percentile(95.0) >= LATE {
            Some(Bottleneck::Lag)
        } else {
            None
        }
    }

    /// One sentence about the bottleneck, and what to do about it.
    pub fn advice(&self) -> Option<String> {
        Some(match self.bottleneck()? {
            Bottleneck::Cpu => format!(
                "The load generator was the bottleneck: its threads were busy {:.0} % of the time; use more threads, \
                 processes or machines, or fewer workers.",
                (self.cpu() * 100.0).min(100.0)
            ),
            Bottleneck::Lag => format!(
                "The load generator was the bottleneck: its event loop answered up to {} ms late (p95); look for code in \
                 scenarios that blocks.",
                self.lag.percentile(95.0).as_millis()
            ),
            Bottleneck::OpenFiles => format!(
                "The load generator was the bottleneck: {} files were open of {} allowed; raise the limit (ulimit -n) or \
                 use fewer workers.",
                self.open_files,
                self.open_files_limit.unwrap_or_default()
            ),
        })
    }
}

fn share(part: Duration, whole: Duration) -> f64 {
    if whole.is_zero() { 0.0 } else { part.as_secs_f64() / whole.as_secs_f64() }
}

/// CPU time of one thread, interval by interval.
#[derive(Debug)]
pub(super) struct ThreadProbe(Clocks);

impl ThreadProbe {
    /// Watches the calling thread from now on.
    pub(super) fn start() -> ThreadProbe {
        ThreadProbe(Clocks::start(ClockId::ThreadCPUTime))
    }

    /// What the thread used since the last call, which has to come from the same thread.
    pub(super) fn sample(&mut self) -> Health {
        let (cpu, wall) = self.0.lap();
        let saturated = if share(cpu, wall) >= BUSY { wall } else { Duration::ZERO };
        Health { threads_cpu: cpu, threads_wall: wall, saturated, ..Health::default() }
    }
}

/// CPU and open files of this process; asked about once a second by whoever leads the process's shards.
#[derive(Debug)]
pub(crate) struct ProcessProbe(Clocks);

impl ProcessProbe {
    /// Watches this process from now on.
    pub(crate) fn start() -> ProcessProbe {
        ProcessProbe(Clocks::start(ClockId::ProcessCPUTime))
    }

    /// What the process used since the last call; to be merged into a snapshot's health.
    pub(crate) fn sample(&mut self) -> Health {
        let (process_cpu, process_wall) = self.0.lap();
        let (open_files, connections) = opened();
        let open_files_limit = getrlimit(Resource::Nofile).current;
        Health { process_cpu, process_wall, open_files, open_files_limit, connections, ..Health::default() }
    }
}

/// A CPU clock beside the wall clock.
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

    /// CPU and wall time since the last call.
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
        let health = probe.sample();
        assert!(health.threads_cpu >= Duration::from_millis(20));
        assert!(health.threads_wall >= Duration::from_millis(20));
        assert!(probe.sample().threads_cpu < Duration::from_millis(20), "a lap counts once");
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
    fn the_verdict_names_what_limits() {
        let ten = Duration::from_secs(10);
        let idle = Health { threads_wall: ten, threads_cpu: Duration::from_secs(1), ..Health::default() };
        assert_eq!((idle.bottleneck(), idle.advice()), (None, None));
        let busy = Health { threads_cpu: ten, saturated: Duration::from_secs(6), ..idle.clone() };
        assert_eq!(busy.bottleneck(), Some(Bottleneck::Cpu));
        assert!(busy.advice().unwrap().contains("busy 100 % of the time"));
        let short = Health { threads_wall: Duration::from_millis(200), ..busy };
        assert_eq!(short.bottleneck(), None);
        let late = Health { lag: [Duration::from_millis(80); 20].into_iter().collect(), ..idle.clone() };
        assert_eq!(late.bottleneck(), Some(Bottleneck::Lag));
        assert!(late.advice().unwrap().contains("80 ms late"));
        let full = Health { open_files: 980, open_files_limit: Some(1000), ..idle.clone() };
        assert_eq!(full.bottleneck(), Some(Bottleneck::OpenFiles));
        assert!(full.advice().unwrap().contains("980 files were open of 1000 allowed"));
    }

    #[test]
    fn merging_adds_times_and_keeps_the_tightest_limit() {
        let second = Duration::from_secs(1);
        let mut health = Health { threads_cpu: second, threads_wall: second, open_files: 3, ..Health::default() };
        let other = Health { threads_wall: second, open_files: 9, open_files_limit: Some(20), ..Health::default() };
        health.merge(&other);
        health.merge(&Health { open_files_limit: Some(30), ..Health::default() });
        assert_eq!((health.open_files, health.open_files_limit), (9, Some(20)));
        assert!((health.cpu() - 0.5).abs() < 1e-9);
    }
}
