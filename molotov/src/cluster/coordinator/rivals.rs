//! Which of several runs at one broker gets the agents, if there are not enough for all.
//!
//! Two runs could each hold agents that the other one needs, and wait forever. So a run that gets no more agents returns those that it has,
//! for a while, if a run that began to wait earlier needs agents, too.

use std::time::{Duration, Instant, SystemTime};

use super::super::protocol::{Offer, RunId};

/// How long a run gets no agent before it returns those that it has.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long it then leaves free agents to others.
const RESPITE: Duration = Duration::from_secs(3);
/// A run that has offered nothing for this long needs no agents.
const SILENCE: Duration = Duration::from_millis(1_500);

/// The place of a run among those that wait for agents.
pub(super) struct Rivals {
    run: RunId,
    /// When the run began to wait, in milliseconds since 1970.
    pub(super) since: u64,
    /// When an earlier run has last offered to take agents.
    earlier: Option<Instant>,
    /// When the run last got an agent, or began to wait for one.
    gained: Instant,
    /// Until when it leaves free agents to others.
    respite: Option<Instant>,
}

impl Rivals {
    /// Notes that a run begins to wait.
    pub(super) fn new(run: RunId) -> Rivals {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let since = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        Rivals { run, since, earlier: None, gained: Instant::now(), respite: None }
    }

    /// Notes an offer, which may be one of this run.
    pub(super) fn heard(&mut self, offer: &Offer, now: Instant) {
        if (offer.since, &offer.run.0) < (self.since, &self.run.0) {
            self.earlier = Some(now);
        }
    }

    /// Notes that this run has got an agent.
    pub(super) fn gained(&mut self, now: Instant) {
        self.gained = now;
    }

    /// Whether this run has to return its agents now.
    pub(super) fn must_yield(&mut self, now: Instant) -> bool {
        let is_blocked = self.has_earlier(now) && now.duration_since(self.gained) >= PATIENCE;
        if !is_blocked || self.is_in_respite(now) {
            return false;
        }
        self.respite = Some(now + RESPITE);
        self.gained = now + RESPITE;
        true
    }

    /// Whether this run leaves free agents to others.
    pub(super) fn is_in_respite(&self, now: Instant) -> bool {
        self.has_earlier(now) && self.respite.is_some_and(|until| now < until)
    }

    fn has_earlier(&self, now: Instant) -> bool {
        self.earlier.is_some_and(|at| now.duration_since(at) < SILENCE)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::{super::super::protocol::Work, *};

    fn offer(run: &str, since: u64) -> Offer {
        let work = Work::Command { python: None };
        Offer { protocol: 0, version: String::new(), run: RunId(run.to_owned()), work, since }
    }

    #[test]
    fn only_the_later_of_two_runs_returns_its_agents() {
        let start = Instant::now();
        let rivals = |run: &str, since| Rivals { since, gained: start, ..Rivals::new(RunId(run.to_owned())) };
        // The second pair has begun at the same time.
        for (first, second) in [(5, 6), (5, 5)] {
            let (mut a, mut b) = (rivals("a", first), rivals("b", second));
            let mut yielded = Vec::new();
            for step in 0..100 {
                let now = start + Duration::from_millis(100 * step);
                for rivals in [&mut a, &mut b] {
                    rivals.heard(&offer("a", first), now);
                    rivals.heard(&offer("b", second), now);
                }
                assert!(!a.must_yield(now) && !a.is_in_respite(now));
                if b.must_yield(now) {
                    yielded.push(100 * step);
                }
            }
            assert_eq!(yielded, [2_000, 7_000]);
        }
    }

    #[test]
    fn a_run_that_gets_agents_or_has_no_rival_keeps_them() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut rivals = Rivals { since: 6, gained: start, ..Rivals::new(RunId("b".to_owned())) };
        assert!(!rivals.must_yield(at(60_000)));
        rivals.heard(&offer("a", 5), at(60_000));
        rivals.gained(at(59_000));
        assert!(!rivals.must_yield(at(60_900)));
        rivals.heard(&offer("a", 5), at(61_000));
        assert!(rivals.must_yield(at(61_000)) && rivals.is_in_respite(at(61_100)));
        // The earlier run has its agents.
        assert!(!rivals.is_in_respite(at(62_600)) && !rivals.must_yield(at(62_600)));
    }
}
