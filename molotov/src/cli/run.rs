//! A run from the command line: what is said before it, where it is shown, and how it is judged.

use std::{collections::BTreeMap, io, net::SocketAddr};

use super::{open_files, scripts, show, signals};
#[cfg(feature = "dashboard")]
use crate::ui::{ControlAction, Dashboard};
use crate::{
    engine::{self, Control, FixtureFailure, Plan, Verdict},
    notice::{announce_extension, complain, note, shows_on_stderr},
    options::{Args, Options, statsd_address},
    registry::{self, Registry},
    report, statsd,
    ui::{self, Console, Quiet, Screen},
};

/// Runs what is registered, and says with which code to exit.
pub(super) fn run(args: Args, registry: &Registry) -> u8 {
    let plan = match Plan::new(args.clone(), registry) {
        Ok(plan) => plan,
        Err(errors) => {
            for error in errors {
                complain(&error.to_string());
            }
            return 1;
        }
    };
    if !args.quiet {
        // Those that are linked in; scripts have told theirs when they were loaded.
        for extension in &args.use_extension {
            announce_extension(&args, extension);
        }
    }
    if args.list {
        return show(&registry::list(&plan.selection));
    }
    let statsd = match statsd_socket(&args).transpose() {
        Ok(statsd) => statsd,
        Err(error) => {
            complain(&error);
            return 1;
        }
    };
    let registered: Vec<&str> = registry.scenarios().iter().map(|scenario| scenario.name()).collect();
    let mut running: Vec<&str> = plan.selection.scenarios.iter().map(|scenario| scenario.name()).collect();
    // Counted as a scenario, where it fails.
    running.extend(plan.selection.picker.as_ref().map(|_| "scenario_picker"));
    for threshold in &args.threshold {
        if let Err(error) = threshold.check(&running, &registered) {
            complain(&format!("invalid threshold: {error}"));
            return 2;
        }
    }
    let plan = plan.with_statsd(statsd);
    if args.debug {
        #[cfg(feature = "tracing-subscriber")]
        trace(args.color);
        #[cfg(not(feature = "tracing-subscriber"))]
        {
            complain(&crate::missing::missing("`--debug` does not work", "tracing-subscriber"));
            return 2;
        }
    }
    // Always: it is what lets many workers connect.
    let allowed = open_files::raise();
    if !args.quiet {
        tell_about_the_build();
        if let Some(shortage) = open_files::shortage(args.workers, allowed) {
            note(&shortage);
        }
    }

    let (control, inbox) = Control::new();
    scripts::set_control(Some(control.clone()));
    // Until the members are there, no thread listens to signals: the first is kept, and interrupts the `global_setup` of a
    // script; a second ends the process. No thread may run beside the fork of processes.
    let signals = signals::keep();
    let outside = control.clone();
    let listen = move |signals: io::Result<signals::Kept>| {
        let listening = signals.and_then(|signals| signals.listen(outside));
        if let Err(error) = &listening {
            note(&format!("cannot listen to signals, so that Ctrl-C ends the run without totals: {error}"));
        }
        listening
    };
    // The values of keys that are no options belong to scripts, and may be secret.
    let options = Args { extra: BTreeMap::new(), given: Options::default(), ..args.clone() };
    tracing::debug!(args = ?options, extra = ?args.extra.keys(), open_files = ?allowed, "the run begins");
    let mut screen: Box<dyn Screen> = if args.quiet {
        Box::new(Quiet)
    } else if shows_on_stderr(&args) {
        Box::new(Console::stderr().in_background())
    } else {
        on_stdout(&args, &control)
    };
    let prepared = engine::prepare(&plan, &mut *screen, inbox);
    let listening = listen(signals);
    let summary = prepared.run();
    scripts::set_control(None);
    scripts::set_ended(&summary);
    tracing::debug!(verdict = ?summary.verdict, "the run has ended");
    let mut code = judge(&summary.verdict, args.quiet);
    if let Some(error) = ui::take_output_error() {
        complain(&format!("the run could not be shown: {error}; the totals above are incomplete"));
        code = 1;
    }
    for target in &args.report {
        if let Err(error) = report::write(&summary, target) {
            complain(&error.to_string());
            code = 1;
        }
    }
    drop(listening);
    ui::yield_to_exit();
    code
}

/// The dashboard if it is wanted and there is a terminal for it, or the console.
fn on_stdout(args: &Args, control: &Control) -> Box<dyn Screen> {
    #[cfg(feature = "dashboard")]
    if !args.console && Dashboard::fits() {
        let control = control.clone();
        return Box::new(Dashboard::new(args.color, move |action| match action {
            ControlAction::Stop => control.stop(),
            ControlAction::Force => control.force(),
            ControlAction::Pause(paused) => control.pause(paused),
            ControlAction::Workers(more) => control.change_workers(more),
        }));
    }
    let _ = control;
    Box::new(Console::stdout(args.color).in_background())
}

/// Where to send to statsd; `None` without `--statsd`.
fn statsd_socket(args: &Args) -> Option<Result<SocketAddr, String>> {
    let parsed = args.statsd.then(|| statsd_address::parse(&args.statsd_address));
    parsed.map(|address| statsd::resolve(address.map_err(|error| error.to_string())?))
}

/// Says what has to be said of a run's end on standard error, and with which code to exit.
fn judge(verdict: &Verdict, quiet: bool) -> u8 {
    match verdict {
        Verdict::Ended => 0,
        // The console has told which.
        Verdict::ThresholdBroken => 1,
        Verdict::TooManyFailures => 1,
        // The console has told which.
        Verdict::ProcessLost(_) if !quiet => 1,
        Verdict::ProcessLost(how) => {
            complain(how);
            1
        }
        Verdict::SystemFailed(why) => {
            complain(why);
            1
        }
        // What asked for it was a script, and the console has told.
        Verdict::Exit(code) | Verdict::FixtureFailed(FixtureFailure { exit: Some(code), .. }) => *code,
        Verdict::FixtureFailed(failed) => {
            complain(&format!("the fixture `{}` failed, and the run with it: {}", failed.fixture, failed.message));
            1
        }
    }
}

/// What the user should know of a program before believing its numbers.
fn tell_about_the_build() {
    if cfg!(unoptimized) {
        note("this is an unoptimised build: it costs more and measures worse than `cargo run --release`");
    }
    if cfg!(panic = "abort") {
        note(
            "this program is built with `panic = \"abort\"`: a scenario that panics ends it and cannot be counted; take \
             the line out of the profile in Cargo.toml",
        );
    }
}

/// Sends what the engine and its libraries trace to standard error.
#[cfg(feature = "tracing-subscriber")]
fn trace(color: crate::options::Color) {
    let ansi = color.is_on(io::IsTerminal::is_terminal(&io::stderr()));
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG).with_ansi(ansi);
    // A program that has a subscriber of its own keeps it.
    let _ = subscriber.with_writer(io::stderr).try_init();
}
