//! The traits of scenarios and fixtures. Attributes implement them for Rust functions, and other languages for theirs.

use std::{
    any::{Any, TypeId},
    time::Duration,
};

use futures_util::future::LocalBoxFuture;

use super::{Need, Origin, Runs, Slots};
use crate::{
    event::Event,
    failure::Result,
    options::{Args, Delay, Rate, StepId},
    session::{Context, SessionOptions},
};

/// A scenario, which workers run in a loop.
pub trait Scenario: Send + Sync {
    /// Returns its name, which pickers and results use.
    fn name(&self) -> &str;
    /// Returns its weight relative to the other scenarios.
    fn weight(&self) -> f64;
    /// Returns the time to sleep after each run.
    fn delay(&self) -> Delay;
    /// Returns the time from one start to the next; `None` if only the delay separates its runs.
    fn pacing(&self) -> Option<Duration> {
        None
    }
    /// Returns the rate at which it starts; `None` if it is picked by weight.
    fn rate(&self) -> Option<Rate> {
        None
    }
    /// Returns its location.
    fn origin(&self) -> &Origin;
    /// Returns the session types that it takes.
    fn needs(&self) -> Vec<Need>;
    /// Returns its runs by a worker.
    fn runs<'a>(&'a self, slots: &'a Slots) -> Runs<'a>;
}

/// A fixture that runs once, before anything else.
pub trait GlobalSetup: Send + Sync {
    /// Returns its location.
    fn origin(&self) -> &Origin;
    /// Returns whether it runs once for all machines of a run, before the others. It cannot change the options of the run then.
    fn runs_once(&self) -> bool {
        false
    }
    /// Takes over the variables that it has set, on this machine or on another one, if it runs once.
    fn adopt_variables(&self) -> Result {
        Ok(())
    }
    /// Runs it. It may change the options of the run.
    fn run(&self, args: &mut Args) -> Result;
}

/// A fixture that runs once for each worker, and returns the options of its session.
pub trait Setup: Send + Sync {
    /// Returns its location.
    fn origin(&self) -> &Origin;
    /// Runs it. `None` leaves the options of the built-in session as they are.
    fn run<'a>(&'a self, context: &'a Context) -> LocalBoxFuture<'a, Result<Option<SessionOptions>>>;
}

/// A fixture that runs once for each worker after its sessions are opened.
pub trait SetupSession: Send + Sync {
    /// Returns its location.
    fn origin(&self) -> &Origin;
    /// Returns the session types that it takes. It only runs if the run has all of them.
    fn needs(&self) -> Vec<Need>;
    /// Runs it.
    fn run<'a>(&'a self, slots: &'a Slots) -> LocalBoxFuture<'a, Result>;
}

/// A fixture that runs once for each worker before its sessions are closed.
pub trait TeardownSession: Send + Sync {
    /// Returns its location.
    fn origin(&self) -> &Origin;
    /// Returns the session types that it takes. It only runs if the run has all of them.
    fn needs(&self) -> Vec<Need>;
    /// Runs it.
    fn run<'a>(&'a self, slots: &'a Slots) -> LocalBoxFuture<'a, Result>;
}

/// A fixture that runs once for each worker after its sessions are closed.
pub trait Teardown: Send + Sync {
    /// Returns its location.
    fn origin(&self) -> &Origin;
    /// Runs it.
    fn run(&self, context: &Context) -> Result;
}

/// A fixture that runs once, after everything else.
pub trait GlobalTeardown: Send + Sync {
    /// Returns its location.
    fn origin(&self) -> &Origin;
    /// Runs it.
    fn run(&self, args: &Args) -> Result;
}

/// Picks the next scenario of a worker, instead of the weights.
pub trait Picker: Send + Sync {
    /// Returns its location.
    fn origin(&self) -> &Origin;
    /// Returns the name of the scenario for this step.
    fn pick(&self, context: &Context, step: StepId) -> Result<String>;
}

/// A listener for the events of a run.
pub trait Events: Send + Sync {
    /// Returns its location.
    fn origin(&self) -> &Origin;
    /// Handles an event.
    fn handle<'a>(&'a self, event: &'a Event<'a>) -> LocalBoxFuture<'a, Result>;
}

/// A factory of sessions of one type.
pub trait SessionFactory: Send + Sync {
    /// Returns its location.
    fn origin(&self) -> &Origin;
    /// Returns the type of its sessions.
    fn type_id(&self) -> TypeId;
    /// Returns the name of the type.
    fn type_name(&self) -> &'static str;
    /// Returns the session of a worker. The value in the box has the type [`type_id`](Self::type_id).
    fn make<'a>(&'a self, context: &'a Context) -> LocalBoxFuture<'a, Result<Box<dyn Any>>>;
}

/// An event loop that runs all workers of a process on the thread that started the run, for a language whose objects belong to
/// one thread.
pub(crate) trait EventLoop: Send + Sync {
    /// Builds the runtime, and runs `work` on it until it ends.
    ///
    /// # Errors
    ///
    /// Returns an error if the event loop or the runtime cannot be created.
    fn run(&self, runtime: tokio::runtime::Builder, work: LocalBoxFuture<'static, ()>) -> std::io::Result<()>;

    /// Forks the process, and does what the language requires before and after. Returns the process ID of the child to the
    /// parent, and `None` to the child.
    ///
    /// # Errors
    ///
    /// Returns an error if the system allows no more processes, or the language cannot continue in the child.
    fn fork(&self) -> std::io::Result<Option<u32>>;

    /// Flushes the buffers of the language before a child ends.
    fn leave(&self);

    /// Called when the run starts to stop.
    fn stopping(&self);

    /// Returns notes for the end of a run that began at `start`.
    fn notes(&self, start: std::time::Instant) -> Vec<String> {
        let _ = start;
        Vec::new()
    }

    /// Interrupts code that blocks the thread. Called from another thread.
    fn interrupt(&self);
}
