//! What each member of a run measured.

use super::{Incomplete, MemberLabel, Summary};
use crate::metrics::{Bottleneck, Counts, Health, Histogram, LatencySubject, Snapshot, Starts};

/// What an agent, or one of several processes, measured in a run. It excludes the warm-up.
///
/// ```no_run
/// # use molotov::LoadTest;
/// let report = LoadTest::new().workers(20).max_runs(10).run()?;
/// for member in &report.summary().members {
///     println!("{}: {} requests, CPU {:.0} %", member.label, member.requests.total(), 100.0 * member.health.cpu());
/// }
/// # Ok::<(), molotov::LoadTestError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct MemberSummary {
    /// Its name.
    pub label: MemberLabel,
    /// The most workers that ran at once.
    pub workers: usize,
    /// The number of its scenarios.
    pub scenarios: Counts,
    /// The number of its requests.
    pub requests: Counts,
    /// The durations of its requests; of its steps if it sent no requests; of its scenarios if it has no steps.
    pub latency: Histogram,
    /// Its starts at a rate; all zero in a closed loop.
    pub starts: Starts,
    /// The state of its load generator.
    pub health: Health,
    /// What `latency` measures.
    pub(crate) subject: LatencySubject,
}

impl MemberSummary {
    fn new(label: MemberLabel) -> MemberSummary {
        MemberSummary {
            label,
            workers: 0,
            scenarios: Counts::default(),
            requests: Counts::default(),
            latency: Histogram::default(),
            starts: Starts::default(),
            health: Health::default(),
            subject: LatencySubject::default(),
        }
    }

    /// Returns the member with this label in `members`, which are in the order of their labels. Adds it if it is new.
    pub(crate) fn of<'a>(members: &'a mut Vec<MemberSummary>, label: &MemberLabel) -> &'a mut MemberSummary {
        let index = match members.binary_search_by(|member| member.label.cmp(label)) {
            Ok(index) => index,
            Err(index) => {
                members.insert(index, MemberSummary::new(label.clone()));
                index
            }
        };
        &mut members[index]
    }

    /// Adds measures of this member.
    pub(crate) fn add(&mut self, measures: &Snapshot) {
        if measures.warm_up {
            return;
        }
        self.scenarios.merge(&measures.totals());
        measures.requests.values().for_each(|stats| self.requests.merge(&stats.counts));
        measures.starts.values().for_each(|starts| self.starts.merge(starts));
        self.health.merge(&measures.health);
        let (subject, latency) = measures.measured();
        if latency.is_empty() || subject < self.subject {
            return;
        }
        if subject > self.subject {
            (self.subject, self.latency) = (subject, Histogram::default());
        }
        self.latency.merge(&latency);
    }

    /// Notes that it ran this many workers at once.
    pub(crate) fn ran(&mut self, workers: usize) {
        self.workers = self.workers.max(workers);
    }

    /// Returns what in its load generator limited it or distorted its measurements, if anything did.
    pub fn bottleneck(&self) -> Option<Bottleneck> {
        self.health.bottleneck(&self.latency)
    }

    /// Returns what was wrong with its load generator and what to do about it, without a subject.
    pub(crate) fn reason(&self) -> Option<String> {
        self.health.reason(self.subject.name(), &self.latency)
    }
}

impl Summary {
    /// Returns the number of agents; 0 in a run of one machine.
    pub(crate) fn agents(&self) -> usize {
        self.members.iter().filter(|member| member.label.is_agent()).count()
    }

    /// Returns the first loss of measures of a member.
    pub(crate) fn loss_of(&self, member: &MemberSummary) -> Option<&Incomplete> {
        self.incomplete.iter().find(|loss| match &member.label {
            MemberLabel::Process(pid) => loss.agent.is_none() && loss.pid == Some(*pid),
            MemberLabel::Agent(name) => loss.agent.as_ref() == Some(name),
        })
    }

    /// Returns whether short reports compare the members: if there are several agents, or if some of several processes lost
    /// measures or were the bottleneck and others were not.
    pub(crate) fn compares_members(&self) -> bool {
        let differ = |differs: &dyn Fn(&MemberSummary) -> bool| {
            let count = self.members.iter().filter(|member| differs(member)).count();
            0 < count && count < self.members.len()
        };
        self.members.len() > 1
            && (self.agents() > 0
                || differ(&|member| member.bottleneck().is_some())
                || differ(&|member| self.loss_of(member).is_some()))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::metrics::{HTTP, Limits, OperationSample, Outcome, Recorder};

    /// A second with 50 names of requests, whose durations vary.
    fn second(number: u64) -> Snapshot {
        let recorder = Recorder::new(Limits::default());
        for name in 0..50 {
            for n in 0..20_u64 {
                let sample = OperationSample {
                    outcome: Outcome::Ok,
                    status: None,
                    connect: None,
                    first_byte: None,
                    total: Duration::from_micros(500 + (number * 7_919 + name * 613 + n * n * 97) % 400_000),
                    bytes_in: 1,
                    bytes_out: 1,
                    retried: 0,
                };
                recorder.operation(HTTP, &format!("GET /{name}"), &sample);
            }
        }
        recorder.take()
    }

    #[test]
    fn memory_of_a_member_does_not_grow_with_names_and_time() {
        let mut members = Vec::new();
        let member = MemberSummary::of(&mut members, &MemberLabel::Process(1));
        let seconds: Vec<_> = (0..20).map(second).collect();
        let mut after = |rounds: usize| {
            (0..rounds).for_each(|_| seconds.iter().for_each(|measures| member.add(measures)));
            member.latency.memory()
        };
        let (short, long) = (after(1), after(10));
        assert!(long <= 2 * short && long < 16 << 10, "{short} bytes, then {long}");
        assert_eq!(member.requests.ok, 11 * 20 * 50 * 20);
        assert_eq!(member.latency.count(), member.requests.ok);
    }

    #[test]
    fn latency_is_that_of_requests_if_there_are_any() {
        let scenarios = || {
            let recorder = Recorder::new(Limits::default());
            recorder.scenario(recorder.scenario_id("browse"), Outcome::Ok, Duration::from_secs(2));
            recorder.take()
        };
        let mut members = Vec::new();
        let member = MemberSummary::of(&mut members, &MemberLabel::Process(1));
        member.add(&scenarios());
        assert_eq!((member.subject.name(), member.latency.count()), ("scenarios", 1));
        member.add(&second(1));
        member.add(&scenarios());
        assert_eq!((member.subject.name(), member.latency.count()), ("requests", 1_000));
        assert!(member.latency.max() < Duration::from_secs(1));
    }
}
