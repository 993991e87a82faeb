//! The rows of events in the results: the time to the first event, and the time between events.

use std::{
    rc::Rc,
    time::{Duration, Instant},
};

use crate::{
    metrics::{Outcome, SEPARATOR},
    session::{Observer, measure::Measure},
};

/// When a request was sent, and the names of its row.
#[derive(Clone)]
pub(crate) struct Sent {
    pub(crate) started: Instant,
    /// `None` outside a run.
    name: Option<Rc<str>>,
    group: Option<Rc<str>>,
}

impl Sent {
    pub(crate) fn new(started: Instant, measure: Option<&Measure>) -> Sent {
        match measure {
            None => Sent { started, name: None, group: None },
            Some(measure) => {
                let (group, name) = measure.row();
                Sent { started: measure.started(), name: Some(name.clone()), group: group.cloned() }
            }
        }
    }
}

/// Records the events of a stream as steps.
pub(super) struct Rows {
    observer: Rc<dyn Observer>,
    first: String,
    between: String,
}

impl Rows {
    pub(super) fn new(observer: Rc<dyn Observer>, sent: &Sent) -> Option<Rows> {
        let name = sent.name.as_deref()?;
        let path = match &sent.group {
            Some(group) => format!("{group}{SEPARATOR}{name}"),
            None => name.to_owned(),
        };
        Some(Rows { observer, first: format!("{path} first event"), between: format!("{path} between events") })
    }

    /// Records the first event, which arrived this long after the start of the request.
    pub(super) fn first(&self, since_start: Duration) {
        self.observer.step(&self.first, Outcome::Ok, since_start);
    }

    /// Records an event that arrived this long after the one before.
    pub(super) fn next(&self, since_last: Duration) {
        self.observer.step(&self.between, Outcome::Ok, since_last);
    }
}
