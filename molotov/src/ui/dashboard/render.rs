//! The screen: a pure function of the state and of the room there is.

use std::time::Duration;

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Modifier, Style},
    symbols::Marker,
    text::{Line as Text, Span},
    widgets::{Axis, Block, Borders, Chart, Clear, Dataset, Gauge, GraphType, Paragraph, Sparkline},
};

use super::{
    rows::{Head, Line, draw_rows},
    state::{State, View},
};
use crate::{
    format,
    metrics::{Health, Stats},
    report::layout::{cut, fitting, fitting_parts, harmless, width, wrap},
    run::{LineKind, Point},
};

/// With fewer rows than this, charts go.
const ROOM_FOR_CHARTS: u16 = 20;
/// With fewer columns than this, the numbers beside two charts have no room.
const WIDTH_FOR_CHARTS: u16 = 40;
/// Points that a chart shows.
const SHOWN: usize = 120;

/// Draws all of it.
pub(super) fn draw(frame: &mut Frame<'_>, state: &State) {
    let area = frame.area();
    let bar = if state.done().is_some() && area.height >= 10 { 1 } else { 0 };
    let [header, progress, body, footer] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(bar),
        Constraint::Min(0),
        Constraint::Length(if area.height >= 6 { 2 } else { 1 }),
    ])
    .areas(area);
    draw_header(frame, header, state);
    draw_progress(frame, progress, state);
    match state.view {
        View::Live => draw_live(frame, body, state),
        View::Table => draw_table(frame, body, state),
        View::Errors => draw_errors(frame, body, state),
        View::Generator => draw_generator(frame, body, state),
    }
    draw_footer(frame, footer, state);
    if state.help {
        draw_help(frame, area);
    }
}

/// Colours that can be read on dark and on light; none where none are wanted.
struct Palette(bool);

impl Palette {
    fn of(state: &State) -> Palette {
        Palette(state.colored)
    }

    fn fg(&self, color: Color) -> Style {
        if self.0 { Style::new().fg(color) } else { Style::new() }
    }

    fn good(&self) -> Style {
        self.fg(Color::Green)
    }

    fn bad(&self) -> Style {
        self.fg(Color::Red)
    }

    fn odd(&self) -> Style {
        self.fg(Color::Yellow)
    }

    fn first(&self) -> Style {
        self.fg(Color::Blue)
    }

    fn second(&self) -> Style {
        self.fg(Color::Magenta)
    }

    fn faint(&self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }
}

pub(super) const BOLD: Style = Style::new().add_modifier(Modifier::BOLD);
const MARKED: Style = Style::new().add_modifier(Modifier::REVERSED);

fn draw_header(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let palette = Palette::of(state);
    let name = [format!(" Molotov {} ", env!("CARGO_PKG_VERSION")), " Molotov ".to_owned()];
    let mut spans = vec![Span::styled(fitting(name, usize::from(area.width)), BOLD)];
    let narrow = area.width < 76;
    for (number, view) in View::ALL.into_iter().enumerate() {
        let name = if narrow { view.name().split(' ').next().unwrap_or_default() } else { view.name() };
        let style = if view == state.view { MARKED } else { Style::new() };
        spans.push(Span::styled(format!(" {} {name} ", number + 1), style));
    }
    if state.stopping {
        spans.push(Span::styled("  stopping", palette.odd()));
    } else if state.paused {
        spans.push(Span::styled("  paused", palette.odd()));
    }
    frame.render_widget(Paragraph::new(Text::from(spans)), area);
}

fn draw_progress(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let Some((share, left)) = state.done() else { return };
    let done = format!("{:.0} %", share * 100.0);
    let left = left.map(|left| format!("{done} · {} left", format::clock(left)));
    let gauge = Gauge::default()
        .ratio(share.clamp(0.0, 1.0))
        .label(fitting(left.into_iter().chain([done]), usize::from(area.width)))
        .gauge_style(Palette::of(state).first());
    frame.render_widget(gauge, area);
}

