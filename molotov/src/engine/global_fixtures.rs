//! `global_setup` and `global_teardown`, which run once in a process.

use std::collections::BTreeMap;

use super::{panic, plan::Plan};
use crate::{
    options::Args,
    run::{FixtureFailure, Line},
    ui::Screen,
};

/// Runs the `global_setup` fixtures that run once for all machines, and returns the variables that they have set.
///
/// # Errors
///
/// Returns the failure that ends the run. The screen has shown it.
pub(super) fn set_up_once(plan: &Plan, screen: &mut dyn Screen) -> Result<BTreeMap<String, String>, FixtureFailure> {
    let once = plan.selection.global_setups.iter().filter(|fixture| fixture.runs_once());
    plan.scope.run_once(|| {
        for fixture in once {
            let mut args = Args::clone(&plan.args);
            run(&args.clone(), screen, || fixture.run(&mut args))?;
            if args != *plan.args {
                let why = "it changed the options of the run, which only a fixture that runs on every machine can do";
                screen.line(&Line::failure(format!("`global_setup`: {why}")));
                return Err(failed(why.to_owned(), None));
            }
        }
        Ok(())
    })?;
    Ok(plan.scope.shared())
}

/// Takes over the variables of fixtures that run once, and runs the other `global_setup` fixtures, which may change the options of
/// the plan.
///
/// # Errors
///
/// Returns the failure that ends the run. The screen has shown it.
pub(super) fn set_up(
    plan: &mut Plan,
    variables: BTreeMap<String, String>,
    screen: &mut dyn Screen,
) -> Result<(), FixtureFailure> {
    let selection = plan.selection.clone();
    let mut args = Args::clone(&plan.args);
    plan.scope.set_shared(variables);
    for fixture in &selection.global_setups {
        let options = args.clone();
        match fixture.runs_once() {
            true => run(&options, screen, || fixture.adopt_variables())?,
            false => run(&options, screen, || fixture.run(&mut args))?,
        }
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

fn run(args: &Args, screen: &mut dyn Screen, fixture: impl FnOnce() -> crate::Result) -> Result<(), FixtureFailure> {
    let backtraces = args.verbose > 0;
    let outcome = panic::catch(backtraces, fixture);
    let Err(failure) = outcome.unwrap_or_else(|caught| Err(caught.into())) else { return Ok(()) };
    screen.line(&match failure.exit() {
        Some(code) if !failure.is_interruption() => Line::info(format!("`global_setup` exits with code {code}")),
        _ => Line::failure(failure.describe("global_setup", backtraces)),
    });
    Err(failed(failure.to_string(), failure.exit()))
}

fn failed(message: String, exit: Option<u8>) -> FixtureFailure {
    FixtureFailure { fixture: "global_setup".into(), message, exit }
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
