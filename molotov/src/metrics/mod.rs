//! What a run measures: recorded by each shard without locks, taken as snapshots that merge exactly.

mod counter;
mod errors;
mod files;
mod health;
mod histogram;
mod names;
mod recorder;
mod sample;
mod snapshot;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

pub use errors::ErrorGroup;
pub use health::{Bottleneck, Health};
pub use histogram::Histogram;
pub use sample::{Outcome, RequestSample};
pub use snapshot::{Counts, Snapshot, Stats};

pub(crate) use errors::ErrorSample;
pub(crate) use health::ProcessProbe;
pub(crate) use recorder::{Limits, Recorder, ScenarioId};
