//! Molotov, a load-testing toolkit: write scenarios as `async` functions, watch workers break a service.

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
mod backtrace;
mod blocking;
pub mod cli;
pub mod engine;
pub mod event;
mod failure;
pub mod http;
mod load_test;
pub mod metrics;
pub mod options;
pub mod prelude;
#[cfg(feature = "python")]
pub mod python;
pub mod registry;
pub mod report;
pub mod session;
pub mod statsd;
pub mod ui;
mod vars;

pub use blocking::{BlockingRequest, BlockingResponse, JsonResponse, json_request, request};
pub use cli::main;
pub use failure::{Failure, IntoOutcome, Result};
pub use http::{Error, ErrorKind};
pub use load_test::{LoadTest, LoadTestError, Report, Row, secs, test_main};
pub use molotov_macros::{
    events, global_setup, global_teardown, scenario, scenario_picker, session_factory, setup, setup_session, teardown,
    teardown_session,
};
pub use vars::{get_var, get_var_or_init, set_var};
