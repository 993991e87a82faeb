//! Ctrl-C and SIGTERM: the first asks the run to end, the second cuts it, a third kills the process.

use std::{
    io,
    sync::{Arc, atomic::AtomicBool},
    thread,
};

use signal_hook::{
    SigId,
    consts::{SIGINT, SIGTERM},
    flag,
    iterator::{Handle, Signals},
    low_level::{emulate_default_handler, unregister},
};

use crate::engine::Control;

/// Signals that are kept, from now on, until somebody listens to them. It takes no thread.
pub(super) struct Kept {
    signals: Signals,
    /// What ends the program at the second signal, since nobody listens yet.
    last_resort: Vec<SigId>,
}

/// Keeps signals for [`Kept::listen`]: the first waits until then, a second ends the program.
pub(super) fn keep() -> io::Result<Kept> {
    let signals = Signals::new([SIGINT, SIGTERM])?;
    let mut last_resort = Vec::new();
    let armed = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        last_resort.push(flag::register_conditional_default(signal, armed.clone())?);
        last_resort.push(flag::register(signal, armed.clone())?);
    }
    Ok(Kept { signals, last_resort })
}

impl Kept {
    /// Listens on a thread of its own, so that even a run that hangs in a fixture can be ended.
    pub(super) fn listen(self, control: Control) -> io::Result<Listening> {
        let Kept { mut signals, last_resort } = self;
        let handle = signals.handle();
        thread::Builder::new().name("molotov-signals".to_owned()).spawn(move || {
            for (earlier, signal) in signals.forever().enumerate() {
                match earlier {
                    0 => control.stop(),
                    1 => control.force(),
                    _ => {
                        // Who asks a third time has no patience for teardowns. There is nothing to do if this fails.
                        crate::ui::restore_terminal();
                        let _ = emulate_default_handler(signal);
                    }
                }
            }
        })?;
        last_resort.into_iter().for_each(|id| {
            unregister(id);
        });
        Ok(Listening(handle))
    }
}

/// Hands signals to a run for as long as it lives.
pub(super) struct Listening(Handle);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.close();
    }
}
