//! Steps that asyncio takes in its next turn, where a script runs the loop inside itself.

use std::rc::Rc;

use pyo3::prelude::*;

use super::Worker;
use crate::{
    python::{
        coroutine::{Step, step},
        gil_cell::GilCell,
    },
    session::Context,
};

/// A step of a worker's coroutine that asyncio takes. The runtime must not run meanwhile: the script may run the loop inside the
/// step.
#[pyclass(frozen)]
pub(super) struct ScheduledStep(GilCell<StepState>);

enum StepState {
    Planned(NextStep),
    /// The coroutine is running, or the worker has cancelled the step.
    Taken,
    Yielded(Py<PyAny>),
    Returned(Py<PyAny>),
    Raised(PyErr),
}

pub(super) struct NextStep {
    pub(super) worker: Rc<Worker>,
    pub(super) context: Context,
    pub(super) coroutine: Py<PyAny>,
    pub(super) thrown: Option<PyErr>,
}

#[pymethods]
impl ScheduledStep {
    fn __call__(&self, py: Python<'_>) {
        let StepState::Planned(next) = self.0.replace(py, StepState::Taken) else { return };
        let NextStep { worker, context, coroutine, thrown } = next;
        let stepped = worker.inside(&context, py, || step(coroutine.bind(py), thrown));
        let outcome = match stepped.unwrap_or_else(Step::Raised) {
            Step::Yielded(value) => StepState::Yielded(value.unbind()),
            Step::Returned(value) => StepState::Returned(value.unbind()),
            Step::Raised(error) => StepState::Raised(error),
        };
        self.0.replace(py, outcome);
        let waker = worker.parked.bind(py).get().0.borrow_mut(py).waker.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl ScheduledStep {
    pub(super) fn new(step: NextStep) -> ScheduledStep {
        ScheduledStep(GilCell::new(StepState::Planned(step)))
    }

    /// Drops what is left of the step.
    pub(super) fn cancel(&self, py: Python<'_>) {
        drop(self.0.replace(py, StepState::Taken));
    }

    /// The outcome, once the step is taken.
    pub(super) fn outcome<'py>(&self, py: Python<'py>) -> Option<Step<'py>> {
        if matches!(*self.0.borrow(py), StepState::Planned(_) | StepState::Taken) {
            return None;
        }
        match self.0.replace(py, StepState::Taken) {
            StepState::Planned(_) | StepState::Taken => None,
            StepState::Yielded(value) => Some(Step::Yielded(value.into_bound(py))),
            StepState::Returned(value) => Some(Step::Returned(value.into_bound(py))),
            StepState::Raised(error) => Some(Step::Raised(error)),
        }
    }
}
