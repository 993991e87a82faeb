//! Failures of scenarios and fixtures: any error through `?`, with its kind, message and location.
#![cfg_attr(not(feature = "python"), allow(dead_code, reason = "other languages use more of it than Rust"))]

use std::{any::Any, borrow::Cow, cell::Cell, error::Error as StdError, fmt, panic::Location};

use crate::secrets;

/// The result of scenarios and fixtures; `Result` alone is `Result<(), Failure>`.
pub type Result<T = (), E = Failure> = std::result::Result<T, E>;

/// The failure of a scenario or fixture.
///
/// `?` converts any error and records the line of the source. [`Failure::msg`], [`bail!`](crate::bail) and
/// [`ensure!`](crate::ensure) create one from a message.
///
/// ```
/// use molotov::Failure;
///
/// fn parse(text: &str) -> molotov::Result<u32> {
///     let number: u32 = text.parse()?;
///     molotov::ensure!(number < 100, "{number} is too much");
///     Ok(number)
/// }
///
/// assert_eq!(parse("12").unwrap(), 12);
/// let failure: Failure = parse("many").unwrap_err();
/// assert_eq!(failure.kind(), "ParseIntError");
/// assert_eq!(failure.message(), "invalid digit found in string");
/// assert_eq!(parse("200").unwrap_err().to_string(), "200 is too much");
/// ```
// Boxed, so that a `Result` which is nearly always `Ok` stays small.
pub struct Failure(Box<Inner>);

struct Inner {
    kind: Cow<'static, str>,
    message: String,
    place: Option<String>,
    backtrace: Option<String>,
    /// Whether the run interrupted the code.
    interrupted: bool,
    /// Whether a data file had no row left for the worker.
    end_of_rows: bool,
    /// The original error of another language.
    cause: Option<Box<dyn Any + Send + Sync>>,
    /// The exit code that it requests.
    exit: Option<u8>,
}

thread_local! {
    static CAPTURE: Cell<bool> = const { Cell::new(false) };
}

/// Sets whether failures of this thread record a backtrace. A backtrace takes milliseconds, so only `-v` enables them.
pub(crate) fn capture_backtraces(on: bool) {
    CAPTURE.set(on);
}

impl Failure {
    /// Returns a failure with a message.
    #[track_caller]
    pub fn msg(message: impl fmt::Display) -> Failure {
        Failure::new("Failure", message.to_string(), Some(Location::caller()))
    }

    fn new(kind: impl Into<Cow<'static, str>>, message: String, place: Option<&Location<'_>>) -> Failure {
        Failure(Box::new(Inner {
            kind: kind.into(),
            message: secrets::mask_owned(message),
            place: place.map(|place| format!("{}:{}", place.file(), place.line())),
            backtrace: CAPTURE.get().then(crate::backtrace::capture),
            interrupted: false,
            end_of_rows: false,
            cause: None,
            exit: None,
        }))
    }

    /// Creates a failure from its parts, for caught panics and exceptions of scripts.
    pub(crate) fn from_parts(
        kind: impl Into<Cow<'static, str>>,
        message: String,
        place: Option<String>,
        backtrace: Option<String>,
    ) -> Failure {
        let (message, backtrace) = (secrets::mask_owned(message), backtrace.map(secrets::mask_owned));
        Failure(Box::new(Inner {
            kind: kind.into(),
            message,
            place,
            backtrace,
            interrupted: false,
            end_of_rows: false,
            cause: None,
            exit: None,
        }))
    }

    /// Marks a failure whose cause is that the run interrupted the code.
    pub(crate) fn by_interruption(mut self) -> Failure {
        self.0.interrupted = true;
        self
    }

    /// Whether the run interrupted the code.
    pub(crate) fn is_interruption(&self) -> bool {
        self.0.interrupted
    }

    /// Marks a failure whose cause is that a data file has no row left, which ends the worker and is not counted.
    pub(crate) fn by_end_of_rows(mut self) -> Failure {
        self.0.end_of_rows = true;
        self
    }

    /// Whether a data file has no row left for the worker.
    pub(crate) fn is_end_of_rows(&self) -> bool {
        self.0.end_of_rows
    }

    /// Keeps the original error for listeners of the same language.
    pub(crate) fn with_cause(mut self, cause: impl Any + Send + Sync) -> Failure {
        self.0.cause = Some(Box::new(cause));
        self
    }

    /// Asks the program to exit with this code, as `sys.exit()` in a script does.
    pub(crate) fn with_exit(mut self, code: Option<u8>) -> Failure {
        self.0.exit = code;
        self
    }

    /// The exit code that it requests, if any.
    pub(crate) fn exit(&self) -> Option<u8> {
        self.0.exit
    }

