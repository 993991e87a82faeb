//! An agent as the engine sees it: a member of the run.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{clocks::Offset, orders::Orders, shared::Shared};
use crate::{
    cluster::protocol::{AGENT_TIMEOUT, Order},
    engine::{Command, Member, Message, Update, remote::ToRun},
    format,
    options::OnLost,
    queue::Sender,
    run::{Incomplete, Line, MemberLabel},
};

/// How long an agent that is cut off is waited for after all others have ended.
const RETURN_GRACE: Duration = Duration::from_secs(10);
/// How long the broker is waited for after the end of the plan, or after a stop.
const BROKER_GRACE: Duration = Duration::from_secs(30);
/// How long an agent may take to end after a force, with its teardowns.
const FORCE_GRACE: Duration = Duration::from_secs(15);
/// The same while it cannot be reached.
const UNREACHABLE_FORCE_GRACE: Duration = Duration::from_secs(2);

/// An agent that takes part in a run.
pub(super) struct Agent {
    pub(super) number: usize,
    pub(super) name: Arc<str>,
    pub(super) offset: Offset,
    pub(super) orders: Orders,
    pub(super) shared: Arc<Shared>,
    pub(super) on_lost: OnLost,
    pub(super) progress: Progress,
}

/// What an agent has done so far, as the engine knows.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// How long the plan of the load lasts, if it has an end.
    plan_end: Option<Duration>,
    /// When the plan ends.
    end: Option<Instant>,
    /// The most workers that ran at once.
    most: usize,
    /// Its work is done, and all measures have arrived.
    is_done: bool,
    /// It sends nothing more.
    is_closed: bool,
    /// It is given up or has ended.
    has_ended: bool,
    /// Since when it has been silent, if it is cut off.
    cut_off: Option<Duration>,
    stopped: Option<Instant>,
    forced: Option<Instant>,
}

impl Progress {
    pub(super) fn new(plan_end: Option<Duration>) -> Progress {
        Progress { plan_end, ..Progress::default() }
    }
}

impl Agent {
    /// Notes that it sends nothing more, or is no longer waited for.
    fn end(&mut self, is_incomplete: bool) {
        self.progress.has_ended = true;
        self.shared.lock().change(self.number, |agent| {
            agent.has_ended = true;
            agent.is_incomplete |= is_incomplete;
        });
    }

    fn give_up(&mut self, why: &str) -> Vec<Update> {
        self.end(!self.progress.is_done);
        vec![Update::Lost(format!("{} {why}", self.name()))]
    }

    /// Notices whether it is silent, or back.
    fn listen(&mut self) -> Vec<Update> {
        let name = self.name();
        let shared = self.shared.clone();
        let mut state = shared.lock();
        if state.broker.is_err() {
            return Vec::new();
        }
        let silence = state.silence(self.number);
        match self.progress.cut_off {
            None if silence >= AGENT_TIMEOUT => {
                let since = state.time(Instant::now().checked_sub(silence).unwrap_or_else(Instant::now));
                let at = format::elapsed(since);
                if self.on_lost == OnLost::Stop {
                    drop(state);
                    return self.give_up(&format!("has been silent since {at}"));
                }
                state.change(self.number, |agent| agent.is_cut_off = true);
                self.progress.cut_off = Some(since);
                let text = format!("{name} has been silent since {at}: the run continues without it");
                let workers = Update::Workers { running: 0, most: self.progress.most };
                vec![Update::Line(Line::warning(text)), workers]
            }
            Some(since) if silence < AGENT_TIMEOUT => {
                state.change(self.number, |agent| agent.is_cut_off = false);
                self.progress.cut_off = None;
                let at = format::elapsed(since);
                vec![Update::Line(Line::info(format!("{name} is back, and sends what it has measured since {at}")))]
            }
            Some(since) if state.idle_since.is_some_and(|idle| idle.elapsed() >= RETURN_GRACE) => {
                drop(state);
                self.give_up(&format!("has been silent since {}", format::elapsed(since)))
            }
            _ => Vec::new(),
        }
    }
}

impl Member for Agent {
    fn name(&self) -> String {
        format!("the agent {}", self.name)
    }

    fn label(&self) -> Option<MemberLabel> {
        Some(MemberLabel::Agent(self.name.clone()))
    }

    fn begin(&mut self, _: &Sender<Message>, epoch: Instant) -> io::Result<()> {
        self.shared.lock().epoch = Some(epoch);
        self.progress.end = self.progress.plan_end.map(|end| epoch + end);
        self.orders.send(Order::Run(ToRun::Begin { at: self.offset.at(epoch) }));
        Ok(())
    }

