//! Runs on several machines, in programs that are built with the feature `cluster`.

use std::path::{Path, PathBuf};

use super::{DEFAULT_SCRIPT, Subject, config, url};
use crate::{
    cluster::{Sources, agent, coordinator},
    engine::{Agents, Plan},
    options::Args,
};

/// Prepares the agents of a run; `None` if it runs on this machine only.
///
/// # Errors
///
/// Returns a sentence that says what is wrong with the options.
pub(super) fn agents(plan: &Plan, subject: Subject) -> Result<Option<Box<dyn Agents>>, String> {
    if plan.args.agents.is_none() {
        return Ok(None);
    }
    let sources = sources(&plan.args, subject)?;
    let subject = match subject {
        Subject::Command => coordinator::Subject::Command { python: python() },
        Subject::Program => coordinator::Subject::Program,
    };
    let once = plan.selection.global_setups.iter().any(|fixture| fixture.runs_once());
    let cluster = coordinator::prepare(&plan.args, subject, sources, once)?;
    Ok(cluster.map(|cluster| Box::new(cluster) as Box<dyn Agents>))
}

/// Returns where the files come from that agents need.
fn sources(args: &Args, subject: Subject) -> Result<Sources, String> {
    let mut sources =
        Sources { reports: args.report.iter().map(|target| target.path.clone()).collect(), ..Sources::default() };
    if url::registry(args).is_none() {
        sources.script = match subject {
            Subject::Command => Some(args.scenario.clone().unwrap_or_else(|| DEFAULT_SCRIPT.to_owned())),
            Subject::Program => args.scenario.clone(),
        };
        sources.extensions = args.given.use_extension.clone().unwrap_or_default();
    }
    if let Some(path) = &args.config {
        let config = config::read(path).map_err(|error| error.to_string())?;
        let folder = path.parent().unwrap_or(Path::new(""));
        sources.files = config.files.map(|files| files.iter().map(|file| folder.join(file)).collect());
        // `moloslave` looks for it in the directory that the run works in.
        let find = |file: String| if Path::new(&file).exists() { PathBuf::from(file) } else { folder.join(file) };
        sources.requirements = config.requirements.map(find);
        sources.env = config.env;
    }
    Ok(sources)
}

/// The version of the Python that scripts run with.
fn python() -> Option<String> {
    #[cfg(feature = "python")]
    return Some(super::scripts::version());
    #[cfg(not(feature = "python"))]
    None
}

/// Waits for runs, if the command line asks for it. Returns the exit code.
pub(super) fn join(args: &Args) -> Option<u8> {
    let url = args.join.as_deref()?;
    Some(agent::join(agent::Settings { url, name: args.agent_name.clone(), trust: &args.trust }))
}
