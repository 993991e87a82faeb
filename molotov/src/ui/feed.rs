//! What a screen on a thread of its own is fed with.

use std::sync::Arc;

use crate::{
    format,
    metrics::Snapshot,
    queue::Item,
    run::{Line, Progress, Summary},
};

/// What a screen receives.
#[derive(Debug)]
pub(super) enum Feed {
    /// Something to show.
    Line(Line),
    /// Measures since the last ones, of a member of the run where there are several.
    #[cfg_attr(not(feature = "dashboard"), allow(dead_code, reason = "only the feature `dashboard` uses it"))]
    Measures(Option<Arc<str>>, Box<Snapshot>),
    /// How far the run is.
    Progress(Progress),
    /// The run is over, and this is what it came to.
    Finish(Box<Summary>),
    /// The run was left in the middle.
    End,
}

impl Item for Feed {
    fn droppable(&self) -> Option<usize> {
        if let Feed::Line(line) = self { Some(line.memory()) } else { None }
    }

    fn dropped(count: u64) -> Feed {
        Feed::Line(Line::info(format!("... and {}", format::plural(count, "more line"))))
    }

    fn merge(&mut self, newer: Feed, exact: bool) -> Option<Feed> {
        match (self, newer) {
            (Feed::Measures(member, measures), Feed::Measures(of, newer))
                if *member == of && (!exact || measures.is_of_the_second_of(&newer)) =>
            {
                measures.merge(&newer);
            }
            (Feed::Progress(progress), Feed::Progress(newer)) => *progress = newer,
            (_, newer) => return Some(newer),
        }
        None
    }
}
