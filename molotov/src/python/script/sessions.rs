//! Opens and closes the sessions of a worker.

use std::{
    any::{Any, TypeId},
    cell::RefCell,
    rc::Rc,
};

use futures_util::future::LocalBoxFuture;
use pyo3::{intern, prelude::*, types::PyDict};

use super::function::Function;
use crate::{
    Result,
    python::{
        context::WorkerContext,
        errors, event_loop, module,
        session::{self as script_session, options_from_dict},
        worker::Worker,
    },
    registry::{Need, Origin, SessionFactory, Slots, TeardownSession},
    session::{self, Context},
};

/// A kind of session that scenarios use.
pub(super) struct SessionKind {
    pub(super) name: String,
    /// The arguments for the function that makes the session.
    pub(super) keywords: Py<PyDict>,
}

/// A worker's sessions, one for each kind that scenarios use.
pub(super) struct Sessions {
    pub(super) worker: Rc<Worker>,
    context: Context,
    pub(super) open: RefCell<Vec<Py<PyAny>>>,
}

impl Drop for Sessions {
    fn drop(&mut self) {
        Python::attach(|py| {
            self.worker.sessions.borrow_mut().clear();
            self.worker.end(py);
        });
    }
}

/// Opens a worker's sessions.
pub(super) struct SessionOpener {
    pub(super) kinds: Vec<SessionKind>,
    pub(super) factories: Py<PyDict>,
    pub(super) origin: Origin,
}

impl SessionOpener {
    /// Opens a session of the built-in kind.
    fn http(&self, py: Python<'_>, worker: &Rc<Worker>, context: &Context) -> Result<Py<PyAny>> {
        let given = worker.options.borrow().as_ref().map(|options| options.clone_ref(py));
        if let Some(given) = &given {
            let helper = module(py, "_aiohttp").map_err(errors::failure)?;
            let odd = helper.call_method1("only_aiohttp", (given,)).and_then(|odd| odd.is_truthy());
            if odd.map_err(errors::failure)? {
                let real = helper.call_method1("real_session", (given,)).map_err(errors::failure)?;
                return with_context(py, real.unbind(), worker, context);
            }
        }
        let traces = module(py, "_traces").map_err(errors::failure)?;
        let opened = traces.call_method1("open_session", (given.as_ref(),)).and_then(|opened| opened.extract());
        let (traced, real): (Bound<'_, PyAny>, Option<Py<PyAny>>) = opened.map_err(errors::failure)?;
        if let Some(real) = real {
            return with_context(py, real, worker, context);
        }
        let options = options_from_dict(py, given.as_ref().map(|given| given.bind(py))).map_err(errors::failure)?;
        let inner = session::Session::new(options.with_args(context.args()))?;
        inner.belong_to(context.clone());
        let has_options = given.is_some();
        let made = worker_context(py, worker, context)
            .and_then(|known| script_session::Session::new(py, inner, known, given))
            .and_then(|made| Py::new(py, made));
        let made = made.map_err(errors::failure)?;
        if has_options {
            let sessions = module(py, "_sessions").and_then(|sessions| sessions.call_method1("opened", (&made,)));
            sessions.map_err(errors::failure)?;
        }
        traces.call_method1("attach", (&made, traced)).map_err(errors::failure)?;
        Ok(made.into_any())
    }
}

/// Gives a session of aiohttp its worker's context.
fn with_context(py: Python<'_>, real: Py<PyAny>, worker: &Worker, context: &Context) -> Result<Py<PyAny>> {
    let known = worker_context(py, worker, context).map_err(errors::failure)?;
    // Fails if aiohttp rejects foreign attributes. `get_context` then finds the context without.
    let _ = real.bind(py).setattr("_molotov_context", known);
    Ok(real)
}

fn worker_context(py: Python<'_>, worker: &Worker, context: &Context) -> PyResult<Py<WorkerContext>> {
    if let Some(known) = worker.context.get() {
        return Ok(known.clone_ref(py));
    }
    let made = Py::new(py, WorkerContext::new(context.clone()))?;
    Ok(worker.context.get_or_init(|| made).clone_ref(py))
}

impl SessionFactory for SessionOpener {
    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn type_id(&self) -> TypeId {
        TypeId::of::<Rc<Sessions>>()
    }

