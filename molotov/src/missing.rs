//! Messages about features that are off.

/// The message for an operation that needs a feature; `what` is the subject of the sentence.
#[allow(dead_code, reason = "not used when all features are on")]
pub(crate) fn missing(what: impl std::fmt::Display, feature: &str) -> String {
    format!("{what}: built without the feature `{feature}` of the crate `molotov`; add the feature in Cargo.toml")
}
