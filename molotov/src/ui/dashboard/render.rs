//! The screen: a pure function of the state and of the room there is.

use std::time::Duration;

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Modifier, Style},
    symbols::Marker,
    text::{Line as Text, Span},
    widgets::{Axis, Block, Borders, Cell, Chart, Clear, Dataset, Gauge, GraphType, Paragraph, Row, Sparkline, Table},
};

use super::state::{State, View};
use crate::{
    metrics::Stats,
    report::{
        LineKind, format,
        layout::{cut, fitting, harmless, shorten, wrap},
    },
};

/// With fewer rows than this, charts go.
const ROOM_FOR_CHARTS: u16 = 20;
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

const BOLD: Style = Style::new().add_modifier(Modifier::BOLD);
const MARKED: Style = Style::new().add_modifier(Modifier::REVERSED);

fn draw_header(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let palette = Palette::of(state);
    let mut spans = vec![Span::styled(format!(" Molotov {} ", env!("CARGO_PKG_VERSION")), BOLD)];
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
    let left = left.map(|left| format!(" · {} left", format::clock(left))).unwrap_or_default();
    let gauge = Gauge::default()
        .ratio(share.clamp(0.0, 1.0))
        .label(format!("{:.0} %{left}", share * 100.0))
        .gauge_style(Palette::of(state).first());
    frame.render_widget(gauge, area);
}

