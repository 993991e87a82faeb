//! An agent: waits for runs at a broker, and takes part in one at a time.
//!
//! No code of the user runs in its process. For each run it starts a new process of the program (`process`), passes the orders of the
//! coordinator to it (`orders`), and publishes what it sends (`publisher`).

mod candidate;
mod orders;
mod prepare;
mod process;
mod publisher;
mod run;
mod signals;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod simulation;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;

use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures_util::StreamExt;
use tokio::sync::mpsc;

use self::{candidate::Machine, run::Outcome};
use super::{
    connection::{Broker, Connection, ConnectionError},
    protocol::{Assignment, OFFERS, Offer, RunId, Signed},
    trust::Trust,
};
use crate::notice::{complain, inform, note};

/// The wait between two attempts to reach a broker for the first time.
const CONNECT_PERIOD: Duration = Duration::from_secs(1);
/// How often an agent answers the offers of the same run.
const ANSWER_PERIOD: Duration = Duration::from_millis(400);

/// What an agent is started with.
#[derive(Debug)]
pub(crate) struct Settings<'a> {
    /// The URL of the broker.
    pub(crate) url: &'a str,
    /// Its name in tables; `None`: that of its host.
    pub(crate) name: Option<String>,
    /// The public keys whose runs it takes part in; none: of any run.
    pub(crate) trust: &'a [String],
}

/// Takes part in runs until a signal ends the agent. Returns the exit code.
pub(crate) fn join(settings: Settings<'_>) -> u8 {
    let prepared = (|| {
        let broker =
            Broker::parse(settings.url, |name| std::env::var(name).ok()).map_err(|error| (2, error.to_string()))?;
        let trust = Trust::new(settings.trust.iter().map(String::as_str)).map_err(|error| (2, error.to_string()))?;
        let machine = Machine::new(settings.name).map_err(|error| (1, error))?;
        let signals = signals::listen().map_err(|error| (1, format!("cannot handle signals: {error}")))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| (1, format!("cannot start a runtime for the broker: {error}")))?;
        Ok((broker, trust, machine, signals, runtime))
    })();
    let (broker, trust, machine, signals, runtime) = match prepared {
        Ok(prepared) => prepared,
        Err((code, error)) => {
            complain(&error);
            return code;
        }
    };
    let ended = runtime.block_on(serve(&broker, trust, machine, None, signals));
    // A download or an installation may still run.
    runtime.shutdown_background();
    match ended {
        Ok(Outcome::Killed(signal)) => 128_u8.saturating_add(u8::try_from(signal).unwrap_or(u8::MAX)),
        Ok(Outcome::Left | Outcome::Free) => 0,
        Err(error) => {
            complain(&error.to_string());
            1
        }
    }
}

/// Connects, and takes part in one run after the other until a signal arrives. Returns how the last one has ended. Tests give the program
/// of the runs.
async fn serve(
    broker: &Broker,
    trust: Trust,
    machine: Machine,
    program: Option<&Path>,
    mut signals: mpsc::UnboundedReceiver<i32>,
) -> Result<Outcome, ConnectionError> {
    let connection = tokio::select! {
        connection = connect(broker) => connection?,
        _ = signals.recv() => return Ok(Outcome::Left),
    };
    inform(&format!("Joined {broker} as {}: waiting for runs", machine.name));
    if !trust.needs_signature() {
        note(&format!(
            "whoever can reach {broker} can run code on this machine as {}; with `--trust KEY`, only holders of the signing \
             key can",
            user()
        ));
    }
    let state = Arc::new(State { machine, trust: trust.clone(), current: Mutex::default() });
    let (sender, mut assignments) = mpsc::unbounded_channel();
    let answering = tokio::spawn(answer_offers(connection.clone(), state.clone()));
    let accepting = tokio::spawn(accept_assignments(connection.clone(), state.clone(), sender));
    let watching = tokio::spawn(show_connection(connection.clone(), broker.to_string()));
    let ended = loop {
        let assignment: Assignment = tokio::select! {
            assignment = assignments.recv() => match assignment {
                Some(assignment) => assignment,
                None => break Outcome::Free,
            },
            _ = signals.recv() => break Outcome::Left,
        };
        inform(&format!("Run {}: takes part as {}", assignment.run.0, assignment.name));
        let outcome = run::take_part(&connection, assignment, &trust, program, &mut signals).await;
        state.lock().run = None;
        if outcome != Outcome::Free {
            break outcome;
        }
    };
    [answering, accepting, watching].iter().for_each(tokio::task::JoinHandle::abort);
    // What was published reaches the broker.
    let _ = tokio::time::timeout(Duration::from_secs(1), connection.client.flush()).await;
    inform("Left");
    Ok(ended)
}

