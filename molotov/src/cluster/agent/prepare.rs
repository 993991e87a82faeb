//! Prepares a run: its files, its program, and the command that starts it.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use tempfile::TempDir;
use tokio::{io::AsyncReadExt, sync::mpsc};

#[cfg(feature = "python")]
pub(super) use crate::cluster::requirements::Stop;
#[cfg(feature = "python")]
use crate::cluster::requirements::{self, Requirements};
use crate::cluster::{
    archive,
    connection::Connection,
    program,
    protocol::{Assignment, Object, RunId, Work},
};

/// The largest archive or program, compressed, in bytes.
const SIZE_LIMIT: u64 = 2 << 30;

/// How often a download is tried again.
const DOWNLOAD_ATTEMPTS: usize = 5;
/// The wait before another attempt.
const DOWNLOAD_RETRY: Duration = Duration::from_millis(500);

/// A run that can be started.
pub(super) struct Prepared {
    pub(super) command: Command,
    /// The folder of its files, which is deleted when this is dropped.
    pub(super) folder: TempDir,
    /// Keeps the installed packages.
    pub(super) packages: Packages,
}

/// The packages of a run, which stay installed as long as this exists.
#[cfg(feature = "python")]
pub(super) type Packages = Option<requirements::Installed>;
#[cfg(not(feature = "python"))]
pub(super) type Packages = Option<()>;

/// Downloads and unpacks what an assignment names. `say` receives what is being done. `program` is run instead of that
/// of the assignment.
///
/// # Errors
///
/// Returns a sentence that says why the agent cannot take part.
pub(super) async fn prepare(
    connection: &Connection,
    assignment: &Assignment,
    program: Option<&Path>,
    say: &mpsc::UnboundedSender<String>,
    stop: &Stop,
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
    let (mut command, kept) = match program {
        Some(program) => (Command::new(program), None),
        None => command(connection, assignment, folder.path(), say, stop).await?,
    };
    command.current_dir(&directory).envs(assignment.env.iter().map(|(name, value)| (name, value)));
    Ok(Prepared { command, folder, packages: kept })
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

/// Returns the command that starts the program of the run, and the packages that it needs.
async fn command(
    connection: &Connection,
    assignment: &Assignment,
    top: &Path,
    say: &mpsc::UnboundedSender<String>,
    stop: &Stop,
) -> Result<(Command, Packages), String> {
    match &assignment.work {
        Work::Command { .. } => of_command(assignment, top, say, stop).await,
        Work::Program { hash, name, .. } => {
            let (hash, name) = (*hash, name.clone());
            if blocking(program::own_hash).await? == hash {
                return Ok((Command::new("/proc/self/exe"), None));
            }
            if let Some(path) = program::installed(hash) {
                return Ok((Command::new(path), None));
            }
            let Some(object) = assignment.program else {
                return Err(format!("this is another program than `{name}` of the coordinator"));
            };
            let packed = download(connection, &assignment.run, object, &format!("the program `{name}`"), say).await?;
            Ok((Command::new(blocking(move || program::install(&packed, hash, &name)).await?), None))
        }
    }
}

/// Returns the command `molotov`, with the packages that the run requires.
#[cfg(feature = "python")]
async fn of_command(
    assignment: &Assignment,
    top: &Path,
    say: &mpsc::UnboundedSender<String>,
    stop: &Stop,
) -> Result<(Command, Packages), String> {
    let (Some(file), Some(files)) = (assignment.requirements.clone(), assignment.files) else {
        return Ok((requirements::molotov()?, None));
    };
    let (top, directory, say, stop) = (top.to_owned(), assignment.directory.clone(), say.clone(), stop.clone());
    let install = move || {
        let needed = Requirements { top: &top, directory: &directory, file: &file, archive: files.hash };
        requirements::install(needed, &stop, &mut |what| _ = say.send(what.to_owned()))
    };
    let installed = blocking(install).await?;
    Ok((installed.molotov(), Some(installed)))
}

#[cfg(not(feature = "python"))]
async fn of_command(
    _: &Assignment,
    _: &Path,
    _: &mpsc::UnboundedSender<String>,
    _: &Stop,
) -> Result<(Command, Packages), String> {
    Ok((Command::new("/proc/self/exe"), None))
}

/// Stops an installation.
#[cfg(not(feature = "python"))]
#[derive(Debug, Clone, Default)]
pub(super) struct Stop(());

#[cfg(not(feature = "python"))]
impl Stop {
    pub(super) fn stop(&self) {}
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
    let mut attempts = 0;
    loop {
        // The end of the run ends the attempts.
        match try_download(connection, run, object).await {
            Ok(bytes) => return Ok(bytes),
            Err(error) if attempts >= DOWNLOAD_ATTEMPTS => {
                return Err(format!("cannot download {what} from the broker: {error}"));
            }
            Err(error) => tracing::debug!(%error, what, "downloading again"),
        }
        attempts += 1;
        tokio::time::sleep(DOWNLOAD_RETRY).await;
        let _ = connection.is_up().wait_for(|up| *up).await;
    }
}

async fn try_download(connection: &Connection, run: &RunId, object: Object) -> Result<Vec<u8>, async_nats::Error> {
    let store = connection.jetstream.get_object_store(run.stream()).await?;
    let name = object.hash.to_string();
    let found = store.get(name.as_str()).await?;
    let mut bytes = Vec::new();
    // Its hash is checked where it is unpacked.
    let mut limited = found.take(SIZE_LIMIT);
    let mut is_up = connection.is_up();
    tokio::select! {
        read = limited.read_to_end(&mut bytes) => read?,
        // The rest does not arrive on another connection.
        _ = is_up.wait_for(|up| !*up) => return Err("the connection was lost".into()),
    };
    Ok(bytes)
}

/// Runs work that blocks on another thread.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, String> + Send + 'static) -> Result<T, String> {
    tokio::task::spawn_blocking(work).await.map_err(|error| format!("the run cannot be prepared: {error}"))?
}
