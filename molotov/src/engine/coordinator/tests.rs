//! Updates that arrive, or do not.

use super::*;
use crate::{
    Failure,
    engine::{control::Control, member::Member, update::Update},
    options::Args,
    registry::Registry,
    ui::Quiet,
};

/// A member on another machine that does nothing.
struct Agent;

impl Member for Agent {
    fn name(&self) -> String {
        "the agent on db2".to_owned()
    }

    fn send(&mut self, _: Command) {}

    fn observe(&mut self, _: &Update) {}

    fn look_after(&mut self) -> Vec<Update> {
        Vec::new()
    }

    fn has_ended(&self) -> bool {
        true
    }

    fn incomplete(&self, since: Duration) -> Incomplete {
        Incomplete { process: 4, pid: None, thread: None, since }
    }

    fn release(self: Box<Self>) {}
}

fn measures(runs: u64) -> Update {
    let mut measures = Snapshot::default();
    measures.scenarios.entry("browse".into()).or_default().counts.ok = runs;
    Update::Measures(Box::new(measures))
}

#[test]
fn lost_updates_make_counts_incomplete() {
    let mut registry = Registry::new();
    registry.add_scenario_fn("browse", async |_: &crate::session::Session| Ok::<_, Failure>(()));
    let plan = Plan::new(Args::default(), &registry).unwrap();
    let (mut screen, (_control, inbox)) = (Quiet, Control::new());
    let mut coordinator = Coordinator::new(plan, &mut screen, inbox);
    let ids = [coordinator.members.next_id(), coordinator.members.next_id()];
    ids.into_iter().for_each(|id| coordinator.members.join(id, Box::new(Agent)));
    let since = Duration::from_millis(1_400);
    for update in [measures(3), Update::Reported(since), Update::Missing { updates: 2 }, measures(1)] {
        coordinator.update(ids[0], update);
    }
    let over = Duration::from_secs(2);
    for update in [measures(2), Update::Done { elapsed: over, paused: Duration::ZERO }, measures(9)] {
        coordinator.update(ids[1], update);
    }
    for how in ["the agent on db2 was cut off", "the agent on db2 is gone"] {
        coordinator.update(ids[0], Update::Lost(how.to_owned()));
    }
    coordinator.update(ids[1], Update::Lost("the agent on db2 failed at its end".to_owned()));
    let summary = coordinator.finish();
    assert_eq!(summary.totals.successes, 6, "what comes after the end of a member does not count");
    let incomplete = Incomplete { process: 4, pid: None, thread: None, since };
    assert_eq!(summary.incomplete, [incomplete.clone(), incomplete]);
    assert_eq!(summary.totals.elapsed, over);
    let Verdict::ProcessLost(how) = summary.verdict else { panic!("{:?}", summary.verdict) };
    assert_eq!(how, "the agent on db2 was cut off; its counts are incomplete since 1.4 s");
}
