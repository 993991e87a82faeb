//! The length of a streamed body, if it is known.

use super::BoxError;

/// Subtracts the bytes that a stream yielded from its stated length.
pub(crate) fn count(left: &mut Option<u64>, yielded: u64) -> Result<(), BoxError> {
    if let Some(left) = left {
        *left = left.checked_sub(yielded).ok_or_else(|| wrong_length("longer"))?;
    }
    Ok(())
}

/// Returns the error of a stream that does not have its stated length.
pub(crate) fn wrong_length(than: &str) -> BoxError {
    format!("the stream is {than} than its stated length").into()
}
