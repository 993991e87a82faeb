//! What `--list` shows.

use super::Scenario;

/// The scenarios in name order: name, weight, share and place of each, one a line under a heading.
pub fn list(scenarios: &[std::sync::Arc<dyn Scenario>]) -> String {
    let mut scenarios: Vec<_> = scenarios.iter().collect();
    scenarios.sort_by(|a, b| a.name().cmp(b.name()));
    let sum: f64 = scenarios.iter().map(|scenario| scenario.weight()).sum();
    let mut rows = vec![["SCENARIO".to_owned(), "WEIGHT".to_owned(), "SHARE".to_owned(), "PLACE".to_owned()]];
    rows.extend(scenarios.iter().map(|scenario| {
        let share = if sum > 0.0 { scenario.weight() / sum * 100.0 } else { 0.0 };
        let name = scenario.name().escape_debug().to_string();
        [name, scenario.weight().to_string(), format!("{share:.1} %"), scenario.origin().to_string()]
    }));
    let width =
        |column: usize| rows.iter().map(|row| unicode_width::UnicodeWidthStr::width(&*row[column])).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2)];
    let mut text = String::new();
    for [name, weight, share, place] in &rows {
        // `format!` pads by characters, terminals count columns.
        let padding = " ".repeat(widths[0] - unicode_width::UnicodeWidthStr::width(&**name));
        let line = format!("{name}{padding}  {weight:>w$}  {share:>s$}  {place}", w = widths[1], s = widths[2]);
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
