//! The page that the sections of a text report are written to.

use anstyle::Style;

/// A text report, as far as it is written.
pub(super) struct Page {
    pub(super) text: String,
    pub(super) width: usize,
    pub(super) color: bool,
    pub(super) verbose: bool,
}

impl Page {
    pub(super) fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    pub(super) fn end_section(&mut self) {
        self.text.push('\n');
    }

    pub(super) fn paint(&self, style: Style, text: &str) -> String {
        if self.color { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}