fn draw_footer(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let palette = Palette::of(state);
    let progress = &state.progress;
    let failed = if progress.totals.failures > 0 { palette.bad().add_modifier(Modifier::BOLD) } else { BOLD };
    let mut parts = vec![
        (
            0,
            format!(" SUCCESS: {} ", format::count(progress.totals.successes)),
            palette.good().add_modifier(Modifier::BOLD),
        ),
        (1, format!(" FAILED: {} ", format::count(progress.totals.failures)), failed),
        (4, format!(" WORKERS: {} ", format::count(progress.workers as u64)), BOLD),
        (6, format!(" PROCESSES: {} ", progress.processes), BOLD),
        (3, format!(" ELAPSED: {} ", format::clock(progress.totals.elapsed)), BOLD),
        (5, format!(" {}/s ", format::rate(progress.rate)), Style::new()),
    ];
    if let Some(sizing) = progress.sizing {
        let text = format!(" SIZING: {:.1} % of {} % ", sizing.ratio * 100.0, sizing.tolerance * 100.0);
        parts.push((2, text, palette.odd()));
    }
    let shown = fitting_parts(usize::from(area.width), parts.iter().map(|(rank, text, _)| (*rank, width(text))));
    let spans: Vec<_> = shown.into_iter().map(|place| Span::styled(parts[place].1.clone(), parts[place].2)).collect();
    let keys = if state.filtering {
        format!(" filter: {}▏ (Enter keeps it, Esc drops it)", harmless(&state.filter))
    } else {
        let filter = match state.filter.is_empty() {
            true => String::new(),
            false => format!("  filter: {}", harmless(&state.filter)),
        };
        format!(" q stop  p pause  +/- workers  Tab view  s sort by {}  / filter  ? help{filter}", state.sort.name())
    };
    let lines = vec![Text::from(spans), Text::from(Span::styled(keys, palette.faint()))];
    frame.render_widget(Paragraph::new(lines), area);
}

fn block(title: String) -> Block<'static> {
    Block::new().borders(Borders::ALL).title(Span::styled(title, BOLD))
}

fn draw_live(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let charts = match area.height {
        height if height + 4 < ROOM_FOR_CHARTS || area.width < WIDTH_FOR_CHARTS => 0,
        height => (height / 3).clamp(7, 14),
    };
    let [top, panes] = Layout::vertical([Constraint::Length(charts), Constraint::Min(0)]).areas(area);
    if charts > 0 {
        let [left, right] = Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).areas(top);
        draw_throughput(frame, left, state);
        draw_latency(frame, right, state);
    }
    if panes.width < 50 {
        draw_activity(frame, panes, state);
        return;
    }
    let [left, right] = Layout::horizontal([Constraint::Fill(3), Constraint::Fill(2)]).areas(panes);
    draw_activity(frame, left, state);
    draw_error_list(frame, right, state);
}

/// The lines that tell what happens, the newest at the end.
fn draw_activity(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let palette = Palette::of(state);
    let title = if state.scroll > 0 { format!(" Activity (-{}) ", state.scroll) } else { " Activity ".to_owned() };
    let block = block(title);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let (columns, room) = (usize::from(inner.width), usize::from(inner.height));
    let mut shown: Vec<Text<'_>> = Vec::new();
    for line in state.lines.iter().rev().skip(state.scroll) {
        if shown.len() >= room {
            break;
        }
        let style = match line.kind {
            LineKind::Failure => palette.bad(),
            LineKind::Warning => palette.odd(),
            LineKind::Info => palette.faint(),
            LineKind::Print => Style::new(),
        };
        let process = line.pid.map(|pid| format!("[P:{pid}] ")).unwrap_or_default();
        let worker = line.worker.map(|worker| format!("[W:{worker}] ")).unwrap_or_default();
        let mut prefix = process + &worker;
        let mut texts = Vec::new();
        for text in line.text.lines() {
            let text = std::mem::take(&mut prefix) + &text.split('\t').map(harmless).collect::<Vec<_>>().join("    ");
            texts.push(Text::styled(cut(&text, columns), style));
        }
        shown.extend(texts.into_iter().rev());
    }
    shown.truncate(room);
    shown.reverse();
    frame.render_widget(Paragraph::new(shown), inner);
}

