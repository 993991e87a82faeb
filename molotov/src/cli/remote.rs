//! Takes part in the run of a coordinator on another machine, as a process that an agent has started.

use std::ffi::OsString;

use super::{DEFAULT_SCRIPT, Scripts, command_line::EntryPoint, open_files, run::statsd_socket, scripts, signals, url};
use crate::{
    engine::{
        Control, Plan,
        remote::{self, Failed, Link, Task},
    },
    notice::complain,
    options::Args,
    registry::Registry,
    vars::{RowsPart, Scope},
};

/// Takes part in a run if an agent has started this process for it. Returns the exit code; `None` if the command line counts.
pub(super) fn take_part(line: &[OsString], entry_point: EntryPoint) -> Option<u8> {
    let mut link = match remote::link() {
        Ok(link) => link?,
        Err(error) => {
            complain(&format!("cannot use the link to the agent: {error}"));
            return Some(1);
        }
    };
    let task = link.receive_task()?;
    let code = match load(&task, line, entry_point) {
        Ok((args, registry)) => run(args, &registry, &task, link),
        Err(why) => {
            link.fail(Failed::System(why));
            1
        }
    };
    scripts::finish();
    Some(code)
}

/// Loads what the task names.
fn load(task: &Task, line: &[OsString], entry_point: EntryPoint) -> Result<(Args, Registry), String> {
    let mut args = Args::from_json(&task.options)?;
    let scope = Scope::current();
    scope.set_args(&args);
    scope.set_rows(RowsPart { number: task.part.number, of: task.part.of, seed: task.seed });
    if let Some(registry) = url::registry(&args) {
        signals::end_at_once();
        return Ok((args, registry?));
    }
    let (mut registry, named) = match entry_point {
        EntryPoint::Crate => {
            let registry = Registry::collect();
            let named = Scripts::named(&mut args, &registry);
            (registry, named)
        }
        EntryPoint::Command => {
            let script = Some(args.scenario.clone().unwrap_or_else(|| DEFAULT_SCRIPT.to_owned()));
            (Registry::new(), Scripts { script, extensions: std::mem::take(&mut args.use_extension) })
        }
    };
    if named.is_empty() {
        signals::end_at_once();
    } else {
        registry.extend(scripts::load_for_a_coordinator(&args, named.script.as_deref(), &named.extensions, line)?);
    }
    Ok((args, registry))
}

fn run(args: Args, registry: &Registry, task: &Task, mut link: Link) -> u8 {
    let plan = Plan::of_machine(args.clone(), registry, task.part, task.seed)
        .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
        .and_then(|plan| Ok(plan.with_statsd(statsd_socket(&args).transpose()?)));
    let plan = match plan {
        Ok(plan) => plan,
        Err(why) => {
            link.fail(Failed::System(why));
            return 1;
        }
    };
    let _ = open_files::raise();
    let (control, inbox) = Control::new();
    scripts::set_control(Some(control.clone()));
    scripts::set_set_up_lines(link.lines());
    // As in a run on this machine: no thread may exist while processes are forked.
    let signals = signals::keep();
    if let Some(prepared) = remote::prepare(plan, task.member, link, inbox) {
        let _listening = signals.and_then(|signals| signals.listen(control));
        prepared.run();
    }
    scripts::set_control(None);
    0
}
