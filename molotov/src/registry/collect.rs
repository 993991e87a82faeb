//! The registry of scenarios and fixtures, collected from the attributes or added from code.

use std::{panic::Location, sync::Arc};

use super::{
    Call, Data, Entry, EventLoop, Events, GlobalSetup, GlobalTeardown, Origin, Picker, Scenario, ScenarioFn,
    SessionFactory, Setup, SetupSession, Teardown, TeardownSession,
    entry::{Begin, End, Factory, Function, Once, SessionFixture},
    function::FunctionScenario,
};

/// Scenarios, fixtures, listeners and session factories.
///
/// ```
/// # use molotov::{registry::Registry, session::Session};
/// let mut registry = Registry::new();
/// registry.add_scenario_fn("nothing", async |_: &Session| ());
/// assert_eq!(registry.scenarios().len(), 1);
/// ```
#[derive(Default, Clone)]
pub struct Registry {
    pub(super) scenarios: Vec<Arc<dyn Scenario>>,
    pub(super) pickers: Vec<Arc<dyn Picker>>,
    pub(super) global_setups: Vec<Arc<dyn GlobalSetup>>,
    pub(super) setups: Vec<Arc<dyn Setup>>,
    pub(super) setup_sessions: Vec<Arc<dyn SetupSession>>,
    pub(super) teardown_sessions: Vec<Arc<dyn TeardownSession>>,
    pub(super) teardowns: Vec<Arc<dyn Teardown>>,
    pub(super) global_teardowns: Vec<Arc<dyn GlobalTeardown>>,
    pub(super) events: Vec<Arc<dyn Events>>,
    pub(super) factories: Vec<Arc<dyn SessionFactory>>,
    pub(super) data: Vec<Arc<Data>>,
    pub(super) event_loop: Option<Arc<dyn EventLoop>>,
}

impl Registry {
    /// Returns an empty registry.
    pub fn new() -> Registry {
        Registry::default()
    }

    /// Returns a registry of the functions with attributes in the program.
    pub fn collect() -> Registry {
        let mut entries: Vec<&Entry> = inventory::iter::<Entry>.into_iter().collect();
        // Sorted, since the order of the linker is arbitrary.
        entries.sort_by(|a, b| {
            let key = |entry: &Entry| (entry.origin.module.clone(), entry.origin.file.clone(), entry.origin.line);
            key(a).cmp(&key(b))
        });
        let mut registry = Registry::new();
        for entry in entries {
            registry.add_entry(entry);
        }
        registry
    }

    fn add_entry(&mut self, entry: &Entry) {
        fn function<C>(entry: &Entry, call: C) -> Arc<Function<C>> {
            Arc::new(Function { origin: entry.origin.clone(), call })
        }
        match entry.call {
            Call::Scenario(call) => self.scenarios.push(function(entry, call)),
            Call::Picker(call) => self.pickers.push(function(entry, call)),
            Call::GlobalSetup(call) => self.global_setups.push(function(entry, Begin(call))),
            Call::GlobalSetupOnce(call) => self.global_setups.push(function(entry, Once(call))),
            Call::GlobalTeardown(call) => self.global_teardowns.push(function(entry, End(call))),
            Call::Setup(call) => self.setups.push(function(entry, call)),
            Call::SetupSession { needs, run } => {
                self.setup_sessions.push(function(entry, SessionFixture { needs, run }));
            }
            Call::TeardownSession { needs, run } => {
                self.teardown_sessions.push(function(entry, SessionFixture { needs, run }));
            }
            Call::Teardown(call) => self.teardowns.push(function(entry, call)),
            Call::Events(call) => self.events.push(function(entry, call)),
            Call::SessionFactory { session, make } => self.factories.push(function(entry, Factory { session, make })),
            Call::Data(file) => self.data.push(Arc::new(Data { origin: entry.origin.clone(), file })),
        }
    }

