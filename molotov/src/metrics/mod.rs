//! Measurements of a run. Each shard records them without locks, and takes snapshots that merge exactly.

mod buckets;
mod checks;
mod compact;
mod counter;
mod errors;
mod files;
mod health;
mod histogram;
mod names;
mod probe;
mod protocols;
mod recorder;
mod sample;
mod seconds;
mod snapshot;
mod starts;
mod sum;
mod system;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
mod values;

pub use checks::{Check, CheckSample};
pub use errors::ErrorGroup;
pub use health::{Bottleneck, Health, Machine, Quota, ThreadHealth};
pub use histogram::Histogram;
pub use sample::Outcome;
pub(crate) use snapshot::LatencySubject;
pub use snapshot::{Counts, Snapshot, Stats};
pub use starts::Starts;
pub use values::{Gauge, Values};

pub(crate) use errors::{ErrorSample, MAX_ERRORS, OTHER as OTHER_ERRORS};
pub(crate) use names::{MAX_NAMES, OTHER};
#[cfg(test)]
pub(crate) use recorder::NOWHERE;

pub(crate) use probe::{MachineProbe, ProcessProbe};
pub(crate) use recorder::{Limits, Recorder, SEPARATOR, ScenarioId, StreamId};
pub(crate) use sample::{HTTP, OperationSample, Status, WEBSOCKET};
pub(crate) use seconds::Seconds;
pub(crate) use starts::{StartSample, WaitedFor};
pub(crate) use sum::Sum;
