//! The state of the load generator itself. A slow generator measures its own delays, so a run names it as the bottleneck.

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Histogram;

/// A shorter run has no steady state to judge.
const SHORTEST: Duration = Duration::from_secs(1);
/// The smallest lag that counts. The timers of the event loop are exact to a millisecond or two.
const LATE: Duration = Duration::from_millis(5);
/// A lag of at least this share of the measured latency distorts it.
const LATE_SHARE: f64 = 0.25;
/// The smallest lag that counts if there is no latency to compare it with.
const LATE_ALONE: Duration = Duration::from_millis(50);
/// A quota limits the run if it is used up in at least this share of its periods.
const THROTTLED: f64 = 0.2;
/// A quota affects percentiles if it is used up in at least this share of its periods...
const THROTTLED_NOW_AND_THEN: f64 = 0.02;
/// ... and the throttled times are at least this share of the measured p99.
const THROTTLED_SHARE: f64 = 0.1;
/// From this share on, the machine counts as fully busy.
const FULL: f64 = 0.85;
/// From this share of their time on, waiting for a CPU slows down threads.
const WAITING: f64 = 0.1;
/// Threads are crowded out if they also wait for at least this share of the time that they run.
const CROWDED: f64 = 0.5;
/// From this number a second on, preemptions slow down threads.
const PREEMPTED: f64 = 50.0;
/// From this share of the CPU time on, the hypervisor slows down the machine.
const STOLEN: f64 = 0.05;
/// From this share on, it does so even if no event loop ran late.
const STOLEN_MUCH: f64 = 0.1;

/// The load on the generator, merged over threads and processes.
///
/// ```no_run
/// # use molotov::LoadTest;
/// let report = LoadTest::new().workers(20).max_runs(10).run()?;
/// let health = &report.summary().snapshot.health;
/// println!("threads used a CPU {:.0} % of the time", 100.0 * health.cpu());
/// println!("95 % of timers were at most {:?} late", health.lag.percentile(95.0));
/// # Ok::<(), molotov::LoadTestError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Health {
    /// The CPU time of the threads that run workers.
    pub threads_cpu: Duration,
    /// How long those threads were runnable but waited for a CPU; zero if the system does not report it.
    pub threads_delay: Duration,
    /// How often the system took the CPU from one of those threads to run another program; zero if the system does not count it.
    pub preemptions: u64,
    /// The sum of the lifetimes of those threads.
    pub threads_wall: Duration,
    /// Those threads, one by one.
    pub threads: Vec<ThreadHealth>,
    /// The part of `threads_wall` in which a thread was busy nearly all the time.
    pub saturated: Duration,
    /// The CPU time of the processes, including all threads.
    pub process_cpu: Duration,
    /// The sum of the lifetimes of the processes.
    pub process_wall: Duration,
    /// How late the event loops handled their timers.
    pub lag: Histogram,
    /// The largest number of open files of a process.
    pub open_files: u64,
    /// The lowest limit of open files of a process; `None` if there is none, or it is not known.
    pub open_files_limit: Option<u64>,
    /// The largest number of TCP connections of a process, sampled every second.
    pub connections: u64,
    /// The CPU time of the machine.
    pub machine: Machine,
    /// The CPU quota of the run.
    pub quota: Quota,
}

/// The load on a thread that runs workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ThreadHealth {
    /// Its ID, as the system shows it; a number from 0 in systems without thread IDs.
    pub id: u32,
    /// Its CPU time.
    pub cpu: Duration,
    /// How long it was runnable but waited for a CPU.
    pub delay: Duration,
    /// Its lifetime.
    pub wall: Duration,
    /// How often it was preempted.
    pub preemptions: u64,
    /// The latest that its event loop handled a timer.
    pub longest_lag: Duration,
}

impl ThreadHealth {
    /// Returns the share of its lifetime in which it used a CPU, from 0 to 1.
    pub fn cpu_share(&self) -> f64 {
        share(self.cpu, self.wall)
    }

    /// Returns the share of its lifetime in which it waited for a CPU, from 0 to 1.
    pub fn cpu_wait(&self) -> f64 {
        share(self.delay, self.wall)
    }

    fn merge(&mut self, later: &ThreadHealth) {
        self.cpu += later.cpu;
        self.delay += later.delay;
        self.wall += later.wall;
        self.preemptions += later.preemptions;
        self.longest_lag = self.longest_lag.max(later.longest_lag);
    }
}

/// The CPU time of the machine during a run, summed over its CPUs. All zero if the system does not report it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Machine {
    /// The time used by all programs, including those outside the run.
    pub busy: Duration,
    /// The time that the hypervisor gave to other virtual machines.
    pub stolen: Duration,
    /// The total time: the duration of the run for each CPU.
    pub total: Duration,
}

/// The CPU quota of a control group, such as a container's. All zero if there is none, or the system does not report it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Quota {
    /// Periods in which the group ran; usually of 100 ms each.
    pub periods: u64,
    /// Periods in which the quota was used up, and the group was throttled.
    pub throttled_periods: u64,
    /// How long it was throttled, summed over CPUs.
    pub throttled: Duration,
}

