//! Reports of a run as tables, charts and files, and the thresholds that it has to meet.

#[cfg(all(test, feature = "junit-report"))]
mod ci_tests;
mod csv;
mod custom;
mod file;
#[cfg(feature = "html-report")]
mod html;
mod json;
#[cfg(feature = "junit-report")]
mod junit;
pub(crate) mod layout;
mod markdown;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod member_tests;
mod members;
#[cfg(test)]
pub(crate) mod open_tests;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
pub mod text;
mod threshold;

pub use csv::csv;
pub use file::{WriteError, write};
#[cfg(feature = "html-report")]
pub use html::html;
#[cfg(feature = "web")]
pub(crate) use html::{live_page, page_data};
pub use json::json;
#[cfg(feature = "junit-report")]
pub use junit::junit;
pub use markdown::markdown;

pub(crate) use threshold::Custom;

#[doc(no_inline)]
pub use crate::options::{ReportTarget, Threshold, ThresholdError};
pub use crate::run::{
    Capacity, Conclusion, CourseBin, Courses, ErrorKey, Incomplete, LatencySource, Light, Limit, Limiter, LoadUnit,
    MemberLabel, MemberSummary, Point, PointStarts, RunInfo, SearchEnd, SizingResult, SizingStep, Stall, Stalls,
    StepVerdict, Summary, ThresholdResult, Timeline, Totals, Verdict,
};
#[doc(hidden)]
pub use crate::run::{Line, LineKind, PlanProgress, Progress, SizingProgress};
