//! Text on a screen: how wide it is, shortened, padded, wrapped, and made harmless.

use std::fmt::Write;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Columns that a text takes.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// The text in at most `columns`, with `…` in place of its middle: both ends of a name tell something.
pub(crate) fn shorten(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let Some(room) = columns.checked_sub(1) else { return String::new() };
    let head = start(text, room.div_ceil(2));
    let tail = end(text, room - width(head));
    format!("{head}…{tail}")
}

/// The text in at most `columns`, with `…` in place of its end.
pub(crate) fn cut(text: &str, columns: usize) -> String {
    match columns {
        0 => String::new(),
        _ if width(text) <= columns => text.to_owned(),
        _ => format!("{}…", start(text, columns - 1)),
    }
}

/// The first of these texts that fits, or nothing. A number that is cut reads as another number: leave it out instead.
#[cfg_attr(not(feature = "dashboard"), allow(dead_code, reason = "only the feature `dashboard` uses it"))]
pub(crate) fn fitting(texts: impl IntoIterator<Item = String>, columns: usize) -> String {
    texts.into_iter().find(|text| width(text) <= columns).unwrap_or_default()
}

/// The places of the parts that fit next to each other, given by rank and width: those of a low rank come first. A part left
/// out lets in none that matters less, so parts come and go in one order as the room changes.
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

/// The most columns that names may take from numbers in a table of this width.
pub(crate) fn room_for_names(room: usize) -> usize {
    if room < 80 { room * 3 / 10 } else { 24 + (room - 80) * 3 / 20 }
}

/// The most whole characters from the start that fit.
fn start(text: &str, columns: usize) -> &str {
    let mut taken = 0;
    let fits = text.grapheme_indices(true).take_while(|(_, cluster)| {
        taken += width(cluster);
        taken <= columns
    });
    let length = fits.map(|(index, cluster)| index + cluster.len()).last().unwrap_or(0);
    &text[..length]
}

/// The most whole characters from the end that fit.
fn end(text: &str, columns: usize) -> &str {
    let mut taken = 0;
    let fits = text.grapheme_indices(true).rev().take_while(|(_, cluster)| {
        taken += width(cluster);
        taken <= columns
    });
    &text[fits.map(|(index, _)| index).last().unwrap_or(text.len())..]
}

/// The text, then spaces up to `columns`.
pub(crate) fn left(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(width(text))))
}

/// Spaces, then the text, up to `columns`.
pub(crate) fn right(text: &str, columns: usize) -> String {
    format!("{}{text}", " ".repeat(columns.saturating_sub(width(text))))
}

/// Lines of at most `columns`, broken at spaces where there are some.
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
            // A character wider than the room would never fit: it stands alone.
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

/// The text with everything written out that could move the cursor, change colours or reorder what is read: what a
/// server sends is shown, not obeyed. Line ends too; tabs become spaces.
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

/// The lines of a text, each harmless.
pub(crate) fn harmless_lines(text: &str) -> impl Iterator<Item = String> + '_ {
    text.lines().map(harmless)
}

/// Control characters, and those that change the direction of what follows.
fn harmful(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_lose_their_middle() {
        assert_eq!(shorten("GET /users/{n}/reviews", 30), "GET /users/{n}/reviews");
        assert_eq!(shorten("GET /users/{n}/reviews", 13), "GET /u…eviews");
        assert_eq!(shorten("日本語のとても長い名前", 9), "日本…名前");
        assert_eq!(shorten("👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩‍👩‍👧‍👦", 5), "👩‍👩‍👧‍👦…👩‍👩‍👧‍👦", "a family is not split");
        assert_eq!(shorten("abc", 0), "");
        assert_eq!(cut("abcdef", 4), "abc…");
    }

    #[test]
    fn texts_that_do_not_fit_give_way_to_shorter_ones() {
        let texts = |columns| fitting(["p50 3ms p95 12ms", "p95 12ms"].map(str::to_owned), columns);
        assert_eq!([20, 16, 15, 8, 7].map(texts), ["p50 3ms p95 12ms", "p50 3ms p95 12ms", "p95 12ms", "p95 12ms", ""]);
    }

    #[test]
    fn parts_come_and_go_in_the_order_of_their_ranks() {
        let parts = |room| fitting_parts(room, [(1, 5), (3, 1), (0, 4), (2, 6)]);
        assert_eq!(
            [16, 15, 14, 9, 8, 3].map(parts),
            [vec![0, 1, 2, 3], vec![0, 2, 3], vec![0, 2], vec![0, 2], vec![2], vec![]]
        );
    }

    #[test]
    fn lines_break_at_spaces_and_long_words_anywhere() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefgh i", 3), ["abc", "def", "gh", "i"]);
        assert_eq!(wrap("", 5), [""]);
        assert_eq!(wrap("日本", 1), ["日", "本"], "what cannot fit stands alone");
    }

    #[test]
    fn what_comes_from_elsewhere_is_shown_not_obeyed() {
        assert_eq!(harmless("a\x1b[31mb\r\n\u{202e}c\td"), "a\\u{1b}[31mb\\r\\n\\u{202e}c    d");
        assert_eq!(harmless("naïve 日本 👍"), "naïve 日本 👍");
        assert_eq!(harmless_lines("a\r\nb\x07").collect::<Vec<_>>(), ["a", "b\\u{7}"]);
    }

    proptest! {
        #[test]
        fn nothing_is_wider_than_its_room(text in "\\PC{0,60}", columns in 0usize..40) {
            prop_assert!(width(&shorten(&text, columns)) <= columns);
            prop_assert!(width(&cut(&text, columns)) <= columns);
        }

        #[test]
        fn wrapping_loses_nothing(text in "\\PC{0,80}", columns in 2usize..40) {
            let wrapped: String = wrap(&text, columns).concat();
            prop_assert_eq!(wrapped.replace(' ', ""), text.replace(' ', ""));
        }
    }
}
