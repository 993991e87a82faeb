//! Whether a registry can be run, and what of it a run uses.

use std::{any::TypeId, collections::BTreeMap, sync::Arc};

use super::{
    EventLoop, Events, GlobalSetup, GlobalTeardown, Need, Origin, Picker, Registry, Scenario, SessionFactory, Setup,
    SetupSession, Teardown, TeardownSession, WeightTable,
};
use crate::{
    options::Args,
    session::{Context, Session},
    suggest::nearest,
};

/// Why a registry cannot be run.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// Nothing to run.
    #[error(
        "no scenario to run: write an `async` function with `#[molotov::scenario]`; if there is one in a library, keep it linked with `use my_crate as _;`"
    )]
    NoScenario,
    /// All scenarios have weight 0.
    #[error("no scenario to run: all {count} have the weight 0; give one of them a weight above 0")]
    AllWeightsZero {
        /// How many there are.
        count: usize,
    },
    /// A name that no scenario has.
    #[error("no scenario is named `{name}`{hint}")]
    UnknownScenario {
        /// The name asked for.
        name: String,
        /// What there is instead.
        hint: String,
    },
    /// An extension that is not linked in.
    #[error("no extension is named `{name}`{hint}")]
    UnknownExtension {
        /// The name asked for.
        name: String,
        /// What there is instead.
        hint: String,
    },
    /// Two scenarios of one name.
    #[error("two scenarios are named `{name}`: {first} and {second}; rename one with `name = \"...\"`")]
    DuplicateName {
        /// The name.
        name: String,
        /// Place of one.
        first: String,
        /// Place of the other.
        second: String,
    },
    /// A scenario without a name.
    #[error("the scenario at {place} has an empty name; give it one")]
    EmptyName {
        /// Its place.
        place: String,
    },
    /// Two fixtures where one may be.
    #[error("two `{kind}` functions in {home}: {first} and {second}; keep one")]
    DuplicateFixture {
        /// Name of the attribute, with the session type where it matters.
        kind: String,
        /// The crate or extension.
        home: String,
        /// Place of one.
        first: String,
        /// Place of the other.
        second: String,
    },
    /// A weight that is no weight.
    #[error("the scenario `{name}` at {place} has the weight {weight}; it must be a number, 0 or more")]
    BadWeight {
        /// Name of the scenario.
        name: String,
        /// Its place.
        place: String,
        /// The weight.
        weight: f64,
    },
    /// A session type that nothing makes.
    #[error(
        "the scenario `{name}` at {place} takes a session of type `{type_name}`, which nothing makes: write a `#[molotov::session_factory]` function that returns it"
    )]
    NoFactory {
        /// Name of the scenario.
        name: String,
        /// Its place.
        place: String,
        /// The type.
        type_name: &'static str,
    },
    /// A session taken both ways at once.
    #[error(
        "`{name}` at {place} takes the session `{type_name}` more than once, and changes it: take it once, as `&mut`"
    )]
    TakenTwice {
        /// Name of the scenario or fixture.
        name: String,
        /// Its place.
        place: String,
        /// The type.
        type_name: &'static str,
    },
    /// `&mut Context`, `&mut Args`.
    #[error("`{name}` at {place} takes `&mut {type_name}`, which is shared: take it as `&`")]
    NotMutable {
        /// Name of the scenario or fixture.
        name: String,
        /// Its place.
        place: String,
        /// The type.
        type_name: &'static str,
    },
}

