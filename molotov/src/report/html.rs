//! The report as one page for people: it stands by itself, without a script, a font or a picture from elsewhere.

use std::{borrow::Cow, collections::BTreeMap, fmt::Write, sync::Arc};

use super::{
    chart::{Series, figure},
    layout::harmless,
};
use crate::{
    format,
    metrics::{ErrorGroup, Stats},
    run::{LatencySource, Point, SizingResult, Summary},
};

const STYLE: &str = include_str!("html.css");

/// A run as a page of HTML.
pub fn html(summary: &Summary) -> String {
    let mut page = String::new();
    let title = match summary.started {
        Some(at) => format!("Load test of {}", format::seconds(at).to_string().replace('T', " ").replace('Z', " UTC")),
        None => "Load test".to_owned(),
    };
    // Writing to a string cannot fail, here and below.
    let _ = write!(
        page,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <main>\n<header><h1>{title}</h1>\n<p>{}, {}{} · Molotov {}</p></header>\n",
        format::elapsed_and_paused(summary.totals.elapsed, summary.totals.paused),
        format::plural(summary.workers as u64, "worker"),
        match summary.processes {
            0 | 1 => String::new(),
            many => format!(" in {}", format::plural(many as u64, "process")),
        },
        escape(&summary.version),
    );
    tiles(&mut page, summary);
    notes(&mut page, summary);
    thresholds(&mut page, summary);
    charts(&mut page, summary);
    let snapshot = &summary.snapshot;
    rows(&mut page, "Scenarios", &snapshot.scenarios, summary, false);
    rows(&mut page, "Requests", &snapshot.requests, summary, true);
    rows(&mut page, "Steps", &snapshot.steps, summary, false);
    errors(&mut page, &snapshot.errors);
    generator(&mut page, summary);
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

/// Text from outside, which must not become a part of the page.
fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(['&', '<', '>', '"', '\'']) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    Cow::Owned(escaped)
}

/// One line of text from outside.
fn line(text: &str) -> String {
    escape(&harmless(text)).into_owned()
}

