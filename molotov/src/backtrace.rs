//! Stack traces with the frames of user code only.

use std::{
    cell::Cell,
    future::poll_fn,
    pin::pin,
    time::{Duration, Instant},
};

thread_local! {
    static SPENT: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// The stack of the caller, from the failure in user code to the call by the engine.
pub(crate) fn capture() -> String {
    aside(|| trim(&std::backtrace::Backtrace::force_capture().to_string()))
}

/// Describes an error. The time for it is not measured.
pub(crate) fn aside<T>(describe: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let described = describe();
    SPENT.set(SPENT.get() + started.elapsed());
    described
}

/// Runs a future, and adds the time that it spends on describing errors to `spent`.
pub(crate) async fn apart<F: Future>(spent: &Cell<Duration>, work: F) -> F::Output {
    let mut work = pin!(work);
    poll_fn(|cx| poll_apart(spent, || work.as_mut().poll(cx))).await
}

/// Does the same as [`apart`] for a single poll.
#[inline]
pub(crate) fn poll_apart<T>(spent: &Cell<Duration>, poll: impl FnOnce() -> T) -> T {
    let before = SPENT.get();
    let polled = poll();
    let after = SPENT.get();
    if after != before {
        spent.set(spent.get() + (after - before));
    }
    polled
}

/// The frames above user code: the capture, the panic, the conversion of an error.
const ABOVE: [&str; 8] = [
    "std::",
    "core::",
    "alloc::",
    "rust_begin_unwind",
    "__rustc",
    "molotov::backtrace::",
    "molotov::failure::",
    "molotov::engine::panic::",
];

/// The frames below user code.
const BELOW: [&str; 2] = ["molotov::engine::", "std::sys::backtrace::__rust_begin_short_backtrace"];

/// Keeps the frames between [`ABOVE`] and [`BELOW`], or all frames if none are left.
fn trim(whole: &str) -> String {
    let frames = frames(whole);
    let of = |frame: &&str, known: &[&str]| known.iter().any(|name| symbol(frame).starts_with(name));
    let user: Vec<_> =
        frames.iter().skip_while(|frame| of(frame, &ABOVE)).take_while(|frame| !of(frame, &BELOW)).copied().collect();
    let kept = if user.is_empty() { frames } else { user };
    kept.concat().trim_end().to_owned()
}

/// The text of each frame: a numbered line, and the line with its location.
fn frames(whole: &str) -> Vec<&str> {
    let mut frames = Vec::new();
    let (mut start, mut at) = (0, 0);
    for line in whole.split_inclusive('\n') {
        if at > start && is_first_line(line) {
            frames.push(&whole[start..at]);
            start = at;
        }
        at += line.len();
    }
    if at > start {
        frames.push(&whole[start..at]);
    }
    frames
}

fn is_first_line(line: &str) -> bool {
    line.trim_start().split_once(": ").is_some_and(|(number, _)| number.parse::<u32>().is_ok())
}

/// The function of a frame, without number and leading brackets: `<molotov::failure::Failure as From<E>>::from` is a function of
/// `molotov::failure`.
fn symbol(frame: &str) -> &str {
    let line = frame.lines().next().unwrap_or_default();
    line.split_once(": ").map_or(line, |(_, name)| name).trim_start_matches(['<', '&'])
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = "\
   0: std::backtrace_rs::backtrace::libunwind::trace
             at /rustc/x/library/std/src/lib.rs:1:1
   1: molotov::backtrace::capture
             at ./molotov/src/backtrace.rs:5:5
   2: <molotov::failure::Failure as core::convert::From<E>>::from
   3: shop::buy::{{closure}}
             at ./std::panicking/src/lib.rs:9:1
   4: <core::pin::Pin<P> as core::future::future::Future>::poll
   5: molotov::engine::panic::catch
   6: std::rt::lang_start
";

    #[test]
    fn keeps_the_frames_of_user_code() {
        let text = trim(WHOLE);
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(text.starts_with("   3: shop::buy"), "{text}");
        assert!(text.ends_with("Future>::poll"), "{text}");
    }

    #[test]
    fn keeps_all_frames_if_none_is_of_user_code() {
        assert_eq!(trim("   0: std::panicking::panic\n   1: x\n"), "   1: x");
        assert_eq!(trim("   0: std::panicking::panic\n"), "   0: std::panicking::panic");
        assert_eq!(trim("disabled backtrace"), "disabled backtrace");
    }
}