/// The groups of errors, the most frequent first.
fn draw_error_list(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let palette = Palette::of(state);
    let errors = state.errors();
    let all: u64 = errors.iter().map(|group| group.count).sum();
    let block = block(format!(" Errors ({}) ", format::count(all)));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let columns = usize::from(inner.width);
    let mut shown = Vec::new();
    for group in errors.iter().take(usize::from(inner.height)) {
        let head = format!("{} × {}", format::count(group.count), harmless(&group.kind));
        shown.push(Text::styled(cut(&head, columns), palette.bad().add_modifier(Modifier::BOLD)));
        let first = group.message.lines().next().unwrap_or_default();
        shown.push(Text::raw(cut(&format!("  {}", harmless(first)), columns)));
    }
    if shown.is_empty() {
        shown.push(Text::styled("none so far", palette.faint()));
    }
    frame.render_widget(Paragraph::new(shown), inner);
}

/// Seconds of the run, and what was measured then.
type Values = Vec<(f64, f64)>;

/// A chart of some lines over the last seconds.
fn draw_chart(
    frame: &mut Frame<'_>,
    area: Rect,
    title: String,
    lines: &[(&str, Style, Values)],
    written: impl Fn(f64) -> String,
    state: &State,
) {
    let mut points = state.timeline.points();
    let first = points.nth(points.len().saturating_sub(SHOWN));
    let end = points.next_back().or(first.clone()).map_or(1.0, |point| point.at.as_secs_f64()).max(1.0);
    let begin = first.map_or(0.0, |point| point.at.saturating_sub(point.period).as_secs_f64());
    let highest = lines.iter().flat_map(|(_, _, values)| values.iter().map(|(_, value)| *value)).fold(0.0, f64::max);
    let top = round_up(highest);
    let datasets = lines
        .iter()
        .map(|(name, style, values)| {
            Dataset::default()
                .name(*name)
                .marker(Marker::Braille)
                .graph_type(GraphType::Line)
                .style(*style)
                .data(values)
        })
        .collect();
    let moment = |seconds: f64| format::clock(Duration::try_from_secs_f64(seconds).unwrap_or_default());
    let chart = Chart::new(datasets)
        .block(block(title))
        .x_axis(
            Axis::default().bounds([begin, end]).labels([moment(begin), moment(end)]).style(Palette::of(state).faint()),
        )
        .y_axis(
            Axis::default()
                .bounds([0.0, top])
                .labels(["0".to_owned(), written(top / 2.0), written(top)])
                .style(Palette::of(state).faint()),
        )
        .legend_position(None);
    frame.render_widget(chart, area);
}

fn draw_throughput(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let palette = Palette::of(state);
    let points = shown(state);
    let values = |count: fn(&Point) -> u64| -> Values {
        points.iter().map(|point| (point.at.as_secs_f64(), point.per_second(count(point)))).collect()
    };
    let lines = [
        ("ok", palette.good(), values(|point| point.successes)),
        ("failed", palette.bad(), values(|point| point.failures)),
    ];
    draw_chart(frame, area, " Scenarios a second ".to_owned(), &lines, format::rate, state);
}

fn draw_latency(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let palette = Palette::of(state);
    let points = shown(state);
    let values = |percent: f64| -> Values {
        let timed = points.iter().filter(|point| !point.latency.is_empty());
        timed.map(|point| (point.at.as_secs_f64(), point.latency.percentile(percent).as_secs_f64())).collect()
    };
    let lines = [("p50", palette.first(), values(50.0)), ("p95", palette.second(), values(95.0))];
    let timed = state.timeline.latency_source().name();
    let mut titles = vec![format!(" Latency of {timed} "), " Latency ".to_owned()];
    if let Some(point) = points.iter().rev().find(|point| !point.latency.is_empty()) {
        let [p50, p95] = [50.0, 95.0].map(|percent| format::latency(point.latency.percentile(percent)));
        titles.splice(
            0..0,
            [
                format!(" Latency of {timed}: p50 {p50}, p95 {p95} "),
                format!(" Latency of {timed}: p95 {p95} "),
                format!(" p50 {p50}, p95 {p95} "),
                format!(" p95 {p95} "),
            ],
        );
    }
    let title = fitting(titles, usize::from(area.width.saturating_sub(2)));
    let time = |seconds: f64| format::latency(Duration::try_from_secs_f64(seconds).unwrap_or_default());
    draw_chart(frame, area, title, &lines, time, state);
}