/// What made the generator the bottleneck, in the order in which causes are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Bottleneck {
    /// The number of open files reached its limit.
    OpenFiles,
    /// Its control group used up a CPU quota and was throttled.
    Quota,
    /// Its threads were busy nearly all the time.
    Cpu,
    /// The hypervisor gave CPU time to other virtual machines.
    Steal,
    /// All CPUs of the machine were busy.
    Machine,
    /// Its threads waited for a CPU, although the machine was not fully busy.
    CpuWait,
    /// Its event loops ran late, as blocking code makes them.
    Lag,
}

impl Bottleneck {
    /// Returns its name in reports: `open_files`, `quota`, `cpu`, `steal`, `machine`, `cpu_wait` or `lag`.
    pub fn name(self) -> &'static str {
        match self {
            Bottleneck::OpenFiles => "open_files",
            Bottleneck::Quota => "quota",
            Bottleneck::Cpu => "cpu",
            Bottleneck::Steal => "steal",
            Bottleneck::Machine => "machine",
            Bottleneck::CpuWait => "cpu_wait",
            Bottleneck::Lag => "lag",
        }
    }
}

impl Machine {
    /// Returns the share of the machine's CPU time that was used, from 0 to 1.
    pub fn busy_share(&self) -> f64 {
        share(self.busy, self.total)
    }

    /// Returns the share of the machine's CPU time that the hypervisor took, from 0 to 1.
    pub fn stolen_share(&self) -> f64 {
        share(self.stolen, self.total)
    }
}

impl Quota {
    /// Returns the share of the periods in which the quota was used up, from 0 to 1.
    pub fn throttled_share(&self) -> f64 {
        if self.periods == 0 { 0.0 } else { self.throttled_periods as f64 / self.periods as f64 }
    }

    /// Returns how long the group was throttled each time, on average, summed over CPUs.
    pub fn mean_throttled(&self) -> Duration {
        u32::try_from(self.throttled_periods.max(1)).map_or(Duration::ZERO, |periods| self.throttled / periods)
    }
}

impl Health {
    /// Adds the load of another thread or process, or of the same one later.
    pub fn merge(&mut self, other: &Health) {
        self.threads_cpu += other.threads_cpu;
        self.threads_delay += other.threads_delay;
        self.preemptions += other.preemptions;
        self.threads_wall += other.threads_wall;
        for thread in &other.threads {
            match self.threads.iter_mut().find(|known| known.id == thread.id) {
                Some(known) => known.merge(thread),
                None => self.threads.push(*thread),
            }
        }
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
        self.machine.busy += other.machine.busy;
        self.machine.stolen += other.machine.stolen;
        self.machine.total += other.machine.total;
        self.quota.periods += other.quota.periods;
        self.quota.throttled_periods += other.quota.throttled_periods;
        self.quota.throttled += other.quota.throttled;
    }

    /// Returns the share of time in which the threads that run workers used a CPU, from 0 to 1.
    pub fn cpu(&self) -> f64 {
        share(self.threads_cpu, self.threads_wall)
    }

    /// Returns the share of time in which the threads that run workers waited for a CPU, from 0 to 1.
    pub fn cpu_wait(&self) -> f64 {
        share(self.threads_delay, self.threads_wall)
    }

    /// Returns how often a thread that runs workers was preempted, per second.
    pub fn preemption_rate(&self) -> f64 {
        if self.threads_wall.is_zero() { 0.0 } else { self.preemptions as f64 / self.threads_wall.as_secs_f64() }
    }

    /// Returns the average number of cores that a process used, including all its threads.
    pub fn cores(&self) -> f64 {
        share(self.process_cpu, self.process_wall)
    }

    /// Returns what in the generator limited the run or distorted the `measured` latencies, if anything did. The same lag may
    /// be small compared with 500 ms, and large compared with 5 ms.
    ///
    /// [`Snapshot::bottleneck`](super::Snapshot::bottleneck) compares with what the run measured.
    pub fn bottleneck(&self, measured: &Histogram) -> Option<Bottleneck> {
        let near_limit = self.open_files_limit.is_some_and(|limit| self.open_files >= limit - limit / 20);
        if near_limit {
            Some(Bottleneck::OpenFiles)
        } else if self.threads_wall < SHORTEST {
            None
        } else if self.throttled(measured) {
            Some(Bottleneck::Quota)
        } else if share(self.saturated, self.threads_wall) >= 0.5 {
            Some(Bottleneck::Cpu)
        } else if self.machine.stolen_share() >= STOLEN_MUCH {
            Some(Bottleneck::Steal)
        } else if !self.late(measured) && !self.crowded() {
            None
        } else if self.machine.stolen_share() >= STOLEN {
            Some(Bottleneck::Steal)
        } else if self.machine.busy_share() >= FULL {
            Some(Bottleneck::Machine)
        } else if self.cpu_wait() >= WAITING || self.preempted() {
            Some(Bottleneck::CpuWait)
        } else {
            Some(Bottleneck::Lag)
        }
    }

