//! Invalid values of options.

use std::convert::Infallible;

use super::ThresholdError;

/// The reason why the value of an option is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{shown}")]
pub struct InvalidValue {
    why: String,
    /// The reason, with the place in the value if it is known.
    shown: String,
}

impl InvalidValue {
    /// The reason in one sentence, without the place.
    pub(crate) fn why(&self) -> &str {
        &self.why
    }
}

impl From<String> for InvalidValue {
    fn from(why: String) -> InvalidValue {
        InvalidValue { shown: why.clone(), why }
    }
}

impl From<&str> for InvalidValue {
    fn from(why: &str) -> InvalidValue {
        why.to_owned().into()
    }
}

// A value that has its type already is valid.
impl From<Infallible> for InvalidValue {
    fn from(never: Infallible) -> InvalidValue {
        match never {}
    }
}

impl From<ThresholdError> for InvalidValue {
    fn from(error: ThresholdError) -> InvalidValue {
        InvalidValue { why: error.why().to_owned(), shown: error.to_string() }
    }
}
