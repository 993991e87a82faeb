//! Messages to the coordinator: control from outside, which is urgent, and telemetry from members, which is bounded.

use super::update::{Command, MemberId, Update};
use crate::{format, queue::Item, run::Line};

/// A message to the coordinator.
#[derive(Debug)]
pub(crate) enum Message {
    /// An update of a member.
    Update(MemberId, Update),
    /// A line of the listeners of the run.
    Line(Line),
    /// A command of the coordinator, in a process that takes part in its run.
    Command(Command),
    /// Pause or resume the workers.
    Pause(bool),
    /// Add a tenth of the workers, or remove it.
    ChangeWorkers(bool),
    /// Stop, as the first Ctrl-C does.
    Stop,
    /// Force the run down, as the second Ctrl-C does.
    Force,
}

impl Item for Message {
    fn is_urgent(&self) -> bool {
        matches!(
            self,
            Message::Command(_) | Message::Pause(_) | Message::ChangeWorkers(_) | Message::Stop | Message::Force
        )
    }

    fn droppable(&self) -> Option<usize> {
        match self {
            Message::Line(line) => Some(line.memory()),
            Message::Update(_, update) => update.droppable(),
            _ => None,
        }
    }

    fn dropped(count: u64) -> Message {
        Message::Line(more_lines(count))
    }

    fn merge(&mut self, newer: Message, exact: bool) -> Option<Message> {
        match (self, newer) {
            (Message::Update(member, update), Message::Update(of, newer)) if *member == of => {
                update.merge(newer, exact).map(|newer| Message::Update(of, newer))
            }
            (_, newer) => Some(newer),
        }
    }
}

/// In a child, updates wait in a queue for the link to the parent.
impl Item for Update {
    fn droppable(&self) -> Option<usize> {
        if let Update::Line(line) = self { Some(line.memory()) } else { None }
    }

    fn dropped(count: u64) -> Update {
        Update::Line(more_lines(count))
    }

    fn merge(&mut self, newer: Update, exact: bool) -> Option<Update> {
        match (self, newer) {
            // The timeline needs each second apart.
            (Update::Measures(measures), Update::Measures(newer)) if measures.belongs_with(&newer, exact) => {
                measures.merge(&newer);
            }
            (Update::Bins(bins), Update::Bins(newer)) => bins.merge(&newer),
            (update @ Update::Workers { .. }, newer @ Update::Workers { .. }) => *update = newer,
            // The older time stays, because measures after it are still in the queue.
            (Update::Reported(_), Update::Reported(_)) => {}
            (_, newer) => return Some(newer),
        }
        None
    }
}

/// The line that replaces dropped ones.
fn more_lines(count: u64) -> Line {
    Line::info(format!("... and {}", format::plural(count, "more line")))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::metrics::Snapshot;

    #[test]
    fn keeps_measures_of_different_seconds_apart() {
        let until = |millis| {
            let measures = Snapshot { until: Duration::from_millis(millis), ..Snapshot::default() };
            Update::Measures(Box::new(measures))
        };
        let mut waiting = until(1_200);
        assert!(waiting.merge(until(2_000), true).is_none());
        assert!(waiting.merge(until(2_200), true).is_some());
        let Update::Measures(measures) = waiting else { unreachable!("it was made above") };
        assert_eq!(measures.until, Duration::from_secs(2));
        assert!(Update::Measures(measures).merge(until(2_200), false).is_none(), "when too many are waiting");
    }

    #[test]
    fn keeps_measures_of_the_warm_up_apart() {
        let measures = |warm_up| Update::Measures(Box::new(Snapshot { warm_up, ..Snapshot::default() }));
        for exact in [true, false] {
            assert!(measures(true).merge(measures(true), exact).is_none());
            assert!(measures(true).merge(measures(false), exact).is_some());
            assert!(measures(false).merge(measures(true), exact).is_some());
        }
    }
}
