//! The state of the load generator: of its agents and processes over the last seconds, and its course over time.

use std::collections::{BTreeMap, VecDeque};

use crate::{
    metrics::{Health, Histogram, Snapshot},
    run::MemberLabel,
};

/// The number of seconds over which the health of an agent or a process is shown.
const RECENT: u64 = 5;
/// The number of seconds of the charts.
const POINTS: usize = 120;

/// The load generator, as its agents and processes report it.
#[derive(Debug, Default)]
pub(in super::super) struct Generator {
    /// By agent or process; `None` is this process.
    pub(in super::super) members: BTreeMap<Option<MemberLabel>, Recent>,
    /// The CPU time of the machine and the quota, without the other figures.
    pub(in super::super) machine: Recent,
    points: VecDeque<GeneratorPoint>,
    /// What was reported since the last point.
    pending: Health,
    pending_send_lag: Histogram,
}

/// A second of the load generator, all agents and processes together.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(in super::super) struct GeneratorPoint {
    /// Its end, in seconds since the start of the run.
    pub(in super::super) at: f64,
    /// The p95 of the lag of the event loops, in seconds.
    pub(in super::super) loop_lag: Option<f64>,
    /// The p95 of the time from planned starts to the real ones, in seconds.
    pub(in super::super) send_lag: Option<f64>,
    /// The p95 of the measured latencies, in seconds.
    pub(in super::super) measured: Option<f64>,
    /// The share of time in which threads used a CPU, from 0 to 1.
    pub(in super::super) cpu: f64,
    /// The share of time in which threads waited for a CPU, from 0 to 1.
    pub(in super::super) cpu_wait: f64,
    /// The share of the machine's CPU time that was used, from 0 to 1.
    pub(in super::super) machine: Option<f64>,
    pub(in super::super) connections: u64,
    pub(in super::super) open_files: u64,
}

/// The health of an agent, of a process or of the machine over the last seconds.
#[derive(Debug, Default)]
pub(in super::super) struct Recent {
    /// The second of each report, its health, and the times from planned starts to the real ones.
    reports: VecDeque<(u64, Health, Histogram)>,
    /// The second of the last report.
    last: u64,
    /// How many workers it runs; `None` if it did not report it.
    pub(in super::super) workers: Option<usize>,
}

impl Recent {
    /// The merged health; `None` if nothing was received in the last seconds.
    pub(in super::super) fn health(&self) -> Option<Health> {
        let mut all = self.reports.front()?.1.clone();
        self.reports.iter().skip(1).for_each(|(_, health, _)| all.merge(health));
        Some(all)
    }

    fn add(&mut self, second: u64, health: Health, send_lag: Histogram) {
        self.last = second;
        self.reports.push_back((second, health, send_lag));
    }

    /// For how many seconds nothing was received.
    pub(in super::super) fn silent(&self, second: u64) -> u64 {
        second.saturating_sub(self.last)
    }

    /// The times from planned starts to the real ones.
    pub(in super::super) fn send_lag(&self) -> Histogram {
        let mut all = Histogram::default();
        self.reports.iter().for_each(|(_, _, lag)| all.merge(lag));
        all
    }
}

impl Generator {
    /// Adds the health of an agent or a process, and of the machine.
    pub(super) fn add(&mut self, second: u64, member: Option<MemberLabel>, measures: &Snapshot) {
        let health = &measures.health;
        let send_lag = measures.all_starts().lag;
        self.pending.merge(health);
        self.pending_send_lag.merge(&send_lag);
        // With several processes, the health of the machine comes from the coordinator.
        if !health.machine.total.is_zero() {
            let machine = Health { machine: health.machine, quota: health.quota, ..Health::default() };
            self.machine.add(second, machine, Histogram::default());
        }
        if !(health.process_wall + health.threads_wall).is_zero() {
            self.members.entry(member).or_default().add(second, health.clone(), send_lag);
        }
    }

    /// Notes how many workers a member runs.
    pub(super) fn set_workers(&mut self, member: MemberLabel, running: usize) {
        self.members.entry(Some(member)).or_default().workers = Some(running);
    }

    /// Ends a second, in which the p95 of the measured latencies was `measured`, in seconds.
    pub(super) fn tick(&mut self, second: u64, measured: Option<f64>) {
        for recent in self.members.values_mut().chain([&mut self.machine]) {
            recent.reports.retain(|(at, _, _)| at + RECENT >= second);
        }
        let health = std::mem::take(&mut self.pending);
        let send_lag = std::mem::take(&mut self.pending_send_lag);
        let p95 = |times: &Histogram| times.percentile_if_enough(95.0).map(|time| time.as_secs_f64());
        let before = self.points.back().copied().unwrap_or_default();
        // Open files are sampled about once a second, and may be missing in this one.
        let or_before = |now: u64, before: u64| if health.process_wall.is_zero() { before } else { now };
        self.points.push_back(GeneratorPoint {
            at: second as f64,
            loop_lag: p95(&health.lag),
            send_lag: p95(&send_lag),
            measured,
            cpu: health.cpu(),
            cpu_wait: health.cpu_wait(),
            machine: (!health.machine.total.is_zero()).then(|| health.machine.busy_share()),
            connections: or_before(health.connections, before.connections),
            open_files: or_before(health.open_files, before.open_files),
        });
        if self.points.len() > POINTS {
            self.points.pop_front();
        }
    }

    /// The number of agents, processes and threads.
    pub(super) fn rows(&self) -> usize {
        let threads = |recent: &Recent| recent.reports.back().map_or(0, |(_, health, _)| health.threads.len());
        self.members.values().map(|recent| 1 + threads(recent)).sum()
    }

    /// The last seconds, in order.
    pub(in super::super) fn points(&self) -> impl DoubleEndedIterator<Item = &GeneratorPoint> {
        self.points.iter()
    }
}