/// What a run uses of a registry: only what is active, checked.
#[derive(Clone)]
pub struct Selection {
    /// The scenarios to run, in name order, all with a weight above 0.
    pub scenarios: Vec<Arc<dyn Scenario>>,
    /// Picks among `scenarios` by index.
    pub weights: WeightTable,
    /// Picks instead of the weights; the last in load order.
    pub picker: Option<Arc<dyn Picker>>,
    /// In load order, as all that follow: the crates' own, then extensions as named.
    pub global_setups: Vec<Arc<dyn GlobalSetup>>,
    /// For each worker, before sessions.
    pub setups: Vec<Arc<dyn Setup>>,
    /// Those whose session types the run has.
    pub setup_sessions: Vec<Arc<dyn SetupSession>>,
    /// Those whose session types the run has.
    pub teardown_sessions: Vec<Arc<dyn TeardownSession>>,
    /// For each worker, after sessions.
    pub teardowns: Vec<Arc<dyn Teardown>>,
    /// After everything.
    pub global_teardowns: Vec<Arc<dyn GlobalTeardown>>,
    /// Listeners.
    pub events: Vec<Arc<dyn Events>>,
    /// One for each session type that a scenario needs, but the HTTP session, which is built in unless it is among them.
    pub factories: Vec<Arc<dyn SessionFactory>>,
    /// Whether workers get the built-in HTTP session.
    pub http: bool,
    /// Where workers run, if not on threads of their own.
    pub(crate) event_loop: Option<Arc<dyn EventLoop>>,
}

impl std::fmt::Debug for Selection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.scenarios.iter().map(|scenario| scenario.name())).finish()
    }
}

impl Registry {
    /// Checks everything that `args` makes active and gives what the run uses, or all that is wrong.
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
        scenarios.retain(|scenario| scenario.weight() != 0.0);
        scenarios.sort_by(|a, b| a.name().cmp(b.name()));
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
                    || all_factories.iter().any(|factory| SessionFactory::type_id(&**factory) == need.type_id);
                // `&mut Context` is reported as such by the check of the parameters.
                if !made && !is_shared(&need) {
                    let (name, place) = (scenario.name().to_owned(), scenario.origin().to_string());
                    errors.push(RegistryError::NoFactory { name, place, type_name: need.type_name });
                }
                needed.push(need.type_id);
            }
        }
        let mut factories = all_factories;
        one_each("session_factory", factories.iter().map(|one| (one.origin(), one.type_name())), &mut errors);
        factories.retain(|factory| needed.contains(&SessionFactory::type_id(&**factory)));

        let (pickers, global_setups, setups): (Vec<_>, Vec<_>, Vec<_>) =
            (active!(pickers), active!(global_setups), active!(setups));
        let (teardowns, global_teardowns): (Vec<_>, Vec<_>) = (active!(teardowns), active!(global_teardowns));
        one_each("scenario_picker", pickers.iter().map(|one| (one.origin(), "")), &mut errors);
        one_each("global_setup", global_setups.iter().map(|one| (one.origin(), "")), &mut errors);
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
        }
        one_each("setup_session", setup_sessions.iter().map(|one| (one.origin(), session(&one.needs()))), &mut errors);
        one_each(
            "teardown_session",
            teardown_sessions.iter().map(|one| (one.origin(), session(&one.needs()))),
            &mut errors,
        );
        let made = |needs: Vec<Need>| needs.iter().all(|need| needed.contains(&need.type_id));
        setup_sessions.retain(|one| made(one.needs()));
        teardown_sessions.retain(|one| made(one.needs()));

        let http = TypeId::of::<Session>();
        let http =
            needed.contains(&http) && !factories.iter().any(|factory| SessionFactory::type_id(&**factory) == http);
        match WeightTable::new(scenarios.iter().map(|scenario| scenario.weight())) {
            Some(weights) if errors.is_empty() => Ok(Selection {
                scenarios,
                weights,
                picker: pickers.last().cloned(),
                global_setups,
                setups,
                setup_sessions,
                teardown_sessions,
                teardowns,
                global_teardowns,
                events: active!(events),
                factories,
                http,
                event_loop: self.event_loop.clone(),
            }),
            _ => Err(errors),
        }
    }
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

/// The session type that a session fixture is for.
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
    match (nearest(name, &known), &known[..]) {
        (_, []) => "; there is none".to_owned(),
        (Some(near), [_]) => format!("; did you mean `{near}`?"),
        (Some(near), _) => format!("; did you mean `{near}`? There are {listed}"),
        (None, _) => format!("; there is {listed}"),
    }
}