    fn type_name(&self) -> &'static str {
        "the sessions of Python scenarios"
    }

    fn make<'a>(&'a self, context: &'a Context) -> LocalBoxFuture<'a, Result<Box<dyn Any>>> {
        Box::pin(async move {
            let worker = Worker::of(context).await.map_err(errors::failure)?;
            let sessions = Sessions { worker: worker.clone(), context: context.clone(), open: RefCell::default() };
            for kind in &self.kinds {
                let factory =
                    Python::attach(|py| self.factories.bind(py).get_item(&kind.name).ok().flatten().map(Bound::unbind));
                let made = if factory.is_none() && kind.name == "http" {
                    Python::attach(|py| self.http(py, &worker, context))?
                } else {
                    let making = Python::attach(|py| {
                        let known = worker_context(py, &worker, context)?;
                        let event_loop = event_loop::asyncio(py, false)?;
                        let keywords = kind.keywords.bind(py).copy()?;
                        let given = worker.kind_options.borrow().as_ref().map(|kinds| kinds.clone_ref(py));
                        if let Some(given) = given.map_or(Ok(None), |given| given.bind(py).get_item(&kind.name))? {
                            keywords.update(given.cast()?)?;
                        }
                        let arguments = (factory, &kind.name, event_loop, keywords, known);
                        Ok(module(py, "_sessions")?.call_method1(intern!(py, "make"), arguments)?.unbind())
                    });
                    worker.run(context, making.map_err(errors::failure)?).await.map_err(errors::failure)?
                };
                Python::attach(|py| {
                    worker.sessions.borrow_mut().push((kind.name.clone(), made.clone_ref(py)));
                });
                sessions.open.borrow_mut().push(made);
            }
            Ok(Box::new(Rc::new(sessions)) as Box<dyn Any>)
        })
    }
}

/// Runs a fixture once for each of the worker's sessions.
pub(super) async fn for_each_session(function: &Function, slots: &Slots) -> Result {
    let sessions = Rc::clone(&*slots.borrow::<Rc<Sessions>>()?);
    let open: Vec<_> = Python::attach(|py| sessions.open.borrow().iter().map(|one| one.clone_ref(py)).collect());
    for session in open {
        let context = &sessions.context;
        function
            .run(context, &sessions.worker, |py| Ok((context.worker_id().0, session).into_pyobject(py)?.unbind()))
            .await?;
    }
    Ok(())
}

/// Runs `teardown_session`, and closes the sessions.
pub(super) struct SessionCloser {
    pub(super) function: Option<Function>,
    pub(super) origin: Origin,
}

impl TeardownSession for SessionCloser {
    fn origin(&self) -> &Origin {
        self.function.as_ref().map_or(&self.origin, |function| &function.origin)
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::of::<Rc<Sessions>>(false)]
    }

    fn run<'a>(&'a self, slots: &'a Slots) -> LocalBoxFuture<'a, Result> {
        Box::pin(async move {
            let torn_down = match &self.function {
                Some(function) => for_each_session(function, slots).await,
                None => Ok(()),
            };
            let sessions = Rc::clone(&*slots.borrow::<Rc<Sessions>>()?);
            let open = std::mem::take(&mut *sessions.open.borrow_mut());
            for session in open {
                let closing = Python::attach(|py| {
                    Ok(module(py, "_sessions")?.call_method1(intern!(py, "close"), (session,))?.unbind())
                });
                let closing = closing.map_err(errors::failure)?;
                sessions.worker.run(&sessions.context, closing).await.map_err(errors::failure)?;
            }
            torn_down
        })
    }
}
