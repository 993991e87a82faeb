//! The run of the agents, from their gathering to their end.

use std::{
    convert::Infallible,
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream};
use tokio::sync::Notify;

use super::{
    clocks::{self, Offset},
    gather::Crew,
    member::{Agent, Progress},
    shared::State,
};
use crate::{
    cluster::protocol::FromAgent,
    engine::{EnvelopeReader, Gathered, Member, MemberId, Update, remote::FromRun},
    format,
    run::{Line, Verdict},
};

/// The shortest time between the decision to start and the start.
const LEAD: Duration = Duration::from_millis(300);
/// How many clocks are read at the same time. More would delay each other.
const PARALLEL_CLOCKS: usize = 16;

/// Gathers the agents, prepares the run on them, and passes messages until the run is dismissed, or is stopped before it begins.
pub(super) async fn conduct(
    crew: &mut Crew,
    gathered: &mpsc::Sender<Result<Gathered, Verdict>>,
    stopped: &Notify,
) -> Result<Infallible, Verdict> {
    tokio::select! {
        joined = crew.gather() => joined?,
        () = stopped.notified() => return Err(Verdict::Ended),
    }
    let failed = tokio::select! {
        Err(verdict) = prepare_and_pass_on(crew, gathered) => Some(verdict),
        () = stopped.notified() => None,
    };
    if let Some(Verdict::SystemFailed(why)) = &failed
        && crew.settings.agents > 1
        && !crew.shared.lock().agents_have_stopped()
    {
        crew.reports.line(Line::warning(format!("{why}; waiting for the other agents to end")));
    }
    // What `global_setup` has made on the other agents is torn down.
    let ended = crew.stop().await;
    Err(failed.unwrap_or(ended))
}

/// Prepares the run on the agents, and passes messages until the run is dismissed.
async fn prepare_and_pass_on(
    crew: &mut Crew,
    gathered: &mpsc::Sender<Result<Gathered, Verdict>>,
) -> Result<Infallible, Verdict> {
    let ready = crew.set_up().await?;
    let offsets = read_clocks(crew).await?;
    let error = offsets.iter().map(|offset| offset.error).max().unwrap_or_default();
    let round_trip = offsets.iter().map(|offset| offset.round_trip).max().unwrap_or_default();
    tracing::debug!(?error, ?round_trip, "the clocks of the agents are known");
    let load = match ready.first() {
        Some(first) => first.load.clone(),
        None => return Err(Verdict::SystemFailed("there are no agents".to_owned())),
    };
    let mut readers = Vec::new();
    let mut members: Vec<(MemberId, Box<dyn Member>)> = Vec::new();
    for (agent, offset) in crew.agents().zip(offsets) {
        let id = MemberId(agent.number as u32);
        readers.push(EnvelopeReader::new(id));
        members.push((
            id,
            Box::new(Agent {
                number: agent.number,
                name: agent.name.clone(),
                offset,
                orders: agent.orders.clone(),
                shared: Arc::clone(&crew.shared),
                on_lost: crew.settings.on_lost,
                progress: Progress::new(load.end()),
            }),
        ));
    }
    crew.clock_error = Some(error);
    let lead = LEAD.max(round_trip * 10) + Duration::from_millis(members.len() as u64);
    let threads = ready.iter().map(|ready| ready.threads).sum();
    let _ = gathered.send(Ok(Gathered { members, load, threads, epoch: Instant::now() + lead }));
    loop {
        let Some((assignment, message)) = crew.messages.recv().await else {
            return Err(Verdict::SystemFailed("the messages of the agents cannot be received".to_owned()));
        };
        if let Some(number) = crew.shared.heard(assignment) {
            pass_on(crew, &mut readers, number, message);
        }
    }
}

