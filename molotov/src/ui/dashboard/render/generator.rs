//! The view of the load generator: the processes of the run, and the machine.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::Style,
    text::Line as Text,
    widgets::Paragraph,
};

use super::{
    super::state::State,
    columns::{Column, Row, draw_columns},
    style::{Palette, block},
};
use crate::{
    format,
    metrics::Health,
    report::layout::{fitting, wrap},
};

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, state: &State) {
    const COLUMNS: [Column; 6] = [
        ("CPU of threads", 0),
        ("CPU wait", 2),
        ("Cores", 5),
        ("Loop lag p95", 1),
        ("Connections", 3),
        ("Open files", 4),
    ];
    let palette = Palette::of(state);
    let percent = |share: f64| format!("{:.0} %", (share * 100.0).clamp(0.0, 100.0));
    let rows = state.processes.iter().skip(state.scroll).map(|(process, recent)| {
        let name = process.as_deref().unwrap_or("this one").to_owned();
        let Some(health) = recent.health() else {
            return Row { name, cells: vec![("ended".to_owned(), palette.faint())] };
        };
        let limit = health.open_files_limit.map(|limit| format!(" of {}", format::count(limit))).unwrap_or_default();
        let busy = if health.cpu() >= 0.9 { palette.bad() } else { Style::new() };
        let plain = |text| (text, Style::new());
        Row {
            name,
            cells: vec![
                (percent(health.cpu()), busy),
                plain(percent(health.cpu_wait())),
                plain(format!("{:.2}", health.cores())),
                plain(health.lag.percentile_if_enough(95.0).map_or("–".to_owned(), format::latency)),
                plain(format::count(health.connections)),
                plain(format!("{}{limit}", format::count(health.open_files))),
            ],
        }
    });
    let columns = usize::from(area.width.saturating_sub(2));
    let advice: Vec<_> = state.totals.advice().map(|advice| wrap(&advice, columns)).unwrap_or_default();
    let note = if advice.is_empty() { 0 } else { u16::try_from(advice.len() + 2).unwrap_or(u16::MAX) };
    let [table, below] = Layout::vertical([Constraint::Min(4), Constraint::Length(note)]).areas(area);
    let mut block = block(" Load generator, the last seconds ".to_owned());
    if let Some(Health { machine, quota, .. }) = state.machine.health() {
        let mut texts = vec![format!(" Machine: CPUs {} busy ", percent(machine.busy_share()))];
        let longer = format!("{}, {} stolen ", texts[0].trim_end(), percent(machine.stolen_share()));
        texts.insert(0, longer);
        if quota.throttled_periods > 0 {
            let share = percent(quota.throttled_share());
            let quota = format!("CPU quota used up in {share} of its periods ");
            texts.insert(0, format!(" {quota}"));
            texts.insert(0, format!("{}, {quota}", texts[1].trim_end()));
        }
        block = block.title_bottom(fitting(texts, columns));
    }
    draw_columns(frame, table, block, "Process", &COLUMNS, rows.collect());
    if !advice.is_empty() {
        let lines: Vec<_> = advice.into_iter().map(|line| Text::styled(line, palette.odd())).collect();
        frame.render_widget(Paragraph::new(lines).block(self::block(" Note ".to_owned())), below);
    }
}