/// Several lines of text from outside.
fn lines(text: &str) -> String {
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

fn per_second(count: u64, summary: &Summary) -> String {
    let seconds = summary.totals.active().as_secs_f64();
    format::rate(if seconds > 0.0 { count as f64 / seconds } else { 0.0 })
}

fn tiles(page: &mut String, summary: &Summary) {
    let ended = summary.totals.successes + summary.totals.failures;
    let requests: u64 = summary.snapshot.requests.values().map(|stats| stats.counts.ok + stats.counts.failed).sum();
    let failed = if summary.totals.failures > 0 { "bad" } else { "" };
    let mut tiles = vec![
        ("good", format::count(summary.totals.successes), "scenarios succeeded"),
        (failed, format::count(summary.totals.failures), "scenarios failed"),
        ("", format::percent(summary.totals.failures, ended), "failure rate"),
        ("", per_second(ended, summary), "scenarios a second"),
    ];
    if requests > 0 {
        tiles.push(("", per_second(requests, summary), "requests a second"));
    }
    if summary.totals.interrupted > 0 {
        tiles.push(("odd", format::count(summary.totals.interrupted), "interrupted by the end"));
    }
    page.push_str("<section class=\"tiles\" aria-label=\"Totals\">\n");
    for (class, number, name) in tiles {
        let _ = writeln!(page, "<div><b class=\"{class}\">{number}</b><span>{name}</span></div>");
    }
    page.push_str("</section>\n");
}

fn notes(page: &mut String, summary: &Summary) {
    let mut notes: Vec<String> = summary.incomplete.iter().map(ToString::to_string).collect();
    notes.extend(summary.snapshot.advice());
    notes.extend(summary.notes.iter().cloned());
    if let Some(sizing) = &summary.sizing {
        notes.push(match sizing {
            SizingResult::Found { workers, ratio, .. } => {
                format!("Sizing: error ratio {:.2} % obtained with {workers} workers.", ratio * 100.0)
            }
            SizingResult::NotReached { workers } => {
                format!("Sizing: failures stayed within the tolerance, with up to {workers} workers.")
            }
            SizingResult::Interrupted => "Sizing was interrupted.".to_owned(),
        });
    }
    if summary.snapshot.names_exceeded {
        notes.push("There were too many request names: those that came last share the row “other”.".to_owned());
    }
    for note in notes {
        let _ = writeln!(page, "<p class=\"note\">{}</p>", escape(&note));
    }
}

fn thresholds(page: &mut String, summary: &Summary) {
    if summary.thresholds.is_empty() {
        return;
    }
    table(page, "Thresholds", &["Condition", "Measured", "Result"]);
    for judged in &summary.thresholds {
        let (class, result) = if judged.passed { ("good", "met") } else { ("bad", "broken") };
        let _ = writeln!(
            page,
            "<tr><th scope=\"row\">{}</th><td class=\"text\">{}</td><td class=\"{class}\">{result}</td></tr>",
            line(&judged.expression),
            line(judged.outcome()),
        );
    }
    page.push_str("</tbody></table></div>\n");
}

fn charts(page: &mut String, summary: &Summary) {
    let points: Vec<_> = summary.timeline.points().collect();
    let Some(last) = points.last() else { return };
    let seconds = last.at.as_secs_f64();
    let series = |name, class, filled, value: &dyn Fn(&Point) -> Option<f64>| Series {
        name,
        class,
        filled,
        values: points
            .iter()
            .map(|point| ((point.at.as_secs_f64() - point.period.as_secs_f64() / 2.0).max(0.0), value(point)))
            .collect(),
    };
    let latency = |percent: f64| {
        move |point: &Point| (!point.latency.is_empty()).then(|| point.latency.percentile(percent).as_secs_f64())
    };
    page.push_str("<h2>Over time</h2>\n<div class=\"charts\">\n");
    let timed = summary.timeline.latency_source();
    let throughput = [
        series("succeeded", "a", false, &|point| Some(point.per_second(point.successes))),
        series("failed", "bad", true, &|point| Some(point.per_second(point.failures))),
    ];
    page.push_str(&figure("Scenarios a second", seconds, &throughput, number));
    if timed == LatencySource::Requests {
        let throughput = [
            series("requests", "a", false, &|point| Some(point.per_second(point.requests))),
            series("failed", "bad", true, &|point| Some(point.per_second(point.request_failures))),
        ];
        page.push_str(&figure("Requests a second", seconds, &throughput, number));
    }
    let percentiles = [
        series("p50", "a", false, &latency(50.0)),
        series("p95", "b", false, &latency(95.0)),
        series("p99", "c", false, &latency(99.0)),
    ];
    let caption = format!("Latency of {}", timed.name());
    let time = |seconds: f64| match seconds {
        0.0 => "0".to_owned(),
        seconds => format::latency(std::time::Duration::try_from_secs_f64(seconds).unwrap_or_default()),
    };
    page.push_str(&figure(&caption, seconds, &percentiles, time));
    let workers = [series("workers", "a", true, &|point| Some(point.workers as f64))];
    page.push_str(&figure("Workers", seconds, &workers, number));
    page.push_str("</div>\n");
}

/// A number beside an axis: whole where it can be.
fn number(value: f64) -> String {
    if value.fract() == 0.0 && value < 100_000.0 { format::count(value as u64) } else { format::rate(value) }
}

/// Begins a table under a heading. A wide one scrolls, by keyboard too, which needs the focus and a name.
fn table(page: &mut String, title: &str, columns: &[&str]) {
    let id = title.to_lowercase();
    let _ = write!(
        page,
        "<h2 id=\"{id}\">{title}</h2>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" \
         aria-labelledby=\"{id}\"><table><thead><tr>"
    );
    for column in columns {
        let _ = write!(page, "<th scope=\"col\">{column}</th>");
    }
    page.push_str("</tr></thead>\n<tbody>\n");
}

fn rows(page: &mut String, title: &str, rows: &BTreeMap<Arc<str>, Stats>, summary: &Summary, requests: bool) {
    if rows.is_empty() {
        return;
    }
    let mut columns = vec!["Name", "Count", "Failed", "Rate /s", "Mean", "p50", "p90", "p95", "p99", "Max"];
    if requests {
        columns.extend(["First byte p95", "In", "Retried", "Status"]);
    }
    table(page, title, &columns);
    for (name, stats) in rows {
        let counts = stats.counts;
        let ended = counts.ok + counts.failed;
        let class = if counts.failed > 0 { " class=\"bad\"" } else { "" };
        let _ = write!(
            page,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td{class}>{}</td><td>{}</td>",
            line(name),
            format::count(ended),
            format::count(counts.failed),
            per_second(ended, summary),
        );
        let latency = &stats.latency;
        let percentiles = [50.0, 90.0, 95.0, 99.0].map(|percent| latency.percentile(percent));
        for time in [latency.mean()].into_iter().chain(percentiles).chain([latency.max()]) {
            let shown = if latency.is_empty() { "–".to_owned() } else { format::latency(time) };
            let _ = write!(page, "<td>{shown}</td>");
        }
        if requests {
            let statuses: Vec<_> = stats
                .statuses
                .iter()
                .map(|(status, count)| format!("{}:\u{a0}{}", line(status), format::count(*count)))
                .collect();
            let first_byte = match stats.first_byte.is_empty() {
                true => "–".to_owned(),
                false => format::latency(stats.first_byte.percentile(95.0)),
            };
            let _ = write!(
                page,
                "<td>{}</td><td>{}</td><td>{}</td><td class=\"text\">{}</td>",
                first_byte,
                format::bytes(stats.bytes_in),
                format::count(stats.retried),
                statuses.join(", "),
            );
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</tbody></table></div>\n");
}

fn errors(page: &mut String, errors: &[ErrorGroup]) {
    if errors.is_empty() {
        return;
    }
    let mut errors: Vec<_> = errors.iter().collect();
    errors.sort_by_key(|group| std::cmp::Reverse(group.count));
    page.push_str("<h2>Errors</h2>\n");
    for group in errors {
        let place = group.place.as_deref().map(|place| format!(" at {}", line(place))).unwrap_or_default();
        let _ = writeln!(
            page,
            "<details><summary><b class=\"bad\">{} ×</b> {} <span class=\"soft\">in {}{place}</span></summary>",
            format::count(group.count),
            line(&group.kind),
            line(&group.scenario),
        );
        let _ = writeln!(page, "<pre>{}</pre>", lines(&group.message));
        if let Some(detail) = &group.detail {
            let _ = writeln!(page, "<pre class=\"soft\">{}</pre>", lines(detail));
        }
        let [first, last] = [group.first, group.last].map(format::seconds);
        let _ = writeln!(page, "<p class=\"soft\">first {first}, last {last}</p></details>");
    }
}

fn generator(page: &mut String, summary: &Summary) {
    let health = &summary.snapshot.health;
    let percent = |share: f64| format!("{:.0} %", (share * 100.0).clamp(0.0, 100.0));
    let limit = health.open_files_limit.map(|limit| format!(" of {}", format::count(limit))).unwrap_or_default();
    let _ = write!(
        page,
        "<h2>Generator</h2>\n<p>The threads that run workers were busy {} of the time and waited for a CPU {} of it; the event \
         loop was up to {} late (p95); at most {} files were open{limit}, {} of them TCP connections.",
        percent(health.cpu()),
        percent(health.cpu_wait()),
        format::latency(health.lag.percentile(95.0)),
        format::count(health.open_files),
        format::count(health.connections),
    );
    if !health.machine.total.is_zero() {
        let (busy, stolen) = (health.machine.busy_share(), health.machine.stolen_share());
        let _ = write!(
            page,
            " The machine’s CPUs were {} busy, and the hypervisor took {}.",
            percent(busy),
            percent(stolen)
        );
    }
    if health.quota.throttled_periods > 0 {
        let share = percent(health.quota.throttled_share());
        let each = format::latency(health.quota.mean_throttled());
        let _ = write!(page, " A CPU quota was used up in {share} of its periods, for {each} each time.");
    }
    page.push_str("</p>\n");
}

#[cfg(test)]
#[path = "html_tests.rs"]
mod tests;