    /// Adds an `async` function or closure as a scenario, with weight 1 and no delay.
    #[track_caller]
    pub fn add_scenario_fn<P: 'static>(&mut self, name: impl Into<String>, run: impl ScenarioFn<P>) {
        self.add_scenario(FunctionScenario::new(name.into(), Location::caller(), run));
    }

    /// Keeps only the scenarios with these names, and returns the names that no scenario has.
    pub fn keep_names<S: AsRef<str>>(&mut self, names: &[S]) -> Vec<String> {
        let missing = names.iter().map(AsRef::as_ref).filter(|name| !self.scenarios.iter().any(|s| s.name() == *name));
        let missing = missing.map(str::to_owned).collect();
        self.scenarios.retain(|scenario| names.iter().any(|name| name.as_ref() == scenario.name()));
        missing
    }

    /// Keeps only the scenarios of a module and its submodules, such as `my_crate::checkout`.
    pub fn keep_module(&mut self, module: &str) {
        self.scenarios.retain(|scenario| scenario.origin().is_in(module));
    }

    /// Keeps only the scenarios for which `keep` is true.
    pub fn retain(&mut self, mut keep: impl FnMut(&dyn Scenario) -> bool) {
        self.scenarios.retain(|scenario| keep(&**scenario));
    }

    /// Removes fixtures and listeners, but not session factories and data files.
    pub fn clear_fixtures(&mut self) {
        let scenarios = std::mem::take(&mut self.scenarios);
        let factories = std::mem::take(&mut self.factories);
        let data = std::mem::take(&mut self.data);
        let event_loop = self.event_loop.take();
        *self = Registry { scenarios, factories, data, event_loop, ..Registry::default() };
    }

    /// Adds the contents of another registry.
    pub fn extend(&mut self, other: Registry) {
        self.scenarios.extend(other.scenarios);
        self.pickers.extend(other.pickers);
        self.global_setups.extend(other.global_setups);
        self.setups.extend(other.setups);
        self.setup_sessions.extend(other.setup_sessions);
        self.teardown_sessions.extend(other.teardown_sessions);
        self.teardowns.extend(other.teardowns);
        self.global_teardowns.extend(other.global_teardowns);
        self.events.extend(other.events);
        self.factories.extend(other.factories);
        self.data.extend(other.data);
        self.event_loop = other.event_loop.or(self.event_loop.take());
    }

    /// Runs all workers on the thread that starts the run, in this event loop.
    #[cfg(feature = "python")]
    pub(crate) fn set_event_loop(&mut self, event_loop: impl EventLoop + 'static) {
        self.event_loop = Some(Arc::new(event_loop));
    }

    /// Returns all scenarios, including those of extensions that are not in use.
    pub fn scenarios(&self) -> &[Arc<dyn Scenario>] {
        &self.scenarios
    }

    /// Returns the names of the extensions, sorted.
    pub fn extensions(&self) -> Vec<String> {
        let mut names: Vec<String> =
            self.origins().filter_map(|origin| origin.extension.as_deref()).map(str::to_owned).collect();
        names.sort();
        names.dedup();
        names
    }

    fn origins(&self) -> impl Iterator<Item = &Origin> {
        let scenarios = self.scenarios.iter().map(|one| one.origin());
        let scenarios = scenarios.chain(self.pickers.iter().map(|one| one.origin()));
        let setups = self.global_setups.iter().map(|one| one.origin());
        let setups = setups.chain(self.setups.iter().map(|one| one.origin()));
        let setups = setups.chain(self.setup_sessions.iter().map(|one| one.origin()));
        let teardowns = self.teardown_sessions.iter().map(|one| one.origin());
        let teardowns = teardowns.chain(self.teardowns.iter().map(|one| one.origin()));
        let teardowns = teardowns.chain(self.global_teardowns.iter().map(|one| one.origin()));
        let others = self.events.iter().map(|one| one.origin());
        let others = others.chain(self.factories.iter().map(|one| one.origin()));
        scenarios.chain(setups).chain(teardowns).chain(others)
    }
}

macro_rules! add {
    ($($method:ident, $trait:ident, $field:ident;)*) => {
        impl Registry {
            $(
                #[doc = concat!("Adds a [`", stringify!($trait), "`].")]
                pub fn $method(&mut self, added: impl $trait + 'static) {
                    self.$field.push(Arc::new(added));
                }
            )*
        }
    };
}

add! {
    add_scenario, Scenario, scenarios;
    add_picker, Picker, pickers;
    add_global_setup, GlobalSetup, global_setups;
    add_setup, Setup, setups;
    add_setup_session, SetupSession, setup_sessions;
    add_teardown_session, TeardownSession, teardown_sessions;
    add_teardown, Teardown, teardowns;
    add_global_teardown, GlobalTeardown, global_teardowns;
    add_events, Events, events;
    add_session_factory, SessionFactory, factories;
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.scenarios.iter().map(|scenario| scenario.name())).finish()
    }
}
