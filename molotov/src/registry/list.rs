//! The output of `--list`.

use super::{Origin, Selection};

/// Lists the scenarios by name, with their weights, shares and locations, and then the fixtures, listeners and factories of the
/// user in the order in which a run uses them.
pub fn list(selection: &Selection) -> String {
    let mut text = scenarios(selection);
    let others = others(selection);
    if !others.is_empty() {
        let width = others.iter().map(|(kind, _)| kind.len()).max().unwrap_or(0).max(7);
        text.push_str(&format!("\n{:width$}  PLACE\n", "FIXTURE"));
        for (kind, origin) in others {
            text.push_str(&format!("{kind:width$}  {origin}\n"));
        }
    }
    text
}

fn others(selection: &Selection) -> Vec<(&'static str, &Origin)> {
    let mut others = Vec::new();
    others.extend(selection.global_setups.iter().map(|entry| ("global_setup", entry.origin())));
    others.extend(selection.setups.iter().map(|entry| ("setup", entry.origin())));
    others.extend(selection.factories.iter().map(|entry| ("session_factory", entry.origin())));
    others.extend(selection.setup_sessions.iter().map(|entry| ("setup_session", entry.origin())));
    others.extend(selection.picker.iter().map(|entry| ("scenario_picker", entry.origin())));
    others.extend(selection.events.iter().map(|entry| ("events", entry.origin())));
    others.extend(selection.teardown_sessions.iter().map(|entry| ("teardown_session", entry.origin())));
    others.extend(selection.teardowns.iter().map(|entry| ("teardown", entry.origin())));
    others.extend(selection.global_teardowns.iter().map(|entry| ("global_teardown", entry.origin())));
    others.retain(|(_, origin)| !origin.is_built_in());
    others
}

fn scenarios(selection: &Selection) -> String {
    let mut scenarios: Vec<_> = selection.scenarios.iter().collect();
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
        // `format!` pads to characters, not columns.
        let padding = " ".repeat(widths[0] - unicode_width::UnicodeWidthStr::width(&**name));
        let line = format!("{name}{padding}  {weight:>w$}  {share:>s$}  {place}", w = widths[1], s = widths[2]);
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
