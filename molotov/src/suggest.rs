//! Suggestions for misspelt names.

/// The known name that is most similar to `name`, if one is similar enough to be a misspelling.
pub(crate) fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let written = name.to_lowercase().replace('-', "_");
    let distance = |one: &&str| strsim::damerau_levenshtein(one, &written);
    known.iter().copied().filter(|one| distance(one) <= 1 + one.len() / 4).min_by_key(distance)
}