/// Reads the clocks of all agents, several at a time.
async fn read_clocks(crew: &Crew) -> Result<Vec<Offset>, Verdict> {
    let read = |assignment, name: Arc<str>| {
        let run = crew.run.clone();
        async move {
            let offset = clocks::measure(&run.connection.client, &run.id, assignment).await;
            offset.map_err(|error| Verdict::SystemFailed(format!("cannot read the clock of the agent {name}: {error}")))
        }
    };
    let reads: Vec<_> = crew.agents().map(|agent| read(agent.assignment, agent.name.clone())).collect();
    let offsets: Vec<_> = stream::iter(reads).buffered(PARALLEL_CLOCKS).collect().await;
    offsets.into_iter().collect()
}

/// Passes a message of an agent to the engine.
fn pass_on(crew: &Crew, readers: &mut [EnvelopeReader], number: usize, message: FromAgent) {
    let (Some(agent), Some(reader)) = (crew.agent(number), readers.get_mut(number)) else { return };
    let id = MemberId(number as u32);
    match message {
        FromAgent::Preparing(text) => crew.reports.line(Line::info(text).by_member(&agent.label())),
        FromAgent::Run(batch) => {
            for bytes in batch {
                match postcard::from_bytes(&bytes) {
                    Ok(FromRun::Update(envelope)) => {
                        reader.open(envelope).for_each(|update| crew.reports.update(id, update));
                    }
                    Ok(FromRun::Line(line)) => crew.reports.line(line.by_member(&agent.label())),
                    Ok(other) => tracing::debug!(?other, number, "ignored a message about the start of the run"),
                    Err(error) => {
                        let why = format!("the agent {} sent an update that cannot be read: {error}", agent.name);
                        crew.reports.update(id, Update::Lost(why));
                    }
                }
            }
        }
        FromAgent::Leaving => {
            let at = format::elapsed(crew.shared.lock().time(Instant::now()));
            crew.reports.update(id, Update::Left(format!("The agent {} was asked to leave at {at}.", agent.name)));
        }
        FromAgent::Refused(why) => crew.ended(number, Some(why)),
        FromAgent::Ended { problem } => crew.ended(number, problem),
    }
}

impl Crew {
    /// Receives messages until all agents have ended.
    pub(super) async fn until_all_ended(&mut self) {
        while !self.shared.lock().agents.iter().all(|agent| agent.has_ended || agent.name.is_empty()) {
            let Some((assignment, message)) = self.messages.recv().await else { return };
            if let FromAgent::Ended { .. } | FromAgent::Refused(_) = message
                && let Some(number) = self.shared.heard(assignment)
            {
                self.shared.lock().change(number, |agent| agent.has_ended = true);
            }
        }
    }

    /// Returns facts about the run, in sentences.
    pub(super) fn notes(&self) -> Vec<String> {
        let state = self.shared.lock();
        // A run that was stopped before has measured nothing.
        let has_begun = state.epoch.is_some();
        self.clock_error.filter(|_| has_begun).map(|error| state.notes(error)).unwrap_or_default()
    }
}

impl State {
    /// Returns facts about a run whose agents' clocks are known up to an error.
    pub(super) fn notes(&self, error: Duration) -> Vec<String> {
        let all = self.agents.len();
        let incomplete = self.agents.iter().filter(|agent| agent.is_incomplete).count();
        let here = format!("{} of {}", all - incomplete, format::plural(all as u64, "agent"));
        let mut notes = vec![match incomplete {
            0 => format!("{here}, nothing missing."),
            _ => format!("{here} sent all of their measures."),
        }];
        let began = || self.agents.iter().filter_map(|agent| agent.began);
        if all > 1
            && let Some(first) = began().map(|(first, _)| first).min()
            && let Some(last) = began().map(|(_, last)| last).max()
        {
            let (spread, error) = (format::latency(last.saturating_sub(first)), format::latency(error));
            let agents = format::plural(began().count() as u64, "agent");
            notes.push(format!("{agents} started within {spread} (clocks known to {error})."));
        }
        notes
    }
}
