//! What passes between the coordinator of a run and a process on another machine that takes part in it.
//!
//! ```text
//! SetUpOnce ->  <- SetUpOnce     one process only, if there are such fixtures
//! SetUp     ->  <- Ready         or `Failed`
//! Begin     ->
//! Command   ->  <- Update        until the process closes its link
//! ```

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    engine::{
        envelope::Envelope,
        update::{Command, MemberId},
    },
    load::{Load, Part},
    run::{FixtureFailure, Line},
};

/// Variables that fixtures set, by name, each as a JSON text.
pub(crate) type Variables = BTreeMap<String, String>;

/// The first message to a process: its part in a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Task {
    /// Its id among the members of the run.
    pub(crate) member: MemberId,
    /// The part of the workers, starts and rows of the run that this machine has.
    pub(crate) part: Part,
    /// A random number that all machines of the run have. It replaces those that a machine would draw to order rows and starts,
    /// unless `--seed` is given.
    pub(crate) seed: u64,
    /// The options of the run that are given, as a JSON object like a test of a `molotov.json`.
    pub(crate) options: String,
}

/// A message to a process that takes part in a run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum ToRun {
    /// Run the fixtures that run once for all machines.
    SetUpOnce,
    /// Run `global_setup` and open the data files. The variables are those that the fixtures set that ran once.
    SetUp { variables: Variables },
    /// Start the workers when the monotonic clock of the machine shows this time.
    Begin { at: Duration },
    /// A command of the run.
    Command(Command),
}

/// A message from a process that takes part in a run.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum FromRun {
    /// A line to show, before the run begins. Later ones are updates.
    Line(Line),
    /// The fixtures have run once. These are the variables that they set.
    SetUpOnce { variables: Variables },
    /// The process waits for `ToRun::Begin`.
    Ready(Ready),
    /// The process cannot take part, and ends.
    Failed(Failed),
    /// An update of the run.
    Update(Envelope),
}

/// What a process reports before the run begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ready {
    /// The load of the whole run, which `global_setup` may have changed.
    pub(crate) load: Load,
    /// How many threads run workers, over all processes of the machine.
    pub(crate) threads: usize,
}

/// Why a process cannot take part in a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Failed {
    Fixture(FixtureFailure),
    /// Another reason, in one sentence.
    System(String),
}
