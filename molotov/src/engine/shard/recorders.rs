//! The recorders of a shard. What starts in the warm-up is recorded apart.

use std::{cell::Cell, time::Duration};

use crate::metrics::{Limits, Recorder, Snapshot};

/// Records what the workers of a shard do, by when it started.
#[derive(Clone)]
pub(in crate::engine) struct Recorders {
    run: Recorder,
    warm_up: Option<WarmUp>,
}

#[derive(Clone)]
struct WarmUp {
    recorder: Recorder,
    /// When it ends, on the run's clock.
    end: Duration,
    /// The time of the last report.
    reported: Cell<Duration>,
}

impl Recorders {
    /// Returns empty recorders. `register` adds the names whose numbers are valid in both.
    pub(in crate::engine) fn new<T>(
        limits: Limits,
        warm_up: Duration,
        register: impl FnOnce(&Recorder) -> T,
    ) -> (Recorders, T) {
        let run = Recorder::new(limits);
        let registered = register(&run);
        let warm_up = (!warm_up.is_zero()).then(|| WarmUp {
            recorder: run.with_the_same_names(),
            end: warm_up,
            reported: Cell::default(),
        });
        (Recorders { run, warm_up }, registered)
    }

    /// Returns the recorder of what started at this time on the run's clock.
    #[inline]
    pub(in crate::engine) fn at(&self, start: Duration) -> &Recorder {
        match &self.warm_up {
            Some(warm_up) if start < warm_up.end => &warm_up.recorder,
            _ => &self.run,
        }
    }

    /// Returns the recorder of the run, which also records the state of the thread.
    pub(in crate::engine) fn run(&self) -> &Recorder {
        &self.run
    }

    /// Returns everything recorded since the last call. `now` is the time on the run's clock.
    pub(super) fn take(&self, now: Duration) -> Vec<Snapshot> {
        let mut run = self.run.take();
        let Some(warm_up) = &self.warm_up else { return vec![run] };
        let mut before = Snapshot { warm_up: true, ..warm_up.recorder.take() };
        // The state of the thread belongs to the warm-up up to the first report after its end.
        if warm_up.reported.replace(now) < warm_up.end {
            before.health = std::mem::take(&mut run.health);
            if run.is_empty() {
                return vec![before];
            }
        }
        if before.is_empty() { vec![run] } else { vec![before, run] }
    }
}
