//! Colors, emphasis and borders that all views share.

use ratatui::{
    style::{Color, Modifier, Style},
    text::Span,
    widgets::{Block, Borders},
};

use super::super::state::State;
use crate::run::Light;

pub(super) const BOLD: Style = Style::new().add_modifier(Modifier::BOLD);
pub(super) const MARKED: Style = Style::new().add_modifier(Modifier::REVERSED);

/// Colors that are readable on dark and light backgrounds, or no colors.
pub(super) struct Palette {
    colored: bool,
}

impl Palette {
    pub(super) fn of(state: &State) -> Palette {
        Palette { colored: state.colored }
    }

    fn fg(&self, color: Color) -> Style {
        if self.colored { Style::new().fg(color) } else { Style::new() }
    }

    pub(super) fn good(&self) -> Style {
        self.fg(Color::Green)
    }

    pub(super) fn bad(&self) -> Style {
        self.fg(Color::Red)
    }

    pub(super) fn odd(&self) -> Style {
        self.fg(Color::Yellow)
    }

    pub(super) fn first(&self) -> Style {
        self.fg(Color::Blue)
    }

    pub(super) fn second(&self) -> Style {
        self.fg(Color::Magenta)
    }

    /// A line that is less important than others. A chart shows the color of a style only.
    pub(super) fn background(&self) -> Style {
        self.fg(Color::DarkGray)
    }

    pub(super) fn faint(&self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }
}

/// A block with a border and a title.
pub(super) fn block(title: String) -> Block<'static> {
    Block::new().borders(Borders::ALL).title(Span::styled(title, BOLD))
}

/// The symbol and the style of a light. The symbols differ, for terminals without colors.
pub(super) fn light(light: Light, palette: &Palette) -> (&'static str, Style) {
    match light {
        Light::Met => ("●", palette.good()),
        Light::Close => ("▲", palette.odd()),
        Light::Broken => ("✗", palette.bad()),
        Light::Unknown => ("○", palette.faint()),
    }
}