/// The points that are shown.
fn shown(state: &State) -> Vec<Point> {
    let points = state.timeline.points();
    let before = points.len().saturating_sub(SHOWN);
    points.skip(before).collect()
}

/// A round number not below this one.
fn round_up(value: f64) -> f64 {
    if !value.is_finite() || value <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(value.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|n| n * power).find(|round| *round >= value * 0.9999).unwrap_or(value)
}

fn draw_table(frame: &mut Frame<'_>, area: Rect, state: &State) {
    const COLUMNS: [Head; 8] =
        [("Count", 0), ("Failed", 1), ("Rate/s", 4), ("p50", 3), ("p95", 2), ("p99", 5), ("Mean", 7), ("Max", 6)];
    let palette = Palette::of(state);
    let seconds = state.progress.totals.active().as_secs_f64();
    let line = |(kind, name, stats): (&str, &str, &Stats)| {
        let ended = stats.counts.ok + stats.counts.failed;
        let rate = if seconds > 0.0 { ended as f64 / seconds } else { 0.0 };
        let time = |time: Duration| match stats.latency.is_empty() {
            true => "–".to_owned(),
            false => format::latency(time),
        };
        let at = |percent| time(stats.latency.percentile(percent));
        let failed = if stats.counts.failed > 0 { palette.bad() } else { Style::new() };
        let plain = |text| (text, Style::new());
        Line {
            name: if kind == "scenario" { harmless(name) } else { format!("  {}", harmless(name)) },
            cells: vec![
                plain(format::count(ended)),
                (format::count(stats.counts.failed), failed),
                plain(format::rate(rate)),
                plain(at(50.0)),
                plain(at(95.0)),
                plain(at(99.0)),
                plain(time(stats.latency.mean())),
                plain(time(stats.latency.max())),
            ],
        }
    };
    let lines = state.rows().into_iter().skip(state.scroll).take(usize::from(area.height)).map(line).collect();
    let block = block(format!(" Scenarios & requests, by {} ", state.sort.name()));
    draw_rows(frame, area, block, "Name", &COLUMNS, lines);
}

fn draw_errors(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let palette = Palette::of(state);
    let errors = state.errors();
    if errors.is_empty() {
        let text = Text::styled("No errors so far.", palette.good());
        frame.render_widget(Paragraph::new(text).block(block(" Errors ".to_owned())), area);
        return;
    }
    let selected = state.selected.min(errors.len() - 1);
    let list = (errors.len() as u16 + 2).min(area.height / 3).max(3);
    let [top, rest] = Layout::vertical([Constraint::Length(list), Constraint::Min(0)]).areas(area);
    let columns = usize::from(area.width.saturating_sub(2));
    let room = usize::from(list.saturating_sub(2)).max(1);
    let from = (selected + 1).saturating_sub(room);
    let lines: Vec<_> = errors
        .iter()
        .enumerate()
        .skip(from)
        .take(room)
        .map(|(number, group)| {
            let place = group.place.as_deref().map(|place| format!(" at {}", harmless(place))).unwrap_or_default();
            let text = format!(
                "{:>8} × {} in {}{place}",
                format::count(group.count),
                harmless(&group.kind),
                harmless(&group.scenario)
            );
            Text::styled(cut(&text, columns), if number == selected { MARKED } else { Style::new() })
        })
        .collect();
    frame.render_widget(
        Paragraph::new(lines).block(block(format!(" Errors ({}) ", format::plural(errors.len() as u64, "kind")))),
        top,
    );

    let group = errors[selected];
    let course = state.course(group);
    let bars = if rest.height >= 10 { 4 } else { 0 };
    let [over_time, sample] = Layout::vertical([Constraint::Length(bars), Constraint::Min(0)]).areas(rest);
    if bars > 0 {
        let from = course.len().saturating_sub(columns);
        let spark = Sparkline::default().data(&course[from..]).style(palette.bad());
        frame.render_widget(spark.block(block(" Each second ".to_owned())), over_time);
    }
    let times = [group.first, group.last].map(format::seconds);
    let times = wrap(&format!("first {}, last {}", times[0], times[1]), columns.max(1));
    let mut lines: Vec<_> = times.into_iter().map(|line| Text::styled(line, palette.faint())).collect();
    for line in group.message.lines() {
        lines.extend(wrap(&harmless(line), columns.max(1)).into_iter().map(Text::raw));
    }
    for line in group.detail.iter().flat_map(|detail| detail.lines()) {
        lines.push(Text::styled(
            cut(&line.split('\t').map(harmless).collect::<Vec<_>>().join("    "), columns),
            palette.faint(),
        ));
    }
    frame.render_widget(Paragraph::new(lines).block(block(" The first of them ".to_owned())), sample);
}

