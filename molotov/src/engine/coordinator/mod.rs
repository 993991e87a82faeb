//! The coordinator of a run: starts the members, decides when to stop, merges measures, and feeds the screen.
//!
//! It knows members only by the [`Update`](super::update::Update)s they send and the [`Command`]s they take. A run passes these
//! files: `start` runs `global_setup` and starts the members, `watch` receives messages until all members have ended, `updates`
//! handles what members send, and `finish` runs `global_teardown` and sums up.

mod finish;
mod rate;
mod start;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;
mod updates;
mod watch;

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use self::rate::Rate;
use super::{
    Summary, Verdict, agents::Agents, clock::Clock, control::Inbox, cookies::CookieWarning, listeners::RunListeners,
    member::Members, panic, plan::Plan, sizing::Sizing, stall::StallDetector, stop::Phase, update::Command,
};
use crate::{
    load::Load,
    metrics::{MachineProbe, ProcessProbe, Seconds, Snapshot},
    run::{Incomplete, Line, MemberSummary, Timeline},
    ui::Screen,
};

/// Runs a plan on the calling thread until it ends.
///
/// Blocks the thread, which must not be inside a tokio runtime that has other work.
pub fn run(plan: &Plan, screen: &mut dyn Screen, inbox: Inbox) -> Summary {
    prepare(plan, screen, inbox).run()
}

/// Prepares a run: runs `global_setup`, then forks if the plan has several processes.
///
/// With several processes, the calling thread must be the only one until this function returns. It returns in the parent only.
pub fn prepare<'a>(plan: &'a Plan, screen: &'a mut dyn Screen, inbox: Inbox) -> PreparedRun<'a> {
    prepare_with(plan, screen, inbox, None)
}

/// Prepares a run whose members are on other machines, if there are agents. `global_setup` runs there.
pub(crate) fn prepare_with<'a>(
    plan: &'a Plan,
    screen: &'a mut dyn Screen,
    inbox: Inbox,
    agents: Option<Box<dyn Agents>>,
) -> PreparedRun<'a> {
    panic::install_hook();
    let _entered = plan.scope.enter();
    crate::failure::capture_backtraces(plan.args.verbose > 0);
    let mut coordinator = Coordinator::new(plan.clone(), screen, inbox);
    if agents.is_some() {
        coordinator.agents = agents;
        coordinator.set_up = true;
        return PreparedRun(coordinator);
    }
    coordinator.set_up = coordinator.global_setup();
    if coordinator.set_up {
        coordinator.open_data();
        if coordinator.plan.args.processes > 1 {
            coordinator.fork();
        }
    }
    PreparedRun(coordinator)
}

/// A run whose processes exist and whose workers have not started.
#[must_use = "workers start when `run` is called"]
pub struct PreparedRun<'a>(Coordinator<'a>);

impl PreparedRun<'_> {
    /// Runs it until it ends.
    pub fn run(self) -> Summary {
        let mut coordinator = self.0;
        let scope = coordinator.plan.scope.clone();
        let _entered = scope.enter();
        if coordinator.set_up {
            coordinator.work(&scope);
            match coordinator.agents.take() {
                Some(mut agents) => coordinator.notes.extend(agents.dismiss()),
                None => coordinator.global_teardown(),
            }
        }
        coordinator.finish()
    }
}

