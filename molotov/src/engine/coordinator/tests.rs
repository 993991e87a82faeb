//! Updates that arrive, or do not.

use std::sync::Mutex;

use super::*;
use crate::{
    Failure,
    engine::{
        agents::{Gathered, Reports},
        control::Control,
        member::Member,
        update::Update,
    },
    options::Args,
    registry::Registry,
    run::{MemberLabel, Progress},
    ui::Quiet,
};

/// A member on another machine that does nothing but keep its commands.
#[derive(Default)]
struct Agent {
    commands: Arc<Mutex<Vec<Command>>>,
}

impl Member for Agent {
    fn name(&self) -> String {
        "the agent on db2".to_owned()
    }

    fn label(&self) -> Option<MemberLabel> {
        Some(MemberLabel::Agent("db2".into()))
    }

    fn send(&mut self, command: Command) {
        self.commands.lock().unwrap().push(command);
    }

    fn observe(&mut self, _: &Update) {}

    fn look_after(&mut self) -> Vec<Update> {
        Vec::new()
    }

    fn has_ended(&self) -> bool {
        true
    }

    fn incomplete(&self, since: Duration) -> Incomplete {
        Incomplete { agent: Some("db2".into()), process: 0, pid: None, thread: None, since }
    }

    fn release(self: Box<Self>) {}
}

fn measures(runs: u64) -> Update {
    let mut measures = Snapshot::default();
    measures.scenarios.entry("browse".into()).or_default().counts.ok = runs;
    Update::Measures(Box::new(measures))
}

fn registry() -> Registry {
    let mut registry = Registry::new();
    registry.add_scenario_fn("browse", async |_: &crate::session::Session| Ok::<_, Failure>(()));
    registry
}

/// A screen that keeps what it is shown.
#[derive(Default)]
struct Kept {
    lines: Vec<Line>,
    workers: Vec<(String, usize)>,
}

impl Screen for Kept {
    fn line(&mut self, line: &Line) {
        self.lines.push(line.clone());
    }

    fn progress(&mut self, _: &Progress) {}

    fn workers(&mut self, member: &MemberLabel, running: usize) {
        self.workers.push((member.to_string(), running));
    }

    fn finish(&mut self, _: &Summary) {}
}

#[test]
fn lines_losses_and_workers_of_agents_name_them() {
    let plan = Plan::new(Args::default(), &registry()).unwrap();
    let (mut screen, (_control, inbox)) = (Kept::default(), Control::new());
    let mut coordinator = Coordinator::new(plan, &mut screen, inbox);
    let id = coordinator.members.next_id();
    coordinator.members.join(id, Box::new(Agent::default()));
    let lost = Incomplete { agent: None, process: 1, pid: Some(4711), thread: Some(2), since: Duration::from_secs(3) };
    for update in [
        Update::Line(Line::print("hello").by_process(4711).by_worker(7)),
        Update::Line(Line::warning("the agent on db2 is silent")),
        Update::Workers { running: 20, most: 30 },
        Update::Incomplete(lost),
    ] {
        coordinator.update(id, update);
    }
    let incomplete = coordinator.finish().incomplete;
    assert_eq!(
        incomplete.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [
            "Counts of thread 2 of process 1 (pid 4711) of agent db2 are incomplete since 3.0 s: what it measured later is \
             lost."
        ]
    );
    let Line { agent, pid, worker, .. } = &screen.lines[0];
    assert_eq!((agent.as_deref(), *pid, *worker), (Some("db2"), Some(4711), Some(7)));
    assert_eq!(screen.lines[1].agent, None, "its text names it");
    assert_eq!(screen.workers, [("agent db2".to_owned(), 20)]);
}

