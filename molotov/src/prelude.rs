//! Everything a load test usually needs: `use molotov::prelude::*;`

pub use std::process::ExitCode;

pub use molotov_macros::{
    events, global_setup, global_teardown, scenario, scenario_picker, session_factory, setup, setup_session, teardown,
    teardown_session,
};
pub use serde_json::Value;

pub use crate::{
    event::Event,
    failure::{Failure, Result},
    options::{Args, StepId, WorkerId},
    session::{Context, Response, Session, SessionOptions},
};
