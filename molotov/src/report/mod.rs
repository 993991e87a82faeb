//! Reports: what a run came to, as tables, charts and files, and the thresholds that judge it.

mod chart;
mod csv;
mod file;
mod html;
mod json;
pub(crate) mod layout;
mod rows;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
pub mod text;
mod threshold;

pub use csv::csv;
pub use file::{WriteError, write};
pub use html::html;
pub use json::json;

pub use crate::options::{ReportTarget, Threshold, ThresholdError};
pub use crate::run::{
    Incomplete, Judged, Line, LineKind, Point, Progress, Sizing, SizingProgress, Summary, Timed, Timeline,
};
