//! The registry of scenarios, fixtures, listeners and session factories.

mod args;
mod collect;
mod entry;
mod function;
mod list;
mod origin;
mod outcome;
mod pick;
mod runs;
mod slots;
mod traits;
mod validate;

pub use args::{ContextArg, EventArg, GlobalArg, Parameter, PickerArg, SlotArg};
pub use collect::Registry;
pub use entry::{Call, Data, Entry, EntryDelay, ScenarioEntry};
pub use function::{ParameterNeeds, Parameters, ScenarioFn};
pub use list::list;
pub use origin::Origin;
pub use outcome::{FactoryResult, FactoryValue, IntoOptions, IntoPick, Made};
pub use pick::WeightTable;
pub use runs::Runs;
pub use slots::{Need, Slots};
pub(crate) use traits::EventLoop;
pub use traits::{
    Events, GlobalSetup, GlobalTeardown, Picker, Scenario, SessionFactory, Setup, SetupSession, Teardown,
    TeardownSession,
};
pub use validate::{RegistryError, Selection};
