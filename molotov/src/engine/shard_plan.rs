//! The plan as a shard uses it, on its own thread.

use std::{any::Any, rc::Rc, sync::Arc};

use super::plan::Plan;
use crate::{
    Failure,
    data::{Each, Source},
    event::ScenarioInfo,
    metrics::{Recorder, ScenarioId},
    options::Delay,
    registry::{Scenario, Selection, Slots},
    session::{Context, Session, SessionOptions},
};

/// A scenario of the plan.
pub(super) struct PlannedScenario {
    pub(super) name: Rc<str>,
    pub(super) id: ScenarioId,
    pub(super) info: ScenarioInfo,
    pub(super) entry: Arc<dyn Scenario>,
}

/// A shard's view of the plan: the scenarios in name order, each registered with the shard's recorder.
pub(super) struct ShardPlan {
    pub(super) scenarios: Vec<PlannedScenario>,
    pub(super) selection: Arc<Selection>,
    pub(super) data: Arc<[Source]>,
    /// Names the picker in failures: when it fails, no scenario can be named.
    pub(super) picker_info: ScenarioInfo,
    pub(super) picker_id: Option<ScenarioId>,
}

impl ShardPlan {
    pub(super) fn new(plan: &Plan, recorder: &Recorder) -> ShardPlan {
        let info = |entry: &Arc<dyn Scenario>| {
            let given = plan.args.scenarios.get(entry.name());
            ScenarioInfo {
                name: entry.name().to_owned(),
                weight: entry.weight(),
                delay: given.and_then(|given| given.delay).unwrap_or_else(|| entry.delay()),
                pacing: given.and_then(|given| given.pacing).or_else(|| entry.pacing()),
            }
        };
        let planned = |entry: &Arc<dyn Scenario>| PlannedScenario {
            name: entry.name().into(),
            id: recorder.scenario_id(entry.name()),
            info: info(entry),
            entry: entry.clone(),
        };
        ShardPlan {
            scenarios: plan.selection.scenarios.iter().map(planned).collect(),
            selection: plan.selection.clone(),
            data: plan.data.clone(),
            picker_id: plan.selection.picker.as_ref().map(|_| recorder.scenario_id("scenario_picker")),
            picker_info: ScenarioInfo {
                name: "scenario_picker".to_owned(),
                weight: 0.0,
                delay: Delay::ZERO,
                pacing: None,
            },
        }
    }

    /// The index of the scenario with this name.
    pub(super) fn index_of(&self, name: &str) -> Option<usize> {
        self.scenarios.binary_search_by(|scenario| (*scenario.name).cmp(name)).ok()
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.scenarios.iter().map(|scenario| scenario.info.name.clone()).collect()
    }

    /// Takes the rows of data files that a worker keeps.
    ///
    /// # Errors
    ///
    /// Returns a failure if a file has no row left.
    pub(super) fn take_rows(&self) -> Result<Vec<Box<dyn Any>>, Failure> {
        self.data.iter().filter(|source| source.each() == Each::Worker).map(Source::take).collect()
    }

    /// Runs `setup` and opens the sessions that scenarios take. The worker keeps `rows` beside them.
    ///
    /// # Errors
    ///
    /// Returns the name of the fixture that failed, and its failure.
    pub(super) async fn open_sessions(
        &self,
        context: &Context,
        rows: Vec<Box<dyn Any>>,
    ) -> Result<Slots, (&'static str, Failure)> {
        let mut options = SessionOptions::new();
        for setup in &self.selection.setups {
            if let Some(given) = setup.run(context).await.map_err(|failure| ("setup", failure))? {
                options = given;
            }
        }
        let mut slots = Slots::new(context.clone()).with_data(self.data.clone());
        rows.into_iter().for_each(|row| slots.insert(row));
        for factory in &self.selection.factories {
            slots.insert(factory.make(context).await.map_err(|failure| ("session_factory", failure))?);
        }
        if self.selection.http {
            let options = options.with_args(context.args());
            let session = Session::new(options).map_err(|error| ("setup", error.into()))?;
            session.belong_to(context.clone());
            slots.insert(Box::new(session));
        }
        Ok(slots)
    }
}
