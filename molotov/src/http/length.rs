//! The length of a streamed body, where it is known before.

use super::BoxError;

/// Subtracts what a stream has yielded from the length that it says.
pub(crate) fn count(left: &mut Option<u64>, yielded: u64) -> Result<(), BoxError> {
    if let Some(left) = left {
        *left = left.checked_sub(yielded).ok_or_else(|| wrong_length("longer"))?;
    }
    Ok(())
}

/// The error of a stream that does not have its length.
pub(crate) fn wrong_length(than: &str) -> BoxError {
    format!("the stream is {than} than its length says").into()
}
