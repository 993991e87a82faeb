//! What a run tells: live data for screens, the summary at the end, and the ways to write it.

mod chart;
mod csv;
mod file;
pub(crate) mod format;
mod html;
mod json;
pub(crate) mod layout;
mod live;
mod rows;
mod summary;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
pub mod text;
mod threshold;
mod timeline;

pub use csv::csv;
pub use file::{WriteError, write};
pub use html::html;
pub use json::json;
pub use live::{Line, LineKind, Progress, SizingProgress};
pub use summary::{Incomplete, Judged, Sizing, Summary};
pub use timeline::{Point, Timed, Timeline};

pub use crate::options::{ReportTarget, Threshold, ThresholdError};
