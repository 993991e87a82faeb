//! Loading a script: what its decorators have registered becomes part of the registry.

use std::{
    any::{Any, TypeId},
    borrow::Cow,
    cell::RefCell,
    ffi::OsString,
    io::Write,
    path::Path,
    rc::Rc,
    sync::atomic::Ordering,
    time::Duration,
};

use futures_util::future::LocalBoxFuture;
use pyo3::{
    intern,
    prelude::*,
    types::{PyDict, PyTuple},
};

use super::{
    errors,
    event_loop::{self, Asyncio},
    interpreter, interrupts, listeners, module, modules, options,
    session::{self as sessions, WorkerContext},
    worker::Worker,
};
use crate::{
    Failure, Result,
    options::{Args, StepId},
    registry::{
        GlobalSetup, GlobalTeardown, Need, Origin, Picker, Registry, Scenario, SessionFactory, Setup, SetupSession,
        Slots, Teardown, TeardownSession,
    },
    session::{self, Context, SessionOptions},
};

/// Why a script cannot be loaded.
#[derive(Debug)]
pub(crate) enum LoadError {
    /// There is no such script, or no interpreter for it.
    Missing(String),
    /// It raised an exception, whose traceback this is.
    Raised(String),
    /// It asked to exit with this code.
    Exit(u8),
}

thread_local! {
    /// What the run has changed in an interpreter that goes on after it.
    static RUN: RefCell<Option<Py<PyAny>>> = const { RefCell::new(None) };
}

/// Starts the interpreter, which leaves signals to us.
pub(crate) fn start(line: &[OsString]) -> std::result::Result<(), LoadError> {
    interpreter::start(line).map_err(LoadError::Missing)?;
    Python::attach(|py| {
        let installed = (|| {
            modules::install(py)?;
            modules::STOPPING.store(false, Ordering::Relaxed);
            if !interpreter::is_ours() {
                RUN.set(Some(module(py, "_runs")?.call_method0("Run")?.unbind()));
            }
            interpreter::leave_signals_to_us(py)
        })();
        installed.map_err(|error| refused(py, &error))
    })
}

/// Loads the extensions and the script that the command line names, and gives back what they registered.
pub(crate) fn load(
    args: &Args,
    script: Option<&str>,
    extensions: &[String],
) -> std::result::Result<Registry, LoadError> {
    Python::attach(|py| {
        let loaded = (|| {
            let sys = py.import("sys")?;
            let stream = if crate::notice::shows_on_stderr(args) { "stderr" } else { "stdout" };
            let stdout = modules::Stdout::new(sys.getattr(stream)?.unbind(), args.quiet);
            sys.setattr("stdout", Bound::new(py, stdout)?)?;
            if args.uvloop {
                module(py, "_loop")?.call_method0("check_uvloop")?;
                if !args.quiet {
                    crate::notice::note("uvloop is not used: scripts run on Molotov's own event loop, which is faster");
                }
            }
            event_loop::asyncio(py, args.debug)?;
            module(py, "_tls")?.call_method0("note_contexts")?;
            sessions::set_args(options::namespace(py, args, extensions)?);
            for extension in extensions {
                if !args.quiet {
                    crate::notice::announce_extension(args, extension);
                }
                module(py, "_loop")?.call_method1("load_extension", (extension,))?;
            }
            if let Some(script) = script {
                module(py, "_loop")?.call_method1("load", (script,))?;
            }
            registered(py, args)
        })();
        loaded.map_err(|error: PyErr| refused(py, &error))
    })
}

/// Ends what [`load`] began: lines that have only begun are shown, and what scripts have left to the end is done.
pub(crate) fn finish() {
    if !interpreter::is_started() {
        return;
    }
    Python::attach(|py| {
        sessions::forget_args();
        if let Err(error) = event_loop::close(py) {
            error.write_unraisable(py, None);
        }
        let restored = (|| match modules::finish_stdout(py)? {
            Some(original) => py.import("sys")?.setattr("stdout", original),
            None => Ok(()),
        })();
        if let Err(error) = restored {
            error.write_unraisable(py, None);
        }
        if let Some(run) = RUN.take() {
            interpreter::keep_signal_handlers();
            if let Err(error) = run.call_method0(py, "end") {
                error.write_unraisable(py, None);
            }
        }
    });
    interpreter::end();
}

