//! What a run executes: its options, and the scenarios and fixtures it selects.

use std::{net::SocketAddr, sync::Arc};

use crate::{
    options::Args,
    registry::{Registry, RegistryError, Selection},
    vars::Scope,
};

/// The options of a run and its scenarios, checked against each other.
#[derive(Debug, Clone)]
pub struct Plan {
    pub(crate) args: Arc<Args>,
    pub(crate) selection: Arc<Selection>,
    /// The variables of the run.
    pub(crate) scope: Arc<Scope>,
    /// The address of the statsd server, with `--statsd`.
    pub(crate) statsd: Option<SocketAddr>,
}

impl Plan {
    /// Plans a run of registered scenarios.
    ///
    /// # Errors
    ///
    /// Returns every conflict among the registered items, and between them and the options.
    pub fn new(args: Args, registry: &Registry) -> Result<Plan, Vec<RegistryError>> {
        let selection = registry.validate(&args)?;
        let plan = Plan { args: Arc::new(args), selection: Arc::new(selection), scope: Arc::default(), statsd: None };
        Ok(plan.with_variables(Arc::default()))
    }

    /// Replaces the variables of the run.
    pub(crate) fn with_variables(self, scope: Arc<Scope>) -> Plan {
        scope.show_secrets(self.args.show_secrets);
        Plan { scope, ..self }
    }

    /// Sets the address of the statsd server.
    pub(crate) fn with_statsd(self, statsd: Option<SocketAddr>) -> Plan {
        Plan { statsd, ..self }
    }

    /// The names of the scenarios. Their order gives each the index that a [`StatusTable`](super::status::StatusTable) holds.
    pub(super) fn names(&self) -> Vec<String> {
        self.selection.scenarios.iter().map(|scenario| scenario.name().to_owned()).collect()
    }
}