#[test]
fn lost_updates_make_counts_incomplete() {
    let plan = Plan::new(Args::default(), &registry()).unwrap();
    let (mut screen, (_control, inbox)) = (Quiet, Control::new());
    let mut coordinator = Coordinator::new(plan, &mut screen, inbox);
    let ids = [coordinator.members.next_id(), coordinator.members.next_id()];
    ids.into_iter().for_each(|id| coordinator.members.join(id, Box::new(Agent::default())));
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
    let incomplete = Incomplete { agent: Some("db2".into()), process: 0, pid: None, thread: None, since };
    assert_eq!(summary.incomplete, [incomplete.clone(), incomplete]);
    assert_eq!(summary.totals.elapsed, over);
    let Verdict::ProcessLost(how) = summary.verdict else { panic!("{:?}", summary.verdict) };
    assert_eq!(how, "the agent on db2 was cut off; its counts are incomplete since 1.4 s");
}

#[test]
fn members_without_workers_end_when_no_other_member_has_any() {
    let plan = Plan::new(Args::default(), &registry()).unwrap();
    let (mut screen, (_control, inbox)) = (Quiet, Control::new());
    let mut coordinator = Coordinator::new(plan, &mut screen, inbox);
    coordinator.started = Some(SystemTime::now());
    let (ids, agents) = ([0, 1, 2].map(|_| coordinator.members.next_id()), [(); 3].map(|()| Agent::default()));
    let commands = agents[0].commands.clone();
    ids.into_iter().zip(agents).for_each(|(id, agent)| coordinator.members.join(id, Box::new(agent)));
    let done = || Update::Done { elapsed: Duration::ZERO, paused: Duration::ZERO };

    coordinator.update(ids[0], Update::Idle(true));
    coordinator.update(ids[1], Update::Idle(true));
    coordinator.update(ids[2], Update::Workers { running: 1, most: 1 });
    coordinator.change_load(true);
    assert!(matches!(commands.lock().unwrap()[..], [Command::Load(_)]), "the load can be raised");
    coordinator.update(ids[1], Update::Idle(false));
    coordinator.update(ids[2], done());
    assert_eq!(commands.lock().unwrap().len(), 1, "a member has got workers");
    coordinator.update(ids[1], Update::Idle(true));
    coordinator.update(ids[0], Update::Reported(Duration::from_secs(1)));
    coordinator.change_load(true);
    assert_eq!(commands.lock().unwrap()[1..], [Command::Finish], "nobody would follow a change after it");
}

/// Agents that are being prepared when the run is stopped, and do not end before they are stopped or dismissed.
struct Preparing {
    control: Control,
    /// Whether a second stop follows the first.
    is_forced: bool,
    calls: Arc<Mutex<Vec<&'static str>>>,
}

impl Agents for Preparing {
    fn gather(&mut self, _: Reports) -> Result<(), String> {
        self.control.stop();
        Ok(())
    }

    fn gathered(&mut self) -> Option<Result<Gathered, Verdict>> {
        let is_stopped = self.calls.lock().unwrap().contains(&"stop");
        (is_stopped && !self.is_forced).then_some(Err(Verdict::Ended))
    }

    fn stop(&mut self) {
        self.calls.lock().unwrap().push("stop");
        if self.is_forced {
            self.control.force();
        }
    }

    fn dismiss(&mut self) -> Vec<String> {
        self.calls.lock().unwrap().push("dismiss");
        Vec::new()
    }
}

#[test]
fn a_stop_lets_agents_tear_down_and_a_second_one_does_not_wait() {
    for is_forced in [false, true] {
        let plan = Plan::new(Args::default(), &registry()).unwrap();
        let (control, inbox) = Control::new();
        let calls = Arc::<Mutex<Vec<_>>>::default();
        let agents = Preparing { control, is_forced, calls: calls.clone() };
        let summary = prepare_with(&plan, &mut Quiet, inbox, Some(Box::new(agents))).run();
        assert!(matches!(summary.verdict, Verdict::Ended) && summary.interrupted, "{:?}", summary.verdict);
        assert_eq!(*calls.lock().unwrap(), ["stop", "dismiss"]);
    }
}
