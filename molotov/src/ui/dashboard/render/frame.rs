//! What surrounds every view: the verdict so far and the time, the list of views, the totals and the keys.

use ratatui::{
    Frame,
    layout::{Alignment, Rect},
    style::{Modifier, Style},
    symbols::line,
    text::{Line as Text, Span},
    widgets::{Clear, LineGauge, Paragraph},
};

use super::{
    super::state::{State, View},
    style::{BOLD, MARKED, Palette, block, light},
};
use crate::{
    format,
    report::layout::{fitting, fitting_parts, harmless, shorten, width},
    run::Standing,
};

/// Draws the verdict so far and the time.
pub(super) fn draw_verdict(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let palette = Palette::of(state);
    let columns = usize::from(area.width);
    let verdict = Standing::of(&state.progress, &state.thresholds);
    let (symbol, style) = light(verdict.light, &palette);
    let head = format!(" {symbol} {} ", verdict.word);
    let activity = match state {
        State { stopping: true, .. } => "  stopping ",
        State { paused: true, .. } => "  paused ",
        _ => "",
    };
    let room = columns.saturating_sub(width(&head) + width(activity));
    let time = fitting(times(state), room);
    let details = fitting(verdict.details.into_iter().map(|text| format!(" {text} ")), room - width(&time));
    let left = vec![
        Span::styled(head, style.add_modifier(Modifier::BOLD | Modifier::REVERSED)),
        Span::raw(details),
        Span::styled(activity, palette.odd().add_modifier(Modifier::BOLD)),
    ];
    frame.render_widget(Paragraph::new(Text::from(left)), area);
    frame.render_widget(Paragraph::new(time).alignment(Alignment::Right), area);
}

/// Texts of the time that has passed and that is left, the longest first.
fn times(state: &State) -> Vec<String> {
    let elapsed = format::clock(state.progress.totals.elapsed);
    let Some((share, left)) = state.completion() else { return vec![format!(" {elapsed} elapsed "), elapsed] };
    let done = format!("{:.0} %", share * 100.0);
    match left.map(format::clock) {
        Some(left) => vec![
            format!(" {elapsed} elapsed · {done} · {left} left "),
            format!(" {done} · {left} left "),
            format!(" {left} left "),
        ],
        None => vec![format!(" {elapsed} elapsed · {done} "), format!(" {done} ")],
    }
}

/// Draws the list of views, and the program that runs.
pub(super) fn draw_views(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let columns = usize::from(area.width);
    let views = |named: &dyn Fn(View) -> bool| -> Vec<(View, String)> {
        let text = |(number, view): (usize, View)| match named(view) {
            true => format!(" {} {} ", number + 1, view.name()),
            false => format!(" {} ", number + 1),
        };
        View::ALL.into_iter().enumerate().map(|numbered| (numbered.1, text(numbered))).collect()
    };
    let total = |views: &[(View, String)]| views.iter().map(|(_, text)| width(text)).sum::<usize>();
    let candidates = [views(&|_| true), views(&|view| view == state.view), views(&|_| false)];
    let Some(views) = candidates.into_iter().find(|views| total(views) <= columns) else { return };
    let rest = columns - total(&views);
    let spans: Vec<_> = views
        .into_iter()
        .map(|(view, text)| Span::styled(text, if view == state.view { MARKED } else { Style::new() }))
        .collect();
    frame.render_widget(Paragraph::new(Text::from(spans)), area);
    let version = fitting([format!(" Molotov {} ", env!("CARGO_PKG_VERSION")), " Molotov ".to_owned()], rest);
    frame.render_widget(Paragraph::new(version).style(Palette::of(state).faint()).alignment(Alignment::Right), area);
}

/// Draws how much of the run is done, if that is known.
pub(super) fn draw_progress(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let Some((share, _)) = state.completion() else { return };
    let palette = Palette::of(state);
    let gauge = LineGauge::default()
        .ratio(share.clamp(0.0, 1.0))
        .label("")
        .filled_symbol(line::THICK_HORIZONTAL)
        .unfilled_symbol(line::HORIZONTAL)
        .filled_style(palette.first())
        .unfilled_style(palette.faint());
    frame.render_widget(gauge, area);
}

/// Draws the totals and the keys.
pub(super) fn draw_footer(frame: &mut Frame<'_>, area: Rect, state: &State) {
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
        (
            6,
            match progress.agents {
                0 => format!(" PROCESSES: {} ", progress.processes),
                agents => format!(" AGENTS: {agents} "),
            },
            BOLD,
        ),
        (3, format!(" {}/s scenarios ", format::rate(progress.rate)), Style::new()),
    ];
    if let Some(sizing) = progress.sizing {
        parts.push((2, format!(" SIZING: {sizing} "), palette.odd()));
    }
    let shown = fitting_parts(usize::from(area.width), parts.iter().map(|(rank, text, _)| (*rank, width(text))));
    let spans: Vec<_> = shown.into_iter().map(|place| Span::styled(parts[place].1.clone(), parts[place].2)).collect();
    let lines =
        vec![Text::from(spans), Text::from(Span::styled(keys(state, usize::from(area.width)), palette.faint()))];
    frame.render_widget(Paragraph::new(lines), area);
}

