//! Handles Ctrl-C, SIGTERM and SIGHUP. The first signal stops the run, the second interrupts it, the third ends the process.
//! Before and after a run, the first signal ends the process. The exit code is then 128 plus the number of the signal.

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

/// The exit code of a program that was ended by a signal.
pub(super) fn exit_code(signal: c_int) -> c_int {
    128 + signal
}

/// The signals that end a run. SIGHUP is not one of them if `nohup` has started the program.
fn end_signals() -> Vec<c_int> {
    let mut signals = vec![SIGINT, SIGTERM];
    if !is_ignored(SIGHUP) {
        signals.push(SIGHUP);
    }
    signals
}

/// Returns whether the program ignores a signal; `false` if the system does not tell.
fn is_ignored(signal: c_int) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    ignored.is_some_and(|mask| mask & (1 << (signal - 1)) != 0)
}

/// A flag that makes the next signal end the process.
fn armed() -> io::Result<&'static Arc<AtomicBool>> {
    static ARMED: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    if let Some(armed) = ARMED.get() {
        return Ok(armed);
    }
    let armed = Arc::new(AtomicBool::new(false));
    for signal in end_signals() {
        flag::register_conditional_shutdown(signal, exit_code(signal), armed.clone())?;
    }
    Ok(ARMED.get_or_init(|| armed))
}

/// Makes the first signal end the process, until [`keep`] is called. Call it after all other handlers are installed.
pub(super) fn end_at_once() {
    // If this fails, the default handler ends the process.
    if let Ok(armed) = armed() {
        armed.store(true, Ordering::Relaxed);
    }
}

/// Signals that are kept until [`listen`](Self::listen) is called, without a thread.
pub(super) struct PendingSignals {
    signals: Signals,
    armed: &'static Arc<AtomicBool>,
    /// Handlers until then: the first signal interrupts the `global_setup` of a script, the second ends the process.
    arming: Vec<SigId>,
}

/// Keeps signals for [`PendingSignals::listen`]. The first one waits, or interrupts the `global_setup` of a script; the second
/// ends the process.
pub(super) fn keep() -> io::Result<PendingSignals> {
    let armed = armed()?;
    let signals = Signals::new(end_signals())?;
    armed.store(false, Ordering::Relaxed);
    let arming = end_signals().into_iter().map(|signal| flag::register(signal, armed.clone()));
    #[cfg_attr(not(feature = "python"), expect(unused_mut, reason = "only scripts can be interrupted"))]
    let mut arming = arming.collect::<io::Result<Vec<_>>>()?;
    #[cfg(feature = "python")]
    for signal in end_signals() {
        arming.push(crate::python::interrupt_on(signal)?);
    }
    Ok(PendingSignals { signals, armed, arming })
}

impl PendingSignals {
    /// Starts a thread that handles signals, so that a run that hangs in a fixture can be ended too. A pending signal has stopped
    /// the run when this returns.
    pub(super) fn listen(self, control: Control) -> io::Result<SignalListener> {
        let PendingSignals { mut signals, armed, arming } = self;
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
                    // The third signal does not wait for teardowns.
                    _ => ui::exit(exit_code(signal)),
                }
            }
        })?;
        arming.into_iter().for_each(|id| {
            unregister(id);
        });
        armed.store(false, Ordering::Relaxed);
        Ok(SignalListener(handle))
    }
}

/// Sends signals to a run until it is dropped.
pub(super) struct SignalListener(Handle);

impl Drop for SignalListener {
    fn drop(&mut self) {
        end_at_once();
        self.0.close();
    }
}
