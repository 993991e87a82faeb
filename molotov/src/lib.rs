//! Molotov, a load-testing toolkit: write scenarios as `async` functions, watch workers break a service.
//!
//! A *scenario* is one visit of a user: some requests, and what has to be true of their answers. *Workers* run scenarios over
//! and over, each with cookies and connections of its own, and the run ends with a table of how often, how fast and how badly
//! that went.
//!
//! # A load test
//!
//! ```no_run
//! use molotov::prelude::*;
//!
//! #[scenario(weight = 40)]
//! async fn browse(session: &Session) -> Result<()> {
//!     let response = session.get("http://127.0.0.1:8080/").send().await?;
//!     assert_eq!(response.status(), 200);
//!     let body: Value = response.json().await?;
//!     assert_eq!(body["result"], "OK");
//!     Ok(())
//! }
//!
//! #[scenario(weight = 60, delay = 0.5)]
//! async fn buy(session: &Session, ctx: &Context) -> Result<()> {
//!     let item = json!({"item": ctx.random_below(100)});
//!     session.post("http://127.0.0.1:8080/cart").json(&item).send().await?.error_for_status()?;
//!     Ok(())
//! }
//!
//! fn main() -> ExitCode {
//!     molotov::main()
//! }
//! ```
//!
//! That is a whole program: [`main`] finds the functions by their attributes, and gives them a command line. For 200 workers, a
//! minute, and an exit code that a pipeline can trust:
//!
//! ```text
//! cargo run --release -- -w 200 -d 60 --threshold "failures < 1%" --threshold "p95(browse) < 200ms"
//! ```
//!
//! `--help` shows all options. On a terminal the run shows itself in charts and tables; `--report run.html` keeps them.
//!
//! # What a function may ask for
//!
//! Parameters are found by their type, in any order, and may be left out: [`&Session`](session::Session) or `&mut Session`,
//! [`&Context`](session::Context) (the worker, the step, random numbers, timed steps), [`&Args`](options::Args),
//! [`WorkerId`](options::WorkerId), [`StepId`](options::StepId), and any type that a [`session_factory`] makes. A scenario
//! fails when it returns an error ([`Failure`] takes any by `?`) or panics; that is counted, and the worker goes on.
//!
//! # Before and after
//!
//! | attribute | runs |
//! |---|---|
//! | [`global_setup`], [`global_teardown`] | once, before and after everything |
//! | [`setup`] | once for each worker: how its session is made |
//! | [`setup_session`], [`teardown_session`] | once for each worker, with its session open |
//! | [`teardown`] | once for each worker, at its end |
//! | [`scenario_picker`] | chooses scenarios by name, in place of weights |
//! | [`events`] | for each thing that happens: requests, responses, scenarios ([`Event`](event::Event)) |
//! | [`session_factory`] | once for each worker: makes a session that is not HTTP |
//!
//! # As a test
//!
//! [`LoadTest`] runs scenarios inside `cargo test`, and its [`Report`] asserts what `--threshold` takes:
//!
//! ```standalone_crate
//! use molotov::{LoadTest, prelude::*};
//!
//! let report = LoadTest::new()
//!     .scenario("think", async |session: &Session| {
//!         session.measure("thought", async { assert_eq!(6 * 7, 42) }).await;
//!     })
//!     .workers(4)
//!     .max_runs(25)
//!     .run()?;
//! report.assert("failures == 0");
//! report.assert("p99(thought) < 1s");
//! assert_eq!(report.successes(), 100);
//! # Ok::<(), molotov::LoadTestError>(())
//! ```
//!
//! [`test_main`] shows every scenario as a test of its own. Scenarios that tests shall see stand in the crate's library, which
//! `use my_crate as _;` keeps linked.
//!
//! # Where to find what
//!
//! - [`prelude`]: everything that a load test usually needs.
//! - [`session`]: requests, responses, and the options of sessions, in the shape of `reqwest`'s.
//! - [`set_var`], [`get_var`]: values that all workers share; [`request`], [`json_request`]: requests outside of scenarios.
//! - [`statsd`]: metrics of your own, sent on.
//! - [`metrics`], [`report`]: measures, thresholds, tables and report files.
//! - [`registry`], [`engine`], [`ui`], [`http`]: how it is made, for those who build on it.
//!
//! # Features
//!
//! - `python`: the program runs Python scripts of the original Molotov as well, beside its own scenarios; links libpython.

#[cfg(not(unix))]
compile_error!("Molotov needs a Unix system for processes, signals and terminals; on Windows, use WSL");

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
mod backtrace;
mod blocking;
pub mod cli;
pub mod engine;
pub mod event;
mod failure;
mod format;
pub mod http;
#[cfg(test)]
mod layers;
mod load_test;
pub mod metrics;
pub mod options;
pub mod prelude;
#[cfg(feature = "python")]
pub mod python;
mod queue;
pub mod registry;
pub mod report;
mod run;
mod secrets;
pub mod session;
pub mod statsd;
mod suggest;
pub mod ui;
mod vars;

pub use blocking::{BlockingRequest, BlockingResponse, JsonResponse, json_request, request};
pub use cli::main;
pub use failure::{Failure, IntoOutcome, Result};
pub use http::{Error, ErrorKind, multipart};
pub use load_test::{LoadTest, LoadTestError, Report, Row, secs, test_main};
pub use molotov_macros::{
    events, global_setup, global_teardown, scenario, scenario_picker, session_factory, setup, setup_session, teardown,
    teardown_session,
};
pub use vars::{get_var, get_var_or_init, set_var};
