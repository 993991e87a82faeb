//! The coordinator's side of a run on many machines.
//!
//! The engine's coordinator directs members and knows nothing of NATS. Here, a thread with its own runtime talks to the broker:
//! `gather` finds agents and prepares the run on them, `conduct` passes messages until the run has ended, and `member` is an agent
//! as the engine sees it.

mod clocks;
mod conduct;
mod direct;
mod gather;
mod member;
mod orders;
mod reader;
mod rivals;
mod run;
mod shared;
mod task;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;

use std::{
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
    time::Duration,
};

use tokio::sync::{Notify, oneshot};

#[cfg(test)]
pub(super) use self::reader::start as read_agents;
use self::shared::Shared;
use self::task::Shipped;
pub(crate) use self::task::{Subject, prepare};
use super::{connection::Broker, protocol::Work, server::Server, trust::SigningKey};
use crate::{
    engine::{Agents, Gathered, Reports, no_thread},
    options::OnLost,
    run::Verdict,
};

/// How long the broker may take to free the agents and to delete the run, at the end.
const DISMISSAL_TIMEOUT: Duration = Duration::from_secs(10);

/// What the coordinator of a run needs to know.
#[derive(Clone)]
struct Settings {
    broker: Broker,
    /// How many agents take part.
    agents: usize,
    on_lost: OnLost,
    work: Work,
    /// What the messages to agents are signed with.
    key: Option<Arc<SigningKey>>,
    /// A random number for all agents.
    seed: u64,
    /// The options of the run, as a JSON object.
    options: String,
    /// Whether fixtures run on one machine for all.
    sets_up_once: bool,
    /// What agents receive besides.
    shipped: Shipped,
    /// The command that starts an agent.
    join: String,
}

/// The agents of a run, as the engine sees them.
pub(crate) struct Cluster {
    settings: Settings,
    running: Option<Running>,
    /// The broker of a run that names none. It ends with this.
    _server: Option<Server>,
}

/// A run that has a thread.
struct Running {
    thread: JoinHandle<()>,
    gathered: mpsc::Receiver<Result<Gathered, Verdict>>,
    /// Ends the preparation of the run.
    stop: Arc<Notify>,
    /// Ends the thread's work. It answers with facts about the run.
    dismiss: oneshot::Sender<()>,
    notes: mpsc::Receiver<Vec<String>>,
}

impl Cluster {
    fn new(settings: Settings, server: Option<Server>) -> Cluster {
        Cluster { settings, running: None, _server: server }
    }
}

impl Agents for Cluster {
    fn gather(&mut self, reports: Reports) -> Result<(), String> {
        let settings = self.settings.clone();
        let (gathered_sender, gathered) = mpsc::channel();
        let (notes_sender, notes) = mpsc::channel();
        let (dismiss, dismissed) = oneshot::channel();
        let stop = Arc::new(Notify::new());
        let stopped = stop.clone();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| format!("cannot start a runtime for the broker: {error}"))?;
        let thread = thread::Builder::new().name("molotov-cluster".to_owned());
        let thread = thread.spawn(move || {
            let shared = Arc::new(Shared::new(settings.agents));
            let work = direct::direct(settings, reports, shared, gathered_sender, stopped, dismissed);
            let _ = notes_sender.send(runtime.block_on(work));
            // Tasks that still wait for the broker are dropped.
            runtime.shutdown_background();
        });
        let thread = thread.map_err(|error| no_thread(&error))?;
        self.running = Some(Running { thread, gathered, stop, dismiss, notes });
        Ok(())
    }

    fn gathered(&mut self) -> Option<Result<Gathered, Verdict>> {
        match self.running.as_ref()?.gathered.try_recv() {
            Ok(gathered) => Some(gathered),
            Err(mpsc::TryRecvError::Empty) => None,
            Err(mpsc::TryRecvError::Disconnected) => {
                Some(Err(Verdict::SystemFailed("the thread that talks to the broker has ended".to_owned())))
            }
        }
    }

    fn stop(&mut self) {
        if let Some(running) = &self.running {
            running.stop.notify_one();
        }
    }

    fn dismiss(&mut self) -> Vec<String> {
        let Some(Running { thread, dismiss, notes, .. }) = self.running.take() else { return Vec::new() };
        // Fails only if the thread has ended.
        let _ = dismiss.send(());
        match notes.recv_timeout(DISMISSAL_TIMEOUT) {
            Ok(notes) => {
                let _ = thread.join();
                notes
            }
            Err(_) => vec!["The broker did not answer at the end, so the run may have left a stream there.".to_owned()],
        }
    }
}
