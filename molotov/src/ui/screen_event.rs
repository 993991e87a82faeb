//! The events that a screen on its own thread receives.

use crate::{
    format,
    metrics::Snapshot,
    queue::Item,
    run::{Line, MemberLabel, Progress, Summary},
};

/// A call of a method of [`Screen`](super::Screen), as data.
#[derive(Debug)]
pub(super) enum ScreenEvent {
    /// A line to show.
    Line(Line),
    /// Measures since the previous ones. In a run with several members, they are those of the named member.
    Measures(Option<MemberLabel>, Box<Snapshot>),
    /// The number of workers that a member runs now.
    Workers(MemberLabel, usize),
    /// The progress of the run.
    Progress(Progress),
    /// The run has ended with this summary.
    Finish(Box<Summary>),
    /// The run was abandoned.
    End,
}

impl Item for ScreenEvent {
    fn droppable(&self) -> Option<usize> {
        if let ScreenEvent::Line(line) = self { Some(line.memory()) } else { None }
    }

    fn dropped(count: u64) -> ScreenEvent {
        ScreenEvent::Line(Line::info(format!("... and {}", format::plural(count, "more line"))))
    }

    fn merge(&mut self, newer: ScreenEvent, exact: bool) -> Option<ScreenEvent> {
        match (self, newer) {
            (ScreenEvent::Measures(member, measures), ScreenEvent::Measures(newer_member, newer))
                if *member == newer_member && measures.belongs_with(&newer, exact) =>
            {
                measures.merge(&newer);
            }
            (ScreenEvent::Workers(member, running), ScreenEvent::Workers(newer_member, newer))
                if *member == newer_member =>
            {
                *running = newer;
            }
            (ScreenEvent::Progress(progress), ScreenEvent::Progress(newer)) => *progress = newer,
            (_, newer) => return Some(newer),
        }
        None
    }
}
