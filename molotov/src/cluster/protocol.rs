//! The messages between coordinators and agents, and the subjects that they are sent to.
//!
//! All messages are encoded with postcard. The first field of the first message of each side is the version of the protocol.
//!
//! ```text
//! molotov.offer                  Offer       coordinator, twice a second until it has enough agents
//! molotov.run.RUN.join           Candidate   each free agent, in reply
//! molotov.agent.AGENT.assign     Signed<Assignment>, a request; the reply is a Result<(), String>
//! molotov.run.RUN.clock.NUMBER   empty, a request; the reply is a ClockReading
//! molotov.run.RUN.beat           Beat        coordinator, once a second
//! molotov.run.RUN.beat.NUMBER    Beat        agent, once a second
//! molotov.run.RUN.alive          empty, a request by other coordinators; the reply is empty
//! molotov.run.RUN.down.NUMBER    Signed<ToAgent>   in the stream of the run
//! molotov.run.RUN.up.NUMBER      FromAgent         in the stream of the run, numbered by `Nats-Msg-Id`; in parts if it is large
//! ```
//!
//! NUMBER is that of an assignment, so that what an agent sends is never taken for a message of another one.
//!
//! The stream of a run is `molotov-RUN`, and its object store `molotov-RUN` holds files by their SHA-256. Both are deleted when
//! the run ends: by the coordinator, or by the agents if it has gone.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use crate::engine::remote::{Task, ToRun};

/// The version of the protocol. It changes with the messages in this file.
pub(super) const VERSION: u16 = 1;

/// How often the coordinator and agents show that they are alive.
pub(super) const BEAT_PERIOD: Duration = Duration::from_secs(1);
/// How long an agent is silent before it counts as cut off, while the broker can be reached.
pub(super) const AGENT_TIMEOUT: Duration = Duration::from_millis(4_500);
/// How long the coordinator is silent before an agent stops its part of the run.
pub(super) const COORDINATOR_TIMEOUT: Duration = Duration::from_secs(20);

/// The random name of a run.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct RunId(pub(super) String);

/// The random name of an agent.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct AgentId(pub(super) String);

/// The SHA-256 of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Sha256(pub(crate) [u8; 32]);

impl Sha256 {
    /// The hash of a text or file in memory.
    pub(super) fn of(bytes: &[u8]) -> Sha256 {
        Sha256::from(ring::digest::digest(&ring::digest::SHA256, bytes))
    }
}

impl From<ring::digest::Digest> for Sha256 {
    fn from(digest: ring::digest::Digest) -> Sha256 {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest.as_ref());
        Sha256(bytes)
    }
}

/// Shows the hash as hexadecimal digits.
impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A coordinator seeks agents.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Offer {
    pub(super) protocol: u16,
    /// The version of Molotov.
    pub(super) version: String,
    pub(super) run: RunId,
    pub(super) work: Work,
    /// When the coordinator began to seek agents, in milliseconds since 1970. Later runs give way.
    pub(super) since: u64,
}

/// What agents are to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Work {
    /// A Python script or URLs: any agent of the command `molotov` can run it.
    Command {
        /// The Python of the coordinator, such as `3.11`.
        python: Option<String>,
    },
    /// The scenarios of this Rust program. An agent needs the same program, or the platform that it was built for.
    Program { name: String, hash: Sha256, target: String },
}

/// A free agent answers an offer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Candidate {
    pub(super) protocol: u16,
    /// The version of Molotov.
    pub(super) version: String,
    pub(super) agent: AgentId,
    /// Its name in tables: the name of its host, unless the user has given another.
    pub(super) name: String,
    /// The platform, such as `x86_64-unknown-linux-gnu`.
    pub(super) target: String,
    /// The hash of its own program.
    pub(super) program: Sha256,
    /// The Python that it can run scripts with.
    pub(super) python: Option<String>,
    pub(super) cores: usize,
    /// In bytes.
    pub(super) memory: u64,
    /// A random number that the assignment must repeat, so that no old one is accepted.
    pub(super) nonce: [u8; 16],
    /// Whether it only runs what a key has signed that it trusts.
    pub(super) needs_signature: bool,
}

