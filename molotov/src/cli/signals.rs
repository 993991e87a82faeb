//! Ctrl-C, SIGTERM and SIGHUP: the first asks the run to end, the second cuts it, a third ends the process. Before and after
//! a run, the first one ends the process. Its exit code is 128 and the number of the signal then.

use std::{
    ffi::c_int,
    io,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use signal_hook::{
    SigId,
    consts::{SIGHUP, SIGINT, SIGTERM},
    flag,
    iterator::{Handle, Signals},
    low_level::unregister,
};

use crate::{engine::Control, ui};

/// The exit code of a program that a signal has ended.
pub(super) fn exit_code(signal: c_int) -> c_int {
    128 + signal
}

/// The signals that end a run: not SIGHUP where `nohup` has the program ignore it.
fn endings() -> Vec<c_int> {
    let mut endings = vec![SIGINT, SIGTERM];
    if !is_ignored(SIGHUP) {
        endings.push(SIGHUP);
    }
    endings
}

/// Whether the program ignores a signal. Where the system does not say so, it does not.
fn is_ignored(signal: c_int) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    ignored.is_some_and(|mask| mask & (1 << (signal - 1)) != 0)
}

/// Whether the next signal ends the process.
fn armed() -> io::Result<&'static Arc<AtomicBool>> {
    static ARMED: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    if let Some(armed) = ARMED.get() {
        return Ok(armed);
    }
    let armed = Arc::new(AtomicBool::new(false));
    for signal in endings() {
        flag::register_conditional_shutdown(signal, exit_code(signal), armed.clone())?;
    }
    Ok(ARMED.get_or_init(|| armed))
}

/// From now on, and until [`keep`], the first signal ends the process. To be called when nobody else sets handlers any more.
pub(super) fn end_at_once() {
    // Where this fails, the system ends the process.
    if let Ok(armed) = armed() {
        armed.store(true, Ordering::Relaxed);
    }
}

/// Signals that are kept, from now on, until somebody listens to them. It takes no thread.
pub(super) struct Kept {
    signals: Signals,
    armed: &'static Arc<AtomicBool>,
    /// What arms the second signal, since nobody listens yet, and interrupts a script's `global_setup` on the first.
    arming: Vec<SigId>,
}

/// Keeps signals for [`Kept::listen`]: the first waits until then, or interrupts a script's `global_setup`; a second ends the
/// process.
pub(super) fn keep() -> io::Result<Kept> {
    let armed = armed()?;
    let signals = Signals::new(endings())?;
    armed.store(false, Ordering::Relaxed);
    let arming = endings().into_iter().map(|signal| flag::register(signal, armed.clone()));
    #[cfg_attr(not(feature = "python"), expect(unused_mut, reason = "only scripts can be interrupted"))]
    let mut arming = arming.collect::<io::Result<Vec<_>>>()?;
    #[cfg(feature = "python")]
    for signal in endings() {
        arming.push(crate::python::interrupt_on(signal)?);
    }
    Ok(Kept { signals, armed, arming })
}

impl Kept {
    /// Listens on a thread, so that even a run that hangs in a fixture can be ended. A signal that was kept has stopped the run
    /// when this returns.
    pub(super) fn listen(self, control: Control) -> io::Result<Listening> {
        let Kept { mut signals, armed, arming } = self;
        let handle = signals.handle();
        let kept = usize::from(signals.pending().count() > 0);
        if kept > 0 {
            control.stop();
        }
        thread::Builder::new().name("molotov-signals".to_owned()).spawn(move || {
            for (earlier, signal) in (kept..).zip(signals.forever()) {
                match earlier {
                    0 => control.stop(),
                    1 => {
                        control.force();
                        #[cfg(feature = "python")]
                        crate::python::interrupt(signal);
                    }
                    // A third signal does not wait for teardowns.
                    _ => ui::exit(exit_code(signal)),
                }
            }
        })?;
        arming.into_iter().for_each(|id| {
            unregister(id);
        });
        armed.store(false, Ordering::Relaxed);
        Ok(Listening(handle))
    }
}

/// Hands signals to a run for as long as it lives.
pub(super) struct Listening(Handle);

impl Drop for Listening {
    fn drop(&mut self) {
        end_at_once();
        self.0.close();
    }
}
