//! What the engine runs. The attributes implement these for Rust functions; another language can do so too.

use std::{
    any::{Any, TypeId},
    time::Duration,
};

use futures_util::future::LocalBoxFuture;

use super::{Need, Origin, Slots};
use crate::{
    event::Event,
    failure::Result,
    options::{Args, StepId},
    session::{Context, SessionOptions},
};

/// Something that workers run over and over.
pub trait Scenario: Send + Sync {
    /// Its name, by which it is picked and measured.
    fn name(&self) -> &str;
    /// Its share among all weights.
    fn weight(&self) -> f64;
    /// Sleep after each run of it.
    fn delay(&self) -> Duration;
    /// Where it was written.
    fn origin(&self) -> &Origin;
    /// The session types it takes.
    fn needs(&self) -> Vec<Need>;
    /// Runs it once.
    fn run<'a>(&'a self, slots: &'a Slots) -> LocalBoxFuture<'a, Result>;
}

/// Runs once, before anything else.
pub trait GlobalSetup: Send + Sync {
    /// Where it was written.
    fn origin(&self) -> &Origin;
    /// Runs it. It may change the options of the run.
    fn run(&self, args: &mut Args) -> Result;
}

/// Runs once for each worker, before its session is opened, and says how to open it.
pub trait Setup: Send + Sync {
    /// Where it was written.
    fn origin(&self) -> &Origin;
    /// Runs it. `None` leaves the options of the built-in session as they are.
    fn run<'a>(&'a self, context: &'a Context) -> LocalBoxFuture<'a, Result<Option<SessionOptions>>>;
}

/// Runs once for each worker when its sessions are open.
pub trait SetupSession: Send + Sync {
    /// Where it was written.
    fn origin(&self) -> &Origin;
    /// The session types it takes; it runs only in runs that have them all.
    fn needs(&self) -> Vec<Need>;
    /// Runs it.
    fn run<'a>(&'a self, slots: &'a Slots) -> LocalBoxFuture<'a, Result>;
}

/// Runs once for each worker before its sessions are closed.
pub trait TeardownSession: Send + Sync {
    /// Where it was written.
    fn origin(&self) -> &Origin;
    /// The session types it takes; it runs only in runs that have them all.
    fn needs(&self) -> Vec<Need>;
    /// Runs it.
    fn run<'a>(&'a self, slots: &'a Slots) -> LocalBoxFuture<'a, Result>;
}

/// Runs once for each worker when its sessions are closed.
pub trait Teardown: Send + Sync {
    /// Where it was written.
    fn origin(&self) -> &Origin;
    /// Runs it.
    fn run(&self, context: &Context) -> Result;
}

/// Runs once, after everything else.
pub trait GlobalTeardown: Send + Sync {
    /// Where it was written.
    fn origin(&self) -> &Origin;
    /// Runs it.
    fn run(&self, args: &Args) -> Result;
}

/// Says which scenario a worker runs next, instead of the weights.
pub trait Picker: Send + Sync {
    /// Where it was written.
    fn origin(&self) -> &Origin;
    /// Name of the scenario for this step.
    fn pick(&self, context: &Context, step: StepId) -> Result<String>;
}

/// Listens to what happens in the run.
pub trait Events: Send + Sync {
    /// Where it was written.
    fn origin(&self) -> &Origin;
    /// Takes one event.
    fn handle<'a>(&'a self, event: &'a Event<'a>) -> LocalBoxFuture<'a, Result>;
}

/// Makes the sessions of one type.
pub trait SessionFactory: Send + Sync {
    /// Where it was written.
    fn origin(&self) -> &Origin;
    /// The type it makes.
    fn type_id(&self) -> TypeId;
    /// Name of the type it makes.
    fn type_name(&self) -> &'static str;
    /// Makes the session of one worker; the value inside the box has the type that [`type_id`](Self::type_id) gives.
    fn make<'a>(&'a self, context: &'a Context) -> LocalBoxFuture<'a, Result<Box<dyn Any>>>;
}

/// Runs all workers of a process on the thread that started the run, in an event loop of its own: for a language whose
/// objects belong to one thread.
pub(crate) trait EventLoop: Send + Sync {
    /// Builds the runtime and runs `work` on it, to its end.
    ///
    /// # Errors
    ///
    /// When the event loop or the runtime cannot be made.
    fn run(&self, runtime: tokio::runtime::Builder, work: LocalBoxFuture<'static, ()>) -> std::io::Result<()>;

    /// Forks the process, with what the language has to do before and after; gives the child's pid to the parent, and
    /// `None` to the child.
    ///
    /// # Errors
    ///
    /// When the system allows no more processes, or the language cannot go on in the child.
    fn fork(&self) -> std::io::Result<Option<u32>>;

    /// A child is about to end: what the language still holds back is written.
    fn leave(&self);

    /// The run has begun to stop.
    fn stopping(&self);

    /// Breaks into code that keeps the thread busy and does not end by itself. Called from another thread.
    fn interrupt(&self);
}
