//! The end of a run: `global_teardown`, the verdict and the summary.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use super::Coordinator;
use crate::{
    engine::{Summary, Verdict, global_fixtures, message::Message, sizing::Sizing, stop::Phase},
    format,
    metrics::Stats,
    run::{SizingResult, Totals},
};

impl Coordinator<'_> {
    /// Runs the `global_teardown` fixtures.
    pub(super) fn global_teardown(&mut self) {
        let exit = global_fixtures::tear_down(&self.plan, self.screen);
        self.exit = exit.or(self.exit);
    }

    /// Sums up the run and shows the result.
    pub(super) fn finish(mut self) -> Summary {
        // What `global_teardown` printed. The shards have ended.
        while let Ok(message) = self.inbox.receiver.try_receive() {
            match message {
                Message::Line(line) => self.screen.line(&line),
                Message::Force => self.phase = Phase::Forced,
                _ => {}
            }
        }
        let seconds = self.arriving.take();
        self.complete(seconds);
        let args = self.plan.args.clone();
        let counts = self.measures.totals();
        // A run that never started has followed no plan.
        let load_time = if self.elapsed.is_zero() { Duration::ZERO } else { self.load_time() };
        let planned_time = load_time.saturating_sub(args.warm_up);
        let stalls = std::mem::take(&mut self.stalls).finish();
        let mut summary = Summary {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            info: self.plan.info.clone(),
            verdict: Verdict::Ended,
            interrupted: self.interrupted,
            totals: Totals {
                elapsed: self.elapsed,
                paused: self.paused,
                warm_up: args.warm_up.min(self.elapsed.saturating_sub(self.paused)),
                successes: counts.ok,
                failures: counts.failed,
                interrupted: counts.interrupted,
            },
            workers: self.most_workers,
            processes: args.processes,
            load: self.plan.load.clone(),
            sizing: self.sizing.as_ref().map(|sizing| sizing.result(self.interrupted, self.most_workers)),
            thresholds: Vec::new(),
            started: self.started,
            timeline: std::mem::take(&mut self.timeline),
            members: std::mem::take(&mut self.measured),
            incomplete: std::mem::take(&mut self.incomplete),
            notes: (self.cookies.end().into_iter().chain(self.load_notes()))
                .chain(stalls.as_ref().map(ToString::to_string))
                .chain(self.plan.selection.event_loop.iter().flat_map(|one| one.notes(self.clock.epoch())))
                .chain(std::mem::take(&mut self.notes))
                .chain(self.plan.data.iter().filter_map(|source| source.note(self.clock.epoch())))
                .collect(),
            stalls,
            verbose: args.verbose,
            snapshot: std::mem::take(&mut self.measures),
            warm_up: (!args.warm_up.is_zero()).then(|| Box::new(std::mem::take(&mut self.warm_up))),
            planned_time,
        };
        // Judged even if the run never started: it met no threshold.
        // Those of a search for the capacity apply to its steps.
        if !self.sizing.as_ref().is_some_and(Sizing::is_search) {
            summary.thresholds = self.plan.args.threshold.iter().map(|threshold| threshold.judge(&summary)).collect();
        }
        let broken = summary.thresholds.iter().any(|result| !result.passed);
        summary.verdict = match self.failed.take() {
            Some(failed) => failed,
            None if self.lost.is_some() => Verdict::ProcessLost(self.lost.take().unwrap_or_default()),
            None if broken || summary.sizing.as_ref().is_some_and(SizingResult::found_nothing) => {
                Verdict::ThresholdBroken
            }
            None if args.fail.is_some_and(|limit| summary.totals.failures >= limit) => Verdict::TooManyFailures,
            None => self.exit.map_or(Verdict::Ended, Verdict::Exit),
        };
        self.screen.finish(&summary);
        self.settle();
        summary
    }

    /// Describes what the results leave out.
    fn load_notes(&self) -> Vec<String> {
        let warm_up = self.plan.args.warm_up;
        let mut notes = Vec::new();
        if !warm_up.is_zero() && self.started.is_some() {
            let length = format::elapsed(warm_up);
            let sum = |rows: &BTreeMap<Arc<str>, Stats>| rows.values().map(|stats| stats.counts.total()).sum();
            let scenarios = format::plural(self.warm_up.totals().total(), "scenario");
            let made = match sum(&self.warm_up.requests) {
                0 => scenarios,
                requests => format!("{scenarios} with {}", format::plural(requests, "request")),
            };
            notes.push(match self.elapsed.saturating_sub(self.paused) <= warm_up {
                true => format!("The run ended before its warm-up of {length} did, so it has no results."),
                false => format!("The results leave out the warm-up of {length} ({made}), which servers count."),
            });
        }
        let unstarted = self.measures.all_starts().unstarted;
        if unstarted > 0 {
            let (starts, verb) =
                (format::plural(unstarted, "planned start"), if unstarted == 1 { "was" } else { "were" });
            notes.push(format!(
                "{starts} {verb} still waiting for a worker at the end: response times are longer than shown."
            ));
        }
        notes
    }

    /// Waits until everything is written. After a force, waits only while the reader reads.
    fn settle(&mut self) {
        let mut forced = self.phase == Phase::Forced;
        let receiver = &self.inbox.receiver;
        self.screen.flush(&mut || {
            forced |=
                std::iter::from_fn(|| receiver.try_receive().ok()).any(|message| matches!(message, Message::Force));
            forced
        });
    }
}
