//! A row as it is in its file.

use csv::StringRecord;
use serde::de::DeserializeOwned;

use super::RowError;

/// A row as it is in its file.
#[derive(Debug, Clone, Copy)]
pub enum RawRow<'a> {
    /// A record of a CSV file, and the names of its columns.
    Csv {
        /// The fields.
        record: &'a StringRecord,
        /// The names of the columns.
        headers: &'a StringRecord,
    },
    /// Bytes that begin with a JSON value.
    Json(&'a [u8]),
}

impl RawRow<'_> {
    /// Converts the row to a type.
    ///
    /// # Errors
    ///
    /// Returns an error if the row has another type.
    pub fn deserialize<T: DeserializeOwned>(self) -> Result<T, RowError> {
        match self {
            RawRow::Csv { record, headers } => record.deserialize(Some(headers)).map_err(|error| match error.kind() {
                csv::ErrorKind::Deserialize { err, .. } => {
                    let column = err.field().and_then(|field| headers.get(usize::try_from(field).ok()?));
                    RowError::new(match column {
                        Some(column) => format!("the column `{column}` has another type: {}", err.kind()),
                        None => err.kind().to_string(),
                    })
                }
                _ => RowError::new(error.to_string()),
            }),
            // The rest belongs to the next rows.
            RawRow::Json(bytes) => T::deserialize(&mut serde_json::Deserializer::from_slice(bytes))
                .map_err(|error| RowError::of_json(&error)),
        }
    }
}
