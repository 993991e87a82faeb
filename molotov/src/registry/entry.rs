//! The entries that attributes submit to `inventory`: constants of function pointers.

use std::{
    any::{Any, TypeId},
    borrow::Cow,
    time::Duration,
};

use futures_util::future::LocalBoxFuture;

use super::{
    Events, GlobalSetup, GlobalTeardown, Need, Origin, Picker, Runs, Scenario, SessionFactory, Setup, SetupSession,
    Slots, Teardown, TeardownSession,
};
use crate::{
    data::DataFile,
    event::Event,
    failure::Result,
    options::{Args, Delay, Rate, StepId},
    session::{Context, SessionOptions},
};

/// A function or type with an attribute.
pub struct Entry {
    /// Its location.
    pub origin: Origin,
    /// Its kind, and how it is called.
    pub call: Call,
}

inventory::collect!(Entry);

impl Entry {
    /// Returns an entry. Attributes call this in a constant.
    pub const fn new(
        function: &'static str,
        module: &'static str,
        file: &'static str,
        line: u32,
        extension: Option<&'static str>,
        call: Call,
    ) -> Entry {
        let extension = match extension {
            Some(extension) => Some(Cow::Borrowed(extension)),
            None => None,
        };
        let origin = Origin {
            function: Cow::Borrowed(function),
            module: Cow::Borrowed(module),
            file: Cow::Borrowed(file),
            line,
            extension,
        };
        Entry { origin, call }
    }
}

/// The kind of a function or type with an attribute, and how it is called.
#[allow(missing_docs)]
#[derive(Clone, Copy)]
pub enum Call {
    Scenario(ScenarioEntry),
    Picker(fn(&Context, StepId) -> Result<String>),
    GlobalSetup(fn(&Args) -> Result),
    GlobalSetupOnce(fn(&Args) -> Result),
    GlobalTeardown(fn(&Args) -> Result),
    Setup(SetUp),
    SetupSession { needs: fn() -> Vec<Need>, run: for<'a> fn(&'a Slots) -> LocalBoxFuture<'a, Result> },
    TeardownSession { needs: fn() -> Vec<Need>, run: for<'a> fn(&'a Slots) -> LocalBoxFuture<'a, Result> },
    Teardown(fn(&Context) -> Result),
    Events(for<'a> fn(&'a Event<'a>) -> LocalBoxFuture<'a, Result>),
    SessionFactory { session: fn() -> (TypeId, &'static str), make: MakeSession },
    Data(DataFile),
}

/// How `setup` is called.
pub(super) type SetUp = for<'a> fn(&'a Context) -> LocalBoxFuture<'a, Result<Option<SessionOptions>>>;

/// How a session factory is called.
pub(super) type MakeSession = for<'a> fn(&'a Context) -> LocalBoxFuture<'a, Result<Box<dyn Any>>>;

/// A function with `#[scenario]`.
#[allow(missing_docs)]
#[derive(Clone, Copy)]
pub struct ScenarioEntry {
    pub name: &'static str,
    pub weight: f64,
    pub delay: EntryDelay,
    /// In seconds.
    pub pacing: Option<f64>,
    /// In millionths of a start per hour.
    pub rate: Option<u64>,
    pub needs: fn() -> Vec<Need>,
    pub runs: for<'a> fn(&'a Slots) -> Runs<'a>,
}

/// A delay in seconds, since constants cannot convert them to a `Duration`.
#[allow(missing_docs)]
#[derive(Debug, Clone, Copy)]
pub enum EntryDelay {
    Fixed(f64),
    Between(f64, f64),
    Exponential(f64),
}

/// A type with `#[data]`.
pub struct Data {
    pub(super) origin: Origin,
    pub(super) file: DataFile,
}

impl Data {
    /// Returns its location.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Returns its file.
    pub fn file(&self) -> DataFile {
        self.file
    }

    /// Returns the type of the rows.
    pub(super) fn row_type(&self) -> TypeId {
        self.file.row.id()
    }

    /// Returns the name of the type of the rows.
    pub(super) fn type_name(&self) -> &'static str {
        self.file.row.name()
    }
}

/// A function of one kind, as the engine calls it.
pub(super) struct Function<C> {
    pub(super) origin: Origin,
    pub(super) call: C,
}

impl Scenario for Function<ScenarioEntry> {
    fn name(&self) -> &str {
        self.call.name
    }

