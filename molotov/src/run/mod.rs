//! The data of a run: its lines, its progress and its results. The engine makes it; screens and reports read it.
//!
//! Results have three types:
//!
//! - [`Snapshot`](crate::metrics::Snapshot) holds the measures of any stretch of time. Snapshots are sent between threads and
//!   processes and merge exactly.
//! - [`Summary`] describes a finished run: its snapshot, verdict, timeline and thresholds. Every report is a function of it.
//! - [`Report`](crate::Report) wraps a summary in methods, so that the tests of a user name no fields.

mod conclusion;
mod generator;
mod info;
mod limit;
mod limitations;
mod line;
mod member_label;
mod member_summary;
mod progress;
mod sizing;
mod stalls;
mod standing;
mod stream_starts;
mod summary;
mod timeline;
mod totals;
mod verdict;

#[cfg(feature = "dashboard")]
pub(crate) use self::standing::Standing;
pub(crate) use self::timeline::COMPLETE_AFTER;
pub use self::{
    conclusion::Conclusion,
    info::RunInfo,
    limit::{Limit, Limiter},
    line::{Line, LineKind},
    member_label::MemberLabel,
    member_summary::MemberSummary,
    progress::{PlanProgress, Progress},
    sizing::{Capacity, LoadUnit, SearchEnd, SizingProgress, SizingResult, SizingStep, StepVerdict},
    stalls::{Stall, Stalls},
    summary::{Incomplete, Light, Summary, ThresholdResult},
    timeline::{CourseBin, Courses, ErrorKey, LatencySource, Point, PointStarts, Timeline},
    totals::Totals,
    verdict::{FixtureFailure, Verdict},
};
pub(crate) use self::{generator::GeneratorLimit, stream_starts::StreamStarts};
