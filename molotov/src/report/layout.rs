//! Measures, shortens, pads, wraps and escapes text for a terminal.
//!
//! `textwrap` breaks words between characters, and so within emoji that several characters form.

use std::fmt::Write;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// The width of a text in columns.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// Shortens a text to at most `columns`. `…` replaces the middle, since both ends of a name are informative.
pub(crate) fn shorten(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let Some(room) = columns.checked_sub(1) else { return String::new() };
    let head = start(text, room.div_ceil(2));
    let tail = end(text, room - width(head));
    format!("{head}…{tail}")
}

/// Shortens a text to at most `columns`. `…` replaces the end.
pub(crate) fn cut(text: &str, columns: usize) -> String {
    match columns {
        0 => String::new(),
        _ if width(text) <= columns => text.to_owned(),
        _ => format!("{}…", start(text, columns - 1)),
    }
}

/// Returns the first text that fits, or an empty one. A text with numbers must not be cut: the rest reads as another number.
#[cfg_attr(not(feature = "dashboard"), allow(dead_code, reason = "only the feature `dashboard` uses it"))]
pub(crate) fn fitting(texts: impl IntoIterator<Item = String>, columns: usize) -> String {
    texts.into_iter().find(|text| width(text) <= columns).unwrap_or_default()
}

/// Returns the indices of the parts that fit next to each other, given their ranks and widths. Parts with a low rank are chosen
/// first. The first part that does not fit ends the choice, so that parts appear in the order of their ranks as the room grows.
pub(crate) fn fitting_parts(room: usize, parts: impl IntoIterator<Item = (u8, usize)>) -> Vec<usize> {
    let mut by_rank: Vec<_> = parts.into_iter().enumerate().collect();
    by_rank.sort_by_key(|(_, (rank, _))| *rank);
    let mut taken = 0;
    let fits = by_rank.into_iter().take_while(|(_, (_, width))| {
        taken += width;
        taken <= room
    });
    let mut places: Vec<usize> = fits.map(|(place, _)| place).collect();
    places.sort_unstable();
    places
}

/// The longest prefix of whole grapheme clusters that fits.
fn start(text: &str, columns: usize) -> &str {
    let mut taken = 0;
    let fits = text.grapheme_indices(true).take_while(|(_, cluster)| {
        taken += width(cluster);
        taken <= columns
    });
    let length = fits.map(|(index, cluster)| index + cluster.len()).last().unwrap_or(0);
    &text[..length]
}

/// The longest suffix of whole grapheme clusters that fits.
fn end(text: &str, columns: usize) -> &str {
    let mut taken = 0;
    let fits = text.grapheme_indices(true).rev().take_while(|(_, cluster)| {
        taken += width(cluster);
        taken <= columns
    });
    &text[fits.map(|(index, _)| index).last().unwrap_or(text.len())..]
}

/// Pads a text with spaces on the right.
pub(crate) fn left(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(width(text))))
}

/// Pads a text with spaces on the left.
pub(crate) fn right(text: &str, columns: usize) -> String {
    format!("{}{text}", " ".repeat(columns.saturating_sub(width(text))))
}

/// Wraps a text at spaces to lines of at most `columns`. Longer words are broken.
pub(crate) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let mut lines = vec![String::new()];
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let line = lines.last_mut().expect("never empty");
        if line.is_empty() {
            line.push_str(word);
        } else if width(line) + 1 + width(word) <= columns {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
        while let Some(line) = lines.last_mut().filter(|line| width(line) > columns) {
            // A character that is wider than the room has its own line.
            let first = line.graphemes(true).next().map_or(0, str::len);
            let fits = start(line, columns).len().max(first);
            if fits == line.len() {
                break;
            }
            let rest = line.split_off(fits);
            lines.push(rest);
        }
    }
    lines
}

/// Escapes characters that could move the cursor, change colors or reorder text, including newlines. Tabs become spaces.
pub(crate) fn harmless(text: &str) -> String {
    if !text.chars().any(harmful) {
        return text.to_owned();
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '\t' => shown.push_str("    "),
            _ if harmful(character) => {
                // Writing to a string cannot fail.
                let _ = write!(shown, "{}", character.escape_default());
            }
            _ => shown.push(character),
        }
    }
    shown
}

/// The lines of a text, each [harmless].
pub(crate) fn harmless_lines(text: &str) -> impl Iterator<Item = String> + '_ {
    text.lines().map(harmless)
}

/// Returns whether a character is a control character or changes the direction of text.
fn harmful(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn shortens_names_in_the_middle() {
        assert_eq!(shorten("GET /users/{n}/reviews", 30), "GET /users/{n}/reviews");
        assert_eq!(shorten("GET /users/{n}/reviews", 13), "GET /u…eviews");
        assert_eq!(shorten("日本語のとても長い名前", 9), "日本…名前");
        assert_eq!(shorten("👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩‍👩‍👧‍👦", 5), "👩‍👩‍👧‍👦…👩‍👩‍👧‍👦", "grapheme clusters are not split");
        assert_eq!(shorten("abc", 0), "");
        assert_eq!(cut("abcdef", 4), "abc…");
    }

    #[test]
    fn chooses_the_first_text_that_fits() {
        let texts = |columns| fitting(["p50 3ms p95 12ms", "p95 12ms"].map(str::to_owned), columns);
        assert_eq!([20, 16, 15, 8, 7].map(texts), ["p50 3ms p95 12ms", "p50 3ms p95 12ms", "p95 12ms", "p95 12ms", ""]);
    }

    #[test]
    fn chooses_parts_by_rank() {
        let parts = |room| fitting_parts(room, [(1, 5), (3, 1), (0, 4), (2, 6)]);
        assert_eq!(
            [16, 15, 14, 9, 8, 3].map(parts),
            [vec![0, 1, 2, 3], vec![0, 2, 3], vec![0, 2], vec![0, 2], vec![2], vec![]]
        );
    }

    #[test]
    fn wraps_at_spaces_and_breaks_long_words() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefgh i", 3), ["abc", "def", "gh", "i"]);
        assert_eq!(wrap("", 5), [""]);
        assert_eq!(wrap("日本", 1), ["日", "本"], "a wide character has its own line");
        assert_eq!(wrap("👩‍👩‍👧‍👦👩‍👩‍👧‍👦", 3), ["👩‍👩‍👧‍👦", "👩‍👩‍👧‍👦"], "grapheme clusters are not split");
    }

    #[test]
    fn escapes_control_characters() {
        assert_eq!(harmless("a\x1b[31mb\r\n\u{202e}c\td"), "a\\u{1b}[31mb\\r\\n\\u{202e}c    d");
        assert_eq!(harmless("naïve 日本 👍"), "naïve 日本 👍");
        assert_eq!(harmless_lines("a\r\nb\x07").collect::<Vec<_>>(), ["a", "b\\u{7}"]);
    }

    proptest! {
        #[test]
        fn shortened_text_fits(text in "\\PC{0,60}", columns in 0usize..40) {
            prop_assert!(width(&shorten(&text, columns)) <= columns);
            prop_assert!(width(&cut(&text, columns)) <= columns);
        }

        #[test]
        fn wrapping_keeps_all_characters(text in "\\PC{0,80}", columns in 2usize..40) {
            let wrapped: String = wrap(&text, columns).concat();
            prop_assert_eq!(wrapped.replace(' ', ""), text.replace(' ', ""));
        }
    }
}
