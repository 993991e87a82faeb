//! The fixtures of a script, and its function that picks scenarios.

use std::{collections::HashMap, io::Write, rc::Rc};

use futures_util::future::LocalBoxFuture;
use pyo3::{prelude::*, types::PyDict};

use super::{
    function::Function,
    sessions::{Sessions, for_each_session},
};
use crate::{
    Failure, Result,
    options::{Args, StepId},
    python::{
        errors, event_loop, interrupts, module, options, run_state,
        worker::{Worker, as_worker},
    },
    registry::{GlobalSetup, GlobalTeardown, Need, Origin, Picker, Setup, SetupSession, Slots, Teardown},
    session::{Context, SessionOptions},
    vars::Scope,
};

/// `global_setup` or `global_teardown`.
pub(super) struct GlobalFixture(pub(super) Function);

impl GlobalFixture {
    /// The failure for an exception. Writes the message of `sys.exit()` to standard error, as Python does.
    fn failure(error: PyErr) -> Failure {
        if let Some((_, Some(message))) = Python::attach(|py| errors::exit(py, &error)) {
            let _ = writeln!(std::io::stderr().lock(), "{message}");
        }
        errors::failure(error)
    }
}

impl GlobalSetup for GlobalFixture {
    fn origin(&self) -> &Origin {
        &self.0.origin
    }

    fn run(&self, args: &mut Args) -> Result {
        run_global_setup(args, |py, namespace| self.0.function.bind(py).call1((namespace,)).map(drop))
    }
}

/// Calls a `global_setup` with the options, which it may change.
fn run_global_setup(args: &mut Args, call: impl FnOnce(Python<'_>, &Bound<'_, PyAny>) -> PyResult<()>) -> Result {
    Python::attach(|py| {
        let namespace = options::args(py).into_bound(py);
        let before = options::ArgsSnapshot::new(&namespace)?;
        let call = || run_state::in_global_setup(|| call(py, &namespace));
        match interrupts::fixture(py, call)? {
            (Err(error), Some(signal)) => {
                // Nothing has run, so the program exits as if the signal had ended it.
                let code = u8::try_from(128 + signal).ok();
                Ok(Err(errors::failure(error).by_interruption().with_exit(code)))
            }
            (ended, _) => ended.and_then(|()| before.apply_changes(&namespace, args)).map(Ok),
        }
    })
    .unwrap_or_else(|error| Err(GlobalFixture::failure(error)))
}

/// A `global_setup` that runs once for all machines.
pub(super) struct OnceFixture(pub(super) Function);

impl GlobalSetup for OnceFixture {
    fn origin(&self) -> &Origin {
        &self.0.origin
    }

    fn runs_once(&self) -> bool {
        true
    }

    fn run(&self, args: &mut Args) -> Result {
        run_global_setup(args, |py, namespace| {
            let variables = module(py, "util")?.call_method1("_call_once", (self.0.function.bind(py), namespace))?;
            let scope = Scope::current();
            for (name, value) in variables.extract::<HashMap<String, String>>()? {
                scope.share(&name, value);
            }
            Ok(())
        })
    }

    fn adopt_variables(&self) -> Result {
        let variables: HashMap<_, _> = Scope::current().shared().into_iter().collect();
        let adopted = Python::attach(|py| module(py, "util")?.call_method1("_adopt", (variables,)).map(drop));
        adopted.map_err(GlobalFixture::failure)
    }
}

impl GlobalTeardown for GlobalFixture {
    fn origin(&self) -> &Origin {
        &self.0.origin
    }

    fn run(&self, _args: &Args) -> Result {
        Python::attach(|py| {
            // In the parent of several processes, no worker has marked this.
            run_state::begin_stop();
            let call = || {
                event_loop::catch_up(py)?;
                self.0.function.bind(py).call0().map(drop)
            };
            match interrupts::fixture(py, call)? {
                (Err(error), Some(_)) => Ok(Err(errors::failure(error).by_interruption())),
                (ended, _) => ended.map(Ok),
            }
        })
        .unwrap_or_else(|error| Err(GlobalFixture::failure(error)))
    }
}

/// `setup`.
pub(super) struct SetupFixture(pub(super) Function);

impl Setup for SetupFixture {
    fn origin(&self) -> &Origin {
        &self.0.origin
    }

    fn run<'a>(&'a self, context: &'a Context) -> LocalBoxFuture<'a, Result<Option<SessionOptions>>> {
        Box::pin(async move {
            let worker = Worker::of(context).await.map_err(errors::failure)?;
            let returned = self
                .0
                .run(context, &worker, |py| Ok((context.worker_id().0, options::args(py)).into_pyobject(py)?.unbind()))
                .await?;
            Python::attach(|py| {
                let returned = returned.bind(py);
                if returned.is_none() {
                    return Ok(None);
                }
                let Ok(options) = returned.cast::<PyDict>() else {
                    let kind = returned.get_type();
                    return Err(Failure::msg(format!("`setup` must return a dict of session options, not {kind}")));
                };
                let split =
                    module(py, "_sessions").and_then(|sessions| sessions.call_method1("split_options", (options,)));
                let (http, kinds): (Bound<'_, PyDict>, Bound<'_, PyDict>) =
                    split.and_then(|split| split.extract()).map_err(errors::failure)?;
                *worker.options.borrow_mut() = Some(http.unbind());
                *worker.kind_options.borrow_mut() = Some(kinds.unbind());
                Ok(None)
            })
        })
    }
}

/// `setup_session`.
pub(super) struct SetupSessionFixture(pub(super) Function);

impl SetupSession for SetupSessionFixture {
    fn origin(&self) -> &Origin {
        &self.0.origin
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::of::<Rc<Sessions>>(false)]
    }

    fn run<'a>(&'a self, slots: &'a Slots) -> LocalBoxFuture<'a, Result> {
        Box::pin(async move { for_each_session(&self.0, slots).await })
    }
}

/// `teardown`.
pub(super) struct TeardownFixture(pub(super) Function);

impl Teardown for TeardownFixture {
    fn origin(&self) -> &Origin {
        &self.0.origin
    }

    fn run(&self, context: &Context) -> Result {
        let id = context.worker_id().0;
        Python::attach(|py| as_worker(context, || self.0.function.bind(py).call1((id,)).map(drop)))
            .map_err(errors::failure)
    }
}

/// `scenario_picker`.
pub(super) struct ScriptPicker(pub(super) Function);

impl Picker for ScriptPicker {
    fn origin(&self) -> &Origin {
        &self.0.origin
    }

    fn pick(&self, context: &Context, step: StepId) -> Result<String> {
        let arguments = (context.worker_id().0, step.0);
        Python::attach(|py| as_worker(context, || self.0.function.bind(py).call1(arguments))?.extract())
            .map_err(errors::failure)
    }
}
