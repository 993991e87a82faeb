//! The run as Python code sees it: whether it stops, the control that stops it, and its final counts.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use crate::{
    data::Rows,
    engine::Control,
    run::{Line, SearchEnd, SizingResult, Summary, Verdict},
};

/// Shows a line.
type ShowLine = Box<dyn Fn(Line) + Send>;

/// Whether the run is stopping.
static STOPPING: AtomicBool = AtomicBool::new(false);
/// Whether `global_setup` runs. The console shows no lines until it ends.
static SETTING_UP: AtomicBool = AtomicBool::new(false);
/// Shows what `global_setup` prints, in a process that takes part in the run of another machine.
static SET_UP_LINES: Mutex<Option<ShowLine>> = Mutex::new(None);
static CONTROL: Mutex<Option<Control>> = Mutex::new(None);

/// Lets scripts stop the run and print to its console. `None` ends that.
pub(crate) fn set_control(control: Option<Control>) {
    *CONTROL.lock().unwrap_or_else(PoisonError::into_inner) = control;
}

/// Shows what `global_setup` prints by calling this function.
#[cfg(feature = "cluster")]
pub(crate) fn set_set_up_lines(show: ShowLine) {
    *SET_UP_LINES.lock().unwrap_or_else(PoisonError::into_inner) = Some(show);
}

/// Marks the start of a run.
pub(super) fn begin() {
    STOPPING.store(false, Ordering::Relaxed);
}

/// Marks that the run is stopping.
pub(super) fn begin_stop() {
    STOPPING.store(true, Ordering::Relaxed);
}

pub(super) fn is_stopping() -> bool {
    STOPPING.load(Ordering::Relaxed)
}

/// Stops the run.
pub(super) fn stop() {
    begin_stop();
    if let Some(control) = &*CONTROL.lock().unwrap_or_else(PoisonError::into_inner) {
        control.stop();
    }
}

/// Prints a line to the console of the run. Returns `false` if the console does not show it now.
pub(super) fn print(text: &str) -> bool {
    if SETTING_UP.load(Ordering::Relaxed) {
        let show = SET_UP_LINES.lock().unwrap_or_else(PoisonError::into_inner);
        return show.as_ref().map(|show| show(Line::print(text))).is_some();
    }
    let control = CONTROL.lock().unwrap_or_else(PoisonError::into_inner);
    control.as_ref().is_some_and(|control| control.line(Line::print(text)))
}

/// Runs a `global_setup`. Its output is shown at once.
pub(super) fn in_global_setup<T>(function: impl FnOnce() -> T) -> T {
    SETTING_UP.store(true, Ordering::Relaxed);
    let result = function();
    SETTING_UP.store(false, Ordering::Relaxed);
    result
}

/// The counts of a run, with the names of the original.
pub(super) type Counts = Vec<(&'static str, f64)>;

static COUNTS: Mutex<Counts> = Mutex::new(Vec::new());

/// Keeps the counts of a run that has ended, for the Python code that started it.
pub(crate) fn set_ended(summary: &Summary) {
    let failed = |fixture: &str| match &summary.verdict {
        Verdict::FixtureFailed(failed) => f64::from(failed.fixture == fixture),
        _ => 0.0,
    };
    let (reached, ratio, minute) = match &summary.sizing {
        Some(SizingResult::Found { ratio, minute, .. }) => (1.0, ratio * 100.0, (minute.ok, minute.failed)),
        Some(SizingResult::Capacity(capacity)) => {
            (f64::from(capacity.end == SearchEnd::Found), 0.0, (summary.totals.successes, summary.totals.failures))
        }
        _ => (0.0, 0.0, (summary.totals.successes, summary.totals.failures)),
    };
    let counts = vec![
        ("OK", summary.totals.successes as f64),
        ("FAILED", summary.totals.failures as f64),
        ("MAX_WORKERS", summary.workers as f64),
        ("PROCESS", summary.processes as f64),
        ("WORKER", 0.0),
        ("REACHED", reached),
        ("RATIO", ratio),
        ("MINUTE_OK", minute.0 as f64),
        ("MINUTE_FAILED", minute.1 as f64),
        ("SETUP_FAILED", failed("setup")),
        ("SESSION_SETUP_FAILED", failed("setup_session")),
    ];
    *COUNTS.lock().unwrap_or_else(PoisonError::into_inner) = counts;
}

/// Removes the counts of the last run, and returns them. Empty if there was no run.
pub(super) fn take_counts() -> Counts {
    std::mem::take(&mut *COUNTS.lock().unwrap_or_else(PoisonError::into_inner))
}

/// The data files that scripts have opened, for the notes at the end of the run.
static DATA: Mutex<Vec<Arc<Rows>>> = Mutex::new(Vec::new());

/// Keeps a data file that a script has opened.
pub(super) fn opened(rows: Arc<Rows>) {
    DATA.lock().unwrap_or_else(PoisonError::into_inner).push(rows);
}

/// The notes about rows that have run out in a run that began at `start`.
pub(super) fn notes(start: Instant) -> Vec<String> {
    DATA.lock().unwrap_or_else(PoisonError::into_inner).iter().filter_map(|rows| rows.note(start)).collect()
}
