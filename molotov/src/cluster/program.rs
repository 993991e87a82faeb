//! The program of a run: whether an agent has the same one, and how it gets it if not.

use std::{
    env,
    fs::{self, File, OpenOptions},
    io::{self, BufRead, BufReader, Read, Write},
    os::unix::{fs::OpenOptionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{OnceLock, mpsc},
    thread,
    time::{Duration, Instant},
};

use flate2::{Compression, bufread::GzDecoder, write::GzEncoder};
use ring::digest;
use rustix::process::{Pid, Signal};

use super::{
    cache,
    protocol::{Sha256, Work},
};

/// The platform that this program was built for, such as `x86_64-unknown-linux-gnu`.
pub(crate) const TARGET: &str = env!("MOLOTOV_TARGET");

/// The file of this program. It is the same file when cargo has replaced it since the program was started.
const OWN: &str = if cfg!(target_os = "linux") { "/proc/self/exe" } else { "" };

/// How many programs of other machines are kept.
const KEPT: usize = 4;
/// How long a program may take to print its version.
const CHECK_TIMEOUT: Duration = Duration::from_secs(15);
/// The largest program, in bytes.
const SIZE_LIMIT: u64 = 4 << 30;

fn own_path() -> io::Result<PathBuf> {
    if OWN.is_empty() { env::current_exe() } else { Ok(PathBuf::from(OWN)) }
}

/// Returns the hash of this program. The first call reads its file.
///
/// # Errors
///
/// If the file cannot be read.
pub(crate) fn own_hash() -> Result<Sha256, String> {
    static HASH: OnceLock<Result<Sha256, String>> = OnceLock::new();
    let hash = || {
        let mut context = digest::Context::new(&digest::SHA256);
        let mut file = BufReader::with_capacity(1 << 20, File::open(own_path()?)?);
        loop {
            let bytes = file.fill_buf()?;
            let count = bytes.len();
            if count == 0 {
                return Ok(Sha256::from(context.finish()));
            }
            context.update(bytes);
            file.consume(count);
        }
    };
    HASH.get_or_init(|| hash().map_err(|error: io::Error| format!("cannot read this program: {error}"))).clone()
}

/// Returns the work of a program with scenarios in Rust.
///
/// # Errors
///
/// If the file of this program cannot be read.
pub(super) fn own_work() -> Result<Work, String> {
    let path = env::current_exe().unwrap_or_default();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // Linux marks the path of a file that was replaced.
    let name = name.trim_end_matches(" (deleted)").to_owned();
    Ok(Work::Program { name, hash: own_hash()?, target: TARGET.to_owned() })
}

/// Returns this program in compressed form, to be sent to agents.
///
/// # Errors
///
/// If its file cannot be read.
pub(super) fn packed() -> Result<Vec<u8>, String> {
    let pack = || {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        io::copy(&mut File::open(own_path()?)?, &mut encoder)?;
        encoder.finish()
    };
    pack().map_err(|error| format!("cannot read this program to send it to the agents: {error}"))
}

/// Why an agent cannot run a program; `None` if it can.
pub(super) fn unsuitable(work: &Work, target: &str, program: Sha256) -> Option<String> {
    match work {
        Work::Program { hash, target: wanted, name } if *hash != program && wanted != target => Some(format!(
            "its platform is {target}, and `{name}` was built for {wanted}; build the program on that machine, and start it \
             with `--join`"
        )),
        _ => None,
    }
}

/// Returns the path of a program that an earlier run has installed.
pub(super) fn installed(hash: Sha256) -> Option<PathBuf> {
    let path = cache::folder("programs").ok()?.join(hash.to_string());
    path.is_file().then(|| {
        cache::touch(&path);
        path
    })
}

/// Unpacks a program that the coordinator has sent, and returns its path.
///
/// # Errors
///
/// If its hash is another one, if it cannot be written, or if it cannot be started on this machine.
pub(super) fn install(packed: &[u8], hash: Sha256, name: &str) -> Result<PathBuf, String> {
    install_in(&cache::folder("programs")?, packed, hash, name)
}

fn install_in(folder: &Path, packed: &[u8], hash: Sha256, name: &str) -> Result<PathBuf, String> {
    let path = folder.join(hash.to_string());
    let failed = |error: io::Error| format!("cannot write the program `{name}` to {}: {error}", folder.display());
    let new = tempfile::Builder::new().prefix(".new-").tempdir_in(folder).map_err(failed)?;
    let draft = new.path().join("program");
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o700).open(&draft).map_err(failed)?;
    let mut context = digest::Context::new(&digest::SHA256);
    let mut contents = GzDecoder::new(packed).take(SIZE_LIMIT);
    let mut buffer = vec![0; 1 << 16];
    loop {
        let count = contents.read(&mut buffer).map_err(|_| changed(name))?;
        if count == 0 {
            break;
        }
        context.update(&buffer[..count]);
        file.write_all(&buffer[..count]).map_err(failed)?;
    }
    if Sha256::from(context.finish()) != hash {
        return Err(changed(name));
    }
    drop(file);
    check(&draft, name, CHECK_TIMEOUT)?;
    fs::rename(&draft, &path).map_err(failed)?;
    let programs = cache::newest_first(folder).into_iter().filter(|path| path.is_file());
    for old in programs.skip(KEPT) {
        // A process that runs it keeps its file.
        let _ = fs::remove_file(old);
    }
    Ok(path)
}

