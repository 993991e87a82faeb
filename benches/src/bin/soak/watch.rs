//! Watches the resident memory and the open files of a process.

use std::{
    fmt, io,
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// What a process uses at one moment.
#[derive(Debug, Clone, Copy)]
struct Usage {
    memory_kb: u64,
    files: u64,
}

impl Usage {
    fn of(pid: u32) -> io::Result<Usage> {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let memory_kb = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        let memory_kb = memory_kb.ok_or_else(|| io::Error::other("no VmRSS in /proc"))?;
        let files = std::fs::read_dir(format!("/proc/{pid}/fd"))?.count() as u64;
        Ok(Usage { memory_kb, files })
    }
}

/// The largest usage around the middle of a run and near its end.
#[derive(Debug)]
pub(crate) struct Growth {
    middle: Usage,
    end: Usage,
}

impl Growth {
    /// Whether memory and files grew by at most 2 %.
    pub(crate) fn is_flat(&self) -> bool {
        let grown = |from: u64, to: u64| to as f64 <= from as f64 * 1.02;
        grown(self.middle.memory_kb, self.end.memory_kb) && grown(self.middle.files, self.end.files)
    }
}

impl fmt::Display for Growth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ratio = |from: u64, to: u64| to as f64 / from as f64;
        let (memory, files) = (self.middle.memory_kb, self.middle.files);
        writeln!(
            f,
            "memory: {memory} KB in the middle, {} KB at the end (x{:.3})",
            self.end.memory_kb,
            ratio(memory, self.end.memory_kb)
        )?;
        write!(f, "files:  {files} in the middle, {} at the end (x{:.3})", self.end.files, ratio(files, self.end.files))
    }
}

/// Starts to watch a process that runs for so many seconds from now on.
pub(crate) fn watch(pid: u32, seconds: u32) -> JoinHandle<io::Result<Growth>> {
    std::thread::spawn(move || {
        let (start, whole) = (Instant::now(), Duration::from_secs(seconds.into()));
        // Open files and memory move by a few connections and buffers all the time: compare the largest of a window.
        let largest = |from: f64, to: f64| {
            std::thread::sleep(whole.mul_f64(from).saturating_sub(start.elapsed()));
            let mut largest = Usage::of(pid)?;
            while start.elapsed() < whole.mul_f64(to) {
                std::thread::sleep(Duration::from_millis(50));
                let now = Usage::of(pid)?;
                largest.memory_kb = largest.memory_kb.max(now.memory_kb);
                largest.files = largest.files.max(now.files);
            }
            io::Result::Ok(largest)
        };
        Ok(Growth { middle: largest(0.4, 0.5)?, end: largest(0.85, 0.95)? })
    })
}
