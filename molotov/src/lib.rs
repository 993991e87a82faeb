//! Molotov, a load-testing toolkit: write scenarios as `async` functions, watch workers break a service.
//!
//! A *scenario* simulates one visit of a user: requests, and checks of their responses. *Workers* run scenarios in a loop, each
//! with its own cookies and connections. At the end, the run prints a table with counts, failures and latencies.
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
//! This is a complete program: [`main`] finds the functions by their attributes and parses the command line. The following command
//! runs 200 workers for a minute, and exits with 1 if a threshold is broken:
//!
//! ```text
//! cargo run --release -- -w 200 -d 60 --threshold "failures < 1%" --threshold "p95(browse) < 200ms"
//! ```
//!
//! `--help` shows all options. On a terminal, a dashboard shows charts and tables; `--report run.html` saves them.
//!
//! # Parameters
//!
//! A function takes any of these parameters, in any order: [`&Session`](session::Session) or `&mut Session`,
//! [`&Context`](session::Context) (the worker, the step, random numbers, timed steps), [`&Args`](options::Args),
//! [`WorkerId`](options::WorkerId), [`StepId`](options::StepId), and any type that a [`session_factory`] returns. A scenario
//! fails if it returns an error (`?` converts any error to a [`Failure`]) or panics. The worker counts the failure and continues.
//!
//! # Fixtures
//!
//! | attribute | when the function runs |
//! |---|---|
//! | [`global_setup`], [`global_teardown`] | once, before and after all workers |
//! | [`setup`] | once for each worker; it returns the options of the session |
//! | [`setup_session`], [`teardown_session`] | once for each worker, after its session is opened and before it is closed |
//! | [`teardown`] | once for each worker, at its end |
//! | [`scenario_picker`] | before each scenario; it returns the name of the scenario to run |
//! | [`events`] | for each event: requests, responses, scenarios ([`Event`](event::Event)) |
//! | [`session_factory`] | once for each worker; it returns a session that is not HTTP |
//!
//! [`data`](macro@data) on a struct makes scenarios take rows of a file.
//!
//! # Tests
//!
//! [`LoadTest`] runs scenarios inside `cargo test`, and its [`Report`] asserts thresholds:
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
//! [`test_main`] runs each scenario as a test. Put scenarios into the library of the crate, so that tests can use them, and link
//! it with `use my_crate as _;`.
//!
//! # Modules
//!
//! - [`prelude`]: everything that a load test usually needs.
//! - [`session`]: requests, responses and session options, similar to those of `reqwest`; [`http`]: errors and certificates.
//! - [`options`]: the options of a run, as fixtures and scenarios see them; [`event`]: what listeners receive.
//! - [`set_var`], [`get_var`]: values that all workers share; [`set_shared_var`], [`get_shared_var`]: those that all machines share; [`request`], [`json_request`]: requests outside of scenarios.
//! - [`statsd`]: your own metrics.
//! - [`load_test`]: load tests from code; [`metrics`], [`report`]: measurements, thresholds, tables and report files.
//!
//! The crate re-exports the types of other crates that its methods take and return: [`Bytes`], [`HeaderMap`], [`HeaderName`],
//! [`HeaderValue`], [`Method`], [`StatusCode`], [`Url`] and [`Version`].
//!
//! Modules and items that this documentation does not show can change in any version.
//!
//! # Features
//!
//! Without features, a crate has the command line, the console, tables, thresholds, reports as JSON, Markdown and CSV, and HTTP/1.1
//! over TCP. If an option or a call needs a feature that is not enabled, it fails with a message that names the feature.
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `dashboard` | yes | the dashboard on a terminal, and colours in `--help` |
//! | `html-report` | yes | `--report run.html` |
//! | `junit-report` | yes | `--report junit.xml` |
//! | `statsd` | yes | `--statsd`, and the module [`statsd`] |
//! | `web` | yes | `--web`, a live page for browsers |
//! | `test-harness` | yes | [`test_main`] |
//! | `tracing-subscriber` | yes | `--debug` |
//! | `websocket` | yes | [`Session::websocket`](session::Session::websocket) |
//! | `tls` | yes | `https`, certificates and identities |
//! | `http2` | yes | HTTP/2 |
//! | `brotli`, `deflate`, `gzip` | yes | compressed responses |
//! | `zstd` | no | responses compressed with zstd; needs a C compiler |
//! | `cookies` | yes | cookies that servers set |
//! | `charset` | yes | responses in other character sets than UTF-8 |
//! | `cluster` | no | runs on many machines: `--join` and `--cluster` |
//! | `reqwest` | no | proxies, and your own `reqwest` client as the transport |
//! | `python` | no | Python scripts of the original Molotov; links libpython |
//!
//! ```toml
//! [dependencies]
//! molotov = { version = "0.1", default-features = false, features = ["tls"] }
//! ```

#[cfg(not(unix))]
compile_error!("Molotov needs a Unix system for processes, signals and terminals; on Windows, use WSL");

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
mod backtrace;
mod blocking;
#[doc(hidden)]
pub mod cli;
#[cfg(feature = "cluster")]
mod cluster;
#[doc(hidden)]
pub mod data;
#[doc(hidden)]
pub mod engine;
pub mod event;
mod failure;
mod format;
pub mod http;
#[cfg(test)]
mod layers;
mod load;
pub mod load_test;
pub mod metrics;
mod missing;
mod notice;
pub mod options;
pub mod prelude;
#[cfg(feature = "python")]
#[doc(hidden)]
pub mod python;
mod queue;
#[doc(hidden)]
pub mod registry;
pub mod report;
mod run;
mod secrets;
pub mod session;
#[cfg(feature = "statsd")]
pub mod statsd;
#[cfg(not(feature = "statsd"))]
#[path = "statsd/absent.rs"]
mod statsd;
mod suggest;
#[doc(hidden)]
pub mod ui;
mod vars;

pub use ::{
    bytes::Bytes,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version},
    url::Url,
};
#[cfg(feature = "reqwest")]
pub use ::reqwest;
pub use blocking::{BlockingRequest, BlockingResponse, JsonResponse, json_request, request};
pub use cli::main;
#[doc(hidden)]
pub use failure::IntoOutcome;
pub use failure::{ErrorContext, Failure, Result};
#[doc(no_inline)]
pub use http::multipart;
pub use http::{Error, ErrorKind};
#[cfg(feature = "test-harness")]
pub use load_test::test_main;
pub use load_test::{LoadTest, LoadTestError, Report, secs};
pub use molotov_macros::{
    data, events, global_setup, global_teardown, scenario, scenario_picker, session_factory, setup, setup_session,
    teardown, teardown_session,
};
pub use options::{Arrivals, Level, Rate, Stage, WhenBusy};
pub use vars::{SharedValue, SharedVar, get_shared_var, get_var, get_var_or_init, set_shared_var, set_var};
