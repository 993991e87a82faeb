//! Replaces what a terminal without Unicode cannot show.

use ratatui::buffer::Buffer;
use unicode_width::UnicodeWidthStr;

/// Replaces the symbols of all cells by ASCII characters of the same width.
pub(super) fn replace(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        if cell.symbol().is_ascii() {
            continue;
        }
        // The cells that a wide character covers are empty.
        let replaced = match cell.symbol().width() {
            0 => " ",
            1 => similar(cell.symbol()),
            _ => "??",
        };
        cell.set_symbol(replaced);
    }
}

/// The ASCII character that is most similar to a symbol.
fn similar(symbol: &str) -> &'static str {
    match symbol {
        "─" | "–" | "—" | "╌" => "-",
        "━" => "=",
        "│" | "▏" | "┃" | "┊" => "|",
        "≤" => "<",
        "┌" | "┐" | "└" | "┘" | "├" | "┤" | "┬" | "┴" | "┼" => "+",
        "▁" => "_",
        "▂" => ".",
        "▃" => "-",
        "▄" => "~",
        "▅" => "=",
        "▆" => "+",
        "▇" => "*",
        "█" | "▉" | "▊" | "▋" | "▌" => "#",
        "▓" => "=",
        "▒" => "%",
        "░" => ":",
        "▚" => "&",
        "▞" => "/",
        "×" | "✗" => "x",
        "·" => "-",
        "•" => "o",
        "…" => "~",
        "µ" => "u",
        "●" => "*",
        "▲" => "!",
        "○" => "?",
        "▶" => ">",
        // A pattern of Braille dots, the upper or the lower ones.
        braille if braille.chars().all(|c| ('\u{2800}'..='\u{28ff}').contains(&c)) => {
            let dots = braille.chars().next().map_or(0, |c| c as u32 - 0x2800);
            match (dots & 0b0001_1011 != 0, dots & 0b1110_0100 != 0) {
                (true, true) => ":",
                (true, false) => "'",
                (false, true) => ".",
                (false, false) => " ",
            }
        }
        _ => "?",
    }
}
