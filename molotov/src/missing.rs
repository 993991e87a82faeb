//! Features of the crate that a program was built without.

/// The reason why something does not work without a feature; `what` is the subject of the sentence.
#[allow(dead_code, reason = "not used when all features are on")]
pub(crate) fn missing(what: impl std::fmt::Display, feature: &str) -> String {
    format!("{what}: built without the feature `{feature}` of the crate `molotov`; add the feature in Cargo.toml")
}
