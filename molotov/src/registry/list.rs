//! The output of `--list`.

use super::{Origin, Selection};

/// Lists the scenarios by name, with their weights, shares, rates and locations, and then the fixtures, listeners, factories and data files of the
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
    others.extend(selection.data.iter().map(|entry| ("data", entry.origin())));
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
    let rate_of = |name: &str| {
        let own = selection.rates.iter().find(|(index, _)| selection.scenarios[*index].name() == name);
        own.map(|(_, rate)| rate.to_string())
    };
    let is_weighted = |name: &str| rate_of(name).is_none();
    let weighted = scenarios.iter().filter(|scenario| is_weighted(scenario.name()));
    let sum: f64 = weighted.map(|scenario| scenario.weight()).sum();
    let mut rows = vec![["SCENARIO", "WEIGHT", "SHARE", "RATE", "PLACE"].map(str::to_owned)];
    rows.extend(scenarios.iter().map(|scenario| {
        let name = scenario.name().escape_debug().to_string();
        let place = scenario.origin().to_string();
        match rate_of(scenario.name()) {
            Some(rate) => [name, String::new(), String::new(), rate, place],
            None => {
                let share = if sum > 0.0 { scenario.weight() / sum * 100.0 } else { 0.0 };
                [name, scenario.weight().to_string(), format!("{share:.1} %"), String::new(), place]
            }
        }
    }));
    let width =
        |column: usize| rows.iter().map(|row| unicode_width::UnicodeWidthStr::width(&*row[column])).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2), width(3)];
    let mut text = String::new();
    for [name, weight, share, rate, place] in &rows {
        // `format!` pads to characters, not columns.
        let padding = " ".repeat(widths[0] - unicode_width::UnicodeWidthStr::width(&**name));
        let rate = match selection.rates.is_empty() {
            true => String::new(),
            false => format!("  {rate:>r$}", r = widths[3]),
        };
        let line = format!("{name}{padding}  {weight:>w$}  {share:>s$}{rate}  {place}", w = widths[1], s = widths[2]);
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