/// The keys that are most useful in the view, as many as fit, or the filter while it is edited.
fn keys(state: &State, columns: usize) -> String {
    let filter = harmless(&state.filter);
    if state.filtering {
        let edited = format!(" filter: {filter}▏");
        let hints = ["  Enter applies it  Esc clears it", "  Enter  Esc", ""];
        let texts = hints.map(|hint| format!("{edited}{hint}"));
        return fitting(texts.into_iter().chain([shorten(&edited, columns)]), columns);
    }
    let opens = state.view == View::Table && state.opened_row().is_none() && state.has_rows();
    let closes = state.view == View::Table && state.opened_row().is_some();
    let mut parts = Vec::new();
    if !filter.is_empty() {
        // At most half of the columns, so that keys remain.
        let named = " filter: ";
        parts.push((1, format!("{named}{} ", shorten(&filter, (columns / 2).saturating_sub(width(named) + 1)))));
    }
    parts.extend([
        (0, " q stop ".to_owned()),
        (3, " p pause ".to_owned()),
        (7, format!(" +/- {} ", state.changeable())),
    ]);
    if opens {
        parts.push((4, " Enter opens ".to_owned()));
    }
    match state.view {
        _ if closes => parts.push((4, " Esc closes ".to_owned())),
        _ if !filter.is_empty() => parts.push((4, " Esc clears ".to_owned())),
        _ => {}
    }
    match state.view {
        View::Table if closes => {}
        View::Table => {
            parts.extend([(6, " / filter ".to_owned()), (8, format!(" s sort by {} ", state.sort.next().name()))]);
        }
        View::Errors => parts.extend([(6, " / filter ".to_owned()), (8, " arrows select ".to_owned())]),
        View::Activity => parts.push((6, " arrows scroll ".to_owned())),
        View::Live | View::Distribution | View::Generator => {}
    }
    parts.extend([(5, " Tab view ".to_owned()), (2, " ? help ".to_owned())]);
    let shown = fitting_parts(columns, parts.iter().map(|(rank, text)| (*rank, width(text))));
    shown.into_iter().map(|place| parts[place].1.as_str()).collect()
}

/// A sentence for a view of which the filter hides everything.
pub(super) fn no_match(what: &str, hidden: u64, area: Rect, state: &State) -> Text<'static> {
    let columns = usize::from(area.width.saturating_sub(2));
    let tail = format!("`; {} hidden", format::count(hidden));
    let head = format!("No {what} matches `");
    let room = columns.saturating_sub(width(&head) + width(&tail));
    let text = format!("{head}{}{tail}", shorten(&harmless(&state.filter), room));
    Text::styled(text, Palette::of(state).odd())
}

const HELP: [(&str, &str); 11] = [
    ("q, Ctrl-C", "stop; a second time: interrupt scenarios"),
    ("p, Space", "pause or resume"),
    ("+  -", ""),
    ("Tab, 1 to 6", "switch views"),
    ("arrows, PgUp, PgDn", "scroll, or select a row"),
    ("Home, End", "go to the first or the last row"),
    ("s", "sort the table by the next column"),
    ("/", "filter by text; Esc clears the filter"),
    ("Ctrl-L", "redraw the screen"),
    ("Ctrl-Z", "suspend; `fg` resumes"),
    ("?", "show this help; any key closes it"),
];

/// Draws the keys over the view.
pub(super) fn draw_help(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let change = match state.changeable() {
        "workers" => "add or remove a tenth of the workers",
        "rate" => "raise or lower the rate by a tenth from now on",
        _ => "raise or lower rates and workers by a tenth",
    };
    let (width, height) = (70.min(area.width), (HELP.len() as u16 + 2).min(area.height));
    let place = Rect { x: (area.width - width) / 2, y: (area.height - height) / 2, width, height };
    let lines: Vec<_> = HELP
        .iter()
        .map(|(keys, what)| {
            Text::from(vec![
                Span::styled(format!(" {keys:<19}"), BOLD),
                Span::raw(if what.is_empty() { change } else { what }),
            ])
        })
        .collect();
    frame.render_widget(Clear, place);
    frame.render_widget(Paragraph::new(lines).block(block(" Keys ".to_owned())), place);
}