/// Connects to a broker, which may be started later than the agent.
async fn connect(broker: &Broker) -> Result<Connection, ConnectionError> {
    let mut has_waited = false;
    loop {
        match broker.connect("molotov agent").await {
            Err(error) if error.is_temporary => {
                if !std::mem::replace(&mut has_waited, true) {
                    note(&format!("{error}; trying again"));
                }
                tokio::time::sleep(CONNECT_PERIOD).await;
            }
            result => return result,
        }
    }
}

/// The agent, as its tasks share it.
struct State {
    machine: Machine,
    trust: Trust,
    current: Mutex<Current>,
}

struct Current {
    /// The run that the agent takes part in.
    run: Option<RunId>,
    /// What the next assignment must repeat.
    nonce: [u8; 16],
}

impl Default for Current {
    fn default() -> Current {
        Current { run: None, nonce: new_nonce() }
    }
}

fn new_nonce() -> [u8; 16] {
    let mut nonce = [0; 16];
    let random = ring::rand::SystemRandom::new();
    if ring::rand::SecureRandom::fill(&random, &mut nonce).is_err() {
        fastrand::fill(&mut nonce);
    }
    nonce
}

impl State {
    fn lock(&self) -> std::sync::MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an assignment, unless the agent is in a run.
    fn accept(&self, payload: &[u8]) -> Result<Assignment, String> {
        let signed: Signed = postcard::from_bytes(payload).map_err(|error| {
            format!("the assignment cannot be read: {error}; run the same version of Molotov everywhere")
        })?;
        let assignment: Assignment = self.trust.open(&signed).map_err(|error| error.to_string())?;
        let mut current = self.lock();
        if current.run.is_some() {
            return Err("it takes part in another run".to_owned());
        }
        if assignment.agent != self.machine.agent || assignment.nonce != current.nonce {
            return Err("the assignment is an old one or for another agent".to_owned());
        }
        current.nonce = new_nonce();
        current.run = Some(assignment.run.clone());
        Ok(assignment)
    }
}

/// Answers offers while the agent is free.
async fn answer_offers(connection: Connection, state: Arc<State>) {
    let Ok(mut offers) = connection.client.subscribe(OFFERS).await else { return };
    let mut answered: HashMap<RunId, Instant> = HashMap::new();
    while let Some(message) = offers.next().await {
        let Ok(Offer { run, .. }) = postcard::from_bytes(&message.payload) else {
            tracing::debug!("an offer cannot be read");
            continue;
        };
        let nonce = {
            let current = state.lock();
            if current.run.is_some() {
                continue;
            }
            current.nonce
        };
        if answered.get(&run).is_some_and(|at| at.elapsed() < ANSWER_PERIOD) {
            continue;
        }
        answered.retain(|_, at| at.elapsed() < ANSWER_PERIOD);
        answered.insert(run.clone(), Instant::now());
        let candidate = state.machine.candidate(nonce, state.trust.needs_signature());
        if let Ok(candidate) = postcard::to_allocvec(&candidate) {
            let _ = connection.client.publish(run.join(), candidate.into()).await;
        }
    }
}

/// Accepts or refuses assignments.
async fn accept_assignments(connection: Connection, state: Arc<State>, sender: mpsc::UnboundedSender<Assignment>) {
    let Ok(mut requests) = connection.client.subscribe(state.machine.agent.assign()).await else { return };
    let mut refused = None;
    while let Some(request) = requests.next().await {
        let Some(reply) = request.reply else { continue };
        let accepted = state.accept(&request.payload);
        // A run that seeks agents asks again and again.
        if let Err(why) = &accepted
            && refused.as_ref() != Some(why)
        {
            note(&format!("refused a run: {why}"));
        }
        refused = accepted.as_ref().err().cloned();
        let answer: Result<(), String> = accepted.as_ref().map(|_| ()).map_err(Clone::clone);
        if let Ok(answer) = postcard::to_allocvec(&answer) {
            let _ = connection.client.publish(reply, answer.into()).await;
        }
        if let Ok(assignment) = accepted
            && sender.send(assignment).is_err()
        {
            return;
        }
    }
}

/// Shows when the broker is away and back.
async fn show_connection(connection: Connection, broker: String) {
    let mut is_up = connection.is_up();
    loop {
        if is_up.wait_for(|up| !*up).await.is_err() {
            return;
        }
        note(&format!("the broker {broker} cannot be reached; trying again"));
        if is_up.wait_for(|up| *up).await.is_err() {
            return;
        }
        inform(&format!("The broker {broker} can be reached again"));
    }
}

/// The name of the user of this process, or its number.
fn user() -> String {
    let name =
        ["USER", "LOGNAME"].into_iter().find_map(|name| std::env::var(name).ok().filter(|name| !name.is_empty()));
    name.unwrap_or_else(|| format!("user ID {}", rustix::process::geteuid().as_raw()))
}
