//! Molotov, a load-testing toolkit: write scenarios as `async` functions, watch workers break a service.

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
pub mod cli;
pub mod engine;
pub mod event;
mod failure;
pub mod http;
pub mod metrics;
pub mod options;
pub mod registry;
pub mod report;
pub mod session;
pub mod ui;
mod vars;

pub use vars::{get_var, get_var_or_init, set_var};
