//! The attributes of Molotov. They are documented and used through the `molotov` crate.

mod attribute;
mod expand;
mod function;

use proc_macro::TokenStream;

/// Makes an `async fn` a scenario: workers run it over and over, picked by its weight.
///
/// - `weight = 1.0`: its share among all scenarios; 0 leaves it out.
/// - `delay = 0.0`: seconds to sleep after each run of it.
/// - `name = "..."`: the name in results and for `-s`; the function's where left out.
/// - `extension = "..."`: belongs to that extension, and is inactive until `--use-extension` names it.
/// - `crate = path`: where the `molotov` crate is, if it was renamed.
///
/// It takes any of `&Session`, `&mut Session`, `&Context`, `&Args`, `WorkerId`, `StepId`, and `&T` or `&mut T` of a type
/// that a [`session_factory`] returns, in any order. It returns nothing, or a `Result<(), E>`.
///
/// ```
/// use molotov::prelude::*;
///
/// #[molotov::scenario(weight = 40, delay = 0.5, name = "browse")]
/// async fn scenario_one(session: &Session, ctx: &Context) -> Result<()> {
///     Ok(())
/// }
/// ```
#[proc_macro_attribute]
pub fn scenario(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(attribute::Kind::Scenario, arguments.into(), item.into()).into()
}

/// Makes a `fn` choose the scenarios by name, instead of the weights.
///
/// It takes any of `WorkerId`, `StepId` (from 1 for each worker), `&Context` and `&Args`, and returns a name or a `Result`
/// of one.
///
/// ```
/// use molotov::prelude::*;
///
/// #[molotov::scenario_picker]
/// fn in_turn(worker: WorkerId, step: StepId) -> &'static str {
///     if step.0 % 2 == 1 { "browse" } else { "buy" }
/// }
/// ```
#[proc_macro_attribute]
pub fn scenario_picker(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(attribute::Kind::ScenarioPicker, arguments.into(), item.into()).into()
}

/// Makes a `fn` run once, before processes and workers exist. When it fails, nothing runs.
///
/// It may take `&Args`, and returns nothing or a `Result<(), E>`.
///
/// ```
/// use molotov::prelude::*;
///
/// #[molotov::global_setup]
/// fn init(args: &Args) -> Result<()> {
///     molotov::set_var("endpoint", "http://localhost:8080".to_owned());
///     Ok(())
/// }
/// ```
#[proc_macro_attribute]
pub fn global_setup(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(attribute::Kind::GlobalSetup, arguments.into(), item.into()).into()
}

/// Makes an `async fn` say how each worker opens its HTTP session.
///
/// It takes any of `WorkerId`, `&Args` and `&Context`, and returns `SessionOptions` or a `Result` of them.
///
/// ```
/// use molotov::prelude::*;
///
/// #[molotov::setup]
/// async fn options(worker: WorkerId, args: &Args) -> Result<SessionOptions> {
///     Ok(SessionOptions::new())
/// }
/// ```
#[proc_macro_attribute]
pub fn setup(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(attribute::Kind::Setup, arguments.into(), item.into()).into()
}

/// Makes an `async fn` run once for each worker, when its session is open. There may be one for each type of session.
///
/// It takes what a [`scenario`] takes and returns nothing or a `Result<(), E>`.
///
/// ```
/// use molotov::prelude::*;
///
/// #[molotov::setup_session]
/// async fn log_in(worker: WorkerId, session: &Session) -> Result<()> {
///     Ok(())
/// }
/// ```
#[proc_macro_attribute]
pub fn setup_session(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(attribute::Kind::SetupSession, arguments.into(), item.into()).into()
}

/// Makes an `async fn` run once for each worker, before its session is closed. There may be one for each type of session.
///
/// It takes what a [`scenario`] takes and returns nothing or a `Result<(), E>`.
///
/// ```
/// use molotov::prelude::*;
///
/// #[molotov::teardown_session]
/// async fn log_out(worker: WorkerId, session: &Session) {}
/// ```
#[proc_macro_attribute]
pub fn teardown_session(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(attribute::Kind::TeardownSession, arguments.into(), item.into()).into()
}

/// Makes a `fn` run once for each worker, when its sessions are closed.
///
/// It takes any of `WorkerId`, `&Args` and `&Context`, and returns nothing or a `Result<(), E>`.
///
/// ```
/// use molotov::prelude::*;
///
/// #[molotov::teardown]
/// fn gone(worker: WorkerId) {}
/// ```
#[proc_macro_attribute]
pub fn teardown(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(attribute::Kind::Teardown, arguments.into(), item.into()).into()
}

/// Makes a `fn` run once, when everything is over.
///
/// It may take `&Args`, and returns nothing or a `Result<(), E>`.
///
/// ```
/// #[molotov::global_teardown]
/// fn clean_up() {}
/// ```
#[proc_macro_attribute]
pub fn global_teardown(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(attribute::Kind::GlobalTeardown, arguments.into(), item.into()).into()
}

/// Makes an `async fn` listen to what happens in the run. There may be any number of them.
///
/// It takes `&Event<'_>`, and returns nothing or a `Result<(), E>`; its failure is reported and fails nothing else.
///
/// ```
/// use molotov::prelude::*;
///
/// #[molotov::events]
/// async fn on_event(event: &Event<'_>) {}
/// ```
#[proc_macro_attribute]
pub fn events(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(attribute::Kind::Events, arguments.into(), item.into()).into()
}

/// Makes an `async fn` the maker of a session type: scenarios that take `&T` or `&mut T` get what it returns, made once
/// for each worker.
///
/// It takes any of `WorkerId`, `&Args` and `&Context`, and returns any type, or a `Result` of one.
///
/// ```
/// use molotov::prelude::*;
///
/// struct Connection(usize);
///
/// #[molotov::session_factory]
/// async fn connect(worker: WorkerId) -> Result<Connection> {
///     Ok(Connection(worker.0))
/// }
///
/// #[molotov::scenario]
/// async fn talk(connection: &mut Connection) {
///     connection.0 += 1;
/// }
/// ```
#[proc_macro_attribute]
pub fn session_factory(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(attribute::Kind::SessionFactory, arguments.into(), item.into()).into()
}