fn draw_footer(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let palette = Palette::of(state);
    let progress = &state.progress;
    let failed = if progress.failures > 0 { palette.bad().add_modifier(Modifier::BOLD) } else { BOLD };
    let mut spans = vec![
        Span::styled(
            format!(" SUCCESS: {} ", format::count(progress.successes)),
            palette.good().add_modifier(Modifier::BOLD),
        ),
        Span::styled(format!(" FAILED: {} ", format::count(progress.failures)), failed),
        Span::styled(format!(" WORKERS: {} ", format::count(progress.workers as u64)), BOLD),
        Span::styled(format!(" PROCESSES: {} ", progress.processes), BOLD),
        Span::styled(format!(" ELAPSED: {} ", format::clock(progress.elapsed)), BOLD),
        Span::raw(format!(" {}/s", format::rate(progress.rate))),
    ];
    if let Some(sizing) = progress.sizing {
        spans.push(Span::styled(
            format!("  SIZING: {:.1} % of {} %", sizing.ratio * 100.0, sizing.tolerance * 100.0),
            palette.odd(),
        ));
    }
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
        height if height + 4 < ROOM_FOR_CHARTS => 0,
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

/// The groups of errors, the newest first.
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
    let points = state.timeline.points();
    let end = points.last().map_or(1.0, |point| point.at.as_secs_f64()).max(1.0);
    let first = points.get(points.len().saturating_sub(SHOWN));
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
    let points = &state.timeline.points()[state.timeline.points().len().saturating_sub(SHOWN)..];
    let values = |count: fn(&crate::report::Point) -> u64| -> Values {
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
    let points = &state.timeline.points()[state.timeline.points().len().saturating_sub(SHOWN)..];
    let values = |percent: f64| -> Values {
        let timed = points.iter().filter(|point| !point.latency.is_empty());
        timed.map(|point| (point.at.as_secs_f64(), point.latency.percentile(percent).as_secs_f64())).collect()
    };
    let lines = [("p50", palette.first(), values(50.0)), ("p95", palette.second(), values(95.0))];
    let timed = state.timeline.timed().name();
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

/// A round number not below this one.
fn round_up(value: f64) -> f64 {
    if !value.is_finite() || value <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(value.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|n| n * power).find(|round| *round >= value * 0.9999).unwrap_or(value)
}

fn draw_table(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let palette = Palette::of(state);
    let rows = state.rows();
    let seconds = state.progress.active().as_secs_f64();
    let wide = area.width >= 100;
    let mut columns = vec!["Count", "Failed", "Rate/s", "p50", "p95", "p99"];
    if wide {
        columns.extend(["Mean", "Max"]);
    }
    let name_width = usize::from(area.width).saturating_sub(4 + 10 * columns.len()).max(12);
    let cells = |kind: &str, name: &str, stats: &Stats| {
        let ended = stats.counts.ok + stats.counts.failed;
        let rate = if seconds > 0.0 { ended as f64 / seconds } else { 0.0 };
        let time = |time: Duration| match stats.latency.is_empty() {
            true => "–".to_owned(),
            false => format::latency(time),
        };
        let at = |percent| time(stats.latency.percentile(percent));
        let name = if kind == "scenario" { harmless(name) } else { format!("  {}", harmless(name)) };
        let mut texts = vec![
            format::count(ended),
            format::count(stats.counts.failed),
            format::rate(rate),
            at(50.0),
            at(95.0),
            at(99.0),
        ];
        if wide {
            texts.extend([time(stats.latency.mean()), time(stats.latency.max())]);
        }
        let mut cells = vec![Cell::new(shorten(&name, name_width))];
        cells.extend(texts.into_iter().enumerate().map(|(column, text)| {
            let style = if column == 1 && stats.counts.failed > 0 { palette.bad() } else { Style::new() };
            Cell::new(Text::raw(text).right_aligned()).style(style)
        }));
        Row::new(cells)
    };
    let shown = rows.iter().skip(state.scroll).map(|(kind, name, stats)| cells(kind, name, stats));
    let header = std::iter::once(Cell::new("Name"))
        .chain(columns.iter().map(|column| Cell::new(Text::raw(*column).right_aligned())));
    let mut widths = vec![Constraint::Min(12)];
    widths.extend(columns.iter().map(|_| Constraint::Length(9)));
    let table = Table::new(shown, widths)
        .header(Row::new(header).style(BOLD))
        .block(block(format!(" Scenarios & requests, by {} ", state.sort.name())));
    frame.render_widget(table, area);
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
    let times = [group.first, group.last].map(humantime::format_rfc3339_seconds);
    let mut lines = vec![Text::styled(format!("first {}, last {}", times[0], times[1]), palette.faint())];
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
    let palette = Palette::of(state);
    let header = ["Process", "CPU of threads", "Cores", "Loop lag p95", "Connections", "Open files"];
    let rows = state.processes.iter().skip(state.scroll).map(|(process, recent)| {
        let process = Cell::new(process.map_or_else(|| "this one".to_owned(), |pid| pid.to_string()));
        let Some(health) = recent.health() else {
            return Row::new([process, Cell::new("ended")]).style(palette.faint());
        };
        let limit = health.open_files_limit.map(|limit| format!(" of {}", format::count(limit))).unwrap_or_default();
        let busy = if health.cpu() >= 0.9 { palette.bad() } else { Style::new() };
        Row::new([
            process,
            Cell::new(format!("{:.0} %", (health.cpu() * 100.0).min(100.0))).style(busy),
            Cell::new(format!("{:.2}", health.cores())),
            Cell::new(format::latency(health.lag.percentile(95.0))),
            Cell::new(format::count(health.connections)),
            Cell::new(format!("{}{limit}", format::count(health.open_files))),
        ])
    });
    let widths = [9, 14, 6, 12, 11, 18].map(Constraint::Length);
    let advice = state.totals.health.advice();
    let note = if advice.is_some() { 4 } else { 0 };
    let [table, below] = Layout::vertical([Constraint::Min(0), Constraint::Length(note)]).areas(area);
    let shown = Table::new(rows, widths)
        .header(Row::new(header).style(BOLD))
        .block(block(" Load generator, the last seconds ".to_owned()));
    frame.render_widget(shown, table);
    if let Some(advice) = advice {
        let columns = usize::from(below.width.saturating_sub(2)).max(1);
        let lines: Vec<_> = wrap(&advice, columns).into_iter().map(|line| Text::styled(line, palette.odd())).collect();
        frame.render_widget(Paragraph::new(lines).block(block(" Note ".to_owned())), below);
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