/// The coordinator takes an agent into its run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Assignment {
    pub(super) run: RunId,
    /// Counts the assignments of the run, from 0. An agent that is assigned again has another number.
    pub(super) number: usize,
    pub(super) agent: AgentId,
    pub(super) nonce: [u8; 16],
    /// The agent's name in tables, with a number if others have the same.
    pub(super) name: String,
    pub(super) work: Work,
    pub(super) task: Task,
    /// The archive of files to unpack, in whose folder the run works.
    pub(super) files: Option<Object>,
    /// The folder in the archive that the run works in.
    pub(super) directory: String,
    /// The program, if the agent does not have it.
    pub(super) program: Option<Object>,
    /// The requirements file in the archive whose packages are installed before.
    pub(super) requirements: Option<String>,
    /// Environment variables of the configuration.
    pub(super) env: Vec<(String, String)>,
}

/// An object of the object store of the run, by its hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Object {
    pub(super) hash: Sha256,
    /// In bytes.
    pub(super) size: u64,
}

/// A message with the signature of its bytes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Signed {
    /// The encoded message.
    pub(super) payload: Vec<u8>,
    pub(super) signature: Option<Signature>,
}

/// An Ed25519 signature by an NKey.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Signature {
    /// The public key.
    pub(super) key: String,
    pub(super) bytes: Vec<u8>,
}

/// What the coordinator sends to one agent of its run, in order. The agent refuses a message whose run or number is another one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ToAgent {
    pub(super) run: RunId,
    pub(super) agent: AgentId,
    /// Counts from 0.
    pub(super) sequence: u64,
    pub(super) message: Order,
}

/// What an agent has to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Order {
    /// Pass this to the run process.
    Run(ToRun),
    /// End the run process by force, delete its files, and be free again.
    Leave,
}

/// What an agent sends to the coordinator of its run, in order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum FromAgent {
    /// What it is doing before its run process is ready: `installing the packages of requirements.txt`.
    Preparing(String),
    /// It cannot take part, for this reason, in one sentence.
    Refused(String),
    /// Encoded messages of the run process (`FromRun`).
    Run(Vec<Vec<u8>>),
    /// The agent was asked to end. The last measures follow.
    Leaving,
    /// The run process has ended. If it did not end well, this says why, in one sentence.
    Ended { problem: Option<String> },
}

/// The coordinator or an agent is alive.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Beat {
    /// Counts from 0.
    pub(super) number: u64,
}

/// The monotonic clock of an agent's machine.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct ClockReading {
    pub(super) monotonic: Duration,
}

/// The header of a part of a message that is larger than the broker accepts: the number of the part, from 0, and how many there are, as
/// in `0/3`. A whole message has none.
pub(super) const PART: &str = "Molotov-Part";

/// The subject of offers.
pub(super) const OFFERS: &str = "molotov.offer";

/// The subjects of a run.
impl RunId {
    /// The name of its stream and of its object store.
    pub(super) fn stream(&self) -> String {
        format!("molotov-{}", self.0)
    }

    pub(super) fn join(&self) -> String {
        format!("molotov.run.{}.join", self.0)
    }

    pub(super) fn clock(&self, number: usize) -> String {
        format!("molotov.run.{}.clock.{number}", self.0)
    }

    pub(super) fn coordinator_beat(&self) -> String {
        format!("molotov.run.{}.beat", self.0)
    }

    /// The beats of all agents.
    pub(super) fn agent_beats(&self) -> String {
        format!("molotov.run.{}.beat.*", self.0)
    }

    /// Where another coordinator asks whether the coordinator of this run is alive.
    pub(super) fn alive(&self) -> String {
        format!("molotov.run.{}.alive", self.0)
    }

    pub(super) fn agent_beat(&self, number: usize) -> String {
        format!("molotov.run.{}.beat.{number}", self.0)
    }

    pub(super) fn down(&self, number: usize) -> String {
        format!("molotov.run.{}.down.{number}", self.0)
    }

    /// The orders to all agents.
    pub(super) fn down_all(&self) -> String {
        format!("molotov.run.{}.down.*", self.0)
    }

    /// The messages of all agents.
    pub(super) fn up_all(&self) -> String {
        format!("molotov.run.{}.up.*", self.0)
    }

    pub(super) fn up(&self, number: usize) -> String {
        format!("molotov.run.{}.up.{number}", self.0)
    }
}

impl AgentId {
    pub(super) fn assign(&self) -> String {
        format!("molotov.agent.{}.assign", self.0)
    }
}
