//! The errors of data files.

/// A data file that cannot be used, in one sentence with the file and the line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DataError(pub(super) String);

/// A row that does not have the type of its file.
#[derive(Debug)]
pub struct RowError {
    /// The line in the row, from 0, and the column in the line, from 1.
    pub(super) place: Option<(usize, usize)>,
    pub(super) message: String,
}

impl RowError {
    /// Returns an error about the whole row.
    pub(crate) fn new(message: impl Into<String>) -> RowError {
        RowError { place: None, message: message.into() }
    }

    /// Returns an error of `serde_json`, without the position in its text.
    pub(super) fn of_json(error: &serde_json::Error) -> RowError {
        let text = error.to_string();
        let place = (error.line() > 0).then(|| (error.line() - 1, error.column()));
        let message = match text.rfind(" at line ") {
            Some(end) if place.is_some() => text[..end].to_owned(),
            _ => text,
        };
        RowError { place, message }
    }
}