fn refused(py: Python<'_>, error: &PyErr) -> LoadError {
    if let Some((code, message)) = errors::exit(py, error) {
        if let Some(message) = message {
            let _ = writeln!(std::io::stderr().lock(), "{message}");
        }
        return LoadError::Exit(code);
    }
    let missing = module(py, "_loop").and_then(|module| module.getattr("NoScript"));
    if missing.is_ok_and(|missing| error.is_instance(py, &missing)) {
        return LoadError::Missing(error.value(py).to_string());
    }
    match errors::describe(py, error) {
        Ok((.., traceback)) => LoadError::Raised(traceback),
        Err(_) => LoadError::Raised(error.to_string()),
    }
}

/// What the decorators have collected.
fn registered(py: Python<'_>, args: &Args) -> PyResult<Registry> {
    let api = module(py, "api")?;
    let mut registry = Registry::new();
    let mut kinds: Vec<Kind> = Vec::new();
    let scenarios = api.getattr("_SCENARIOS")?.cast_into::<PyDict>()?;
    for (name, scenario) in scenarios {
        let function = scenario.get_item("func")?;
        let (kind, keywords): (Option<String>, Bound<'_, PyDict>) =
            module(py, "_loop")?.call_method1("parameters", (&function,))?.extract()?;
        let kind = kind.unwrap_or_else(|| "http".to_owned());
        let at = match kinds.iter().position(|known| known.name == kind) {
            Some(at) => at,
            None => {
                kinds.push(Kind { name: kind, keywords: keywords.unbind() });
                kinds.len() - 1
            }
        };
        registry.add_scenario(Scripted {
            name: name.extract()?,
            weight: scenario.get_item("weight")?.extract()?,
            delay: Duration::try_from_secs_f64(scenario.get_item("delay")?.extract()?).map_err(|error| {
                pyo3::exceptions::PyValueError::new_err(format!("the delay of the scenario {name}: {error}"))
            })?,
            kind: at,
            function: function_of(py, &function)?,
        });
    }
    if !args.quiet {
        warn_of_replaced(&api)?;
    }
    let fixtures = api.getattr("_FIXTURES")?.cast_into::<PyDict>()?;
    let fixture = |name: &str| -> PyResult<Option<Function>> {
        fixtures.get_item(name)?.map(|function| function_of(py, &function)).transpose()
    };
    if let Some(function) = fixture("global_setup")? {
        registry.add_global_setup(OnGlobal(function));
    }
    if let Some(function) = fixture("global_teardown")? {
        registry.add_global_teardown(OnGlobal(function));
    }
    if let Some(function) = fixture("setup")? {
        registry.add_setup(OnSetup(function));
    }
    if let Some(function) = fixture("setup_session")? {
        registry.add_setup_session(OnSession(function));
    }
    if let Some(function) = fixture("teardown")? {
        registry.add_teardown(OnTeardown(function));
    }
    if let Some(function) = fixture("scenario_picker")? {
        registry.add_picker(OnPick(function));
    }
    registry.add_teardown_session(Closing { function: fixture("teardown_session")?, origin: own("close sessions") });
    let factories = api.getattr("_FACTORIES")?.cast_into::<PyDict>()?.unbind();
    registry.add_session_factory(Opening { kinds, factories, origin: own("open sessions") });
    for listener in api.getattr("_LISTENERS")?.try_iter()? {
        registry.add_events(listeners::Listener::new(function_of(py, &listener?)?));
    }
    registry.set_event_loop(Asyncio::new(args.debug));
    Ok(registry)
}

/// Warns of scenarios that a later one of the same name has replaced.
fn warn_of_replaced(api: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = api.py();
    let scenarios = api.getattr("_SCENARIOS")?;
    for (name, replaced) in api.getattr("_REPLACED")?.cast_into::<PyDict>()? {
        let last = scenarios.get_item(&name)?.get_item("func")?;
        let (first, last) = (function_of(py, &replaced)?.origin, function_of(py, &last)?.origin);
        // A module that was loaded twice registers the same function again.
        if first != last {
            crate::notice::note(&format!(
                "two scenarios are named `{name}`: {first} and {last}; only the last one runs, rename one with \
                 `name=\"...\"`"
            ));
        }
    }
    Ok(())
}

fn own(function: &'static str) -> Origin {
    Origin {
        function: Cow::Borrowed(function),
        module: Cow::Borrowed("(python)"),
        file: Cow::Borrowed(Origin::BUILT_IN),
        line: 0,
        extension: None,
    }
}

/// A function of a script.
pub(super) struct Function {
    pub(super) function: Py<PyAny>,
    pub(super) origin: Origin,
}

fn function_of(py: Python<'_>, function: &Bound<'_, PyAny>) -> PyResult<Function> {
    let (home, name, file, line): (String, String, String, u32) =
        module(py, "_loop")?.call_method1("place", (function,))?.extract()?;
    let here = std::env::current_dir().unwrap_or_default();
    let file = match Path::new(&file).strip_prefix(&here) {
        Ok(short) => short.to_string_lossy().into_owned(),
        Err(_) => file,
    };
    let origin = Origin {
        function: Cow::Owned(name),
        module: Cow::Owned(home.replace('.', "::")),
        file: Cow::Owned(file),
        line,
        extension: None,
    };
    Ok(Function { function: function.clone().unbind(), origin })
}

/// A kind of session that scenarios ask for.
struct Kind {
    name: String,
    keywords: Py<PyDict>,
}

/// A worker's sessions, one of each kind that a scenario asks for.
pub(super) struct Sessions {
    worker: Rc<Worker>,
    context: Context,
    open: RefCell<Vec<Py<PyAny>>>,
}

impl Drop for Sessions {
    fn drop(&mut self) {
        Python::attach(|py| {
            self.worker.sessions.borrow_mut().clear();
            self.worker.end(py);
        });
    }
}

struct Scripted {
    name: String,
    weight: f64,
    delay: Duration,
    kind: usize,
    function: Function,
}

impl Scenario for Scripted {
    fn name(&self) -> &str {
        &self.name
    }

    fn weight(&self) -> f64 {
        self.weight
    }

    fn delay(&self) -> Duration {
        self.delay
    }

    fn origin(&self) -> &Origin {
        &self.function.origin
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::of::<Rc<Sessions>>(false)]
    }

    fn run<'a>(&'a self, slots: &'a Slots) -> LocalBoxFuture<'a, Result> {
        Box::pin(async move {
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

struct OnGlobal(Function);

impl OnGlobal {
    /// What `sys.exit()` says goes to standard error, as Python does it.
    fn failure(error: PyErr) -> Failure {
        if let Some((_, Some(message))) = Python::attach(|py| errors::exit(py, &error)) {
            let _ = writeln!(std::io::stderr().lock(), "{message}");
        }
        errors::failure(error)
    }
}

impl GlobalSetup for OnGlobal {
    fn origin(&self) -> &Origin {
        &self.0.origin
    }

    fn run(&self, args: &mut Args) -> Result {
        Python::attach(|py| {
            let namespace = sessions::args(py).into_bound(py);
            let before = options::Seen::new(&namespace)?;
            let call = || modules::set_up(|| self.0.function.bind(py).call1((&namespace,)));
            match interrupts::fixture(py, call)? {
                (Err(error), Some(signal)) => {
                    // Nothing has run: the program ends as if the signal had ended it.
                    let code = u8::try_from(128 + signal).ok();
                    Ok(Err(errors::failure(error).by_interruption().with_exit(code)))
                }
                (ended, _) => ended.and_then(|_| before.apply_changes(&namespace, args)).map(Ok),
            }
        })
        .unwrap_or_else(|error| Err(OnGlobal::failure(error)))
    }
}

impl GlobalTeardown for OnGlobal {
    fn origin(&self) -> &Origin {
        &self.0.origin
    }

    fn run(&self, _args: &Args) -> Result {
        Python::attach(|py| {
            // In the parent of several processes nobody has said so.
            modules::STOPPING.store(true, Ordering::Relaxed);
            let call = || {
                event_loop::catch_up(py)?;
                self.0.function.bind(py).call0().map(drop)
            };
            match interrupts::fixture(py, call)? {
                (Err(error), Some(_)) => Ok(Err(errors::failure(error).by_interruption())),
                (ended, _) => ended.map(Ok),
            }
        })
        .unwrap_or_else(|error| Err(OnGlobal::failure(error)))
    }
}

/// Calls a coroutine function and runs what it gives as the worker.
async fn call(
    function: &Function,
    context: &Context,
    worker: &Rc<Worker>,
    arguments: impl FnOnce(Python<'_>) -> PyResult<Py<PyTuple>>,
) -> Result<Py<PyAny>> {
    let coroutine = Python::attach(|py| {
        let arguments = arguments(py)?;
        function.function.bind(py).call1(arguments.bind(py)).map(Bound::unbind)
    });
    let coroutine = coroutine.map_err(errors::failure)?;
    worker.run(context, coroutine).await.map_err(errors::failure)
}

struct OnSetup(Function);

impl Setup for OnSetup {
    fn origin(&self) -> &Origin {
        &self.0.origin
    }

    fn run<'a>(&'a self, context: &'a Context) -> LocalBoxFuture<'a, Result<Option<SessionOptions>>> {
        Box::pin(async move {
            let worker = Worker::of(context).await.map_err(errors::failure)?;
            let given = call(&self.0, context, &worker, |py| {
                Ok((context.worker_id().0, sessions::args(py)).into_pyobject(py)?.unbind())
            })
            .await?;
            Python::attach(|py| {
                let given = given.bind(py);
                if given.is_none() {
                    return Ok(None);
                }
                let Ok(options) = given.cast::<PyDict>() else {
                    let kind = given.get_type();
                    return Err(Failure::msg(format!("`setup` has to return a dict of session options, not {kind}")));
                };
                *worker.options.borrow_mut() = Some(options.clone().unbind());
                Ok(None)
            })
        })
    }
}

/// Opens a worker's sessions.
struct Opening {
    kinds: Vec<Kind>,
    factories: Py<PyDict>,
    origin: Origin,
}

impl Opening {
    /// The session of the built-in kind.
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
        let options = sessions::options(py, given.as_ref().map(|given| given.bind(py))).map_err(errors::failure)?;
        let inner = session::Session::new(options.or_timeout(context.args().timeout))?;
        inner.belong_to(context.clone());
        let has_options = given.is_some();
        let made = worker_context(py, worker, context)
            .and_then(|known| sessions::Session::new(py, inner, known, given))
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

/// A session of aiohttp's that knows its worker.
fn with_context(py: Python<'_>, real: Py<PyAny>, worker: &Worker, context: &Context) -> Result<Py<PyAny>> {
    let known = worker_context(py, worker, context).map_err(errors::failure)?;
    // aiohttp warns of attributes that are not its own; the context is found without, then.
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

impl SessionFactory for Opening {
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
                        let arguments = (factory, &kind.name, event_loop, kind.keywords.bind(py), known);
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

struct OnSession(Function);

impl SetupSession for OnSession {
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

/// Runs a fixture once for each of the worker's sessions.
async fn for_each_session(function: &Function, slots: &Slots) -> Result {
    let sessions = Rc::clone(&*slots.borrow::<Rc<Sessions>>()?);
    let open: Vec<_> = Python::attach(|py| sessions.open.borrow().iter().map(|one| one.clone_ref(py)).collect());
    for session in open {
        let context = &sessions.context;
        call(function, context, &sessions.worker, |py| {
            Ok((context.worker_id().0, session).into_pyobject(py)?.unbind())
        })
        .await?;
    }
    Ok(())
}

/// Runs `teardown_session`, and closes the sessions.
struct Closing {
    function: Option<Function>,
    origin: Origin,
}

impl TeardownSession for Closing {
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

struct OnTeardown(Function);

impl Teardown for OnTeardown {
    fn origin(&self) -> &Origin {
        &self.0.origin
    }

    fn run(&self, context: &Context) -> Result {
        let id = context.worker_id().0;
        Python::attach(|py| self.0.function.bind(py).call1((id,)).map(drop)).map_err(errors::failure)
    }
}

struct OnPick(Function);

impl Picker for OnPick {
    fn origin(&self) -> &Origin {
        &self.0.origin
    }

    fn pick(&self, context: &Context, step: StepId) -> Result<String> {
        let arguments = (context.worker_id().0, step.0);
        Python::attach(|py| self.0.function.bind(py).call1(arguments)?.extract()).map_err(errors::failure)
    }
}
