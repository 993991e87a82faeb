//! The types that fixtures can return.

use std::{
    any::{Any, TypeId, type_name},
    borrow::Cow,
    fmt::Display,
    marker::PhantomData,
};

use crate::{
    failure::{Result, into_failure},
    session::{Context, Options, SessionOptions},
};

/// A type that `setup` can return.
#[diagnostic::on_unimplemented(
    message = "`setup` cannot return `{Self}`",
    label = "return `SessionOptions` or `Result<SessionOptions>`",
    note = "the error of the `Result` implements `std::fmt::Display`",
    note = "`SessionOptions::new()` has the defaults; a fixture without options can be a `#[setup_session]`",
    note = "implement `molotov::session::Options` for the options of your own session types"
)]
pub trait IntoOptions {
    /// Returns the options of the HTTP session, if there are any. Those of other session types are attached to the context.
    ///
    /// # Errors
    ///
    /// Returns the error of the function.
    fn into_options(self, context: &Context) -> Result<Option<SessionOptions>>;
}

impl IntoOptions for SessionOptions {
    fn into_options(self, _: &Context) -> Result<Option<SessionOptions>> {
        Ok(Some(self))
    }
}

#[diagnostic::do_not_recommend]
impl<O: Options> IntoOptions for O {
    fn into_options(self, context: &Context) -> Result<Option<SessionOptions>> {
        context.attach(self);
        Ok(None)
    }
}

#[diagnostic::do_not_recommend]
impl<O: IntoOptions, E: Display + 'static> IntoOptions for std::result::Result<O, E> {
    fn into_options(self, context: &Context) -> Result<Option<SessionOptions>> {
        self.map_err(into_failure)?.into_options(context)
    }
}

macro_rules! tuples {
    ($(($($name:ident)+))*) => {
        $(
            #[diagnostic::do_not_recommend]
            impl<$($name: IntoOptions),+> IntoOptions for ($($name,)+) {
                fn into_options(self, context: &Context) -> Result<Option<SessionOptions>> {
                    #[allow(non_snake_case)]
                    let ($($name,)+) = self;
                    let mut http = None;
                    $(http = $name.into_options(context)?.or(http);)+
                    Ok(http)
                }
            }
        )*
    };
}

tuples! { (A B) (A B C) (A B C D) }

/// A type that `scenario_picker` can return.
#[diagnostic::on_unimplemented(
    message = "a scenario picker cannot return `{Self}`",
    label = "return the name of a scenario",
    note = "return `&'static str`, `String`, `Cow<'static, str>`, or a `Result` of these whose error implements `std::fmt::Display`"
)]
pub trait IntoPick {
    /// Converts it to the name of a scenario.
    ///
    /// # Errors
    ///
    /// Returns the error of the function.
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

#[diagnostic::do_not_recommend]
impl<T: IntoPick, E: Display + 'static> IntoPick for std::result::Result<T, E> {
    fn into_pick(self) -> Result<String> {
        self.map_err(into_failure)?.into_pick()
    }
}

/// Distinguishes session factories that return a session from those that return a `Result`.
///
/// The two traits below have the same methods. One is implemented for `Made<Result<..>>`, the other for a reference to any
/// `Made`, so that a method call on `&Made` finds the first where it exists.
pub struct Made<T>(PhantomData<fn() -> T>);

impl<T> Made<T> {
    /// Returns a value whose methods depend on `T`.
    #[allow(clippy::new_without_default)]
    pub const fn new() -> Made<T> {
        Made(PhantomData)
    }
}

/// A factory that returns a `Result`.
pub trait FactoryResult {
    /// The type that it returns.
    type Output;
    /// The type of its error.
    type Error;
    /// Returns the type of the session.
    fn session_type(&self) -> (TypeId, &'static str);
    /// Returns the session.
    ///
    /// # Errors
    ///
    /// Returns the error of the factory.
    fn session(&self, output: Self::Output) -> Result<Box<dyn Any>, Self::Error>;
}

// Without a bound on the error: with one, a factory whose error does not satisfy it would count as a factory of sessions of type
// `Result`.
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

/// A factory that returns a session.
pub trait FactoryValue {
    /// The type that it returns.
    type Output;
    /// Returns the type of the session.
    fn session_type(&self) -> (TypeId, &'static str);
    /// Returns the session.
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
