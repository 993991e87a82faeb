//! The report as an HTML page that needs no network.
//!
//! The page is complete without scripts. Its script draws it again from the [data](Page), which the page contains: with a
//! crosshair, a range of time, sorting, and charts for each row. [`live_page`] and [`page_data`] show a run that is not over: they
//! send new data to the script.

mod axis;
mod banner;
mod chart;
mod courses;
mod data;
mod distribution;
mod errors;
mod rows;
mod series;
mod table;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use self::data::Page;
use crate::run::Summary;

const STYLE: &str = include_str!("html/page.css");
/// The parts of the script share one scope.
const SCRIPT: &str = concat!(
    "\"use strict\";\n(() => {\n",
    include_str!("html/script/format.js"),
    include_str!("html/script/data.js"),
    include_str!("html/script/chart.js"),
    include_str!("html/script/charts.js"),
    include_str!("html/script/tables.js"),
    include_str!("html/script/page.js"),
    "})();\n",
);

/// Formats a run as an HTML page.
pub fn html(summary: &Summary) -> String {
    document(summary, None)
}

/// Formats a run that is not over as an HTML page. `script` is added to it. It may connect to its own origin, and call
/// `molotov.update(data)` with parsed [`page_data`]. A policy can allow the style and the scripts by their `nonce`.
#[cfg_attr(not(feature = "web"), allow(dead_code, reason = "only the live page uses it"))]
pub(crate) fn live_page(summary: &Summary, script: &str, nonce: &str) -> String {
    document(summary, Some(Live { script, nonce }))
}

/// What a page of a run that is not over has beside the others.
struct Live<'a> {
    script: &'a str,
    nonce: &'a str,
}

/// Returns the data of the page as JSON. `running` says whether the run is not over.
#[cfg_attr(not(feature = "web"), allow(dead_code, reason = "only the live page uses it"))]
pub(crate) fn page_data(summary: &Summary, running: bool) -> String {
    Page::new(summary, running).json()
}

fn document(summary: &Summary, live: Option<Live<'_>>) -> String {
    let page = Page::new(summary, live.is_some());
    let nonce = live.as_ref().map(|live| live.nonce);
    let policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'";
    let policy = if live.is_some() { format!("{policy}; connect-src 'self'") } else { policy.to_owned() };
    let document = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content=(policy);
                title { (page.banner.title) ": " (page.banner.label) }
                // The style, the scripts and the data are the only texts that are not escaped.
                style nonce=[nonce] { (PreEscaped(STYLE)) }
            }
            body {
                main id="page" { (contents(&page, summary)) }
                script type="application/json" id="data" { (PreEscaped(page.packed())) }
                script nonce=[nonce] { (PreEscaped(SCRIPT)) }
                @if let Some(live) = &live { script nonce=[nonce] { (PreEscaped(live.script)) } }
            }
        }
    };
    document.into_string() + "\n"
}

/// The page without scripts.
fn contents(page: &Page, summary: &Summary) -> Markup {
    let courses = summary.timeline.courses();
    html! {
        (page.banner.markup())
        @for table in &page.tables { (table.markup()) }
        @if !page.charts.is_empty() {
            section id="charts" {
                h2 { "Over time" }
                div class="charts" {
                    @for chart in &page.charts { (chart::figure(chart, page.axis(chart), page.warm_up)) }
                    (distribution::figures(summary, &page.bins, page.warm_up))
                }
            }
        }
        @for group in &page.groups {
            @let courses = match group.id {
                "scenarios" => courses.scenarios(),
                "requests" => courses.requests(),
                _ => courses.steps(),
            };
            (group.markup(courses, &page.bins, page.seconds))
        }
        @for table in &page.custom { (table.markup()) }
        (errors::markup(&page.errors, &page.bins))
        section id="generator" { h2 { "Generator" } p { (page.generator) } }
    }
}

#[cfg(test)]
#[path = "html_tests.rs"]
mod tests;