    /// The original error.
    pub(crate) fn cause<T: 'static>(&self) -> Option<&T> {
        self.0.cause.as_ref()?.downcast_ref()
    }

    /// A failure from a caught panic.
    pub(crate) fn from_panic(message: String, place: Option<String>, backtrace: Option<String>) -> Failure {
        let kind = if message.starts_with("assertion") { "assertion" } else { "panic" };
        Failure::from_parts(kind, message, place, backtrace)
    }

    /// The text for the console: what failed, why, where, and the backtrace on request.
    pub(crate) fn describe(&self, what: &str, backtrace: bool) -> String {
        let mut text = match self.0.interrupted {
            true => format!("`{what}` was interrupted: {}", self.0.message),
            false => format!("`{what}` failed: {}", self.0.message),
        };
        if let Some(place) = &self.0.place {
            text.push_str(&format!(" (at {place})"));
        }
        if let Some(backtrace) = self.0.backtrace.as_ref().filter(|_| backtrace) {
            text.push('\n');
            text.push_str(backtrace.trim_end());
        }
        text
    }

    fn from_error(error: &(dyn StdError + 'static), kind: &'static str, place: Option<&Location<'_>>) -> Failure {
        let kind = error.downcast_ref::<crate::http::Error>().map_or(kind, |error| error.kind().as_str());
        Failure::new(kind, with_sources(error), place)
    }

    /// Puts what was attempted before the message: `"cannot log in: request timed out after 5 s"`.
    ///
    /// Kind, place and backtrace stay those of the error. For results and options, see [`ErrorContext`].
    ///
    /// ```
    /// # use molotov::Failure;
    /// let failure = Failure::msg("no token in the page").context("cannot log in");
    /// assert_eq!(failure.message(), "cannot log in: no token in the page");
    /// ```
    #[must_use]
    pub fn context(mut self, context: impl fmt::Display) -> Failure {
        self.0.message = secrets::mask_owned(format!("{context}: {}", self.0.message));
        self
    }

    /// Returns the kind of the failure: the name of the error's type, or the [`ErrorKind`](crate::http::ErrorKind) of a request.
    pub fn kind(&self) -> &str {
        &self.0.kind
    }

    /// Returns the message, with the causes of the error. Passwords and tokens in URLs are masked, unless the run has
    /// `--show-secrets`.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Returns the `file:line` at which the error became a failure, if it is known.
    pub fn place(&self) -> Option<&str> {
        self.0.place.as_deref()
    }

    /// Returns the backtrace, which is only recorded with `-v`.
    pub fn backtrace(&self) -> Option<&str> {
        self.0.backtrace.as_deref()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        match &self.0.place {
            Some(place) => write!(f, " (at {place})"),
            None => Ok(()),
        }
    }
}

impl<E: StdError + 'static> From<E> for Failure {
    #[track_caller]
    fn from(error: E) -> Failure {
        Failure::from_error(&error, short_type_name::<E>(), Some(Location::caller()))
    }
}

/// Adds context to the error of a [`Result`](std::result::Result) or the `None` of an [`Option`], and converts it to a [`Failure`].
///
/// The methods are those of `anyhow`. They make `?` work on options, which Rust does not convert to errors:
///
/// ```
/// use molotov::prelude::*;
///
/// fn page_number(link: &str) -> Result<u32> {
///     let number = link.strip_prefix("/page/").context("the link leads to no page")?;
///     number.parse().with_context(|| format!("`{number}` is no page"))
/// }
///
/// assert_eq!(page_number("/page/7").unwrap(), 7);
/// assert_eq!(page_number("/").unwrap_err().message(), "the link leads to no page");
/// let failure = page_number("/page/last").unwrap_err();
/// assert_eq!(failure.message(), "`last` is no page: invalid digit found in string");
/// assert_eq!(failure.kind(), "ParseIntError");
/// ```
///
/// To convert an error that is only a text, such as a `String`, use `map_err(Failure::msg)`.
///
/// # With `anyhow`
///
/// The compiler cannot choose between two traits with a method `context`. In a module that uses `anyhow`, import its trait under
/// the name of this one, which replaces the import of the prelude:
///
/// ```ignore
/// use anyhow::Context as ErrorContext;
/// use molotov::prelude::*;
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no error that can become a `Failure`",
    note = "`Option<T>`, and `Result<T, E>` where `E` is a `Failure` or a `std::error::Error`, have `context`; for an error that is only a text, write `map_err(Failure::msg)`"
)]
pub trait ErrorContext<T> {
    /// Puts `context` before the message of the error. For `None`, it is the message.
    ///
    /// # Errors
    ///
    /// Returns the error of the result as a [`Failure`], and a failure of the kind `"Failure"` for `None`.
    fn context(self, context: impl fmt::Display) -> Result<T>;

