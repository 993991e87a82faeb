//! The items that the expansion of the attributes uses. Nothing here is stable.

pub use ::inventory;
pub use futures_util::future::LocalBoxFuture;
pub use std::{
    any::{Any, TypeId},
    boxed::Box,
    option::Option,
    primitive::{f64, str, u32},
    string::String,
    time::Duration,
    vec::Vec,
};

pub use crate::{
    data::{DataFile, Each, Order, Row, RowType},
    event::Event,
    failure::{Failure, IntoOutcome, Result},
    options::{Args, StepId},
    registry::{
        Call, ContextArg, Entry, EntryDelay, EventArg, FactoryResult, FactoryValue, GlobalArg, IntoOptions, IntoPick,
        Made, Need, ParameterNeeds, Parameters, PickerArg, Runs, ScenarioEntry, SlotArg, Slots,
    },
    session::{Context, SessionOptions},
};

/// The session types that parameters need.
pub fn needs<P: ParameterNeeds>(_: P) -> Vec<Need> {
    P::needs()
}

/// Calls a function with what its parameters take from a worker.
pub fn call<F, O, P: Parameters<F, O>>(
    _: P,
    function: F,
    into: fn(O) -> Result,
    slots: &Slots,
) -> LocalBoxFuture<'_, Result> {
    P::call(function, into, slots)
}

/// Returns the runs of a function with what its parameters take from a worker.
pub fn runs<F: Copy, O, P: Parameters<F, O>>(_: P, function: F, into: fn(O) -> Result, slots: &Slots) -> Runs<'_> {
    P::runs(function, into, slots)
}

/// Awaits a session factory, and converts its result.
pub fn make<'a, O: 'a, E: 'a>(
    output: impl Future<Output = O> + 'a,
    session: fn(O) -> Result<Box<dyn Any>, E>,
    failure: fn(E) -> Failure,
) -> LocalBoxFuture<'a, Result<Box<dyn Any>>> {
    Box::pin(async move { session(output.await).map_err(failure) })
}

/// Converts the error of a session factory.
pub fn into_failure<E: FactoryError>(error: E) -> Failure {
    crate::failure::into_failure(error)
}

/// The error of a session factory.
#[diagnostic::on_unimplemented(
    message = "a session factory cannot fail with `{Self}`",
    label = "the error does not implement `std::fmt::Display`",
    note = "implement `std::fmt::Display` for `{Self}`, or return `molotov::Result<YourSession>`"
)]
pub trait FactoryError: std::fmt::Display + 'static {}

#[diagnostic::do_not_recommend]
impl<E: std::fmt::Display + 'static> FactoryError for E {}

/// The parser of HTTP/1 responses, for fuzzing and conformance tests.
pub mod h1 {
    pub use crate::http::{Parsed, parse_response};
}
