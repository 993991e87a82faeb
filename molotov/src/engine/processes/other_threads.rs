//! Other threads of this process, which make a fork unsafe.

use std::{
    thread,
    time::{Duration, Instant},
};

/// The names of the other threads of this process. In a child, locks that they hold would never open.
pub(super) fn other_threads() -> Vec<String> {
    // A thread that was just joined may still be listed for a moment.
    let until = Instant::now() + Duration::from_secs(1);
    loop {
        let names = list();
        if names.is_empty() || Instant::now() >= until {
            return names;
        }
        thread::sleep(Duration::from_millis(1));
    }
}

#[cfg(not(target_os = "linux"))]
fn list() -> Vec<String> {
    Vec::new()
}

#[cfg(target_os = "linux")]
fn list() -> Vec<String> {
    let own = rustix::thread::gettid().as_raw_nonzero().to_string();
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else { return Vec::new() };
    let name = |task: std::fs::DirEntry| {
        (task.file_name().to_str() != Some(&own)).then(|| {
            let name = std::fs::read_to_string(task.path().join("comm")).unwrap_or_default();
            name.trim().to_owned()
        })
    };
    // The thread that waits for signals holds no locks.
    let matters = |name: &String| !name.is_empty() && name != "molotov-signals";
    let mut names: Vec<_> = tasks.flatten().filter_map(name).filter(matters).collect();
    names.sort();
    names
}
