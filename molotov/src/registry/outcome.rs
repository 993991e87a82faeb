//! What fixtures with a result may return.

use std::{
    any::{Any, TypeId, type_name},
    borrow::Cow,
    fmt::Display,
    marker::PhantomData,
};

use crate::{
    failure::{Result, into_failure},
    session::SessionOptions,
};

/// What `setup` may return.
#[diagnostic::on_unimplemented(
    message = "`setup` cannot return `{Self}`",
    label = "return `SessionOptions` or `Result<SessionOptions>`",
    note = "`SessionOptions::new()` is a session with the defaults; a fixture that needs no options can be a `#[setup_session]`"
)]
pub trait IntoOptions {
    /// The options, or why there are none.
    fn into_options(self) -> Result<SessionOptions>;
}

impl IntoOptions for SessionOptions {
    fn into_options(self) -> Result<SessionOptions> {
        Ok(self)
    }
}

impl<E: Display + 'static> IntoOptions for std::result::Result<SessionOptions, E> {
    fn into_options(self) -> Result<SessionOptions> {
        self.map_err(into_failure)
    }
}

/// What `scenario_picker` may return.
#[diagnostic::on_unimplemented(
    message = "a scenario picker cannot return `{Self}`",
    label = "return the name of a scenario",
    note = "`&'static str`, `String`, `Cow<'static, str>` and a `Result` of these can be returned"
)]
pub trait IntoPick {
    /// The name, or why there is none.
    fn into_pick(self) -> Result<String>;
}

impl IntoPick for String {
    fn into_pick(self) -> Result<String> {
        Ok(self)
    }
}

impl IntoPick for &str {
    fn into_pick(self) -> Result<String> {
        Ok(self.to_owned())
    }
}

impl IntoPick for Cow<'_, str> {
    fn into_pick(self) -> Result<String> {
        Ok(self.into_owned())
    }
}

impl<T: IntoPick, E: Display + 'static> IntoPick for std::result::Result<T, E> {
    fn into_pick(self) -> Result<String> {
        self.map_err(into_failure)?.into_pick()
    }
}

/// Tells by its type what a session factory returns: a session, or a `Result` of one.
///
/// The two traits below have the same methods. One is implemented for `Made<Result<..>>`, the other for a reference to any
/// `Made`, so that a method call on `&Made` finds the first where it exists.
pub struct Made<T>(PhantomData<fn() -> T>);

impl<T> Made<T> {
    /// A question about `T`.
    #[allow(clippy::new_without_default)]
    pub const fn new() -> Made<T> {
        Made(PhantomData)
    }
}

/// A factory that may fail.
pub trait FactoryResult {
    /// What it returns.
    type Output;
    /// Why there is no session.
    type Error;
    /// The session's type.
    fn session_type(&self) -> (TypeId, &'static str);
    /// The session, or why there is none.
    fn session(&self, output: Self::Output) -> Result<Box<dyn Any>, Self::Error>;
}

// Whether the error can be shown is not asked here: a factory whose error cannot be would pass for one that makes
// sessions of the type `Result`.
impl<T: 'static, E> FactoryResult for Made<std::result::Result<T, E>> {
    type Output = std::result::Result<T, E>;
    type Error = E;

    fn session_type(&self) -> (TypeId, &'static str) {
        (TypeId::of::<T>(), type_name::<T>())
    }

    fn session(&self, output: Self::Output) -> Result<Box<dyn Any>, E> {
        output.map(|session| Box::new(session) as Box<dyn Any>)
    }
}

/// A factory that cannot fail.
pub trait FactoryValue {
    /// What it returns.
    type Output;
    /// The session's type.
    fn session_type(&self) -> (TypeId, &'static str);
    /// The session.
    fn session(&self, output: Self::Output) -> Result<Box<dyn Any>>;
}

impl<T: 'static> FactoryValue for &Made<T> {
    type Output = T;

    fn session_type(&self) -> (TypeId, &'static str) {
        (TypeId::of::<T>(), type_name::<T>())
    }

    fn session(&self, output: T) -> Result<Box<dyn Any>> {
        Ok(Box::new(output))
    }
}
