//! The state of the load generator itself. A slow generator measures its own delays, so a run names it as the bottleneck.

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
/// From this share of the CPU time on, the hypervisor slows down the machine.
const STOLEN: f64 = 0.05;

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
    /// The sum of the lifetimes of those threads.
    pub threads_wall: Duration,
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

/// What made the generator the bottleneck.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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
    /// Its threads waited for a CPU while others were free.
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
        } else if !self.late(measured) {
            None
        } else if self.machine.stolen_share() >= STOLEN {
            Some(Bottleneck::Steal)
        } else if self.machine.busy_share() >= FULL {
            Some(Bottleneck::Machine)
        } else if self.cpu_wait() >= WAITING {
            Some(Bottleneck::CpuWait)
        } else {
            Some(Bottleneck::Lag)
        }
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
    pub(super) fn reason(&self, subject: &str, measured: &Histogram) -> Option<String> {
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
            Bottleneck::Steal => format!(
                "{}, while the hypervisor gave {} of the machine's CPU time to other virtual machines; use a machine with \
                 dedicated CPUs",
                late(),
                percent(self.machine.stolen_share())
            ),
            Bottleneck::Machine => {
                let own = share(self.process_cpu, self.machine.total).min(self.machine.busy_share());
                let others = self.machine.busy_share() - own;
                let full =
                    format!("{}, while the machine's CPUs were {} busy", late(), percent(self.machine.busy_share()));
                match others >= own / 4.0 {
                    true => format!(
                        "{full}, {} with other programs; run the service and everything else on another machine",
                        percent(others)
                    ),
                    false => format!("{full} with the load itself; use a larger machine, or fewer workers"),
                }
            }
            Bottleneck::CpuWait => format!(
                "{}, since its threads waited for a CPU {} of the time; give it more CPUs (taskset, cpuset), or use fewer \
                 threads and processes",
                late(),
                percent(self.cpu_wait())
            ),
            Bottleneck::Lag => {
                format!("{}; look for code in scenarios that blocks, or use more threads or processes", late())
            }
        })
    }
}

