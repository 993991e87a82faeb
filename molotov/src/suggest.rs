//! Suggestions for misspelled names.

/// Returns the known name that is most similar to `name`, or `None` if no name is similar enough to be a misspelling.
///
/// In a misspelling, at most a third of the characters differ, and at most three. The case does not matter, nor whether words are
/// separated by `-` or `_`.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let normalized = |name: &str| name.to_lowercase().replace('-', "_");
    let written = normalized(name);
    let limit = (written.chars().count() / 3).clamp(1, 3);
    let distances = known.into_iter().map(|known| (strsim::damerau_levenshtein(&normalized(known), &written), known));
    let (distance, known) = distances.min_by_key(|(distance, _)| *distance)?;
    (distance <= limit).then_some(known)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn suggests_the_most_similar_name_if_it_may_be_meant() {
        let known = ["read", "ramp_up", "Checkout", "a_step_with_a_long_name"];
        for (name, suggested) in [
            ("raed", Some("read")),
            ("Ramp-Up", Some("ramp_up")),
            ("chekout", Some("Checkout")),
            ("step_with_a_longer_name", None),
            ("a_stp_wth_a_lng_name", Some("a_step_with_a_long_name")),
            ("road", Some("read")),
            ("rode", None),
            ("write", None),
            ("", None),
        ] {
            assert_eq!(nearest(name, known), suggested, "{name}");
        }
        assert_eq!(nearest("read", []), None);
    }
}
