//! Checks a registry, and selects the parts that a run uses.

use std::{any::TypeId, collections::BTreeMap, sync::Arc};

use super::{
    Data, EventLoop, Events, GlobalSetup, GlobalTeardown, Need, Origin, Picker, Registry, Scenario, SessionFactory,
    Setup, SetupSession, Teardown, TeardownSession, WeightTable,
};
use crate::{
    data::Each,
    options::{Args, Rate},
    session::{Context, Session},
    suggest::nearest,
};

/// An error in the registered scenarios and fixtures.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// There is no scenario.
    #[error(
        "no scenario to run: write an `async` function with `#[molotov::scenario]`; if there is one in a library, keep it linked with `use my_crate as _;`"
    )]
    NoScenario,
    /// All scenarios have weight 0.
    #[error("no scenario to run: all {count} have weight 0; give one of them a weight above 0")]
    AllWeightsZero {
        /// The number of scenarios.
        count: usize,
    },
    /// No scenario has the selected name.
    #[error("no scenario is named `{name}`{hint}")]
    UnknownScenario {
        /// The selected name.
        name: String,
        /// The names that exist, as the end of the message.
        hint: String,
    },
    /// No extension has the selected name.
    #[error("no extension is named `{name}`{hint}")]
    UnknownExtension {
        /// The selected name.
        name: String,
        /// The names that exist, as the end of the message.
        hint: String,
    },
    /// Options are given for a scenario that does not exist.
    #[error("`scenarios` has options of `{name}`, which is not a scenario{hint}")]
    UnknownOptions {
        /// The name.
        name: String,
        /// The names that exist, as the end of the message.
        hint: String,
    },
    /// Options of the run do not fit its scenarios.
    #[error("{0}")]
    Options(String),
    /// Two scenarios have the same name.
    #[error("two scenarios are named `{name}`: {first} and {second}; rename one with `name = \"...\"`")]
    DuplicateName {
        /// The name.
        name: String,
        /// Location of the first.
        first: String,
        /// Location of the second.
        second: String,
    },
    /// A scenario has an empty name.
    #[error("the scenario at {place} has an empty name; give it one")]
    EmptyName {
        /// Its location.
        place: String,
    },
    /// Two fixtures have the same kind.
    #[error("two `{kind}` functions in {home}: {first} and {second}; keep one")]
    DuplicateFixture {
        /// Name of the attribute, with the type of the session if there is one fixture per type.
        kind: String,
        /// The crate or extension.
        home: String,
        /// Location of the first.
        first: String,
        /// Location of the second.
        second: String,
    },
    /// A weight is negative, infinite or not a number.
    #[error("the scenario `{name}` at {place} has the weight {weight}; it must be a number, 0 or more")]
    BadWeight {
        /// Name of the scenario.
        name: String,
        /// Its location.
        place: String,
        /// The weight.
        weight: f64,
    },
    /// No session factory returns the type of a session.
    #[error(
        "the scenario `{name}` at {place} takes a session of type `{type_name}`, which no session factory returns: write a `#[molotov::session_factory]` function for it, or `#[molotov::data(...)]` on the type if it is a row of a data file"
    )]
    NoFactory {
        /// Name of the scenario.
        name: String,
        /// Its location.
        place: String,
        /// The type.
        type_name: &'static str,
    },
    /// Something that a worker keeps takes rows of a data file that last for one run of a scenario.
    #[error(
        "`{name}` at {place} takes a row of type `{type_name}`, but `each = \"run\"` gives one to each run of a scenario: take it in scenarios, or write `each = \"worker\"`"
    )]
    RowOutsideRun {
        /// Name of the fixture.
        name: String,
        /// Its location.
        place: String,
        /// The type.
        type_name: &'static str,
    },
    /// A session is taken more than once, and at least once as `&mut`.
    #[error("`{name}` at {place} takes the session `{type_name}` more than once: take it once, as `&mut`")]
    TakenTwice {
        /// Name of the scenario or fixture.
        name: String,
        /// Its location.
        place: String,
        /// The type.
        type_name: &'static str,
    },
    /// A parameter is `&mut Context` or `&mut Args`.
    #[error("`{name}` at {place} takes `&mut {type_name}`, which workers share: take it as `&`")]
    NotMutable {
        /// Name of the scenario or fixture.
        name: String,
        /// Its location.
        place: String,
        /// The type.
        type_name: &'static str,
    },
}

