//! Runs each scenario once, as a test against a server.

use std::{process::ExitCode, sync::OnceLock};

use molotov_examples::{Target, serve_if_asked};
use shop as _;

static TARGET: OnceLock<Target> = OnceLock::new();

/// Sets the address of the server before the test of each scenario. The first one starts the server.
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
