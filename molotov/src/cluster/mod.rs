//! Runs on many machines. A coordinator and agents exchange messages and files over NATS with JetStream.
//!
//! ```text
//! coordinator machine             broker              agent machine
//!   coordinator::Agent    --->    NATS     --->    agent   --- socket pair --->   run process
//!   (a member of the run)                          (no code of the user)          (`engine::remote`)
//! ```
//!
//! An agent starts a new process of its own program for each run. It passes messages between the coordinator and that process, and
//! knows little of what is in them: it keeps what the process sends until the broker has acknowledged it.

pub(crate) mod agent;
mod archive;
mod cache;
mod connection;
pub(crate) mod coordinator;
mod delivery;
mod program;
mod protocol;
#[cfg(feature = "python")]
mod requirements;
mod server;
mod shipment;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod test_server;
mod trust;

pub(crate) use self::shipment::Sources;
#[cfg(feature = "command")]
pub(crate) use self::trust::new_key;