fn changed(name: &str) -> String {
    format!("the program `{name}` was changed on its way")
}

/// Checks that the system can load a program and its libraries, by asking for its version.
fn check(path: &Path, name: &str, timeout: Duration) -> Result<(), String> {
    let cannot = |why: &str| {
        format!(
            "the program `{name}` cannot be started on this machine: {why}; build it for this system, or link it statically \
             (`--target {}-unknown-linux-musl`)",
            env::consts::ARCH
        )
    };
    let mut command = Command::new(path);
    command.arg0(name).arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    // It may start others, which hold its output open.
    command.process_group(0);
    let mut child = match start(&mut command) {
        Ok(child) => child,
        // The program exists, so its loader does not.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(cannot("it needs the loader of another C library"));
        }
        Err(error) => return Err(cannot(&error.to_string())),
    };
    let (sender, written) = mpsc::channel();
    let errors = child.stderr.take();
    let read = move || {
        let mut line = String::new();
        // The loader writes one line and ends. Another program may write more.
        let _ = errors.map(|errors| BufReader::new(errors.take(4_096)).read_line(&mut line));
        let _ = sender.send(line);
    };
    let reading = thread::Builder::new().name("molotov-check".to_owned()).spawn(read);
    let status = wait(&mut child, timeout);
    let status = status.map_err(|error| cannot(&error.to_string()))?;
    let Some(status) = status else {
        return Err(format!(
            "the program `{name}` did not print its version (`--version`) within {} s",
            timeout.as_secs()
        ));
    };
    // What the program has started may not end.
    let output = reading.ok().and_then(|_| written.recv_timeout(Duration::from_secs(1)).ok()).unwrap_or_default();
    match status.code() {
        Some(126 | 127) => Err(cannot(output.trim())),
        // GLIBC's loader exits with 1 if a version of a library is missing.
        Some(1) if output.contains("version `") && output.contains("not found") => Err(cannot(output.trim())),
        _ => Ok(()),
    }
}

