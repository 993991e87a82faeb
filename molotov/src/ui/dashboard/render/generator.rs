//! The view of the load generator: whether it is the bottleneck, its course over time, and its agents or
//! processes.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::Style,
    symbols::Marker,
    text::{Line as Text, Span},
    widgets::Paragraph,
};

use super::{
    super::state::{GeneratorPoint, Recent, State},
    chart::{Chart, Curve, Scale, Values},
    columns::{Column, Row, draw_styled},
    style::{BOLD, Palette, block},
};
use crate::{
    format,
    metrics::{Health, Histogram, ThreadHealth},
    report::layout::{fitting, harmless, wrap},
    run::MemberLabel,
};

const COLUMNS: [Column; 8] = [
    ("CPU", 0),
    ("CPU wait", 2),
    ("Loop lag", 1),
    ("Send lag", 6),
    ("Sockets", 3),
    ("Open files", 4),
    ("Preempted/s", 7),
    ("Cores", 5),
];

/// The columns of agents, whose threads are not shown.
const AGENT_COLUMNS: [Column; 8] = [
    ("Workers", 2),
    ("CPU", 0),
    ("CPU wait", 3),
    ("Loop lag", 1),
    ("Send lag", 5),
    ("Sockets", 4),
    ("Machine", 6),
    ("Cores", 7),
];

/// The smallest height of a chart.
const MIN_ROWS: u16 = 7;
/// The smallest width of a chart.
const MIN_COLUMNS: u16 = 38;

/// Draws the sentence, the charts and the table.
pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let palette = Palette::of(state);
    let columns = usize::from(area.width.saturating_sub(2));
    let (text, style) = sentence(state, &palette);
    let lines: Vec<_> = wrap(&text, columns).into_iter().map(|line| Text::styled(format!(" {line}"), style)).collect();
    let note = u16::try_from(lines.len()).unwrap_or(u16::MAX).min(area.height);
    let rows = rows(state, &palette);
    let needed = u16::try_from(rows.len()).unwrap_or(u16::MAX).saturating_add(3);
    // The charts fill what the table leaves, but never all.
    let rest = area.height.saturating_sub(note);
    let beside = (area.width / MIN_COLUMNS).clamp(1, 3);
    let charts = rest.saturating_sub(needed.min(rest.div_ceil(2)).max(4));
    let charts = if charts >= MIN_ROWS { charts } else { 0 };
    let [top, middle, table] =
        Layout::vertical([Constraint::Length(note), Constraint::Length(charts), Constraint::Min(0)]).areas(area);
    frame.render_widget(Paragraph::new(lines), top);
    draw_charts(frame, middle, state, usize::from(beside));
    draw_table(frame, table, state, &rows, columns);
}

/// Whether the generator is the bottleneck.
fn sentence(state: &State, palette: &Palette) -> (String, Style) {
    if let Some(limit) = state.generator_limit() {
        return (harmless(&limit.to_string()), palette.odd().patch(BOLD));
    }
    let health = &state.totals.health;
    let Some(lag) = health.lag.percentile_if_enough(95.0) else {
        return ("The load generator has not run long enough to judge it.".to_owned(), palette.faint());
    };
    let (lag, cpu) = (format::latency(lag), percent(health.cpu()));
    (
        format!(
            "The load generator is not the bottleneck: 95 % of its timers were at most {lag} late, and its threads used a CPU {cpu} of the time."
        ),
        palette.good(),
    )
}

