//! Notices when the service stalled and kept the workers of a closed loop from sending.
//!
//! Shards count what ends in each [bin](bins) of a fifth of a second, and how many operations waited meanwhile. At the end of the
//! run, the coordinator's [`StallDetector`] finds the bins in which almost nothing ended although most workers waited.

mod bins;
mod detector;
mod recorder;
mod series;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;
mod usual;

pub(super) use self::{
    bins::{BIN, Bins, Kind},
    detector::StallDetector,
    recorder::{BinEnd, BinRecorder},
};
