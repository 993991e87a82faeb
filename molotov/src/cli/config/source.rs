//! The text of a `molotov.json`, and messages that show places in it.

use std::{fmt, ops::Range};

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::secrets;

/// An invalid `molotov.json`: the message with the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConfigError(pub(super) String);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text, with the name of its file.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) name: String,
    pub(super) text: String,
}

impl Source {
    pub(super) fn error(&self, message: &str, place: Range<usize>, label: &str) -> ConfigError {
        ConfigError(self.show(Level::ERROR, message, place, label, None))
    }

    pub(super) fn show(
        &self,
        level: Level<'_>,
        message: &str,
        place: Range<usize>,
        label: &str,
        help: Option<&str>,
    ) -> String {
        let place = place.start.min(self.text.len())..place.end.min(self.text.len());
        let text = secrets::mask_json(&self.text);
        let snippet = Snippet::source(&text)
            .path(&self.name)
            .annotation(AnnotationKind::Primary.span(first_line(&self.text, place)).label(label));
        let report = level.primary_title(message).element(snippet);
        let report: Vec<Group<'_>> = match help {
            Some(help) => vec![report.element(Level::HELP.message(help))],
            None => vec![report],
        };
        let shown = Renderer::plain().render(&report);
        // The caller adds the level.
        let bare = shown.strip_prefix("error: ").or(shown.strip_prefix("warning: ")).unwrap_or(&shown);
        bare.trim_end().to_owned()
    }

    /// Returns the place of a part of the text.
    pub(super) fn place_of(&self, part: &str) -> Range<usize> {
        let start = (part.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
        start..start + part.len()
    }
}

/// Shortens a place to its first line.
fn first_line(text: &str, place: Range<usize>) -> Range<usize> {
    let end = text[place.clone()].find('\n').map_or(place.end, |end| place.start + end);
    place.start..end.max(place.start)
}

/// Converts a line and a column of serde to an offset in bytes. Lines count from 1; columns are bytes, from 1.
pub(super) fn offset(text: &str, line: usize, column: usize) -> usize {
    let before: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let mut at = (before + column.saturating_sub(1)).min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
