//! Catches panics of user code, with their message and location.

use std::{
    any::Any,
    cell::{Cell, RefCell},
    future::Future,
    panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook, take_hook},
    pin::Pin,
    sync::Once,
    task::{Context, Poll},
};

use crate::Failure;

/// A panic that was caught.
#[derive(Debug)]
pub(crate) struct CaughtPanic {
    /// The message.
    pub(crate) message: String,
    /// The location, such as `src/lib.rs:12`.
    pub(crate) place: Option<String>,
    /// The stack, if requested.
    pub(crate) backtrace: Option<String>,
}

impl From<CaughtPanic> for Failure {
    fn from(caught: CaughtPanic) -> Failure {
        Failure::from_panic(caught.message, caught.place, caught.backtrace)
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Capture {
    /// Not in user code of a run. Panics go to the previous hook.
    Off,
    Message,
    Backtrace,
}

thread_local! {
    static CAPTURE: Cell<Capture> = const { Cell::new(Capture::Off) };
    static CAUGHT: RefCell<Option<CaughtPanic>> = const { RefCell::new(None) };
}

/// Installs our panic hook, once per process.
///
/// The hook captures panics inside [`CatchPanic`] and [`catch`], and passes all others to the previous hook.
pub(crate) fn install_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let previous = take_hook();
        set_hook(Box::new(move |info| match CAPTURE.get() {
            Capture::Off => previous(info),
            capture => {
                let caught = describe(info, capture == Capture::Backtrace);
                CAUGHT.with_borrow_mut(|slot| *slot = Some(caught));
            }
        }));
    });
}

fn describe(info: &PanicHookInfo<'_>, backtrace: bool) -> CaughtPanic {
    CaughtPanic {
        message: payload_message(info.payload()),
        place: info.location().map(|place| format!("{}:{}", place.file(), place.line())),
        backtrace: backtrace.then(crate::backtrace::capture),
    }
}

pub(crate) fn payload_message(payload: &(dyn Any + Send)) -> String {
    match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_owned(),
        (_, Some(text)) => text.clone(),
        _ => "panicked with a value that is not text".to_owned(),
    }
}

/// Restores the previous capture when dropped, so that guards nest.
struct Capturing(Capture);

impl Capturing {
    fn start(backtrace: bool) -> Capturing {
        Capturing(CAPTURE.replace(if backtrace { Capture::Backtrace } else { Capture::Message }))
    }
}

impl Drop for Capturing {
    fn drop(&mut self) {
        CAPTURE.set(self.0);
    }
}

/// Calls `work` and returns a panic as an error.
pub(crate) fn catch<T>(backtrace: bool, work: impl FnOnce() -> T) -> Result<T, CaughtPanic> {
    let capturing = Capturing::start(backtrace);
    let result = catch_unwind(AssertUnwindSafe(work));
    drop(capturing);
    result.map_err(|payload| caught(&*payload))
}

fn caught(payload: &(dyn Any + Send)) -> CaughtPanic {
    // `resume_unwind` does not call the hook, which leaves only the payload.
    CAUGHT.take().unwrap_or_else(|| CaughtPanic { message: payload_message(payload), place: None, backtrace: None })
}

/// A future that returns panics as errors.
pub(crate) struct CatchPanic<F> {
    work: F,
    backtrace: bool,
}

impl<F: Future + Unpin> CatchPanic<F> {
    pub(crate) fn new(backtrace: bool, work: F) -> CatchPanic<F> {
        CatchPanic { work, backtrace }
    }
}

impl<F: Future + Unpin> Future for CatchPanic<F> {
    type Output = Result<F::Output, CaughtPanic>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let backtrace = self.backtrace;
        match catch(backtrace, || Pin::new(&mut self.work).poll(cx)) {
            Ok(poll) => poll.map(Ok),
            Err(caught) => Poll::Ready(Err(caught)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn catches_message_and_location() {
        install_hook();
        let caught = catch(true, || assert_eq!(1 + 1, 3, "sums")).unwrap_err();
        assert!(caught.message.contains("sums"), "{caught:?}");
        assert!(caught.place.unwrap().contains("panic.rs:"));
        assert!(caught.backtrace.is_some());
        let caught = catch(false, || std::panic::panic_any(5_u8)).unwrap_err();
        assert_eq!(caught.message, "panicked with a value that is not text");
        assert!(caught.backtrace.is_none());
    }

    #[test]
    fn guards_nest() {
        install_hook();
        let caught = catch(false, || {
            let inner = catch(false, || panic!("inner")).unwrap_err();
            panic!("outer after {}", inner.message)
        });
        let caught: Result<(), _> = caught;
        assert_eq!(caught.unwrap_err().message, "outer after inner");
    }
}
