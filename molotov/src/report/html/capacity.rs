//! The steps of a search for the capacity.

use maud::{Markup, html};

use super::table;
use crate::{
    format,
    report::layout::harmless,
    run::{SizingResult, StepVerdict, Summary},
};

/// A table of the steps; nothing if the run was not a search.
pub(super) fn steps(summary: &Summary) -> Markup {
    let Some(SizingResult::Capacity(capacity)) = &summary.sizing else { return Markup::default() };
    let Some(first) = capacity.steps.first() else { return Markup::default() };
    let conditions: Vec<String> = first.conditions.iter().map(|condition| harmless(&condition.expression)).collect();
    let heads = ["Load", "Time", "Ended /s"].into_iter().chain(conditions.iter().map(String::as_str));
    let heads: Vec<&str> = heads.chain(["Outcome"]).collect();
    let rows = html! {
        @for step in &capacity.steps {
            tr {
                th scope="row" { (capacity.unit.format(step.load)) }
                td { (format::elapsed(step.time)) }
                td { (format::rate(step.ended)) }
                @for condition in &step.conditions { td { (condition.actual.as_deref().map_or("–".to_owned(), harmless)) } }
                td class=[class(step.verdict)] { (step.verdict.name()) }
            }
        }
    };
    table("Capacity", &heads, &rows)
}

fn class(verdict: StepVerdict) -> Option<&'static str> {
    match verdict {
        StepVerdict::Met => Some("good"),
        StepVerdict::Broken => Some("bad"),
        StepVerdict::Unclear | StepVerdict::Limited => None,
    }
}
