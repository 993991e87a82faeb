//! What the attributes expand to. Not for users: nothing here is stable.

pub use ::inventory;
pub use futures_util::future::LocalBoxFuture;
pub use std::{
    any::{Any, TypeId},
    boxed::Box,
    primitive::{f64, str, u32},
    string::String,
    time::Duration,
    vec::Vec,
};

pub use crate::{
    event::Event,
    failure::{Failure, IntoOutcome, Result},
    options::{Args, StepId},
    registry::{
        Call, ContextArg, Entry, EventArg, FactoryResult, FactoryValue, GlobalArg, IntoOptions, IntoPick, Made, Need,
        PickerArg, ScenarioEntry, SlotArg, Slots,
    },
    session::{Context, SessionOptions},
};

/// Why a session factory made no session.
pub fn into_failure<E: std::fmt::Display + 'static>(error: E) -> Failure {
    crate::failure::into_failure(error)
}

/// The reader of HTTP/1 answers over plain bytes, for fuzzing and conformance tests.
pub mod h1 {
    pub use crate::http::{Parsed, parse_response};
}
