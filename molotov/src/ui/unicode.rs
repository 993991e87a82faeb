//! Whether a terminal shows Unicode.

/// Returns whether the terminal shows Unicode, given the variables of the environment. Without a locale, it is assumed to, since a
/// container usually has none.
pub(super) fn shows_unicode(variable: impl Fn(&str) -> Option<String>) -> bool {
    // The console of Linux has no Braille patterns.
    if variable("TERM").as_deref() == Some("linux") {
        return false;
    }
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(variable).find(|locale| !locale.is_empty());
    locale.is_none_or(|locale| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

/// Replaces the symbols of a table by ASCII characters of the same width. Names stay as they are.
pub(super) fn to_ascii(text: &str) -> String {
    let symbol = |character: char| match character {
        '–' => '-',
        '·' => '|',
        '×' => 'x',
        'µ' => 'u',
        '…' => '~',
        '█' | '▉' | '▊' | '▋' | '▌' => '#',
        '▍' | '▎' | '▏' => ' ',
        other => other,
    };
    text.chars().map(symbol).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locale_decides_whether_unicode_is_shown() {
        let shows = |set: &[(&str, &str)]| {
            shows_unicode(|name| set.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).to_owned()))
        };
        assert!(shows(&[("LANG", "en_US.UTF-8")]) && shows(&[("LANG", "C.utf8")]) && shows(&[("LC_ALL", "")]));
        assert!(!shows(&[("LANG", "C")]) && !shows(&[("LANG", "de_DE@euro")]));
        assert!(!shows(&[("LC_ALL", "POSIX"), ("LANG", "en_US.UTF-8")]), "`LC_ALL` comes first");
        assert!(shows(&[("LC_CTYPE", "C.UTF-8"), ("LANG", "C")]));
        assert!(!shows(&[("TERM", "linux"), ("LANG", "C.UTF-8")]));
    }

    #[test]
    fn symbols_keep_their_width_in_ascii() {
        let ascii = to_ascii("1 × 12µs · – GET /a…b 日本 ██▌\n");
        assert_eq!(ascii, "1 x 12us | - GET /a~b 日本 ###\n");
    }
}