    fn weight(&self) -> f64 {
        self.call.weight
    }

    fn delay(&self) -> Delay {
        // The attribute refuses invalid delays.
        let time = |seconds| Duration::try_from_secs_f64(seconds).unwrap_or_default();
        match self.call.delay {
            EntryDelay::Fixed(seconds) => time(seconds).into(),
            EntryDelay::Between(shortest, longest) => Delay::between(time(shortest), time(longest)),
            EntryDelay::Exponential(mean) => Delay::exponential(time(mean)),
        }
    }

    fn pacing(&self) -> Option<Duration> {
        self.call.pacing.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
    }

    fn rate(&self) -> Option<Rate> {
        self.call.rate.map(Rate::from_micros_per_hour)
    }

    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn needs(&self) -> Vec<Need> {
        (self.call.needs)()
    }

    fn runs<'a>(&'a self, slots: &'a Slots) -> Runs<'a> {
        (self.call.runs)(slots)
    }
}

/// `Function<C>` implements the trait of its kind by calling the pointer.
macro_rules! fixture {
    ($trait:ident, $call:ty, fn $method:ident($($arg:ident: $type:ty),*) -> $result:ty) => {
        impl $trait for Function<$call> {
            fn origin(&self) -> &Origin {
                &self.origin
            }

            fn $method<'a>(&'a self, $($arg: $type),*) -> $result {
                (self.call)($($arg),*)
            }
        }
    };
}

/// Several kinds have the same function type; these types distinguish them.
pub(super) struct Begin(pub(super) fn(&Args) -> Result);
pub(super) struct Once(pub(super) fn(&Args) -> Result);
pub(super) struct End(pub(super) fn(&Args) -> Result);

impl GlobalSetup for Function<Begin> {
    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn run(&self, args: &mut Args) -> Result {
        (self.call.0)(args)
    }
}

impl GlobalSetup for Function<Once> {
    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn runs_once(&self) -> bool {
        true
    }

    fn run(&self, args: &mut Args) -> Result {
        (self.call.0)(args)
    }
}

impl GlobalTeardown for Function<End> {
    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn run(&self, args: &Args) -> Result {
        (self.call.0)(args)
    }
}

impl Picker for Function<fn(&Context, StepId) -> Result<String>> {
    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn pick(&self, context: &Context, step: StepId) -> Result<String> {
        (self.call)(context, step)
    }
}

impl Teardown for Function<fn(&Context) -> Result> {
    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn run(&self, context: &Context) -> Result {
        (self.call)(context)
    }
}

impl Setup for Function<SetUp> {
    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn run<'a>(&'a self, context: &'a Context) -> LocalBoxFuture<'a, Result<Option<SessionOptions>>> {
        (self.call)(context)
    }
}

fixture!(
    Events,
    for<'b> fn(&'b Event<'b>) -> LocalBoxFuture<'b, Result>,
    fn handle(event: &'a Event<'a>) -> LocalBoxFuture<'a, Result>
);

/// A `setup_session` or `teardown_session` function.
pub(super) struct SessionFixture {
    pub(super) needs: fn() -> Vec<Need>,
    pub(super) run: for<'a> fn(&'a Slots) -> LocalBoxFuture<'a, Result>,
}

macro_rules! session_fixture {
    ($trait:ident) => {
        impl $trait for Function<SessionFixture> {
            fn origin(&self) -> &Origin {
                &self.origin
            }

            fn needs(&self) -> Vec<Need> {
                (self.call.needs)()
            }

            fn run<'a>(&'a self, slots: &'a Slots) -> LocalBoxFuture<'a, Result> {
                (self.call.run)(slots)
            }
        }
    };
}

session_fixture!(SetupSession);
session_fixture!(TeardownSession);

/// A session factory, and the type of its sessions.
pub(super) struct Factory {
    pub(super) session: fn() -> (TypeId, &'static str),
    pub(super) make: MakeSession,
}

impl SessionFactory for Function<Factory> {
    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn type_id(&self) -> TypeId {
        (self.call.session)().0
    }

    fn type_name(&self) -> &'static str {
        (self.call.session)().1
    }

    fn make<'a>(&'a self, context: &'a Context) -> LocalBoxFuture<'a, Result<Box<dyn Any>>> {
        (self.call.make)(context)
    }
}
