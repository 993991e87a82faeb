//! Screens that show a run while it is running. Screens read data and never call the engine.

mod background;
mod console;
#[cfg(feature = "dashboard")]
mod dashboard;
mod exit;
mod log;
mod origin;
mod quiet;
mod screen;
mod screen_event;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
mod unicode;
#[cfg(feature = "web")]
mod web;
#[cfg(not(feature = "web"))]
#[path = "web/absent.rs"]
mod web;

pub use background::Background;
pub use console::{Console, Output, OutputKind};
#[cfg(feature = "dashboard")]
pub use dashboard::{ControlAction, Dashboard};
pub use quiet::Quiet;
pub use screen::{RunLimits, Screen};
pub(crate) use web::WebListener;

pub(crate) use console::take_output_error;
#[cfg(feature = "dashboard")]
pub(crate) use dashboard::exit;
pub(crate) use exit::yield_to_exit;

/// Ends the process. Without the dashboard, there is no terminal to restore.
#[cfg(not(feature = "dashboard"))]
pub(crate) fn exit(code: i32) -> ! {
    exit::exit_after(|| (), code)
}
