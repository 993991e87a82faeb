//! A CPU quota, as in containers.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
};

use crate::{Program, wait_until};

/// A control group with a CPU quota. Dropping it removes the group.
pub struct Quota {
    group: PathBuf,
}

impl Quota {
    /// Creates a group that may use this share of one CPU, in periods of 100 ms. This requires root and a `cpu` controller. If it is
    /// not possible, prints the reason to standard error and returns `None`.
    pub fn new(percent: u32) -> Option<Quota> {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("molotov-test-{}-{number}", std::process::id());
        let quota = percent * 1_000;
        let first = |mount: &str| {
            let files = [("cpu.cfs_period_us", "100000".to_owned()), ("cpu.cfs_quota_us", quota.to_string())];
            create(&Path::new(mount).join(&name), &files)
        };
        let second = create(&Path::new("/sys/fs/cgroup").join(&name), &[("cpu.max", format!("{quota} 100000"))]);
        let created = second.or_else(|_| first("/sys/fs/cgroup/cpu")).or_else(|_| first("/sys/fs/cgroup/cpu,cpuacct"));
        match created {
            Ok(group) => Some(Quota { group }),
            Err(error) => {
                eprintln!("skipped: cannot create a control group with a CPU quota: {error}");
                None
            }
        }
    }

    /// A program that runs under the quota from its first instruction.
    pub fn program(&self, path: &str, line: &str) -> Program {
        let enter = format!("echo $$ > '{}/cgroup.procs' && exec \"$0\" \"$@\"", self.group.display());
        let program = Program::new("/bin/sh", "-c").arg(&enter).arg(path);
        line.split(' ').filter(|word| !word.is_empty()).fold(program, Program::arg)
    }
}

/// Creates a group and writes its files. Removes the group if a file is missing.
fn create(group: &Path, files: &[(&str, String)]) -> io::Result<PathBuf> {
    fs::create_dir(group)?;
    for (name, value) in files {
        // The system creates the files with the group. Does not create others.
        let opened = fs::File::options().write(true).open(group.join(name));
        if let Err(error) = opened.and_then(|mut file| io::Write::write_all(&mut file, value.as_bytes())) {
            fs::remove_dir(group)?;
            return Err(error);
        }
    }
    Ok(group.to_owned())
}

impl Drop for Quota {
    fn drop(&mut self) {
        // A process that has ended may stay in the group for a moment.
        if !std::thread::panicking() {
            wait_until("the control group is empty", || fs::remove_dir(&self.group).is_ok());
        } else {
            let _ = fs::remove_dir(&self.group);
        }
    }
}
