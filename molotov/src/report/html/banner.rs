//! The head of the page: how the run ended, what was run, and the totals.

use maud::{Markup, html};
use serde::Serialize;

use super::chart::title;
use crate::{
    format,
    report::layout::harmless,
    run::{SizingResult, Summary},
};

/// The head of the page.
#[derive(Debug, Serialize)]
pub(super) struct Banner {
    pub(super) title: String,
    /// `passed`, `broken`, `failed`, `interrupted`, `lost` or `running`.
    pub(super) state: &'static str,
    /// The state in words.
    pub(super) label: &'static str,
    pub(super) sentence: String,
    /// Names and values.
    pub(super) facts: Vec<(&'static str, String)>,
    pub(super) tiles: Vec<Tile>,
    pub(super) notes: Vec<String>,
}

/// A large number with a name.
#[derive(Debug, Serialize)]
pub(super) struct Tile {
    pub(super) class: &'static str,
    pub(super) value: String,
    pub(super) name: &'static str,
}

impl Banner {
    pub(super) fn new(summary: &Summary, running: bool) -> Banner {
        let (state, label) = if running { ("running", "Running") } else { label(summary) };
        let title = match &summary.info.program {
            program if program.is_empty() => "Load test".to_owned(),
            program => format!("Load test of {}", harmless(program)),
        };
        Banner {
            title,
            state,
            label,
            sentence: harmless(&if running { summary.standing_sentence() } else { summary.conclusion_sentence() }),
            facts: facts(summary),
            tiles: tiles(summary),
            notes: notes(summary).iter().map(|note| harmless(note)).collect(),
        }
    }