    /// Like [`context`](Self::context), but creates the text only if there is an error.
    ///
    /// # Errors
    ///
    /// As for [`context`](Self::context).
    fn with_context<C: fmt::Display>(self, context: impl FnOnce() -> C) -> Result<T>;
}

impl<T, E> ErrorContext<T> for std::result::Result<T, E>
where
    Failure: From<E>,
{
    #[track_caller]
    fn context(self, context: impl fmt::Display) -> Result<T> {
        match self {
            Ok(value) => Ok(value),
            Err(error) => Err(Failure::from(error).context(context)),
        }
    }

    #[track_caller]
    fn with_context<C: fmt::Display>(self, context: impl FnOnce() -> C) -> Result<T> {
        match self {
            Ok(value) => Ok(value),
            Err(error) => Err(Failure::from(error).context(context())),
        }
    }
}

impl<T> ErrorContext<T> for Option<T> {
    #[track_caller]
    fn context(self, context: impl fmt::Display) -> Result<T> {
        match self {
            Some(value) => Ok(value),
            None => Err(Failure::msg(context)),
        }
    }

    #[track_caller]
    fn with_context<C: fmt::Display>(self, context: impl FnOnce() -> C) -> Result<T> {
        match self {
            Some(value) => Ok(value),
            None => Err(Failure::msg(context())),
        }
    }
}

/// The message of an error, followed by the messages of its causes that it does not contain.
fn with_sources(error: &dyn StdError) -> String {
    let mut message = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        if !message.contains(&text) {
            message.push_str(": ");
            message.push_str(&text);
        }
        source = cause.source();
    }
    message
}

/// `ParseIntError` for `core::num::error::ParseIntError`, without generic arguments.
pub(crate) fn short_type_name<T: ?Sized>() -> &'static str {
    let name = std::any::type_name::<T>();
    let name = name.split('<').next().unwrap_or(name);
    name.rsplit("::").next().unwrap_or(name)
}

/// A type that a scenario or fixture can return: `()` or `Result<(), E>`.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "a scenario or fixture cannot return `{Self}`",
    label = "return nothing, or `molotov::Result` with `Ok(())` at the end",
    note = "it can return `()`, or `Result<(), E>` where `E` implements `std::fmt::Display`"
)]
pub trait IntoOutcome {
    fn into_outcome(self) -> Result;
}

impl IntoOutcome for () {
    fn into_outcome(self) -> Result {
        Ok(())
    }
}

#[diagnostic::do_not_recommend]
impl<E: fmt::Display + 'static> IntoOutcome for std::result::Result<(), E> {
    fn into_outcome(self) -> Result {
        self.map_err(into_failure)
    }
}

/// Converts the error of a function to a failure. The place is unknown unless the error is a failure.
pub(crate) fn into_failure<E: fmt::Display + 'static>(error: E) -> Failure {
    let mut error = Some(error);
    let any: &mut dyn Any = &mut error;
    if let Some(failure) = any.downcast_mut::<Option<Failure>>().and_then(Option::take) {
        return failure;
    }
    if let Some(Some(error)) = any.downcast_ref::<Option<Box<dyn StdError>>>() {
        return Failure::from_error(&**error, "Error", None);
    }
    if let Some(Some(error)) = any.downcast_ref::<Option<Box<dyn StdError + Send>>>() {
        return Failure::from_error(&**error, "Error", None);
    }
    if let Some(Some(error)) = any.downcast_ref::<Option<Box<dyn StdError + Send + Sync>>>() {
        return Failure::from_error(&**error, "Error", None);
    }
    if let Some(Some(error)) = any.downcast_ref::<Option<crate::http::Error>>() {
        return Failure::from_error(error, "Error", None);
    }
    // Errors of `anyhow` show their causes in the alternate form.
    let message = error.as_ref().map(|error| format!("{error:#}")).unwrap_or_default();
    Failure::new(short_type_name::<E>(), message, None)
}

/// Returns early with a [`Failure`] that has a formatted message.
///
/// ```
/// fn check(found: u32) -> molotov::Result {
///     if found == 0 {
///         molotov::bail!("nothing found");
///     }
///     Ok(())
/// }
/// assert!(check(0).is_err());
/// ```
#[macro_export]
macro_rules! bail {
    ($($message:tt)+) => {
        return ::core::result::Result::Err($crate::Failure::msg(::core::format_args!($($message)+)).into())
    };
}

