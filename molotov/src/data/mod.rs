//! Rows of data files, which a run hands out to its workers.

mod counter;
mod error;
mod file;
mod order;
mod row;
mod source;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;

#[cfg(feature = "python")]
pub(crate) use self::source::Rows;
pub use self::{
    error::{DataError, RowError},
    order::Order,
    row::RawRow,
    source::{DataFile, Each, Row, RowType, Source},
};
