//! Ctrl-C and SIGTERM: the first asks the run to end, the second cuts it, a third kills the process.

use std::{io, thread};

use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::{Handle, Signals},
    low_level::emulate_default_handler,
};

use crate::engine::Control;

/// Hands signals to a run for as long as it lives.
pub(super) struct Listening(Handle);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Listens on a thread of its own, so that even a run that hangs in a fixture can be ended.
pub(super) fn listen(control: Control) -> io::Result<Listening> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let handle = signals.handle();
    thread::Builder::new().name("molotov-signals".to_owned()).spawn(move || {
        for (earlier, signal) in signals.forever().enumerate() {
            match earlier {
                0 => control.stop(),
                1 => control.force(),
                _ => {
                    // Who asks a third time has no patience for teardowns. There is nothing to do if this fails.
                    let _ = emulate_default_handler(signal);
                }
            }
        }
    })?;
    Ok(Listening(handle))
}
