//! The data of a run: what it tells while it goes on, and what it came to. Plain data, which the engine makes and screens and
//! reports read.

mod line;
mod progress;
mod summary;
mod timeline;
mod verdict;

pub use self::{
    line::{Line, LineKind},
    progress::{Progress, SizingProgress},
    summary::{Incomplete, Sizing, Summary, ThresholdResult},
    timeline::{Point, Timed, Timeline},
    verdict::{FixtureFailure, RunReport, Verdict},
};