fn draw_charts(frame: &mut Frame<'_>, area: Rect, state: &State, beside: usize) {
    if area.height == 0 {
        return;
    }
    let lines = usize::from(area.height / MIN_ROWS).min(3usize.div_ceil(beside)).max(1);
    let charts: Vec<fn(&mut Frame<'_>, Rect, &State)> =
        [draw_lag, draw_cpu, draw_sockets as fn(&mut Frame<'_>, Rect, &State)]
            .into_iter()
            .take(lines * beside)
            .collect();
    let heights = Layout::vertical(vec![Constraint::Fill(1); charts.len().div_ceil(beside)]).split(area);
    for (charts, area) in charts.chunks(beside).zip(heights.iter()) {
        let areas = Layout::horizontal(vec![Constraint::Fill(1); charts.len()]).split(*area);
        charts.iter().zip(areas.iter()).for_each(|(draw, area)| draw(frame, *area, state));
    }
}

/// The values of the points that have one.
fn values(state: &State, value: impl Fn(&GeneratorPoint) -> Option<f64>) -> Values {
    state.generator.points().filter_map(|point| Some((point.at, value(point)?))).collect()
}

fn draw_chart(
    frame: &mut Frame<'_>,
    area: Rect,
    state: &State,
    heads: &[&str],
    curves: &mut [Curve],
    (scale, label): (Scale, fn(f64) -> String),
) {
    // Lines of different symbols are different without colors.
    for (curve, symbol) in curves.iter_mut().skip(1).zip(['•', '×']) {
        curve.marker = Marker::Custom(symbol);
    }
    let mut points = state.generator.points();
    let first = points.next().map_or(0.0, |point| point.at - 1.0);
    let last = points.next_back().map_or(first + 1.0, |point| point.at).max(first + 1.0);
    Chart { heads, curves, scale, label, span: [first, last] }.draw(frame, area, state);
}

fn draw_lag(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let palette = Palette::of(state);
    let mut curves = vec![
        Curve::new("loop", palette.first(), values(state, |point| point.loop_lag)),
        Curve::new("measured", palette.background(), values(state, |point| point.measured)),
    ];
    let send = values(state, |point| point.send_lag);
    if !send.is_empty() {
        curves.push(Curve::new("send", palette.odd(), send));
    }
    let label = |seconds: f64| format::latency(std::time::Duration::try_from_secs_f64(seconds).unwrap_or_default());
    draw_chart(frame, area, state, &["Lag (p95)", "Lag"], &mut curves, (Scale::Log, label));
}

fn draw_cpu(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let palette = Palette::of(state);
    let mut curves = [
        Curve::new("threads", palette.first(), values(state, |point| Some(point.cpu))),
        Curve::new("waiting", palette.bad(), values(state, |point| Some(point.cpu_wait))),
        Curve::new("machine", palette.background(), values(state, |point| point.machine)),
    ];
    draw_chart(frame, area, state, &["CPU"], &mut curves, (Scale::Linear, |share| percent(share)));
}

fn draw_sockets(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let palette = Palette::of(state);
    let mut curves = [
        Curve::new("sockets", palette.first(), values(state, |point| Some(point.connections as f64))),
        Curve::new("open files", palette.background(), values(state, |point| Some(point.open_files as f64))),
    ];
    draw_chart(
        frame,
        area,
        state,
        &["Files"],
        &mut curves,
        (Scale::Linear, |count| format::count(count.round() as u64)),
    );
}

fn percent(share: f64) -> String {
    format!("{:.0} %", (share * 100.0).clamp(0.0, 100.0))
}

/// The rows of the table: each agent, or each process, followed by its threads.
fn rows(state: &State, palette: &Palette) -> Vec<(Row, Style)> {
    if state.has_agents() {
        return agent_rows(state, palette);
    }
    let mut rows = Vec::new();
    for (process, recent) in &state.generator.members {
        let name = process.as_ref().map_or("this process".to_owned(), MemberLabel::to_string);
        let Some(health) = recent.health() else {
            rows.push((Row { name, cells: vec![("ended".to_owned(), palette.faint())] }, Style::new()));
            continue;
        };
        rows.push((process_row(name, &health, &recent.send_lag(), palette), BOLD));
        rows.extend(health.threads.iter().map(|thread| (thread_row(thread, palette), Style::new())));
    }
    rows
}

fn agent_rows(state: &State, palette: &Palette) -> Vec<(Row, Style)> {
    let agents = state.generator.members.iter().filter_map(|(label, recent)| Some((label.as_ref()?, recent)));
    let row = |(label, recent): (&MemberLabel, &Recent)| {
        let workers = recent.workers.map_or("–".to_owned(), |workers| format::count(workers as u64));
        let mut cells = vec![(workers, Style::new())];
        match recent.health() {
            Some(health) => cells.extend(agent_cells(&health, &recent.send_lag(), palette)),
            None if recent.workers == Some(0) => cells.push(("ended".to_owned(), palette.faint())),
            None => cells.push((format!("silent {}s", recent.silent(state.second())), palette.bad())),
        }
        (Row { name: harmless(&label.name()), cells }, Style::new())
    };
    agents.map(row).collect()
}

fn agent_cells(health: &Health, send_lag: &Histogram, palette: &Palette) -> [(String, Style); 7] {
    let plain = |text| (text, Style::new());
    let machine = match health.machine.total.is_zero() {
        true => plain("–".to_owned()),
        false => share_cell(health.machine.busy_share(), 0.85, palette),
    };
    [
        share_cell(health.cpu(), 0.9, palette),
        share_cell(health.cpu_wait(), 0.1, palette),
        plain(p95(&health.lag)),
        plain(p95(send_lag)),
        plain(format::count(health.connections)),
        machine,
        plain(format!("{:.2}", health.cores())),
    ]
}

fn p95(times: &Histogram) -> String {
    times.percentile_if_enough(95.0).map_or("–".to_owned(), format::latency)
}

fn share_cell(share: f64, much: f64, palette: &Palette) -> (String, Style) {
    (percent(share), if share >= much { palette.bad() } else { Style::new() })
}

fn process_row(name: String, health: &Health, send_lag: &Histogram, palette: &Palette) -> Row {
    let plain = |text| (text, Style::new());
    let limit = health.open_files_limit.map(|limit| format!(" of {}", format::count(limit))).unwrap_or_default();
    Row {
        name,
        cells: vec![
            share_cell(health.cpu(), 0.9, palette),
            share_cell(health.cpu_wait(), 0.1, palette),
            plain(p95(&health.lag)),
            plain(p95(send_lag)),
            plain(format::count(health.connections)),
            plain(format!("{}{limit}", format::count(health.open_files))),
            plain(format::rate(health.preemption_rate())),
            plain(format!("{:.2}", health.cores())),
        ],
    }
}

fn thread_row(thread: &ThreadHealth, palette: &Palette) -> Row {
    let plain = |text| (text, Style::new());
    let preempted = if thread.wall.is_zero() { 0.0 } else { thread.preemptions as f64 / thread.wall.as_secs_f64() };
    let empty = || plain(String::new());
    Row {
        name: format!("  thread {}", thread.id),
        cells: vec![
            share_cell(thread.cpu_share(), 0.9, palette),
            share_cell(thread.cpu_wait(), 0.1, palette),
            plain(format!("≤{}", format::latency(thread.longest_lag))),
            empty(),
            empty(),
            empty(),
            plain(format::rate(preempted)),
        ],
    }
}

fn draw_table(frame: &mut Frame<'_>, area: Rect, state: &State, rows: &[(Row, Style)], columns: usize) {
    let (titles, name, shown) = match state.has_agents() {
        true => ([" Agents, the last 5 s ", " Last 5 s "], "Agent", &AGENT_COLUMNS),
        false => ([" Processes and threads, the last 5 s ", " Last 5 s "], "Process", &COLUMNS),
    };
    let titles = titles.map(str::to_owned);
    let mut block = block(fitting(titles, columns));
    let mut machine = Vec::new();
    if let Some(Health { machine: cpus, quota, .. }) = state.generator.machine.health() {
        let whose = if state.has_agents() { "machines" } else { "machine" };
        let mut all = vec![format!("{whose}: CPUs {} busy", percent(cpus.busy_share()))];
        all.push(format!("{} stolen", percent(cpus.stolen_share())));
        if quota.throttled_periods > 0 {
            all.insert(1, format!("CPU quota used up in {} of its periods", percent(quota.throttled_share())));
        }
        machine = (1..=all.len()).rev().map(|count| format!(" {} ", all[..count].join(", "))).collect();
    }
    block = block.title_bottom(Span::raw(fitting(machine, columns)));
    let first = state.scroll.min(rows.len().saturating_sub(1));
    draw_styled(frame, area, block, name, shown, rows, first);
}
