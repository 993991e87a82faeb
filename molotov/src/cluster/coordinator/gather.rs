//! Finds agents for a run, and prepares the run on them.

use std::{
    collections::{BTreeMap, HashSet},
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use async_nats::Subscriber;
use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::{sync::mpsc, time::interval_at};

use super::{
    Settings,
    orders::Orders,
    reader::{self, Received},
    rivals::Rivals,
    run::Run,
    shared::Shared,
};
use crate::{
    cluster::{
        program,
        protocol::{
            AGENT_TIMEOUT, AgentId, Assignment, COORDINATOR_TIMEOUT, Candidate, FromAgent, OFFERS, Offer, Order,
            VERSION, Work,
        },
        trust::sign,
    },
    engine::{
        Command, MemberId, Reports, Update,
        remote::{Failed, FromRun, Ready, Task, ToRun, Variables},
    },
    format,
    load::Part,
    run::{FixtureFailure, Line, MemberLabel, Verdict},
};

/// How often agents are offered to take part.
const OFFER_PERIOD: Duration = Duration::from_millis(500);
/// How long agents are waited for until a line says how to start them.
const FIRST_HINT: Duration = Duration::from_secs(5);
/// The time between two such lines.
const HINT_PERIOD: Duration = Duration::from_secs(60);
/// How long an agent may take to accept.
const ASSIGN_TIMEOUT: Duration = Duration::from_secs(10);
/// How often the agents are checked while the run is prepared.
const LOOK_PERIOD: Duration = Duration::from_millis(200);

/// The agents of a run.
pub(super) struct Crew {
    pub(super) run: Run,
    pub(super) settings: Settings,
    pub(super) shared: Arc<Shared>,
    pub(super) reports: Reports,
    pub(super) messages: mpsc::Receiver<Received>,
    /// By number.
    slots: Vec<Slot>,
    /// The number of the next assignment.
    next_assignment: usize,
    /// The agents that cannot take part.
    refused: HashSet<AgentId>,
    /// Reasons and differences that have been shown.
    shown: HashSet<String>,
    /// The largest error of the clocks of the agents, once they are known.
    pub(super) clock_error: Option<Duration>,
}

/// The place of an agent in a run.
enum Slot {
    Free,
    /// An agent was asked to take it.
    Asked {
        agent: AgentId,
        assignment: usize,
    },
    Taken(Joined),
}

/// An agent that takes part.
pub(super) struct Joined {
    pub(super) number: usize,
    /// The number of its assignment.
    pub(super) assignment: usize,
    pub(super) id: AgentId,
    pub(super) name: Arc<str>,
    pub(super) orders: Orders,
    /// The variables of the fixtures that it has run for all.
    variables: Option<Variables>,
    ready: Option<Ready>,
}

impl Joined {
    pub(super) fn label(&self) -> MemberLabel {
        MemberLabel::Agent(self.name.clone())
    }

    pub(super) fn order(&self, message: ToRun) {
        self.orders.send(Order::Run(message));
    }
}

/// The answer of an agent to an assignment.
struct Answer {
    number: usize,
    assignment: usize,
    candidate: Candidate,
    name: Arc<str>,
    accepted: Result<(), NotAccepted>,
}

/// Why an agent does not take part.
enum NotAccepted {
    Refused(String),
    /// Its answer has not arrived, so it may believe that it takes part.
    Unknown(String),
}

impl Crew {
    pub(super) fn new(run: Run, settings: Settings, shared: Arc<Shared>, reports: Reports) -> Crew {
        let slots = (0..settings.agents).map(|_| Slot::Free).collect();
        let messages = reader::start(&run.connection, &run.id);
        Crew {
            run,
            settings,
            shared,
            reports,
            messages,
            slots,
            next_assignment: 0,
            refused: HashSet::new(),
            shown: HashSet::new(),
            clock_error: None,
        }
    }

    pub(super) fn agents(&self) -> impl Iterator<Item = &Joined> {
        self.slots.iter().filter_map(|slot| if let Slot::Taken(joined) = slot { Some(joined) } else { None })
    }

    fn agents_mut(&mut self) -> impl Iterator<Item = &mut Joined> {
        self.slots.iter_mut().filter_map(|slot| if let Slot::Taken(joined) = slot { Some(joined) } else { None })
    }

    pub(super) fn agent(&self, number: usize) -> Option<&Joined> {
        if let Some(Slot::Taken(joined)) = self.slots.get(number) { Some(joined) } else { None }
    }

    /// Finds as many agents as the run needs.
    pub(super) async fn gather(&mut self) -> Result<(), Verdict> {
        let system = |error: &dyn std::fmt::Display| {
            Verdict::SystemFailed(format!("cannot exchange messages with the broker: {error}"))
        };
        let client = self.run.connection.client.clone();
        let mut candidates: Subscriber = client.subscribe(self.run.id.join()).await.map_err(|error| system(&error))?;
        let mut others: Subscriber = client.subscribe(OFFERS).await.map_err(|error| system(&error))?;
        let mut rivals = Rivals::new(self.run.id.clone());
        let all = format::plural(self.settings.agents as u64, "agent");
        self.reports.line(Line::info(format!("Waiting for {all} at {}", self.settings.broker)));
        let offer = Offer {
            protocol: VERSION,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            run: self.run.id.clone(),
            work: self.settings.work.clone(),
            since: rivals.since,
        };
        let offer: bytes::Bytes = postcard::to_allocvec(&offer).map_err(|error| system(&error))?.into();
        let mut offers = tokio::time::interval(OFFER_PERIOD);
        let mut hints = interval_at((Instant::now() + FIRST_HINT).into(), HINT_PERIOD);
        let mut asked = FuturesUnordered::new();
        while self.agents().count() < self.settings.agents {
            tokio::select! {
                biased;
                // An answer arrives before the messages that follow it.
                Some(answer) = asked.next(), if !asked.is_empty() => {
                    if self.answered(answer) {
                        rivals.gained(Instant::now());
                    }
                }
                _ = offers.tick() => {
                    self.free_silent();
                    if rivals.must_yield(Instant::now()) {
                        self.free_all();
                    }
                    let _ = client.publish(OFFERS, offer.clone()).await;
                }
                _ = hints.tick() => self.hint(),
                Some((assignment, message)) = self.messages.recv() => self.note(assignment, message)?,
                Some(message) = others.next() => {
                    if let Ok(offer) = postcard::from_bytes(&message.payload) {
                        rivals.heard(&offer, Instant::now());
                    }
                }
                Some(message) = candidates.next() => {
                    if let Some(candidate) = self.judge(&message.payload)
                        && !rivals.is_in_respite(Instant::now())
                        && let Some(ask) = self.ask(candidate)
                    {
                        asked.push(ask);
                    }
                }
            }
        }
        Ok(())
    }

    /// Shows how many agents are missing.
    fn hint(&self) {
        let (joined, all, join) = (self.agents().count(), self.settings.agents, &self.settings.join);
        let verb = if joined == 1 { "has" } else { "have" };
        let text = format!("{joined} of {all} agents {verb} joined; start more on other machines: {join}");
        self.reports.line(Line::info(text));
    }

    /// Returns a candidate that can take part, and shows once why another one cannot.
    fn judge(&mut self, payload: &[u8]) -> Option<Candidate> {
        let own = env!("CARGO_PKG_VERSION");
        let candidate = match postcard::take_from_bytes::<(u16, String)>(payload) {
            Ok(((VERSION, version), _)) if version == own => postcard::from_bytes::<Candidate>(payload).ok()?,
            Ok(((_, version), _)) => {
                self.show_once(format!("An agent runs Molotov {version} and cannot take part: this is Molotov {own}"));
                return None;
            }
            Err(_) => return None,
        };
        if self.refused.contains(&candidate.agent) {
            return None;
        }
        let why = match &self.settings.work {
            Work::Command { python: Some(python) } => {
                let name = &candidate.name;
                match &candidate.python {
                    Some(own) => {
                        if own != python {
                            self.show_once(format!(
                                "The agent {name} runs scripts with Python {own}, and this machine with {python}"
                            ));
                        }
                        None
                    }
                    None => Some("it is a program without Python; start `molotov --join` there".to_owned()),
                }
            }
            Work::Command { python: None } => None,
            work @ Work::Program { .. } => program::unsuitable(work, &candidate.target, candidate.program),
        };
        match why {
            None => Some(candidate),
            Some(why) => {
                self.reports.line(Line::warning(format!("the agent {} cannot take part: {why}", candidate.name)));
                self.refused.insert(candidate.agent);
                None
            }
        }
    }

    fn show_once(&mut self, text: String) {
        if self.shown.insert(text.clone()) {
            self.reports.line(Line::warning(text));
        }
    }

    /// Asks a candidate to take a free place.
    fn ask(&mut self, candidate: Candidate) -> Option<impl Future<Output = Answer> + use<>> {
        let is_known = self.slots.iter().any(|slot| match slot {
            Slot::Free => false,
            Slot::Asked { agent, .. } => *agent == candidate.agent,
            Slot::Taken(joined) => joined.id == candidate.agent,
        });
        let number = self.slots.iter().position(|slot| matches!(slot, Slot::Free)).filter(|_| !is_known)?;
        let name = self.unused_name(&candidate.name);
        let is_other = matches!(&self.settings.work, Work::Program { hash, .. } if *hash != candidate.program);
        let (settings, assignment_number) = (&self.settings, self.next_assignment);
        let assignment = Assignment {
            run: self.run.id.clone(),
            number: assignment_number,
            agent: candidate.agent.clone(),
            nonce: candidate.nonce,
            name: name.to_string(),
            work: settings.work.clone(),
            task: Task {
                member: MemberId(u32::try_from(number).ok()?),
                part: Part { number, of: settings.agents },
                seed: settings.seed,
                options: settings.options.clone(),
            },
            files: settings.shipped.files.as_ref().map(|(object, _)| *object),
            directory: settings.shipped.directory.clone(),
            program: self.settings.shipped.program.as_ref().filter(|_| is_other).map(|(object, _)| *object),
            requirements: settings.shipped.requirements.clone(),
            env: settings.shipped.env.clone(),
        };
        let signed = sign(&assignment, settings.key.as_deref()).ok()?;
        let signed = postcard::to_allocvec(&signed).ok()?;
        self.next_assignment += 1;
        self.slots[number] = Slot::Asked { agent: candidate.agent.clone(), assignment: assignment_number };
        self.shared.lock().change(number, |agent| agent.name = name.to_string());
        let client = self.run.connection.client.clone();
        Some(async move {
            let asked = client.request(candidate.agent.assign(), signed.into());
            let accepted = match tokio::time::timeout(ASSIGN_TIMEOUT, asked).await {
                Ok(Ok(reply)) => match postcard::from_bytes::<Result<(), String>>(&reply.payload) {
                    Ok(answer) => answer.map_err(NotAccepted::Refused),
                    Err(_) => Err(NotAccepted::Unknown("its answer cannot be read".to_owned())),
                },
                Ok(Err(error)) => Err(NotAccepted::Unknown(format!("it did not answer: {error}"))),
                Err(_) => Err(NotAccepted::Unknown("it did not answer".to_owned())),
            };
            Answer { number, assignment: assignment_number, candidate, name, accepted }
        })
    }

    /// The name of an agent, with a number if another agent of the run has the same.
    fn unused_name(&self, name: &str) -> Arc<str> {
        let state = self.shared.lock();
        let is_used = |name: &str| {
            let taken = self.slots.iter().zip(&state.agents);
            taken.filter(|(slot, _)| !matches!(slot, Slot::Free)).any(|(_, agent)| agent.name == name)
        };
        if !is_used(name) {
            return name.into();
        }
        (2..).map(|number| format!("{name}-{number}")).find(|name| !is_used(name)).unwrap_or_default().into()
    }

    /// Notes the answer of a candidate. Returns whether it takes part.
    fn answered(&mut self, answer: Answer) -> bool {
        let Answer { number, assignment, candidate, name, accepted } = answer;
        let start_orders = || {
            let (connection, agent, key) = (&self.run.connection, candidate.agent.clone(), self.settings.key.clone());
            Orders::start(connection, &self.run.id, assignment, agent, key)
        };
        if let Err(not_accepted) = accepted {
            let why = match not_accepted {
                NotAccepted::Refused(why) => why,
                NotAccepted::Unknown(why) => {
                    start_orders().send(Order::Leave);
                    why
                }
            };
            self.slots[number] = Slot::Free;
            // Nobody waits for its end.
            self.shared.lock().change(number, |agent| agent.name.clear());
            self.show_once(format!("the agent {} does not take part: {why}", candidate.name));
            return false;
        }
        let orders = start_orders();
        self.shared.lock().assigned.insert(assignment, number);
        let _ = self.shared.heard(assignment);
        self.slots[number] = Slot::Taken(Joined {
            number,
            assignment,
            id: candidate.agent,
            name: name.clone(),
            orders,
            variables: None,
            ready: None,
        });
        let (joined, all) = (self.agents().count(), self.settings.agents);
        let cores = format::plural(candidate.cores as u64, "core");
        self.reports.line(Line::info(format!("The agent {name} ({cores}) takes part: {joined} of {all}")));
        true
    }

    /// Frees all agents. Those that were asked and have not answered may believe that they take part.
    pub(super) fn dismiss(&mut self) {
        for (number, slot) in self.slots.iter_mut().enumerate() {
            match slot {
                Slot::Taken(agent) => agent.orders.send(Order::Leave),
                Slot::Asked { agent, assignment } => {
                    let key = self.settings.key.clone();
                    let orders = Orders::start(&self.run.connection, &self.run.id, *assignment, agent.clone(), key);
                    orders.send(Order::Leave);
                    // Nobody waits for its end.
                    self.shared.lock().change(number, |agent| agent.name.clear());
                }
                Slot::Free => {}
            }
        }
    }

    /// Frees the places of agents that are no longer there.
    fn free_silent(&mut self) {
        let is_silent = |number: usize| self.shared.lock().silence(number) >= AGENT_TIMEOUT;
        let silent: Vec<_> = self.agents().map(|agent| agent.number).filter(|number| is_silent(*number)).collect();
        for number in silent {
            if let Some(agent) = self.agent(number) {
                self.reports.line(Line::warning(format!("the agent {} is gone; waiting for another", agent.name)));
            }
            self.free(number);
        }
    }

    /// Returns all agents, for another run.
    fn free_all(&mut self) {
        let numbers: Vec<_> = self.agents().map(|agent| agent.number).collect();
        if !numbers.is_empty() {
            let agents = format::plural(numbers.len() as u64, "agent");
            let text = "An earlier run at this broker waits for agents, too";
            self.reports.line(Line::info(format!("{text}: this run gives it {agents} and waits")));
        }
        numbers.into_iter().for_each(|number| self.free(number));
    }

    /// Takes the place of an agent away.
    fn free(&mut self, number: usize) {
        let Some(agent) = self.agent(number) else { return };
        agent.orders.send(Order::Leave);
        let mut state = self.shared.lock();
        state.assigned.remove(&agent.assignment);
        state.change(number, |agent| agent.name.clear());
        drop(state);
        self.slots[number] = Slot::Free;
    }

    /// Runs the fixtures of all agents. Returns the report of each.
    pub(super) async fn set_up(&mut self) -> Result<Vec<Ready>, Verdict> {
        let mut variables = BTreeMap::new();
        if self.settings.sets_up_once
            && let Some(first) = self.agent(0)
        {
            first.order(ToRun::SetUpOnce);
            self.until(|crew| crew.agent(0).is_some_and(|agent| agent.variables.is_some())).await?;
            variables = self.agents_mut().find_map(|agent| agent.variables.take()).unwrap_or_default();
        }
        for agent in self.agents() {
            agent.order(ToRun::SetUp { variables: variables.clone() });
        }
        self.until(|crew| crew.agents().all(|agent| agent.ready.is_some())).await?;
        self.check_loads()?;
        Ok(self.agents_mut().filter_map(|agent| agent.ready.take()).collect())
    }

    /// Checks that all agents follow the same plan. Otherwise, some workers or starts would run twice and others never.
    fn check_loads(&self) -> Result<(), Verdict> {
        let mut loads = self.agents().filter_map(|agent| Some((&agent.name, &agent.ready.as_ref()?.load)));
        let Some((first, load)) = loads.next() else { return Ok(()) };
        let Some((other, its)) = loads.find(|(_, its)| *its != load) else { return Ok(()) };
        let (ours, theirs) = (load.describe(Duration::ZERO), its.describe(Duration::ZERO));
        let loads = if ours == theirs { String::new() } else { format!(" ({theirs} instead of {ours})") };
        Err(Verdict::SystemFailed(format!(
            "the agent {other} has another plan of the load than the agent {first}{loads}; if `global_setup` changes options, it \
             must set the same values on all agents, such as the variables of a `global_setup` that runs once"
        )))
    }

    /// Stops the agents before the run begins, and waits until all have ended. Returns why: a fixture may have failed because it was
    /// interrupted.
    pub(super) async fn stop(&mut self) -> Verdict {
        for agent in self.agents() {
            agent.order(ToRun::Command(Command::Stop));
        }
        let mut why = Verdict::Ended;
        let mut looks = tokio::time::interval(LOOK_PERIOD);
        loop {
            let is_over = |agent: &Joined| {
                let state = self.shared.lock();
                state.agents[agent.number].has_ended || state.silence(agent.number) >= AGENT_TIMEOUT
            };
            if self.agents().all(is_over) || self.shared.lock().agents_have_stopped() {
                return why;
            }
            let (assignment, message) = tokio::select! {
                Some(message) = self.messages.recv() => message,
                _ = looks.tick() => continue,
            };
            let noted = self.note(assignment, message);
            if let (Err(failed @ Verdict::FixtureFailed(_)), Verdict::Ended) = (noted, &why) {
                why = failed;
            }
        }
    }

    /// Receives messages until a condition holds.
    async fn until(&mut self, holds: impl Fn(&Crew) -> bool) -> Result<(), Verdict> {
        let mut looks = tokio::time::interval(LOOK_PERIOD);
        while !holds(self) {
            tokio::select! {
                Some((assignment, message)) = self.messages.recv() => self.note(assignment, message)?,
                _ = looks.tick() => self.check_silence()?,
            }
        }
        Ok(())
    }

    /// Ends the run if an agent, or the broker, has gone before it began.
    pub(super) fn check_silence(&self) -> Result<(), Verdict> {
        let state = self.shared.lock();
        if state.agents_have_stopped() {
            let away = format::elapsed(COORDINATOR_TIMEOUT);
            return Err(Verdict::SystemFailed(format!(
                "the broker has been away for {away}, so the agents have stopped before the run began"
            )));
        }
        match self.agents().find(|agent| state.silence(agent.number) >= AGENT_TIMEOUT) {
            Some(agent) => Err(self.lost(agent.number, "is gone")),
            None => Ok(()),
        }
    }

    fn lost(&self, number: usize, why: &str) -> Verdict {
        let name = self.agent(number).map_or_else(|| number.to_string(), |agent| agent.name.to_string());
        Verdict::SystemFailed(format!("the agent {name} {why} before the run began"))
    }

    /// Notes a message that arrives before the run begins.
    fn note(&mut self, assignment: usize, message: FromAgent) -> Result<(), Verdict> {
        let Some(number) = self.shared.heard(assignment) else { return Ok(()) };
        let Some(agent) = self.agent(number) else { return Ok(()) };
        let (label, name) = (agent.label(), agent.name.clone());
        if let FromAgent::Ended { .. } | FromAgent::Refused(_) = message {
            self.shared.lock().change(number, |agent| agent.has_ended = true);
        }
        match message {
            FromAgent::Preparing(text) => self.reports.line(Line::info(text).by_member(&label)),
            FromAgent::Refused(why) => {
                return Err(Verdict::SystemFailed(format!("the agent {name} cannot take part: {why}")));
            }
            FromAgent::Leaving => return Err(self.lost(number, "was asked to leave")),
            FromAgent::Ended { problem } => {
                return Err(match problem {
                    Some(problem) => Verdict::SystemFailed(format!("the agent {name} failed: {problem}")),
                    None => self.lost(number, "ended"),
                });
            }
            FromAgent::Run(batch) => {
                for bytes in batch {
                    match postcard::from_bytes(&bytes) {
                        Ok(message) => self.note_run(number, &label, message)?,
                        Err(error) => {
                            let why = format!("the agent {name} sent a message that cannot be read: {error}");
                            return Err(Verdict::SystemFailed(why));
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn note_run(&mut self, number: usize, label: &MemberLabel, message: FromRun) -> Result<(), Verdict> {
        let Some(Slot::Taken(agent)) = self.slots.get_mut(number) else { return Ok(()) };
        match message {
            FromRun::Line(line) => self.reports.line(line.by_member(label)),
            FromRun::SetUpOnce { variables } => agent.variables = Some(variables),
            FromRun::Ready(ready) => agent.ready = Some(ready),
            FromRun::Failed(Failed::Fixture(failure)) => {
                let message = format!("on the {label}: {}", failure.message);
                return Err(Verdict::FixtureFailed(FixtureFailure { message, ..failure }));
            }
            FromRun::Failed(Failed::System(why)) => {
                return Err(Verdict::SystemFailed(format!("the {label} failed: {why}")));
            }
            FromRun::Update(_) => {}
        }
        Ok(())
    }

    /// Passes a message that arrives in the run to the engine. Returns whether it was the last one of its agent.
    pub(super) fn ended(&self, number: usize, problem: Option<String>) {
        let id = MemberId(number as u32);
        if let (Some(problem), Some(agent)) = (problem, self.agent(number)) {
            self.reports.update(id, Update::Lost(format!("the agent {} failed: {problem}", agent.name)));
        }
        self.shared.lock().change(number, |agent| agent.has_ended = true);
        self.reports.update(id, Update::Closed);
    }
}