    /// Returns whether it limited the run or delayed what it measured. A machine that is shared with the service also slows the
    /// service down, which is not counted here.
    pub(super) fn delays(&self, measured: &Histogram) -> bool {
        let only_crowded = !self.late(measured) && self.crowded();
        self.bottleneck(measured).is_some_and(|found| {
            !only_crowded || !matches!(found, Bottleneck::Steal | Bottleneck::Machine | Bottleneck::CpuWait)
        })
    }

    /// Returns whether the threads waited for a CPU so long that they did their work much later than alone on the machine. On a
    /// machine that is shared with the service, this slows down both, even if latencies are long compared with the lag.
    fn crowded(&self) -> bool {
        self.cpu_wait() >= WAITING && self.threads_delay >= self.threads_cpu.mul_f64(CROWDED)
    }

    /// Returns whether the threads were often preempted, on a system that does not report how long they waited.
    fn preempted(&self) -> bool {
        self.threads_delay.is_zero() && self.preemption_rate() >= PREEMPTED
    }

    fn throttled(&self, measured: &Histogram) -> bool {
        let share = self.quota.throttled_share();
        let long = self.quota.mean_throttled() >= measured.percentile(99.0).mul_f64(THROTTLED_SHARE);
        share >= THROTTLED || share >= THROTTLED_NOW_AND_THEN && long
    }

    fn late(&self, measured: &Histogram) -> bool {
        let lag = self.lag.percentile(95.0);
        let much = match measured.is_empty() {
            true => LATE_ALONE,
            false => measured.percentile(95.0).mul_f64(LATE_SHARE),
        };
        lag >= LATE.max(much)
    }

    /// Returns one sentence that names the bottleneck and what to do about it; `None` if there is none.
    ///
    /// `subject` names the `measured` latencies, such as `requests`.
    pub fn advice(&self, subject: &str, measured: &Histogram) -> Option<String> {
        let reason = self.reason(subject, measured)?;
        Some(format!("The load generator was the bottleneck: {reason}."))
    }

    /// Returns what was wrong with the generator and what to do about it, without a subject.
    pub(crate) fn reason(&self, subject: &str, measured: &Histogram) -> Option<String> {
        let percent = |share: f64| format!("{:.0} %", (share * 100.0).clamp(0.0, 100.0));
        let millis = |time: Duration| format!("{:.*} ms", usize::from(time < LATE), time.as_secs_f64() * 1e3);
        let late = || {
            let lag = millis(self.lag.percentile(95.0));
            match measured.is_empty() {
                true => format!("its event loop ran up to {lag} late (p95)"),
                false => format!(
                    "its event loop ran up to {lag} late (p95), where {subject} took {} (p95)",
                    millis(measured.percentile(95.0))
                ),
            }
        };
        let waited = || format!("its threads waited for a CPU {} of the time", percent(self.cpu_wait()));
        let is_late = self.late(measured);
        Some(match self.bottleneck(measured)? {
            Bottleneck::OpenFiles => format!(
                "{} files were open of {} allowed; raise the limit (ulimit -n) or use fewer workers",
                self.open_files,
                self.open_files_limit.unwrap_or_default()
            ),
            Bottleneck::Quota => format!(
                "it used up its CPU quota in {} of the scheduler's periods, so {}; raise the quota (cpu.max of the control group, \
                 the container's CPU limit) or use fewer workers",
                percent(self.quota.throttled_share()),
                late()
            ),
            Bottleneck::Cpu => format!(
                "its threads were busy {} of the time; use more threads, processes or machines, or fewer workers",
                percent(self.cpu())
            ),
            Bottleneck::Steal => {
                let stolen = format!(
                    "the hypervisor gave {} of the machine's CPU time to other virtual machines; use a machine with dedicated CPUs",
                    percent(self.machine.stolen_share())
                );
                if is_late { format!("{}, while {stolen}", late()) } else { stolen }
            }
            Bottleneck::Machine => {
                let own = share(self.process_cpu, self.machine.total).min(self.machine.busy_share());
                let others = self.machine.busy_share() - own;
                let effect = if is_late { late() } else { waited() };
                let full =
                    format!("{effect}, while the machine's CPUs were {} busy", percent(self.machine.busy_share()));
                match others >= own / 4.0 {
                    true => format!(
                        "{full}, {} with other programs; run the service and everything else on another machine",
                        percent(others)
                    ),
                    false => format!("{full} with the load itself; use a larger machine, or fewer workers"),
                }
            }
            Bottleneck::CpuWait => {
                let cause = if self.preempted() {
                    format!("its threads were preempted {:.0} times a second", self.preemption_rate())
                } else {
                    waited()
                };
                let cause = if is_late { format!("{}, since {cause}", late()) } else { cause };
                format!("{cause}; give it more CPUs (taskset, cpuset), or use fewer threads and processes")
            }
            Bottleneck::Lag => {
                format!("{}; look for code in scenarios that blocks, or use more threads or processes", late())
            }
        })
    }
}

pub(super) fn share(part: Duration, whole: Duration) -> f64 {
    if whole.is_zero() { 0.0 } else { part.as_secs_f64() / whole.as_secs_f64() }
}