/// Returns early with a [`Failure`] if a condition is false.
///
/// ```
/// fn check(found: u32) -> molotov::Result {
///     molotov::ensure!(found > 0, "nothing found");
///     Ok(())
/// }
/// assert_eq!(check(0).unwrap_err().to_string(), "nothing found");
/// ```
#[macro_export]
macro_rules! ensure {
    ($condition:expr $(,)?) => {
        if !$condition {
            $crate::bail!("{}", ::core::concat!("condition is false: ", ::core::stringify!($condition)));
        }
    };
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            $crate::bail!($($message)+);
        }
    };
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the cart is lost")]
    struct Lost(#[source] std::num::ParseIntError);

    fn lost() -> Lost {
        Lost("x".parse::<u8>().unwrap_err())
    }

    #[test]
    fn the_question_mark_records_kind_causes_and_place() {
        fn run() -> Result {
            Err(lost())?;
            Ok(())
        }
        let failure = run().unwrap_err();
        assert_eq!(failure.kind(), "Lost");
        assert_eq!(failure.message(), "the cart is lost: invalid digit found in string");
        assert!(failure.place().unwrap().contains("failure.rs:"), "{:?}", failure.place());
        assert_eq!(failure.backtrace(), None);
    }

    #[test]
    fn messages_contain_each_cause_once() {
        let refused = std::io::Error::from_raw_os_error(111);
        let error = crate::Error::new(crate::ErrorKind::Connect, format!("no connection to [::1]:1: {refused}"))
            .with_hint("is the server listening there?")
            .with_source(refused);
        let failure = Failure::from(error);
        assert_eq!(failure.message().matches("refused").count(), 1, "{failure}");
    }

    #[test]
    fn context_precedes_the_message_and_keeps_kind_and_place() {
        let line = line!() + 1;
        let failure = Err::<(), _>(lost()).context("cannot pay").unwrap_err();
        assert_eq!(failure.message(), "cannot pay: the cart is lost: invalid digit found in string");
        assert_eq!(failure.kind(), "Lost");
        let place = failure.place().unwrap().to_owned();
        assert!(place.ends_with(&format!("failure.rs:{line}")), "{place}");

        let failure = Err::<(), _>(failure).with_context(|| format!("user {}", 7)).unwrap_err();
        assert!(failure.message().starts_with("user 7: cannot pay: "), "{failure}");
        assert_eq!((failure.kind(), failure.place()), ("Lost", Some(&*place)));
        assert_eq!(Ok::<_, Failure>(3).with_context(|| -> &str { unreachable!() }).unwrap(), 3);
    }

    #[test]
    fn context_makes_failures_of_options() {
        fn first(list: &[u32]) -> Result<u32> {
            Ok(*list.first().context("the list is empty")?)
        }
        assert_eq!(first(&[3]).unwrap(), 3);
        let line = line!() - 3;
        let failure = first(&[]).unwrap_err();
        assert_eq!((failure.kind(), failure.message()), ("Failure", "the list is empty"));
        assert!(failure.place().unwrap().ends_with(&format!("failure.rs:{line}")), "{:?}", failure.place());
        assert_eq!(None::<()>.with_context(|| 7).unwrap_err().message(), "7");
    }

    mod anyhow {
        pub(super) trait Context: Sized {
            fn context(self, _: &str) -> &'static str {
                "anyhow's"
            }
        }
        impl<T> Context for Option<T> {}
    }

    mod scenarios {
        use super::anyhow::Context as ErrorContext;
        use crate::prelude::*;

        pub(super) fn missing(_: &Context) -> &'static str {
            None::<u32>.context("missing")
        }
    }

    #[test]
    fn a_trait_imported_under_the_same_name_replaces_that_of_the_prelude() {
        assert_eq!(scenarios::missing(&crate::session::Context::outside()), "anyhow's");
    }

    #[test]
    fn context_masks_secrets() {
        let failure = Failure::msg("refused").context("GET http://ada:pa55@host/");
        assert!(!failure.message().contains("pa55"), "{failure}");
    }

    #[test]
    fn returned_errors_keep_kind_message_and_place() {
        let failure = Failure::msg("first");
        let place = failure.place().map(str::to_owned);
        let same = Err::<(), _>(failure).into_outcome().unwrap_err();
        assert_eq!((same.message(), same.place().map(str::to_owned)), ("first", place));

        let boxed: Box<dyn StdError> = Box::new(lost());
        let failure = Err::<(), _>(boxed).into_outcome().unwrap_err();
        assert_eq!(failure.message(), "the cart is lost: invalid digit found in string");

        let text = Err::<(), _>("no luck").into_outcome().unwrap_err();
        assert_eq!((text.kind(), text.message()), ("&str", "no luck"));
    }

    #[test]
    fn records_backtraces_only_if_turned_on() {
        capture_backtraces(true);
        let failure = Failure::msg("deep");
        capture_backtraces(false);
        assert!(failure.backtrace().unwrap().contains("records_backtraces_only_if_turned_on"));
    }
}