    pub(super) fn markup(&self) -> Markup {
        html! {
            header class=(format!("banner {}", self.state)) {
                h1 { (self.title) }
                p class="verdict" { b class="state" { (self.label) } " " span { (self.sentence) } }
                dl class="facts" {
                    @for (name, value) in &self.facts {
                        div { dt { (name) } dd title=[title(value)] { (value) } }
                    }
                }
            }
            section class="tiles" aria-label="Totals" {
                @for tile in &self.tiles { div { b class=(tile.class) { (tile.value) } span { (tile.name) } } }
            }
            div id="notes" { @for note in &self.notes { p class="note" { (note) } } }
        }
    }
}

/// The conclusion, and its words.
fn label(summary: &Summary) -> (&'static str, &'static str) {
    let conclusion = summary.conclusion();
    (conclusion.name(), conclusion.label())
}

fn facts(summary: &Summary) -> Vec<(&'static str, String)> {
    let (info, totals) = (&summary.info, &summary.totals);
    let mut facts = Vec::new();
    if let Some(at) = summary.started {
        facts.push(("Started", format::seconds(at).to_string().replace('T', " ").replace('Z', " UTC")));
    }
    let mut duration = format::elapsed_and_paused(totals.elapsed, totals.paused);
    if !totals.warm_up.is_zero() {
        duration += &format!(", {} of them warm-up, not counted", format::elapsed(totals.warm_up));
    }
    facts.push(("Duration", duration));
    let mut load = format::plural(summary.workers as u64, "worker");
    if summary.processes > 1 {
        load += &format!(" in {}", format::plural(summary.processes as u64, "process"));
    }
    if summary.agents() > 0 {
        load += &format!(" on {}", format::plural(summary.agents() as u64, "agent"));
    }
    facts.push(("Load", load));
    let targets: Vec<String> = summary.snapshot.targets.iter().map(|target| harmless(target)).collect();
    if !targets.is_empty() {
        facts.push(("Target", targets.join(", ")));
    }
    if let Some(command) = &info.command {
        facts.push(("Command", harmless(command)));
    } else if !info.options.is_empty() {
        let option = |(name, value): (&String, &serde_json::Value)| match value {
            serde_json::Value::String(text) => format!("{name} = {text}"),
            value => format!("{name} = {value}"),
        };
        facts.push(("Options", harmless(&info.options.iter().map(option).collect::<Vec<_>>().join(", "))));
    }
    facts.extend(info.seed.map(|seed| ("Seed", seed.to_string())));
    if !info.host.is_empty() {
        facts.push(("Host", harmless(&info.host)));
    }
    let language = if info.language.is_empty() { String::new() } else { format!(", {}", harmless(&info.language)) };
    facts.push(("Version", format!("Molotov {}{language}", summary.version)));
    facts
}

fn per_second(count: u64, summary: &Summary) -> String {
    let seconds = summary.totals.active().as_secs_f64();
    format::rate(if seconds > 0.0 { count as f64 / seconds } else { 0.0 })
}

fn tiles(summary: &Summary) -> Vec<Tile> {
    let totals = &summary.totals;
    let ended = totals.successes + totals.failures;
    let tile = |class, value, name| Tile { class, value, name };
    let mut tiles = vec![
        tile("good", format::count(totals.successes), "scenarios succeeded"),
        tile(if totals.failures > 0 { "bad" } else { "" }, format::count(totals.failures), "scenarios failed"),
        tile("", format::percent(totals.failures, ended), "failure rate"),
        tile("", per_second(ended, summary), "scenarios a second"),
    ];
    let mut requests = crate::metrics::Stats::default();
    summary.snapshot.requests.values().for_each(|stats| requests.merge(stats));
    let count = requests.counts.ok + requests.counts.failed;
    if count > 0 {
        tiles.push(tile("", per_second(count, summary), "requests a second"));
    }
    if let Some(p95) = requests.latency.percentile_if_enough(95.0) {
        tiles.push(tile("", format::latency(p95), "p95 of requests"));
    }
    if totals.interrupted > 0 {
        tiles.push(tile("odd", format::count(totals.interrupted), "interrupted by the end"));
    }
    tiles
}

fn notes(summary: &Summary) -> Vec<String> {
    let mut notes = summary.other_losses();
    notes.extend(summary.limitations());
    if let Some(sizing) = &summary.sizing {
        notes.push(match sizing {
            SizingResult::Found { workers, ratio, .. } => {
                format!("Sizing: error ratio {:.2} % obtained with {workers} workers.", ratio * 100.0)
            }
            SizingResult::NotReached { workers } => {
                format!("Sizing: failures stayed within the tolerance, with up to {workers} workers.")
            }
            SizingResult::Interrupted => "Sizing was interrupted.".to_owned(),
            SizingResult::Capacity(capacity) => format!("{capacity}."),
        });
    }
    notes
}

/// What the load generator itself needed.
pub(super) fn generator(summary: &Summary) -> String {
    let health = &summary.snapshot.health;
    let percent = |share: f64| format!("{:.0} %", (share * 100.0).clamp(0.0, 100.0));
    let limit = health.open_files_limit.map(|limit| format!(" of {}", format::count(limit))).unwrap_or_default();
    let mut text = format!(
        "The threads that run workers were busy {} of the time and waited for a CPU {} of it; the event loop was up to {} late \
         (p95); at most {} files were open{limit}, {} of them TCP connections.",
        percent(health.cpu()),
        percent(health.cpu_wait()),
        format::latency(health.lag.percentile(95.0)),
        format::count(health.open_files),
        format::count(health.connections),
    );
    if !health.machine.total.is_zero() {
        let machine = (percent(health.machine.busy_share()), percent(health.machine.stolen_share()));
        text += &format!(" The machine’s CPUs were {} busy, and the hypervisor took {}.", machine.0, machine.1);
    }
    if health.quota.throttled_periods > 0 {
        text += &format!(
            " A CPU quota was used up in {} of its periods, for {} each time.",
            percent(health.quota.throttled_share()),
            format::latency(health.quota.mean_throttled())
        );
    }
    text
}
