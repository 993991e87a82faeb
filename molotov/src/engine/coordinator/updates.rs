//! Updates of members, as the coordinator handles them.

use std::time::Duration;

use super::Coordinator;
use crate::{
    engine::{
        Verdict,
        stop::Phase,
        update::{Command, MemberId, Update},
    },
    format,
    metrics::{Counts, Snapshot, Starts},
    options::OnLost,
    run::{Incomplete, Line, MemberLabel, MemberSummary},
};

impl Coordinator<'_> {
    /// Handles an update of a member.
    pub(super) fn update(&mut self, id: MemberId, update: Update) {
        let Some(member) = self.members.get_mut(id) else { return };
        let was_done = member.is_done();
        if !member.record(&update) {
            return;
        }
        match update {
            Update::Line(line) => self.screen.line(&match member.label() {
                // What its coordinator says about it names it.
                Some(agent) if agent.is_agent() && !line.text.contains(&member.name()) => line.by_member(&agent),
                _ => line,
            }),
            Update::Measures(mut measures) => {
                let label = member.label();
                // The numbers of threads are unique on one machine only.
                if label.as_ref().is_some_and(MemberLabel::is_agent) {
                    measures.health.threads.clear();
                }
                self.measured(label.as_ref(), *measures);
            }
            Update::Bins(bins) => self.stalls.add(&bins),
            Update::Abandoned => {
                self.incomplete.push(member.incomplete());
                self.gave_up = true;
            }
            Update::Incomplete(incomplete) => {
                let agent = member.incomplete().agent;
                self.incomplete.push(Incomplete { agent, ..incomplete });
            }
            Update::Missing { updates } => {
                let (text, incomplete) = (member.missing(updates), member.incomplete());
                self.screen.line(&Line::warning(text));
                self.incomplete.push(incomplete);
            }
            Update::Lost(mut how) => {
                if !was_done {
                    // The run waits for a member that is cut off after its work was done.
                    let waited = member.is_cut_off();
                    let incomplete = member.incomplete();
                    how = format!("{how}; its counts are incomplete since {}", format::elapsed(incomplete.since));
                    let ended = if waited { incomplete.since } else { self.clock.real() };
                    self.incomplete.push(incomplete);
                    self.work_ended(ended, self.clock.paused());
                }
                self.screen.line(&Line::failure(how.clone()));
                self.lost.get_or_insert(how);
                self.one_fewer();
            }
            Update::Left(how) => {
                self.screen.line(&Line::warning(how.clone()));
                if self.plan.args.on_lost == OnLost::Stop && self.phase == Phase::Running {
                    self.lost.get_or_insert(how);
                } else {
                    self.notes.push(how);
                }
                self.one_fewer();
            }
            Update::LostPart { mut how, incomplete } => {
                if let Some(incomplete) = incomplete {
                    how = format!("{how}; its counts are incomplete since {}", format::elapsed(incomplete.since));
                    self.incomplete.push(Incomplete { agent: member.incomplete().agent, ..incomplete });
                }
                let line = Line::failure(how.clone());
                let label = member.label();
                self.screen.line(&label.as_ref().map_or(line.clone(), |label| line.by_member(label)));
                // The line has the name of the agent in front of it.
                self.lost.get_or_insert(match label {
                    Some(agent) if agent.is_agent() => format!("on the {agent}, {how}"),
                    _ => how,
                });
            }
            Update::Note(note) => {
                let note = match member.label() {
                    Some(label) if label.is_agent() => format!("{}: {note}", capitalized(&label.to_string())),
                    _ => note,
                };
                self.notes.push(note);
            }
            Update::Exit(code) => self.exit = self.exit.or(Some(code)),
            Update::StopOnFailure => self.raise(Phase::Stopping),
            Update::RowsRanOut { stream } => {
                if self.ended_streams.insert(stream) {
                    self.members.send(Command::EndStream(stream));
                }
            }
            Update::FixtureFailed(failed) => {
                self.failed.get_or_insert(Verdict::FixtureFailed(failed));
                self.raise(Phase::Stopping);
            }
            Update::SystemFailed(why) => self.system_failed(why),
            Update::CookieDropped(dropped) => {
                if let Some(text) = self.cookies.update(dropped) {
                    self.screen.line(&Line::warning(text));
                }
            }
            Update::Done { elapsed, paused } => {
                tracing::debug!(member = member.name(), ?elapsed, "a member has ended");
                self.work_ended(elapsed, paused);
            }
            Update::Workers { running, most } => {
                if let Some(label) = member.label() {
                    MemberSummary::of(&mut self.measured, &label).ran(most);
                    self.screen.workers(&label, running);
                }
            }
            Update::Began { .. } | Update::Reported(_) | Update::Idle(_) | Update::Closed => {}
        }
        self.finish_idle();
    }

    /// Ends members that wait without workers once no other member has any.
    pub(super) fn finish_idle(&mut self) {
        if !self.finishing && self.members.are_idle() {
            self.finishing = true;
            self.members.send(Command::Finish);
        }
    }

    /// Stops a run on several machines that has lost one, unless it continues without it.
    fn one_fewer(&mut self) {
        if self.agents.is_some() && self.plan.args.on_lost == OnLost::Stop {
            self.raise(Phase::Stopping);
        }
    }

    /// Notes when the work of a member was done.
    fn work_ended(&mut self, elapsed: Duration, paused: Duration) {
        if elapsed >= self.elapsed {
            (self.elapsed, self.paused) = (elapsed, paused);
        }
    }

    /// Adds measures to the screen, and keeps them for the totals and the timeline.
    pub(super) fn measured(&mut self, member: Option<&MemberLabel>, measures: Snapshot) {
        self.screen.measures(member, &measures);
        if let Some(label) = member {
            MemberSummary::of(&mut self.measured, label).add(&measures);
        }
        if let Some(sizing) = &mut self.sizing {
            sizing.measured(&measures);
        }
        self.arriving.add(measures);
    }

    /// Adds the measures of seconds to the totals and the timeline.
    pub(super) fn complete(&mut self, seconds: Vec<Snapshot>) {
        for measures in seconds {
            self.timeline.add(&measures);
            match measures.warm_up {
                true => self.warm_up.merge(&measures),
                false => self.measures.merge(&measures),
            }
        }
    }

    /// Returns the counts of scenarios after the warm-up, and of those in it.
    pub(super) fn counts(&self) -> (Counts, Counts) {
        let (mut counts, mut warm_up) = (self.measures.totals(), self.warm_up.totals());
        counts.merge(&self.arriving.totals(false));
        warm_up.merge(&self.arriving.totals(true));
        (counts, warm_up)
    }

    /// Returns the starts at all rates after the warm-up, and those in it.
    pub(super) fn starts(&self) -> (Starts, Starts) {
        let (mut starts, mut warm_up) = (self.measures.all_starts(), self.warm_up.all_starts());
        starts.merge(&self.arriving.all_starts(false));
        warm_up.merge(&self.arriving.all_starts(true));
        (starts, warm_up)
    }
}

/// The same text with a capital letter at its begin.
fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
