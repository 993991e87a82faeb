//! What is to be run: the options and what is registered, and what a shard makes of them for its own thread.

use std::{net::SocketAddr, rc::Rc, sync::Arc, time::Duration};

use crate::{
    Failure,
    event::ScenarioInfo,
    metrics::{Recorder, ScenarioId},
    options::Args,
    registry::{Registry, RegistryError, Scenario, Selection, Slots},
    session::{Context, Session, SessionOptions},
    vars::Scope,
};

/// The options of a run and what is registered for it, checked to fit together.
#[derive(Debug, Clone)]
pub struct Plan {
    pub(crate) args: Arc<Args>,
    pub(crate) selection: Arc<Selection>,
    /// The variables of the run.
    pub(crate) scope: Arc<Scope>,
    /// Where statsd listens, when it is to be told.
    pub(crate) statsd: Option<SocketAddr>,
}

impl Plan {
    /// A plan of what is registered.
    ///
    /// # Errors
    ///
    /// When what is registered does not fit together, or not with the options; all that is wrong is told at once.
    pub fn new(args: Args, registry: &Registry) -> Result<Plan, Vec<RegistryError>> {
        let selection = registry.validate(&args)?;
        let plan = Plan { args: Arc::new(args), selection: Arc::new(selection), scope: Arc::default(), statsd: None };
        Ok(plan.with_variables(Arc::default()))
    }

    /// With variables that are set already.
    pub(crate) fn with_variables(self, scope: Arc<Scope>) -> Plan {
        scope.show_secrets(self.args.show_secrets);
        Plan { scope, ..self }
    }

    /// With a statsd to tell.
    pub(crate) fn with_statsd(self, statsd: Option<SocketAddr>) -> Plan {
        Plan { statsd, ..self }
    }

    /// The names of the scenarios, in the order in which a [`StatusTable`](super::status::StatusTable) numbers them.
    pub(super) fn names(&self) -> Vec<String> {
        self.selection.scenarios.iter().map(|scenario| scenario.name().to_owned()).collect()
    }
}

/// A scenario of the plan.
pub(super) struct PlannedScenario {
    pub(super) name: Rc<str>,
    pub(super) id: ScenarioId,
    pub(super) info: ScenarioInfo,
    pub(super) entry: Arc<dyn Scenario>,
}

/// The plan as one shard uses it: scenarios in name order, with what it takes to count them.
pub(super) struct ShardPlan {
    pub(super) scenarios: Vec<PlannedScenario>,
    pub(super) selection: Arc<Selection>,
    /// Stands for the picker where it fails: then no scenario runs that could be named.
    pub(super) picker_info: ScenarioInfo,
    pub(super) picker_id: Option<ScenarioId>,
}

impl ShardPlan {
    pub(super) fn new(plan: &Plan, recorder: &Recorder) -> ShardPlan {
        let planned = |entry: &Arc<dyn Scenario>| PlannedScenario {
            name: entry.name().into(),
            id: recorder.scenario_id(entry.name()),
            info: ScenarioInfo { name: entry.name().to_owned(), weight: entry.weight(), delay: entry.delay() },
            entry: entry.clone(),
        };
        ShardPlan {
            scenarios: plan.selection.scenarios.iter().map(planned).collect(),
            selection: plan.selection.clone(),
            picker_id: plan.selection.picker.as_ref().map(|_| recorder.scenario_id("scenario_picker")),
            picker_info: ScenarioInfo { name: "scenario_picker".to_owned(), weight: 0.0, delay: Duration::ZERO },
        }
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.scenarios.iter().map(|scenario| scenario.info.name.clone()).collect()
    }

    /// Runs `setup` and makes the sessions that scenarios ask for. An error names the fixture that failed.
    pub(super) async fn open_sessions(&self, context: &Context) -> Result<Slots, (&'static str, Failure)> {
        let mut options = SessionOptions::new();
        for setup in &self.selection.setups {
            if let Some(given) = setup.run(context).await.map_err(|failure| ("setup", failure))? {
                options = given;
            }
        }
        let mut slots = Slots::new(context.clone());
        for factory in &self.selection.factories {
            slots.insert(factory.make(context).await.map_err(|failure| ("session_factory", failure))?);
        }
        if self.selection.http {
            let options = options.or_timeout(context.args().timeout);
            let session = Session::new(options).map_err(|error| ("setup", error.into()))?;
            session.belong_to(context.clone());
            slots.insert(Box::new(session));
        }
        Ok(slots)
    }
}
