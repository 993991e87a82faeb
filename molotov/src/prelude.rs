//! Everything a load test usually needs: `use molotov::prelude::*;`

pub use std::{process::ExitCode, rc::Rc, time::Duration};

pub use http::{Method, StatusCode};
#[doc(no_inline)]
pub use molotov_macros::{
    data, events, global_setup, global_teardown, scenario, scenario_picker, session_factory, setup, setup_session,
    teardown, teardown_session,
};
pub use serde_json::{Value, json};

#[doc(no_inline)]
pub use crate::{
    bail, ensure,
    event::Event,
    failure::{ErrorContext, Failure, Result},
    load_test::secs,
    options::{Args, Rate, Stage, StepId, WorkerId},
    session::{Context, Response, Session, SessionOptions},
    vars::{get_shared_var, get_var, get_var_or_init, set_shared_var, set_var},
};
