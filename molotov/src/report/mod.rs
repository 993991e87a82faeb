//! What a run tells: live data for screens, the summary at the end, and the ways to write it.

mod live;
mod summary;

pub use live::{Line, LineKind, Progress};
pub use summary::Summary;
