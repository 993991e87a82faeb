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
///
/// They are fixed colors of the palette of 256, because users choose the first 16 for one background: yellow is often invisible on
/// white, and blue on black. Each has a contrast of more than 3.3 to both.
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
        self.fg(Color::Indexed(28))
    }

    pub(super) fn bad(&self) -> Style {
        self.fg(Color::Indexed(196))
    }

    pub(super) fn odd(&self) -> Style {
        self.fg(Color::Indexed(136))
    }

    pub(super) fn first(&self) -> Style {
        self.fg(Color::Indexed(33))
    }

    pub(super) fn second(&self) -> Style {
        self.fg(Color::Indexed(133))
    }

    /// A line that is less important than others. A chart shows the color of a style only.
    pub(super) fn background(&self) -> Style {
        self.fg(Color::Indexed(244))
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The relative luminance of a color of the cube or the greys of the palette of 256, as WCAG defines it.
    fn luminance(color: Color) -> f64 {
        let Color::Indexed(index) = color else { unreachable!("{color} depends on the theme of the terminal") };
        let level = |step: u8| if step == 0 { 0 } else { 55 + 40 * step };
        let rgb = match index {
            232.. => [8 + 10 * (index - 232); 3],
            16.. => [level((index - 16) / 36), level((index - 16) / 6 % 6), level((index - 16) % 6)],
            _ => unreachable!("{index} depends on the theme of the terminal"),
        };
        let [red, green, blue] = rgb.map(|part| {
            let part = f64::from(part) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    #[test]
    fn colors_are_readable_on_black_and_on_white() {
        let palette = Palette { colored: true };
        let colors =
            [palette.good(), palette.bad(), palette.odd(), palette.first(), palette.second(), palette.background()];
        for color in colors.into_iter().filter_map(|style| style.fg) {
            let luminance = luminance(color);
            let (on_white, on_black) = (1.05 / (luminance + 0.05), (luminance + 0.05) / 0.05);
            assert!(on_white > 3.3 && on_black > 3.3, "{color}: {on_white:.1} on white, {on_black:.1} on black");
        }
    }
}
