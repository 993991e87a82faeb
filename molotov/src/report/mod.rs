//! What a run tells: live data for screens, the summary at the end, and the ways to write it.

pub(crate) mod format;
pub(crate) mod layout;
mod live;
mod rows;
mod summary;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
pub mod text;

pub use live::{Line, LineKind, Progress, SizingProgress};
pub use summary::{Sizing, Summary};
