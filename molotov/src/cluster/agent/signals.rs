//! Signals that ask an agent to end.

use std::{io, thread};

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};
use tokio::sync::mpsc;

/// Starts the thread that receives signals. From now on, they do not end the process.
///
/// # Errors
///
/// If the system refuses the handlers or the thread.
pub(super) fn listen() -> io::Result<mpsc::UnboundedReceiver<i32>> {
    let mut ends = vec![SIGINT, SIGTERM];
    // `nohup` makes a program ignore it.
    if !is_ignored(SIGHUP) {
        ends.push(SIGHUP);
    }
    let mut signals = Signals::new(ends)?;
    let (sender, receiver) = mpsc::unbounded_channel();
    thread::Builder::new().name("molotov-signals".to_owned()).spawn(move || {
        for signal in signals.forever() {
            if sender.send(signal).is_err() {
                return;
            }
        }
    })?;
    Ok(receiver)
}

fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    ignored.is_some_and(|mask| mask & (1 << (signal - 1)) != 0)
}
