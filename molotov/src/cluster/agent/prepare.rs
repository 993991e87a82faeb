//! Prepares a run: its files, its program, and the command that starts it.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;
use tokio::{io::AsyncReadExt, sync::mpsc};

use crate::cluster::{
    archive,
    connection::Connection,
    program,
    protocol::{Assignment, Object, RunId, Work},
};

/// The largest archive or program, compressed, in bytes.
const SIZE_LIMIT: u64 = 2 << 30;

/// A run that can be started.
pub(super) struct Prepared {
    pub(super) command: Command,
    /// The folder of its files, which is deleted when this is dropped.
    pub(super) folder: TempDir,
}

/// Downloads and unpacks what an assignment names. `say` receives what is being done.
///
/// # Errors
///
/// Returns a sentence that says why the agent cannot take part.
pub(super) async fn prepare(
    connection: &Connection,
    assignment: &Assignment,
    say: &mpsc::UnboundedSender<String>,
) -> Result<Prepared, String> {
    let folder = tempfile::Builder::new().prefix("molotov-run-").tempdir();
    let folder = folder
        .map_err(|error| format!("cannot make a folder for the run in {}: {error}", std::env::temp_dir().display()))?;
    if let Some(files) = assignment.files {
        let bytes = download(connection, &assignment.run, files, "the files of the run", say).await?;
        let into = folder.path().to_owned();
        blocking(move || archive::unpack(&bytes, files.hash, &into).map_err(|error| error.to_string())).await?;
    }
    let directory = directory(folder.path(), &assignment.directory)?;
    let mut command = command(connection, assignment, say).await?;
    command.current_dir(&directory).envs(assignment.env.iter().map(|(name, value)| (name, value)));
    Ok(Prepared { command, folder })
}

/// Returns the folder that the run works in.
fn directory(top: &Path, directory: &str) -> Result<PathBuf, String> {
    let path = Path::new(directory);
    let is_inside =
        path.components().all(|part| matches!(part, std::path::Component::Normal(_) | std::path::Component::CurDir));
    let path = top.join(path);
    match is_inside && path.is_dir() {
        true => Ok(path),
        false => Err(format!("refused the run: the archive has no folder `{directory}` to work in")),
    }
}

/// Returns the command that starts the program of the run.
async fn command(
    connection: &Connection,
    assignment: &Assignment,
    say: &mpsc::UnboundedSender<String>,
) -> Result<Command, String> {
    match &assignment.work {
        Work::Command { .. } => Ok(own_command()),
        Work::Program { hash, name, .. } => {
            let (hash, name) = (*hash, name.clone());
            if blocking(program::own_hash).await? == hash {
                return Ok(own_command());
            }
            if let Some(path) = program::installed(hash) {
                return Ok(Command::new(path));
            }
            let Some(object) = assignment.program else {
                return Err(format!("this is another program than `{name}` of the coordinator"));
            };
            let packed = download(connection, &assignment.run, object, &format!("the program `{name}`"), say).await?;
            Ok(Command::new(blocking(move || program::install(&packed, hash, &name)).await?))
        }
    }
}

fn own_command() -> Command {
    Command::new("/proc/self/exe")
}

/// Downloads an object of the run.
async fn download(
    connection: &Connection,
    run: &RunId,
    object: Object,
    what: &str,
    say: &mpsc::UnboundedSender<String>,
) -> Result<Vec<u8>, String> {
    if object.size > SIZE_LIMIT {
        return Err(format!(
            "refused {what}: {} MiB are more than the limit of {}",
            object.size >> 20,
            SIZE_LIMIT >> 20
        ));
    }
    if object.size > 4 << 20 {
        let _ = say.send(format!("downloading {what} ({} MiB)", object.size >> 20));
    }
    let failed = |error: String| format!("cannot download {what} from the broker: {error}");
    let store = connection.jetstream.get_object_store(run.stream()).await.map_err(|error| failed(error.to_string()))?;
    let name = object.hash.to_string();
    let found = store.get(name.as_str()).await.map_err(|error| failed(error.to_string()))?;
    let mut bytes = Vec::new();
    // Its hash is checked where it is unpacked.
    found.take(SIZE_LIMIT).read_to_end(&mut bytes).await.map_err(|error| failed(error.to_string()))?;
    Ok(bytes)
}

/// Runs work that blocks on another thread.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, String> + Send + 'static) -> Result<T, String> {
    tokio::task::spawn_blocking(work).await.map_err(|error| format!("the run cannot be prepared: {error}"))?
}