/// The scenarios, fixtures and listeners that a run uses.
#[derive(Clone)]
pub struct Selection {
    /// The scenarios to run, sorted by name. Each has a rate or a weight above 0.
    pub scenarios: Vec<Arc<dyn Scenario>>,
    /// The indices of the scenarios that have their own rate, and the rates.
    pub rates: Vec<(usize, Rate)>,
    /// The indices of all other scenarios.
    pub weighted: Vec<usize>,
    /// Picks an index of `weighted`; `None` if that is empty.
    pub weights: Option<WeightTable>,
    /// Picks scenarios instead of the weights. It is the last picker in load order.
    pub picker: Option<Arc<dyn Picker>>,
    /// In load order, like the fields below: those of crates first, then those of extensions in the order of the option.
    pub global_setups: Vec<Arc<dyn GlobalSetup>>,
    /// Run for each worker before its sessions exist.
    pub setups: Vec<Arc<dyn Setup>>,
    /// Those whose session types the run uses.
    pub setup_sessions: Vec<Arc<dyn SetupSession>>,
    /// Those whose session types the run uses.
    pub teardown_sessions: Vec<Arc<dyn TeardownSession>>,
    /// Run for each worker after its sessions are closed.
    pub teardowns: Vec<Arc<dyn Teardown>>,
    /// Run at the end.
    pub global_teardowns: Vec<Arc<dyn GlobalTeardown>>,
    /// The listeners.
    pub events: Vec<Arc<dyn Events>>,
    /// One for each session type that a scenario needs. Without one for the HTTP session, the built-in session is used.
    pub factories: Vec<Arc<dyn SessionFactory>>,
    /// The data files whose rows scenarios take.
    pub data: Vec<Arc<Data>>,
    /// Whether workers have the built-in HTTP session.
    pub http: bool,
    /// The event loop that runs the workers, instead of separate threads.
    pub(crate) event_loop: Option<Arc<dyn EventLoop>>,
}

impl std::fmt::Debug for Selection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.scenarios.iter().map(|scenario| scenario.name())).finish()
    }
}

impl Selection {
    /// Divides the scenarios into those with their own rate and the others.
    pub(crate) fn set_rates(&mut self, args: &Args) {
        let rate = |index: &usize| own_rate(&*self.scenarios[*index], args);
        let all = 0..self.scenarios.len();
        self.rates = all.clone().filter_map(|index| Some((index, rate(&index)?))).collect();
        self.weighted = all.filter(|index| rate(index).is_none() && self.scenarios[*index].weight() > 0.0).collect();
        self.weights = WeightTable::new(self.weighted.iter().map(|index| self.scenarios[*index].weight()));
    }

    /// Returns the index of the scenario for a random number in `0.0..1.0`, by weight.
    pub(crate) fn pick(&self, random: f64) -> usize {
        self.weights.as_ref().map_or(0, |weights| self.weighted[weights.pick(random)])
    }
}