    fn send(&mut self, command: Command) {
        let now = Instant::now();
        match &command {
            Command::Stop => _ = self.progress.stopped.get_or_insert(now),
            Command::Force => _ = self.progress.forced.get_or_insert(now),
            // A pause moves the end of the plan.
            Command::Pause(_) => self.progress.end = None,
            Command::Load(load) => {
                let epoch = self.shared.lock().epoch;
                self.progress.end = load.end().zip(epoch).map(|(end, epoch)| epoch + end);
            }
            Command::EndStream(_) => {}
            // Nothing is left to do.
            Command::Finish => self.progress.end = Some(self.progress.end.map_or(now, |end| end.min(now))),
        }
        if !self.progress.is_closed {
            self.orders.send(Order::Run(ToRun::Command(command)));
        }
    }

    fn observe(&mut self, update: &Update) {
        match update {
            Update::Done { .. } => self.progress.is_done = true,
            Update::Closed => self.progress.is_closed = true,
            Update::Workers { most, .. } => self.progress.most = *most,
            Update::Began { first, last } => {
                self.shared.lock().change(self.number, |agent| agent.began = Some((*first, *last)));
            }
            Update::Lost(_)
            | Update::LostPart { incomplete: Some(_), .. }
            | Update::Incomplete(_)
            | Update::Missing { .. }
            | Update::Abandoned => {
                self.shared.lock().change(self.number, |agent| agent.is_incomplete |= !self.progress.is_done);
            }
            _ => {}
        }
    }

    /// Notices when the agent has ended, or cannot be reached.
    fn look_after(&mut self) -> Vec<Update> {
        if self.progress.has_ended {
            return Vec::new();
        }
        if self.progress.is_closed {
            if self.progress.is_done {
                self.end(false);
                return Vec::new();
            }
            return self.give_up("ended before its work was done");
        }
        let broker = self.shared.lock().broker;
        let is_reachable = broker.is_ok() && self.progress.cut_off.is_none();
        let grace = if is_reachable { FORCE_GRACE } else { UNREACHABLE_FORCE_GRACE };
        if self.progress.forced.is_some_and(|forced| forced.elapsed() >= grace) {
            return self.give_up("did not end in time");
        }
        let over = self.progress.stopped.into_iter().chain(self.progress.end).min();
        let waited = |over: Instant, down: Instant| over.max(down).elapsed();
        if let (Some(over), Err(down)) = (over, broker)
            && waited(over, down) >= BROKER_GRACE
        {
            return self.give_up("could not be reached, because the broker is away");
        }
        self.listen()
    }

    fn is_cut_off(&self) -> bool {
        self.progress.cut_off.is_some()
    }

    fn has_ended(&self) -> bool {
        self.progress.has_ended
    }

    fn incomplete(&self, since: Duration) -> Incomplete {
        Incomplete { agent: Some(self.name.clone()), process: 0, pid: None, thread: None, since }
    }

    fn release(self: Box<Self>) {}
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    /// Three agents of a run. Nothing reads their orders.
    fn agents() -> (Vec<Agent>, Arc<Shared>) {
        let shared = Arc::new(Shared::new(3));
        let agent = |number| Agent {
            number,
            name: format!("m{number}").into(),
            offset: Offset::of(Instant::now(), Duration::ZERO, Instant::now()),
            orders: Orders::channel().0,
            shared: shared.clone(),
            on_lost: OnLost::Stop,
            progress: Progress::new(None),
        };
        ((0..3).map(agent).collect(), shared)
    }

    fn note(shared: &Shared) -> String {
        shared.lock().notes(Duration::ZERO).swap_remove(0)
    }

    #[test]
    fn the_note_about_agents_agrees_with_the_counts_that_are_incomplete() {
        let done = || Update::Done { elapsed: Duration::ZERO, paused: Duration::ZERO };
        let (mut agents, shared) = agents();
        agents[0].observe(&Update::Measures(Box::default()));
        agents[0].observe(&Update::LostPart { how: "the process 7 is gone".to_owned(), incomplete: None });
        agents.iter_mut().for_each(|agent| agent.observe(&done()));
        // Nothing that is lost after the end had measures.
        agents[0].observe(&Update::Lost("the agent m0 failed".to_owned()));
        assert_eq!(note(&shared), "3 of 3 agents, nothing missing.");

        let losses: [fn(&Agent) -> Update; 5] = [
            |agent| Update::Incomplete(agent.incomplete(Duration::ZERO)),
            |agent| Update::LostPart { how: String::new(), incomplete: Some(agent.incomplete(Duration::ZERO)) },
            |_| Update::Missing { updates: 2 },
            |_| Update::Abandoned,
            |_| Update::Lost("the agent m1 failed".to_owned()),
        ];
        for loss in losses {
            let (mut agents, shared) = self::agents();
            let update = loss(&agents[1]);
            agents[1].observe(&update);
            agents.iter_mut().for_each(|agent| agent.observe(&done()));
            assert_eq!(note(&shared), "2 of 3 agents sent all of their measures.", "{update:?}");
        }
    }
}
