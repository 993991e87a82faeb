//! The errors of the page, grouped, with samples and their course.

use std::cmp::Reverse;

use maud::{Markup, html};
use serde::Serialize;

use super::{
    axis::Axis,
    chart::{merged, sparkline, title},
    courses,
};
use crate::{
    format,
    report::layout::{harmless, harmless_lines},
    run::{ErrorKey, Summary},
};

/// A group of errors.
#[derive(Debug, Serialize)]
pub(super) struct ErrorRow {
    count: u64,
    kind: String,
    scenario: String,
    place: Option<String>,
    message: String,
    detail: Option<String>,
    first: String,
    last: String,
    /// How many in each bin, packed like [`Course`](super::courses::Course).
    course: String,
    #[serde(skip)]
    counts: Vec<u64>,
}

/// The groups, the most frequent first.
pub(super) fn errors(summary: &Summary, bins: &Axis) -> Vec<ErrorRow> {
    let mut groups: Vec<_> = summary.snapshot.errors.iter().collect();
    groups.sort_by_key(|group| Reverse(group.count));
    let courses = summary.timeline.courses().errors();
    let lines = |text: &str| harmless_lines(text).collect::<Vec<_>>().join("\n");
    groups
        .into_iter()
        .map(|group| {
            let counts = courses.get(&ErrorKey::of(group)).cloned().unwrap_or_default();
            ErrorRow {
                count: group.count,
                kind: harmless(&group.kind),
                scenario: harmless(&group.scenario),
                place: group.place.as_deref().map(harmless),
                message: lines(&group.message),
                detail: group.detail.as_deref().map(lines),
                first: format::seconds(group.first).to_string(),
                last: format::seconds(group.last).to_string(),
                course: courses::packed(&merged(&counts, bins)),
                counts,
            }
        })
        .collect()
}

pub(super) fn markup(errors: &[ErrorRow], bins: &Axis) -> Markup {
    if errors.is_empty() {
        return Markup::default();
    }
    html! {
        section id="errors" {
            h2 { "Errors" }
            @for error in errors {
                details {
                    summary {
                        b class="bad" { (format::count(error.count)) " ×" }
                        " " span class="kind" title=[title(&error.kind)] { (error.kind) } " "
                        span class="soft" {
                            "in " (error.scenario)
                            @if let Some(place) = &error.place { " at " (place) }
                        }
                        @if !error.counts.is_empty() {
                            " " (sparkline(&[], &error.counts, bins))
                        }
                    }
                    pre { (error.message) }
                    @if let Some(detail) = &error.detail { pre class="soft" { (detail) } }
                    p class="soft" { "first " (error.first) ", last " (error.last) }
                }
            }
        }
    }
}
