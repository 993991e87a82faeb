//! Molotov, a load-testing toolkit: write scenarios as `async` functions, watch workers break a service.

pub mod cli;
pub mod engine;
pub mod event;
mod failure;
pub mod http;
pub mod metrics;
pub mod options;
pub mod report;
pub mod session;
pub mod ui;
mod vars;

pub use failure::{Failure, Result};
pub use molotov_macros::{
    events, global_setup, global_teardown, scenario, scenario_picker, session_factory, setup, setup_session, teardown,
    teardown_session,
};
pub use vars::{get_var, get_var_or_init, set_var};