pub(super) fn share(part: Duration, whole: Duration) -> f64 {
    if whole.is_zero() { 0.0 } else { part.as_secs_f64() / whole.as_secs_f64() }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const TEN: Duration = Duration::from_secs(10);

    fn ms(millis: f64) -> Duration {
        Duration::from_secs_f64(millis / 1e3)
    }

    /// A hundred times this long.
    fn all(millis: f64) -> Histogram {
        [ms(millis); 100].into_iter().collect()
    }

    /// Ten seconds of a thread on a machine of two CPUs, both a tenth busy.
    fn idle() -> Health {
        Health {
            threads_wall: TEN,
            threads_cpu: ms(1_000.0),
            process_cpu: ms(1_200.0),
            process_wall: TEN,
            lag: all(1.4),
            machine: Machine { busy: ms(2_000.0), stolen: Duration::ZERO, total: TEN * 2 },
            ..Health::default()
        }
    }

    #[track_caller]
    fn judged(health: &Health, measured: f64, bottleneck: Bottleneck, advice: &str) {
        let measured = all(measured);
        assert_eq!(health.bottleneck(&measured), Some(bottleneck));
        let text = health.advice("requests", &measured).unwrap();
        assert_eq!(text, format!("The load generator was the bottleneck: {advice}."));
    }

    #[test]
    fn an_idle_generator_is_no_bottleneck() {
        for measured in [all(0.1), all(1.0), all(500.0), Histogram::default()] {
            assert_eq!((idle().bottleneck(&measured), idle().advice("requests", &measured)), (None, None));
        }
    }

    #[test]
    fn busy_threads_are_the_bottleneck() {
        let busy = Health { threads_cpu: TEN, saturated: ms(6_000.0), ..idle() };
        let advice =
            "its threads were busy 100 % of the time; use more threads, processes or machines, or fewer workers";
        judged(&busy, 20.0, Bottleneck::Cpu, advice);
        let short = Health { threads_wall: ms(200.0), ..busy };
        assert_eq!(short.bottleneck(&all(20.0)), None, "too short to judge");
    }

    /// The generator and the service share two CPUs: a lag of 18 ms, requests of 4.5 ms, and threads that are half busy.
    #[test]
    fn a_machine_shared_with_the_service_is_the_bottleneck() {
        let shared = Health {
            threads_cpu: ms(10_000.0),
            threads_delay: ms(7_000.0),
            threads_wall: TEN * 2,
            process_cpu: ms(10_400.0),
            lag: all(18.0),
            machine: Machine { busy: ms(19_600.0), stolen: Duration::ZERO, total: TEN * 2 },
            ..idle()
        };
        let advice = "its event loop ran up to 18 ms late (p95), where requests took 4.5 ms (p95), while the machine's CPUs \
                      were 98 % busy, 46 % with other programs; run the service and everything else on another machine";
        judged(&shared, 4.5, Bottleneck::Machine, advice);

        let alone = Health { process_cpu: ms(19_000.0), ..shared.clone() };
        let advice = "its event loop ran up to 18 ms late (p95), where requests took 4.5 ms (p95), while the machine's CPUs \
                      were 98 % busy with the load itself; use a larger machine, or fewer workers";
        judged(&alone, 4.5, Bottleneck::Machine, advice);
        assert_eq!(shared.bottleneck(&all(100.0)), None, "18 ms are little compared with 100 ms");

        let pinned = Health { machine: idle().machine, ..shared.clone() };
        let advice = "its event loop ran up to 18 ms late (p95), where requests took 4.5 ms (p95), since its threads waited \
                      for a CPU 35 % of the time; give it more CPUs (taskset, cpuset), or use fewer threads and processes";
        judged(&pinned, 4.5, Bottleneck::CpuWait, advice);

        let machine = Machine { stolen: ms(2_400.0), ..shared.machine };
        let advice = "its event loop ran up to 18 ms late (p95), where requests took 4.5 ms (p95), while the hypervisor gave \
                      12 % of the machine's CPU time to other virtual machines; use a machine with dedicated CPUs";
        judged(&Health { machine, ..shared }, 4.5, Bottleneck::Steal, advice);
    }

    /// A quota of 30 %: samples show running threads, and p99 is as long as the throttled times.
    #[test]
    fn a_used_up_quota_is_the_bottleneck() {
        let quota = Quota { periods: 100, throttled_periods: 95, throttled: ms(95.0 * 70.0) };
        let throttled = Health { threads_cpu: ms(3_000.0), lag: all(68.0), quota, ..idle() };
        let advice = "it used up its CPU quota in 95 % of the scheduler's periods, so its event loop ran up to 68 ms late \
                      (p95), where requests took 71 ms (p95); raise the quota (cpu.max of the control group, the container's \
                      CPU limit) or use fewer workers";
        judged(&throttled, 71.0, Bottleneck::Quota, advice);
        assert_eq!(throttled.bottleneck(&all(2_000.0)), Some(Bottleneck::Quota), "it limits the rate");
        let seldom = Health { quota: Quota { throttled_periods: 5, throttled: ms(350.0), ..quota }, ..idle() };
        assert_eq!(seldom.bottleneck(&all(71.0)), Some(Bottleneck::Quota));
        assert_eq!(seldom.bottleneck(&all(2_000.0)), None, "an occasional 70 ms is little compared with 2 s");
        let once = Health { quota: Quota { throttled_periods: 1, throttled: ms(70.0), ..quota }, ..idle() };
        assert_eq!(once.bottleneck(&all(71.0)), None, "once does not matter");
    }

    #[test]
    fn code_that_blocks_is_the_bottleneck() {
        let blocked = Health { lag: all(80.0), ..idle() };
        let advice = "its event loop ran up to 80 ms late (p95), where requests took 20 ms (p95); look for code in scenarios \
                      that blocks, or use more threads or processes";
        judged(&blocked, 20.0, Bottleneck::Lag, advice);
        let text = blocked.advice("requests", &Histogram::default()).unwrap();
        assert!(text.contains("ran up to 80 ms late (p95); look for"), "{text}");
    }

    #[test]
    fn the_limit_of_open_files_is_the_bottleneck() {
        let full = Health { open_files: 980, open_files_limit: Some(1000), ..idle() };
        let advice = "980 files were open of 1000 allowed; raise the limit (ulimit -n) or use fewer workers";
        judged(&full, 1.0, Bottleneck::OpenFiles, advice);
    }

    #[test]
    fn merging_adds_times_and_keeps_the_tightest_limit() {
        let second = Duration::from_secs(1);
        let mut health = Health { threads_cpu: second, threads_wall: second, open_files: 3, ..Health::default() };
        let other = Health {
            threads_wall: second,
            threads_delay: second,
            open_files: 9,
            open_files_limit: Some(20),
            machine: Machine { busy: second, stolen: second, total: second * 4 },
            quota: Quota { periods: 10, throttled_periods: 5, throttled: second },
            ..Health::default()
        };
        health.merge(&other);
        health.merge(&Health { open_files_limit: Some(30), ..Health::default() });
        health.merge(&other);
        assert_eq!((health.open_files, health.open_files_limit), (9, Some(20)));
        assert!((health.cpu() - 1.0 / 3.0).abs() < 1e-9 && (health.cpu_wait() - 2.0 / 3.0).abs() < 1e-9);
        assert!(
            (health.machine.busy_share() - 0.25).abs() < 1e-9 && (health.machine.stolen_share() - 0.25).abs() < 1e-9
        );
        assert!((health.quota.throttled_share() - 0.5).abs() < 1e-9);
        assert_eq!(health.quota.mean_throttled(), second / 5);
    }
}
