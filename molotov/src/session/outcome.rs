//! What a step or a check can result in.

use std::fmt;

/// The result of a measured step: `Err`, `None` and `false` are failures, and all other values are successes.
pub trait StepOutcome {
    /// Returns whether the step succeeded.
    fn succeeded(&self) -> bool;
}

impl<T, E> StepOutcome for Result<T, E> {
    fn succeeded(&self) -> bool {
        self.is_ok()
    }
}

impl<T> StepOutcome for Option<T> {
    fn succeeded(&self) -> bool {
        self.is_some()
    }
}

impl StepOutcome for () {
    fn succeeded(&self) -> bool {
        true
    }
}

impl StepOutcome for bool {
    fn succeeded(&self) -> bool {
        *self
    }
}

/// The result of a [check](super::Context::check): `false`, `None` and `Err` are failures.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the result of a check",
    label = "neither `bool`, `Option` nor `Result`",
    note = "a check takes `bool`, `Option<T>`, or `Result<T, E>` whose error implements `std::fmt::Display`"
)]
pub trait CheckOutcome {
    /// Returns whether the check passed.
    ///
    /// # Errors
    ///
    /// Returns an error if it failed, with what was wrong if the value says so.
    fn outcome(self) -> Result<(), Option<String>>;
}

impl CheckOutcome for bool {
    fn outcome(self) -> Result<(), Option<String>> {
        self.then_some(()).ok_or(None)
    }
}

impl<T> CheckOutcome for Option<T> {
    fn outcome(self) -> Result<(), Option<String>> {
        self.map(|_| ()).ok_or(None)
    }
}

impl<T, E: fmt::Display> CheckOutcome for Result<T, E> {
    fn outcome(self) -> Result<(), Option<String>> {
        self.map(|_| ()).map_err(|error| Some(error.to_string()))
    }
}
