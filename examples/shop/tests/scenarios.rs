//! Every scenario is a test, run once against a server of its own.

use std::{process::ExitCode, sync::OnceLock};

use molotov_examples::{Target, serve_if_asked};
use shop as _;

static TARGET: OnceLock<Target> = OnceLock::new();

/// Runs before each scenario's test, and tells it where the server is. The server is started by the first.
#[molotov::global_setup]
fn serve() -> Result<(), String> {
    static STARTING: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _one_at_a_time = STARTING.lock().map_err(|error| error.to_string())?;
    let target = match TARGET.get() {
        Some(target) => target,
        None => {
            let target = Target::start().map_err(|error| format!("the target cannot be started: {error}"))?;
            TARGET.get_or_init(|| target)
        }
    };
    molotov::set_var("shop", target.url.clone());
    Ok(())
}

fn main() -> ExitCode {
    serve_if_asked();
    molotov::test_main()
}