/// The state of a run.
struct Coordinator<'a> {
    plan: Plan,
    screen: &'a mut dyn Screen,
    inbox: Inbox,
    /// Whether `global_setup` succeeded.
    set_up: bool,
    /// Counts from the start of the workers.
    clock: Arc<Clock>,
    /// Real time from the start to the end of the last shard, and how much of it the run was paused.
    elapsed: Duration,
    paused: Duration,
    members: Members,
    /// What runs the members, if they are on other machines.
    agents: Option<Box<dyn Agents>>,
    listeners: Option<RunListeners>,
    phase: Phase,
    /// What is not yet in the totals and the timeline.
    arriving: Seconds,
    measures: Snapshot,
    /// The measures of the warm-up.
    warm_up: Snapshot,
    /// When the warm-up ends, in real time from the start of the workers.
    warm_up_until: Duration,
    /// Why the run cannot continue.
    failed: Option<Verdict>,
    /// The streams that ended because a data file had no row left.
    ended_streams: HashSet<usize>,
    /// The exit code requested by `global_teardown`.
    exit: Option<u8>,
    lost: Option<String>,
    /// What each member with a label measured.
    measured: Vec<MemberSummary>,
    /// Notes of members and agents for the summary.
    notes: Vec<String>,
    incomplete: Vec<Incomplete>,
    cookies: CookieWarning,
    timeline: Timeline,
    started: Option<SystemTime>,
    sizing: Option<Sizing>,
    /// The smallest number of workers of a process: one for each thread.
    least_workers: usize,
    /// Whether the run was stopped from outside.
    interrupted: bool,
    /// Whether members without workers were asked to end: the load can no longer be raised.
    finishing: bool,
    /// Whether a member that did not end was given up.
    gave_up: bool,
    rate: Rate,
    /// The rate of starts, in a run with a rate.
    start_rate: Rate,
    /// How much of the plan of the load the run has followed, once it is stopped or has ended.
    followed: Option<Duration>,
    stalls: StallDetector,
    most_workers: usize,
    probe: ProcessProbe,
    machine: MachineProbe,
}

impl<'a> Coordinator<'a> {
    fn new(plan: Plan, screen: &'a mut dyn Screen, inbox: Inbox) -> Coordinator<'a> {
        let sizing = Sizing::of(&plan);
        Coordinator {
            plan,
            screen,
            inbox,
            set_up: false,
            clock: Arc::new(Clock::new(Instant::now())),
            elapsed: Duration::ZERO,
            paused: Duration::ZERO,
            members: Members::default(),
            agents: None,
            listeners: None,
            phase: Phase::Running,
            arriving: Seconds::default(),
            measures: Snapshot::default(),
            warm_up: Snapshot { warm_up: true, ..Snapshot::default() },
            warm_up_until: Duration::ZERO,
            failed: None,
            ended_streams: HashSet::new(),
            exit: None,
            lost: None,
            measured: Vec::new(),
            notes: Vec::new(),
            incomplete: Vec::new(),
            cookies: CookieWarning::default(),
            timeline: Timeline::default(),
            started: None,
            sizing,
            least_workers: 1,
            interrupted: false,
            finishing: false,
            gave_up: false,
            rate: Rate::default(),
            start_rate: Rate::default(),
            followed: None,
            stalls: StallDetector::default(),
            most_workers: 0,
            probe: ProcessProbe::start(),
            machine: MachineProbe::start(),
        }
    }

    /// Enters a later phase and tells the members.
    fn raise(&mut self, phase: Phase) {
        if phase <= self.phase {
            return;
        }
        self.phase = phase;
        self.followed.get_or_insert(self.clock.now());
        // A stop ends a pause.
        self.clock.pause(false);
        tracing::debug!(?phase, elapsed = ?self.clock.real(), "the run is stopped");
        let command = match phase {
            Phase::Running => return,
            Phase::Stopping => Command::Stop,
            Phase::Forced => Command::Force,
        };
        self.members.send(command);
    }

    /// Adds a tenth of the load, or removes it.
    fn change_load(&mut self, more: bool) {
        if self.phase != Phase::Running || self.started.is_none() || self.finishing {
            return;
        }
        if self.sizing.as_ref().is_some_and(Sizing::is_search) {
            self.screen.line(&Line::info("The search for the capacity decides the load"));
            return;
        }
        let now = self.clock.now();
        let load = Arc::new(self.plan.load.changed(now, more, self.least_workers));
        self.screen.line(&Line::info(format!("Changing to {}", load.describe(now))));
        self.set_load(load);
    }

    /// Changes the plan of the load.
    fn set_load(&mut self, load: Arc<Load>) {
        self.plan.load = load.clone();
        self.members.send(Command::Load(load));
    }

    /// How much of the plan of the load the run has followed, if scenarios start at a rate.
    fn load_time(&self) -> Duration {
        let time = self.followed.unwrap_or_else(|| self.clock.now());
        time.min(self.plan.load.open_end())
    }

    fn running(&self) -> usize {
        self.members.running()
    }
}
