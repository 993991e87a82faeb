//! Registers what the decorators of a script have collected.

use pyo3::{exceptions::PyValueError, prelude::*, types::PyDict};

use super::{
    fixtures::{GlobalFixture, OnceFixture, ScriptPicker, SetupFixture, SetupSessionFixture, TeardownFixture},
    function::Function,
    listeners::Listener,
    scenario::ScriptScenario,
    sessions::{SessionCloser, SessionKind, SessionOpener},
};
use crate::{
    options::Args,
    python::{
        delay::{delay, fixed},
        event_loop::Asyncio,
        module,
    },
    registry::Registry,
};

/// The registry of what the decorators have collected.
pub(super) fn registry(py: Python<'_>, args: &Args) -> PyResult<Registry> {
    let api = module(py, "api")?;
    let mut registry = Registry::new();
    let mut kinds: Vec<SessionKind> = Vec::new();
    let scenarios = api.getattr("_SCENARIOS")?.cast_into::<PyDict>()?;
    for (name, scenario) in scenarios {
        let function = scenario.get_item("func")?;
        let (kind, keywords): (Option<String>, Bound<'_, PyDict>) =
            module(py, "_loading")?.call_method1("parameters", (&function,))?.extract()?;
        let kind = kind.unwrap_or_else(|| "http".to_owned());
        let index = match kinds.iter().position(|known| known.name == kind) {
            Some(index) => index,
            None => {
                kinds.push(SessionKind { name: kind, keywords: keywords.unbind() });
                kinds.len() - 1
            }
        };
        registry.add_scenario(ScriptScenario {
            name: name.extract()?,
            weight: scenario.get_item("weight")?.extract()?,
            delay: delay(&scenario.get_item("delay")?).map_err(|error| of_scenario(py, "delay", &name, &error))?,
            pacing: match scenario.cast::<PyDict>()?.get_item("pacing")? {
                Some(pacing) => Some(fixed(&pacing).map_err(|error| of_scenario(py, "pacing", &name, &error))?),
                None => None,
            },
            kind: index,
            function: Function::new(py, &function)?,
        });
    }
    if !args.quiet {
        warn_of_replaced(&api)?;
    }
    let fixtures = api.getattr("_FIXTURES")?.cast_into::<PyDict>()?;
    let fixture = |name: &str| -> PyResult<Option<Function>> {
        fixtures.get_item(name)?.map(|function| Function::new(py, &function)).transpose()
    };
    if let Some(function) = fixture("global_setup_once")? {
        registry.add_global_setup(OnceFixture(function));
    }
    if let Some(function) = fixture("global_setup")? {
        registry.add_global_setup(GlobalFixture(function));
    }
    if let Some(function) = fixture("global_teardown")? {
        registry.add_global_teardown(GlobalFixture(function));
    }
    if let Some(function) = fixture("setup")? {
        registry.add_setup(SetupFixture(function));
    }
    if let Some(function) = fixture("setup_session")? {
        registry.add_setup_session(SetupSessionFixture(function));
    }
    if let Some(function) = fixture("teardown")? {
        registry.add_teardown(TeardownFixture(function));
    }
    if let Some(function) = fixture("scenario_picker")? {
        registry.add_picker(ScriptPicker(function));
    }
    registry.add_teardown_session(SessionCloser {
        function: fixture("teardown_session")?,
        origin: Function::built_in("close sessions"),
    });
    let factories = api.getattr("_FACTORIES")?.cast_into::<PyDict>()?.unbind();
    registry.add_session_factory(SessionOpener { kinds, factories, origin: Function::built_in("open sessions") });
    for listener in api.getattr("_LISTENERS")?.try_iter()? {
        registry.add_events(Listener::new(Function::new(py, &listener?)?));
    }
    registry.set_event_loop(Asyncio::new(args.debug));
    Ok(registry)
}

/// Names the scenario with a wrong delay or pacing.
fn of_scenario(py: Python<'_>, what: &str, name: &Bound<'_, PyAny>, error: &PyErr) -> PyErr {
    PyValueError::new_err(format!("the {what} of the scenario {name}: {}", error.value(py)))
}

/// Warns of scenarios that a later one with the same name has replaced.
fn warn_of_replaced(api: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = api.py();
    let scenarios = api.getattr("_SCENARIOS")?;
    for (name, replaced) in api.getattr("_REPLACED")?.cast_into::<PyDict>()? {
        let last = scenarios.get_item(&name)?.get_item("func")?;
        let (first, last) = (Function::new(py, &replaced)?.origin, Function::new(py, &last)?.origin);
        // A module that is loaded twice registers the same function again.
        if first != last {
            crate::notice::note(&format!(
                "two scenarios are named `{name}`: {first} and {last}; only the last one runs, rename one with \
                 `name=\"...\"`"
            ));
        }
    }
    Ok(())
}
