//! Why a value cannot be used for an option.

use super::ThresholdError;

/// The reason why a value cannot be used for an option.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{shown}")]
pub struct InvalidValue {
    why: String,
    /// The reason, with the place where there is one.
    shown: String,
}

impl InvalidValue {
    /// One sentence, without the place in the value.
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

impl From<ThresholdError> for InvalidValue {
    fn from(error: ThresholdError) -> InvalidValue {
        InvalidValue { why: error.why().to_owned(), shown: error.to_string() }
    }
}
