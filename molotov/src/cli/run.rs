//! Runs a load test from the command line: warnings, the screen, the exit code and the reports.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    net::SocketAddr,
};

use super::{Subject, cluster, config, job_summary, open_files, scripts, show, signals};
#[cfg(feature = "dashboard")]
use crate::ui::{ControlAction, Dashboard};
use crate::{
    engine::{self, Control, FixtureFailure, Plan, Verdict},
    notice::{announce_extension, complain, inform, note, shows_on_stderr},
    options::{Args, Options, Source, Sources, report_target::check_distinct, statsd_address},
    registry::{self, Registry, RegistryError},
    report,
    run::RunInfo,
    statsd,
    ui::{self, Console, Quiet, Screen, WebListener},
};

/// Runs the registered scenarios, and returns the exit code. `describe` adds what only the command line knows.
pub(super) fn run(args: Args, registry: &Registry, subject: Subject, describe: impl FnOnce(RunInfo) -> RunInfo) -> u8 {
    let plan = match Plan::new(args.clone(), registry) {
        Ok(plan) => plan.with_info(describe),
        Err(errors) => {
            for error in &errors {
                complain(&in_file(error, &args).unwrap_or_else(|| error.to_string()));
            }
            let is_usage = |error: &RegistryError| {
                matches!(error, RegistryError::Options(_) | RegistryError::UnknownOptions { .. })
            };
            return if errors.iter().all(is_usage) { 2 } else { 1 };
        }
    };
    if !args.quiet {
        // Scripts announce their extensions when they are loaded.
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
    // If it fails, it is counted as a scenario.
    running.extend(plan.selection.picker.as_ref().map(|_| "scenario_picker"));
    for threshold in &args.threshold {
        if let Err(error) = threshold.check(&running, &registered) {
            complain(&format!("invalid threshold: {error}"));
            return 2;
        }
    }
    if let Err(error) = check_distinct(&args.report) {
        complain(&format!("invalid value for `report`: {error}"));
        return 2;
    }
    let web = match args.web.map(WebListener::bind).transpose() {
        Ok(web) => web,
        Err(error) => {
            complain(&error);
            return 1;
        }
    };
    let plan = plan.with_statsd(statsd);
    let agents = match cluster::agents(&plan, subject) {
        Ok(agents) => agents,
        Err(error) => {
            complain(&error);
            return 2;
        }
    };
    if args.debug {
        #[cfg(feature = "tracing-subscriber")]
        trace(args.color);
        #[cfg(not(feature = "tracing-subscriber"))]
        {
            complain(&crate::missing::missing("`--debug` does not work", "tracing-subscriber"));
            return 2;
        }
    }
    if let Some(web) = &web {
        announce(web, &args);
    }
    // Many workers need many connections.
    let allowed = open_files::raise();
    if !args.quiet && agents.is_none() {
        warn_about_the_build();
        if let Some(shortage) = open_files::shortage(plan.load.expected_workers(&args), allowed) {
            note(&shortage);
        }
    }

    let (control, inbox) = Control::new();
    scripts::set_control(Some(control.clone()));
    // No thread may exist while processes are forked, so signals are kept until the members have started. The first one
    // interrupts the `global_setup` of a script, the second ends the process.
    let signals = signals::keep();
    let outside = control.clone();
    let listen = move |signals: io::Result<signals::PendingSignals>| {
        let listening = signals.and_then(|signals| signals.listen(outside));
        if let Err(error) = &listening {
            note(&format!("cannot handle signals, so Ctrl-C ends the run without totals: {error}"));
        }
        listening
    };
    // The values of unknown keys belong to scripts, and may be secret.
    let options =
        Args { extra: BTreeMap::new(), given: Options::default(), sources: Sources::default(), ..args.clone() };
    tracing::debug!(args = ?options, extra = ?args.extra.keys(), open_files = ?allowed, "the run begins");
    let mut screen: Box<dyn Screen> = if args.quiet {
        Box::new(Quiet)
    } else if shows_on_stderr(&args) {
        Box::new(Console::stderr().in_background())
    } else {
        on_stdout(&args, &control)
    };
    if let Some(web) = web {
        screen = web.over(screen);
    }
    let prepared = engine::prepare_with(&plan, &mut *screen, inbox, agents);
    let listening = listen(signals);
    let summary = prepared.run();
    scripts::set_control(None);
    scripts::set_ended(&summary);
    tracing::debug!(verdict = ?summary.verdict, "the run has ended");
    let mut code = exit_code(&summary.verdict, args.quiet);
    if let Some(error) = ui::take_output_error() {
        complain(&format!("the run could not be shown: {error}; the totals above are incomplete"));
        code = 1;
    }
    for target in &args.report {
        match report::write(&summary, target) {
            Ok(()) if args.quiet || target.is_standard_output() => {}
            Ok(()) => inform(&format!("wrote the report `{target}`")),
            Err(error) => {
                complain(&error.to_string());
                code = 1;
            }
        }
    }
    if let Err(error) = job_summary::add(&summary) {
        note(&error);
    }
    drop(listening);
    ui::yield_to_exit();
    code
}

/// Returns an error with its place in the configuration, if it has one.
fn in_file(error: &RegistryError, args: &Args) -> Option<String> {
    let RegistryError::UnknownOptions { name, .. } = error else { return None };
    let Source::File { test, path } = args.sources.of("scenarios") else { return None };
    let config = config::read(path).ok()?;
    Some(config.show_scenario(test, name, &error.to_string())?.to_string())
}

/// Returns the dashboard if it is enabled and there is a terminal, or the console.
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

/// Warns of a live page that others can read, and prints its address if the screen does not.
fn announce(web: &WebListener, args: &Args) {
    if args.quiet {
        // A free port is known only now.
        if args.web.is_some_and(|address| address.socket_address().port() == 0) {
            let _ = writeln!(io::stderr().lock(), "Live page: {}", web.url());
        }
    } else if !web.is_loopback() {
        note(&format!("everyone who can reach {} can read the live page of this run", web.url()));
    }
}

/// Resolves the address of statsd; `None` without `--statsd`.
pub(super) fn statsd_socket(args: &Args) -> Option<Result<SocketAddr, String>> {
    let parsed = args.statsd.then(|| statsd_address::parse(&args.statsd_address));
    parsed.map(|address| statsd::resolve(address.map_err(|error| error.to_string())?))
}

/// Reports on standard error what the screen has not shown, and returns the exit code.
fn exit_code(verdict: &Verdict, quiet: bool) -> u8 {
    match verdict {
        Verdict::Ended => 0,
        // The console has shown which.
        Verdict::ThresholdBroken => 1,
        Verdict::TooManyFailures => 1,
        // The console has shown which.
        Verdict::ProcessLost(_) if !quiet => 1,
        Verdict::ProcessLost(how) => {
            complain(how);
            1
        }
        Verdict::SystemFailed(why) => {
            complain(why);
            1
        }
        // A script has requested the exit, which the console has shown.
        Verdict::Exit(code) | Verdict::FixtureFailed(FixtureFailure { exit: Some(code), .. }) => *code,
        Verdict::FixtureFailed(failed) => {
            complain(&format!("the run failed because the fixture `{}` failed: {}", failed.fixture, failed.message));
            1
        }
    }
}

/// Warns of build settings that affect the results.
fn warn_about_the_build() {
    if cfg!(unoptimized) {
        note("this is an unoptimised build; use `cargo run --release` for realistic numbers");
    }
    if cfg!(panic = "abort") {
        note(
            "this program is built with `panic = \"abort\"`, so a panic in a scenario ends the run; remove the line from \
             the profile in Cargo.toml",
        );
    }
}

/// Writes the traces of the engine and its libraries to standard error.
#[cfg(feature = "tracing-subscriber")]
pub(super) fn trace(color: crate::options::Color) {
    let ansi = color.is_on(io::IsTerminal::is_terminal(&io::stderr()));
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG).with_ansi(ansi);
    // Fails if the program has installed its own subscriber, which stays.
    let _ = subscriber.with_writer(io::stderr).try_init();
}
