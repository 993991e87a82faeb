//! `global_setup` and `global_teardown`, which run once in a process.

use super::{panic, plan::Plan};
use crate::{
    options::Args,
    run::{FixtureFailure, Line},
    ui::Screen,
};

/// Runs the `global_setup` fixtures, which may change the options of the plan.
///
/// # Errors
///
/// Returns the failure that ends the run. The screen has shown it.
pub(super) fn set_up(plan: &mut Plan, screen: &mut dyn Screen) -> Result<(), FixtureFailure> {
    let selection = plan.selection.clone();
    let mut args = Args::clone(&plan.args);
    let backtraces = args.verbose > 0;
    let failed = |message: String, exit| FixtureFailure { fixture: "global_setup".into(), message, exit };
    for fixture in &selection.global_setups {
        let outcome = panic::catch(backtraces, || fixture.run(&mut args));
        let Err(failure) = outcome.unwrap_or_else(|caught| Err(caught.into())) else { continue };
        screen.line(&match failure.exit() {
            Some(code) if !failure.is_interruption() => Line::info(format!("`global_setup` exits with code {code}")),
            _ => Line::failure(failure.describe("global_setup", backtraces)),
        });
        return Err(failed(failure.to_string(), failure.exit()));
    }
    if args == *plan.args {
        return Ok(());
    }
    crate::failure::capture_backtraces(args.verbose > 0);
    plan.set_args(args).map_err(|why| {
        screen.line(&Line::failure(format!("`global_setup` changed the options of the run: {why}")));
        failed(format!("it changed the options of the run: {why}"), None)
    })
}

/// Runs the `global_teardown` fixtures. Returns the exit code that they request.
pub(super) fn tear_down(plan: &Plan, screen: &mut dyn Screen) -> Option<u8> {
    let backtraces = plan.args.verbose > 0;
    let mut exit = None;
    for fixture in &plan.selection.global_teardowns {
        let outcome = panic::catch(backtraces, || fixture.run(&plan.args));
        let Err(failure) = outcome.unwrap_or_else(|caught| Err(caught.into())) else { continue };
        screen.line(&match failure.exit() {
            Some(code) => Line::info(format!("`global_teardown` exits with code {code}")),
            None => Line::warning(failure.describe("global_teardown", backtraces)),
        });
        exit = failure.exit().or(exit);
    }
    exit
}
