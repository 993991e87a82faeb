//! What the coordinator sends to agents about a run: the task, the files and the program.

use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::{Cluster, Settings};
use crate::{
    cluster::{
        connection::Broker,
        program,
        protocol::{Object, Sha256, Work},
        server::Server,
        shipment::{Shipment, Sources},
        trust::SigningKey,
    },
    options::Args,
};

/// Options that only the coordinator uses.
const OF_THE_COORDINATOR: [&str; 10] =
    ["agents", "cluster", "config", "console", "list", "on_lost", "report", "signing_key", "web", "debug"];

/// What agents receive besides the task.
#[derive(Debug, Clone, Default)]
pub(super) struct Shipped {
    /// The archive of files, with its hash.
    pub(super) files: Option<(Object, Arc<Vec<u8>>)>,
    /// This program, packed, for agents that have another one.
    pub(super) program: Option<(Object, Arc<Vec<u8>>)>,
    /// The folder in the archive that the run works in.
    pub(super) directory: String,
    pub(super) requirements: Option<String>,
    pub(super) env: Vec<(String, String)>,
}

/// What a run on several machines runs.
#[derive(Debug, Clone)]
pub(crate) enum Subject {
    /// A script or URLs, which the command `molotov` runs.
    Command {
        /// The version of Python that runs scripts here, such as `3.11`.
        python: Option<String>,
    },
    /// The scenarios of this program.
    Program,
}

/// Prepares the agents of a run; `None` if it runs on this machine only.
///
/// # Errors
///
/// Returns a sentence that says what is wrong with the options.
pub(crate) fn prepare(
    args: &Args,
    subject: Subject,
    sources: Sources,
    sets_up_once: bool,
) -> Result<Option<Cluster>, String> {
    let Some(agents) = args.agents else { return Ok(None) };
    let directory = std::env::current_dir().map_err(|error| format!("cannot find the working directory: {error}"))?;
    let shipment = sources.pack(&directory).map_err(|error| error.to_string())?;
    let options = options(args, &shipment);
    let mut shipped = Shipped { requirements: shipment.requirements, env: shipment.env, ..Shipped::default() };
    if let Some(archive) = shipment.archive {
        let object = Object { hash: archive.hash, size: archive.bytes.len() as u64 };
        tracing::debug!(files = ?archive.files, size = object.size, "the files for the agents are packed");
        shipped.files = Some((object, Arc::new(archive.bytes)));
        shipped.directory = archive.directory;
    }
    let work = match subject {
        Subject::Command { python } => Work::Command { python },
        Subject::Program => {
            let packed = program::packed()?;
            let object = Object { hash: Sha256::of(&packed), size: packed.len() as u64 };
            shipped.program = Some((object, Arc::new(packed)));
            program::own_work()?
        }
    };
    let key = args.signing_key.as_ref().map(|path| SigningKey::read(path).map(Arc::new)).transpose();
    let key = key.map_err(|error| error.to_string())?;
    let program = match &work {
        Work::Command { .. } => "molotov",
        Work::Program { name, .. } => name.as_str(),
    };
    let (broker, server, join) = match &args.cluster {
        Some(url) => {
            let broker = Broker::parse(url, |name| std::env::var(name).ok()).map_err(|error| error.to_string())?;
            let join = format!("{program} --join {broker}");
            (broker, None, join)
        }
        None => {
            let server = Server::start()?;
            // It contains the token, which the agents need.
            let join = format!("{program} --join {}", server.url());
            let line = format!("Started a broker. On each machine: {join}\n");
            let _ = std::io::Write::write_all(&mut std::io::stderr().lock(), line.as_bytes());
            (server.broker()?, Some(server), join)
        }
    };
    let settings = Settings {
        broker,
        agents,
        on_lost: args.on_lost,
        work,
        key,
        seed: fastrand::u64(..),
        options,
        sets_up_once,
        shipped,
        join,
    };
    Ok(Some(Cluster::new(settings, server)))
}

/// The given options that concern the load, as a test of a `molotov.json`. Scripts have the paths that agents find them at.
fn options(args: &Args, shipment: &Shipment) -> String {
    let mut options: Map<String, Json> = args.extra.clone().into_iter().collect();
    let given = args.given_values().filter(|(name, _)| !OF_THE_COORDINATOR.contains(name));
    options.extend(given.map(|(name, value)| (name.to_owned(), value)));
    if let Some(script) = &shipment.script {
        options.insert("scenario".to_owned(), script.as_str().into());
    }
    if !shipment.extensions.is_empty() {
        options.insert("use_extension".to_owned(), shipment.extensions.clone().into());
    }
    Json::Object(options).to_string()
}