fn draw_generator(frame: &mut Frame<'_>, area: Rect, state: &State) {
    const COLUMNS: [Head; 6] = [
        ("CPU of threads", 0),
        ("CPU wait", 2),
        ("Cores", 5),
        ("Loop lag p95", 1),
        ("Connections", 3),
        ("Open files", 4),
    ];
    let palette = Palette::of(state);
    let percent = |share: f64| format!("{:.0} %", (share * 100.0).clamp(0.0, 100.0));
    let lines = state.processes.iter().skip(state.scroll).map(|(process, recent)| {
        let name = process.as_deref().unwrap_or("this one").to_owned();
        let Some(health) = recent.health() else {
            return Line { name, cells: vec![("ended".to_owned(), palette.faint())] };
        };
        let limit = health.open_files_limit.map(|limit| format!(" of {}", format::count(limit))).unwrap_or_default();
        let busy = if health.cpu() >= 0.9 { palette.bad() } else { Style::new() };
        let plain = |text| (text, Style::new());
        Line {
            name,
            cells: vec![
                (percent(health.cpu()), busy),
                plain(percent(health.cpu_wait())),
                plain(format!("{:.2}", health.cores())),
                plain(format::latency(health.lag.percentile(95.0))),
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
    draw_rows(frame, table, block, "Process", &COLUMNS, lines.collect());
    if !advice.is_empty() {
        let lines: Vec<_> = advice.into_iter().map(|line| Text::styled(line, palette.odd())).collect();
        frame.render_widget(Paragraph::new(lines).block(self::block(" Note ".to_owned())), below);
    }
}

const HELP: [(&str, &str); 11] = [
    ("q, Ctrl-C", "stop: running scenarios end; again: cut them"),
    ("p, Space", "pause, and go on"),
    ("+  -", "a tenth of the workers more, or less"),
    ("Tab, 1 to 4", "views"),
    ("arrows, PgUp, PgDn", "scroll; choose an error"),
    ("Home, End", "the first, the last"),
    ("s", "sort the table by the next column"),
    ("/", "show only what contains a text; Esc shows all"),
    ("Ctrl-L", "draw everything anew"),
    ("Ctrl-Z", "suspend; `fg` comes back"),
    ("?", "this help; any key closes it"),
];

fn draw_help(frame: &mut Frame<'_>, area: Rect) {
    let (width, height) = (70.min(area.width), (HELP.len() as u16 + 2).min(area.height));
    let place = Rect { x: (area.width - width) / 2, y: (area.height - height) / 2, width, height };
    let lines: Vec<_> = HELP
        .iter()
        .map(|(keys, what)| Text::from(vec![Span::styled(format!(" {keys:<19}"), BOLD), Span::raw(*what)]))
        .collect();
    frame.render_widget(Clear, place);
    frame.render_widget(Paragraph::new(lines).block(block(" Keys ".to_owned())), place);
}