impl Registry {
    /// Checks the scenarios and fixtures that `args` selects, and returns them.
    ///
    /// # Errors
    ///
    /// Returns all errors that it finds.
    pub fn validate(&self, args: &Args) -> Result<Selection, Vec<RegistryError>> {
        let mut errors = Vec::new();
        for name in &args.use_extension {
            let known = self.extensions();
            if !known.contains(name) {
                errors.push(RegistryError::UnknownExtension { name: name.clone(), hint: hint(name, &known) });
            }
        }
        let order = |origin: &Origin| match &origin.extension {
            None => Some(0),
            Some(extension) => args.use_extension.iter().position(|name| name == extension).map(|at| at + 1),
        };
        macro_rules! active {
            ($field:ident) => {{
                let mut active: Vec<_> =
                    self.$field.iter().filter(|one| order(one.origin()).is_some()).cloned().collect();
                active.sort_by_key(|one| order(one.origin()));
                active
            }};
        }
        let mut scenarios: Vec<Arc<dyn Scenario>> = active!(scenarios);
        check_scenarios(&scenarios, &mut errors);
        let registered = scenarios.len();
        scenarios.sort_by(|a, b| a.name().cmp(b.name()));
        let names: Vec<String> = scenarios.iter().map(|scenario| scenario.name().to_owned()).collect();
        for name in args.scenarios.keys().filter(|name| !names.contains(name)) {
            errors.push(RegistryError::UnknownOptions { name: name.clone(), hint: hint(name, &names) });
        }
        scenarios.retain(|scenario| scenario.weight() != 0.0 || own_rate(&**scenario, args).is_some());
        if let Some(wanted) = &args.single_mode {
            let names: Vec<String> = scenarios.iter().map(|scenario| scenario.name().to_owned()).collect();
            if !names.contains(wanted) {
                errors.push(RegistryError::UnknownScenario { name: wanted.clone(), hint: hint(wanted, &names) });
            }
            scenarios.retain(|scenario| scenario.name() == wanted);
        } else if scenarios.is_empty() {
            errors.push(match registered {
                0 => RegistryError::NoScenario,
                count => RegistryError::AllWeightsZero { count },
            });
        }

        let mut needed: Vec<TypeId> = Vec::new();
        let all_factories: Vec<Arc<dyn SessionFactory>> = active!(factories);
        for scenario in &scenarios {
            for need in scenario.needs() {
                let made = need.type_id == TypeId::of::<Session>()
                    || all_factories.iter().any(|factory| SessionFactory::type_id(&**factory) == need.type_id)
                    || self.data.iter().any(|data| data.row_type() == need.type_id);
                // `check_needs` reports `&mut Context`.
                if !made && !is_shared(&need) {
                    let (name, place) = (scenario.name().to_owned(), scenario.origin().to_string());
                    errors.push(RegistryError::NoFactory { name, place, type_name: need.type_name });
                }
                needed.push(need.type_id);
            }
        }
        let mut factories = all_factories;
        one_each("session_factory", factories.iter().map(|one| (one.origin(), one.type_name())), &mut errors);
        one_each("data", self.data.iter().map(|one| (one.origin(), one.type_name())), &mut errors);
        factories.retain(|factory| needed.contains(&SessionFactory::type_id(&**factory)));

        let (pickers, global_setups, setups): (Vec<_>, Vec<_>, Vec<_>) =
            (active!(pickers), active!(global_setups), active!(setups));
        let (teardowns, global_teardowns): (Vec<_>, Vec<_>) = (active!(teardowns), active!(global_teardowns));
        one_each("scenario_picker", pickers.iter().map(|one| (one.origin(), "")), &mut errors);
        let (once, everywhere): (Vec<_>, Vec<_>) = global_setups.iter().partition(|one| one.runs_once());
        one_each("global_setup(once)", once.iter().map(|one| (one.origin(), "")), &mut errors);
        one_each("global_setup", everywhere.iter().map(|one| (one.origin(), "")), &mut errors);
        one_each("setup", setups.iter().map(|one| (one.origin(), "")), &mut errors);
        one_each("teardown", teardowns.iter().map(|one| (one.origin(), "")), &mut errors);
        one_each("global_teardown", global_teardowns.iter().map(|one| (one.origin(), "")), &mut errors);

        let mut setup_sessions: Vec<Arc<dyn SetupSession>> = active!(setup_sessions);
        let mut teardown_sessions: Vec<Arc<dyn TeardownSession>> = active!(teardown_sessions);
        for (origin, needs) in setup_sessions
            .iter()
            .map(|one| (one.origin(), one.needs()))
            .chain(teardown_sessions.iter().map(|one| (one.origin(), one.needs())))
        {
            check_needs(&origin.function, origin, &needs, &mut errors);
            let by_run = |need: &&Need| {
                self.data.iter().any(|data| data.row_type() == need.type_id && data.file().each == Each::Run)
            };
            if let Some(Need { type_name, .. }) = needs.iter().find(by_run) {
                let (name, place) = (origin.function.to_string(), origin.to_string());
                errors.push(RegistryError::RowOutsideRun { name, place, type_name });
            }
        }
        one_each("setup_session", setup_sessions.iter().map(|one| (one.origin(), session(&one.needs()))), &mut errors);
        one_each(
            "teardown_session",
            teardown_sessions.iter().map(|one| (one.origin(), session(&one.needs()))),
            &mut errors,
        );
        // A row is made for a fixture, even if no scenario takes it.
        let is_row = |need: &Need| self.data.iter().any(|data| data.row_type() == need.type_id);
        let made = |needs: Vec<Need>| needs.iter().all(|need| needed.contains(&need.type_id) || is_row(need));
        setup_sessions.retain(|one| made(one.needs()));
        teardown_sessions.retain(|one| made(one.needs()));
        needed.extend(setup_sessions.iter().flat_map(|one| one.needs()).map(|need| need.type_id));
        needed.extend(teardown_sessions.iter().flat_map(|one| one.needs()).map(|need| need.type_id));
        let data: Vec<_> = self.data.iter().filter(|data| needed.contains(&data.row_type())).cloned().collect();

        let http = TypeId::of::<Session>();
        let http =
            needed.contains(&http) && !factories.iter().any(|factory| SessionFactory::type_id(&**factory) == http);
        if !errors.is_empty() || scenarios.is_empty() {
            return Err(errors);
        }
        let mut selection = Selection {
            scenarios,
            rates: Vec::new(),
            weighted: Vec::new(),
            weights: None,
            picker: pickers.last().cloned(),
            global_setups,
            setups,
            setup_sessions,
            teardown_sessions,
            teardowns,
            global_teardowns,
            events: active!(events),
            factories,
            data,
            http,
            event_loop: self.event_loop.clone(),
        };
        selection.set_rates(args);
        Ok(selection)
    }
}

