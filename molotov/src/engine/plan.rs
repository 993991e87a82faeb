//! What a run executes: its options, and the scenarios and fixtures it selects.

use std::{net::SocketAddr, sync::Arc};

#[cfg(feature = "cluster")]
use crate::vars::RowsPart;
use crate::{
    data::{DataError, Source},
    load::{Load, Part, check_options, check_scenarios},
    options::Args,
    registry::{Data, Registry, RegistryError, Selection},
    run::RunInfo,
    vars::Scope,
};

/// The options of a run and its scenarios, checked against each other.
#[derive(Debug, Clone)]
pub struct Plan {
    pub(crate) args: Arc<Args>,
    /// What is run.
    pub(crate) info: Arc<RunInfo>,
    /// When scenarios start.
    pub(crate) load: Arc<Load>,
    pub(crate) selection: Arc<Selection>,
    /// The data files, which are opened after `global_setup`.
    pub(crate) data: Arc<[Source]>,
    /// The variables of the run.
    pub(crate) scope: Arc<Scope>,
    /// The address of the statsd server, with `--statsd`.
    pub(crate) statsd: Option<SocketAddr>,
    /// The part of this machine, in a run on several machines.
    pub(crate) part: Option<Part>,
    /// Replaces `--seed` where all machines and processes need the same random numbers.
    pub(super) seed: u64,
}

impl Plan {
    /// Plans a run of registered scenarios.
    ///
    /// # Errors
    ///
    /// Returns every conflict among the registered items, and between them and the options.
    pub fn new(args: Args, registry: &Registry) -> Result<Plan, Vec<RegistryError>> {
        Plan::with_seed(args, registry, fastrand::u64(..))
    }

    /// Plans the part of a machine in a run. All machines have the same `seed`.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    #[cfg(feature = "cluster")]
    pub(crate) fn of_machine(
        args: Args,
        registry: &Registry,
        part: Part,
        seed: u64,
    ) -> Result<Plan, Vec<RegistryError>> {
        let plan = Plan { part: Some(part), ..Plan::with_seed(args, registry, seed)? };
        plan.scope.set_rows(RowsPart { number: part.number, of: part.of, seed });
        Ok(plan)
    }

    fn with_seed(args: Args, registry: &Registry, seed: u64) -> Result<Plan, Vec<RegistryError>> {
        let selection = registry.validate(&args)?;
        let load = load(&args, &selection, seed).map_err(|error| vec![RegistryError::Options(error)])?;
        let load = Arc::new(load);
        let (args, selection) = (Arc::new(args), Arc::new(selection));
        let info = Arc::new(RunInfo::new(&args));
        let (data, scope) = (Arc::default(), Arc::default());
        let plan = Plan { args, info, load, selection, data, scope, statsd: None, part: None, seed };
        Ok(plan.with_variables(Arc::default()))
    }

    /// Changes the options before the run starts.
    ///
    /// # Errors
    ///
    /// If the options do not fit the scenarios.
    pub(super) fn set_args(&mut self, args: Args) -> Result<(), String> {
        check_options(&args)?;
        let unknown = args.scenarios.keys().find(|name| !self.names().contains(name));
        if let Some(unknown) = unknown.filter(|_| args.scenarios != self.args.scenarios) {
            let names = self.names().join(", ");
            return Err(format!(
                "{} has options of `{unknown}`, which is not a scenario of this run; there are: {names}",
                args.name("scenarios")
            ));
        }
        let mut selection = Selection::clone(&self.selection);
        selection.set_rates(&args);
        self.selection = Arc::new(selection);
        self.load = Arc::new(load(&args, &self.selection, self.seed)?);
        self.info = Arc::new(RunInfo::clone(&self.info).with_options(&args));
        self.scope.set_args(&args);
        self.args = Arc::new(args);
        Ok(())
    }

    /// Opens the data files whose rows scenarios take. Processes that are forked afterwards share their rows.
    ///
    /// # Errors
    ///
    /// Returns an error if a file cannot be read, or has a row of another type.
    pub(super) fn open_data(&mut self) -> Result<(), DataError> {
        let seed = |number: usize| self.args.seed.map(|seed| seed.wrapping_add(number as u64));
        let open = |(number, data): (usize, &Arc<Data>)| Source::open(data.file(), seed(number));
        self.data = self.selection.data.iter().enumerate().map(open).collect::<Result<_, _>>()?;
        Ok(())
    }

    /// Replaces the variables of the run.
    pub(crate) fn with_variables(self, scope: Arc<Scope>) -> Plan {
        scope.set_args(&self.args);
        Plan { scope, ..self }
    }

    /// Changes the description of the run.
    pub(crate) fn with_info(self, change: impl FnOnce(RunInfo) -> RunInfo) -> Plan {
        Plan { info: Arc::new(change(RunInfo::clone(&self.info))), ..self }
    }

    /// Sets the address of the statsd server.
    pub(crate) fn with_statsd(self, statsd: Option<SocketAddr>) -> Plan {
        Plan { statsd, ..self }
    }

    /// How many times the load of a closed loop runs: once for each process, unless agents share it.
    pub(super) fn copies(&self) -> usize {
        if self.args.agents.is_some() { 1 } else { self.args.processes }
    }

    /// The names of the scenarios. Their order gives each the index that a [`StatusTable`](super::status::StatusTable) holds.
    pub(super) fn names(&self) -> Vec<String> {
        self.selection.scenarios.iter().map(|scenario| scenario.name().to_owned()).collect()
    }
}

/// The load of a run, or why the options do not fit the scenarios.
fn load(args: &Args, selection: &Selection, seed: u64) -> Result<Load, String> {
    let rates: Vec<_> =
        (selection.rates.iter()).map(|(index, rate)| (selection.scenarios[*index].name().to_owned(), *rate)).collect();
    let weighted = &selection.weighted;
    check_scenarios(args, &rates, !weighted.is_empty())?;
    let runs = if args.single_run { Some(weighted.len() as u64) } else { args.max_runs };
    let args = &Args { seed: args.seed.or(Some(seed)), ..args.clone() };
    Ok(Load::new(args, &rates, !weighted.is_empty(), runs))
}
