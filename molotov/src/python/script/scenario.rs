//! The scenarios of a script.

use std::{rc::Rc, time::Duration};

use pyo3::prelude::*;

use super::{function::Function, sessions::Sessions};
use crate::{
    options::Delay,
    python::errors,
    registry::{Need, Origin, Runs, Scenario, Slots},
};

/// A scenario of a script.
pub(super) struct ScriptScenario {
    pub(super) name: String,
    pub(super) weight: f64,
    pub(super) delay: Delay,
    pub(super) pacing: Option<Duration>,
    /// The index of its kind of session.
    pub(super) kind: usize,
    pub(super) function: Function,
}

impl Scenario for ScriptScenario {
    fn name(&self) -> &str {
        &self.name
    }

    fn weight(&self) -> f64 {
        self.weight
    }

    fn delay(&self) -> Delay {
        self.delay
    }

    fn pacing(&self) -> Option<Duration> {
        self.pacing
    }

    fn origin(&self) -> &Origin {
        &self.function.origin
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::of::<Rc<Sessions>>(false)]
    }

    fn runs<'a>(&'a self, slots: &'a Slots) -> Runs<'a> {
        Runs::of(slots, move || async move {
            let sessions = Rc::clone(&*slots.borrow::<Rc<Sessions>>()?);
            let coroutine = Python::attach(|py| {
                let open = sessions.open.borrow();
                self.function.function.bind(py).call1((&open[self.kind],)).map(Bound::unbind)
            });
            let coroutine = coroutine.map_err(errors::failure)?;
            sessions.worker.run(slots.context(), coroutine).await.map(drop).map_err(errors::failure)
        })
    }
}