/// Waits for the end of a process, and kills its group after the timeout. Returns `None` in that case.
fn wait(child: &mut Child, timeout: Duration) -> io::Result<Option<ExitStatus>> {
    let begin = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if begin.elapsed() >= timeout {
            let _ = rustix::process::kill_process_group(Pid::from_child(child), Signal::KILL);
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Starts a program that was just written. Another thread may have forked while the file was open for writing, and until that
/// child executes its own program, the system refuses to execute this one.
fn start(command: &mut Command) -> io::Result<Child> {
    let begin = Instant::now();
    loop {
        match command.spawn() {
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy && begin.elapsed().as_secs() < 5 => {
                thread::sleep(Duration::from_millis(5));
            }
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn pack(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn the_hash_is_that_of_the_file() {
        let bytes = fs::read(env::current_exe().unwrap()).unwrap();
        assert_eq!(own_hash().unwrap(), Sha256::of(&bytes));
        let Work::Program { name, hash, target } = own_work().unwrap() else { panic!("a program") };
        assert!(name.starts_with("molotov-"), "{name}");
        assert_eq!((hash, target.as_str()), (own_hash().unwrap(), TARGET));
        assert!(TARGET.starts_with(env::consts::ARCH) && TARGET.contains(env::consts::OS), "{TARGET}");
    }

    #[test]
    fn installs_a_program_that_starts() {
        let folder = tempfile::tempdir().unwrap();
        let script = b"#!/bin/sh\nexit 3\n";
        let path = install_in(folder.path(), &pack(script), Sha256::of(script), "shop").unwrap();
        assert_eq!(Command::new(&path).status().unwrap().code(), Some(3));
        assert_eq!(install_in(folder.path(), &pack(script), Sha256::of(script), "shop").unwrap(), path);
    }

    #[test]
    fn keeps_a_few_programs() {
        let folder = tempfile::tempdir().unwrap();
        let mut last = None;
        for number in 0..KEPT + 2 {
            let script = format!("#!/bin/sh\nexit {number}\n");
            let hash = Sha256::of(script.as_bytes());
            last = Some(install_in(folder.path(), &pack(script.as_bytes()), hash, "shop").unwrap());
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), KEPT);
        assert!(last.unwrap().is_file());
    }

    #[test]
    fn changed_programs_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        for bytes in [pack(b"#!/bin/sh\n"), b"no gzip".to_vec()] {
            let error = install_in(folder.path(), &bytes, Sha256::of(b"other"), "shop").unwrap_err();
            assert_eq!(error, "the program `shop` was changed on its way");
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn programs_that_cannot_be_started_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let missing = "version `GLIBC_9.9' not found (required by shop)";
        for (script, why) in [
            ("#!/lib/ld-musl-none.so.1\n".to_owned(), "it needs the loader of another C library"),
            (format!("#!/bin/sh\necho \"{}\" >&2\nexit 1\n", missing.replace('`', "\\`")), missing),
            (
                "#!/bin/sh\necho 'libpython3.9.so.1.0: cannot open' >&2\nexit 127\n".to_owned(),
                "libpython3.9.so.1.0: cannot open",
            ),
        ] {
            let hash = Sha256::of(script.as_bytes());
            let error = install_in(folder.path(), &pack(script.as_bytes()), hash, "shop").unwrap_err();
            let expected =
                format!("the program `shop` cannot be started on this machine: {why}; build it for this system");
            assert!(error.starts_with(&expected), "{error}");
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_program_that_hangs_is_killed_with_what_it_has_started() {
        let folder = tempfile::tempdir().unwrap();
        let (path, started) = (folder.path().join("shop"), folder.path().join("started"));
        fs::write(&path, format!("#!/bin/sh\nsleep 600 &\necho $! > {}\nwait\n", started.display())).unwrap();
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        let error = check(&path, "shop", Duration::from_secs(2)).unwrap_err();
        assert_eq!(error, "the program `shop` did not print its version (`--version`) within 2 s");
        let process = fs::read_to_string(started).unwrap();
        let status = format!("/proc/{}/status", process.trim());
        // Nobody may wait for it, so it may stay as a zombie.
        crate::cluster::test_server::wait_for(|| match fs::read_to_string(&status) {
            Ok(text) => text.contains("State:\tZ").then_some(()),
            Err(_) => Some(()),
        });
    }

    #[test]
    fn another_platform_needs_the_same_program() {
        let (ours, theirs) = (Sha256::of(b"ours"), Sha256::of(b"theirs"));
        let work = Work::Program { name: "shop".to_owned(), hash: ours, target: "riscv64-linux".to_owned() };
        assert_eq!(unsuitable(&work, "riscv64-linux", theirs), None);
        assert_eq!(unsuitable(&work, "x86_64-linux", ours), None);
        let why = unsuitable(&work, "x86_64-linux", theirs).unwrap();
        assert!(why.starts_with("its platform is x86_64-linux, and `shop` was built for riscv64-linux; "), "{why}");
        assert_eq!(unsuitable(&Work::Command { python: None }, "x86_64-linux", theirs), None);
    }
}
