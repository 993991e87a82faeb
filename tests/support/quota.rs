//! A CPU quota, as containers have it.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
};

use crate::{Program, wait_until};

/// A control group of its own with a CPU quota. It is removed when dropped.
pub struct Quota {
    group: PathBuf,
}

impl Quota {
    /// A group that may use this share of one CPU, in periods of 100 ms. `None`, with the reason on standard error, on a
    /// machine where it cannot be made: that takes root and a `cpu` controller.
    pub fn new(percent: u32) -> Option<Quota> {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("molotov-test-{}-{number}", std::process::id());
        let quota = percent * 1_000;
        let first = |mount: &str| {
            let files = [("cpu.cfs_period_us", "100000".to_owned()), ("cpu.cfs_quota_us", quota.to_string())];
            make(&Path::new(mount).join(&name), &files)
        };
        let second = make(&Path::new("/sys/fs/cgroup").join(&name), &[("cpu.max", format!("{quota} 100000"))]);
        let made = second.or_else(|_| first("/sys/fs/cgroup/cpu")).or_else(|_| first("/sys/fs/cgroup/cpu,cpuacct"));
        match made {
            Ok(group) => Some(Quota { group }),
            Err(error) => {
                eprintln!("skipped: no control group with a CPU quota can be made here: {error}");
                None
            }
        }
    }

    /// A program that runs under the quota from its first instruction on.
    pub fn program(&self, path: &str, line: &str) -> Program {
        let enter = format!("echo $$ > '{}/cgroup.procs' && exec \"$0\" \"$@\"", self.group.display());
        let program = Program::new("/bin/sh", "-c").arg(&enter).arg(path);
        line.split(' ').filter(|word| !word.is_empty()).fold(program, Program::arg)
    }
}

/// Makes a group and writes its files; none is left behind where one of them is missing.
fn make(group: &Path, files: &[(&str, String)]) -> io::Result<PathBuf> {
    fs::create_dir(group)?;
    for (name, value) in files {
        // Such a file comes with the group. Nowhere else is one made.
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
        // A process that was waited for may be in its group for a moment.
        if !std::thread::panicking() {
            wait_until("the control group is empty", || fs::remove_dir(&self.group).is_ok());
        } else {
            let _ = fs::remove_dir(&self.group);
        }
    }
}