/// Returns the rate at which a scenario starts; `None` if it is picked by weight, or runs once.
fn own_rate(scenario: &dyn Scenario, args: &Args) -> Option<Rate> {
    let given = args.scenarios.get(scenario.name()).and_then(|options| options.rate);
    given.or_else(|| scenario.rate()).filter(|_| !args.single_run)
}

fn check_scenarios(scenarios: &[Arc<dyn Scenario>], errors: &mut Vec<RegistryError>) {
    let mut seen: BTreeMap<&str, &Origin> = BTreeMap::new();
    for scenario in scenarios {
        let (name, place, weight) = (scenario.name().to_owned(), scenario.origin().to_string(), scenario.weight());
        if name.trim().is_empty() {
            errors.push(RegistryError::EmptyName { place: place.clone() });
        } else if let Some(first) = seen.insert(scenario.name(), scenario.origin()) {
            let first = first.to_string();
            errors.push(RegistryError::DuplicateName { name: name.clone(), first, second: place.clone() });
        }
        check_needs(&name, scenario.origin(), &scenario.needs(), errors);
        if !weight.is_finite() || weight < 0.0 {
            errors.push(RegistryError::BadWeight { name, place, weight });
        }
    }
}

fn is_shared(need: &Need) -> bool {
    [TypeId::of::<Context>(), TypeId::of::<Args>()].contains(&need.type_id)
}

fn check_needs(name: &str, origin: &Origin, needs: &[Need], errors: &mut Vec<RegistryError>) {
    for (at, need) in needs.iter().enumerate() {
        let (name, place, type_name) = (name.to_owned(), origin.to_string(), need.type_name);
        if is_shared(need) {
            errors.push(RegistryError::NotMutable { name, place, type_name });
        } else if needs[..at].iter().any(|other| other.type_id == need.type_id && (other.mutable || need.mutable)) {
            errors.push(RegistryError::TakenTwice { name, place, type_name });
        }
    }
}

/// The session type of a session fixture.
fn session(needs: &[Need]) -> &'static str {
    needs.first().map_or("", |need| need.type_name)
}

fn one_each<'a>(
    kind: &str,
    fixtures: impl Iterator<Item = (&'a Origin, &'static str)>,
    errors: &mut Vec<RegistryError>,
) {
    let mut seen: BTreeMap<((bool, &str), &str), &Origin> = BTreeMap::new();
    for (origin, session) in fixtures {
        if let Some(first) = seen.insert((origin.home(), session), origin) {
            let kind = if session.is_empty() { kind.to_owned() } else { format!("{kind} (session: {session})") };
            let home = match origin.home() {
                (true, extension) => format!("the extension `{extension}`"),
                (false, "") => "this run".to_owned(),
                (false, name) => format!("the crate `{name}`"),
            };
            let (first, second) = (first.to_string(), origin.to_string());
            errors.push(RegistryError::DuplicateFixture { kind, home, first, second });
        }
    }
}

fn hint(name: &str, known: &[String]) -> String {
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let listed = known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    match (nearest(name, known.iter().copied()), &known[..]) {
        (_, []) => "; there is none".to_owned(),
        (Some(near), [_]) => format!("; did you mean `{near}`?"),
        (Some(near), _) => format!("; did you mean `{near}`? There are {listed}"),
        (None, _) => format!("; there is {listed}"),
    }
}
