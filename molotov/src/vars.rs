//! Named variables that the fixtures and scenarios of a run share.

use std::{
    any::{Any, type_name},
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, OnceLock, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use http::HeaderMap;

use crate::options::{Args, BaseUrl};

type Value = Arc<dyn Any + Send + Sync>;

/// The variables of one run. Threads that belong to the run point to it through [`Scope::enter`].
#[derive(Default)]
pub(crate) struct Scope {
    vars: RwLock<HashMap<String, (Value, &'static str)>>,
    show_secrets: AtomicBool,
    requests: RwLock<RequestDefaults>,
    rows: OnceLock<RowsPart>,
    /// The variables that all machines have, each as a JSON text.
    shared: RwLock<BTreeMap<String, String>>,
    /// Whether a fixture runs that runs once for all machines.
    runs_once: AtomicBool,
}

/// The rows of data files that this machine hands out: those whose number is `number` modulo `of`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RowsPart {
    pub(crate) number: usize,
    pub(crate) of: usize,
    /// The seed of their order, which all machines have, unless `--seed` is given.
    pub(crate) seed: u64,
}

/// What the options of a run say about its requests.
#[derive(Debug, Clone, Default)]
pub(crate) struct RequestDefaults {
    pub(crate) host: Option<BaseUrl>,
    pub(crate) headers: HeaderMap,
}

impl std::fmt::Debug for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let vars = self.vars.read().unwrap_or_else(PoisonError::into_inner);
        f.debug_set().entries(vars.keys()).finish()
    }
}

thread_local! {
    static CURRENT: RefCell<Option<Arc<Scope>>> = const { RefCell::new(None) };
}

/// Restores the previous scope when dropped.
pub(crate) struct Entered(Option<Arc<Scope>>);

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.with_borrow_mut(|current| *current = self.0.take());
    }
}

impl Scope {
    /// Makes this the scope of the calling thread until the guard is dropped.
    pub(crate) fn enter(self: &Arc<Self>) -> Entered {
        Entered(CURRENT.with_borrow_mut(|current| current.replace(self.clone())))
    }

    /// Makes this the scope of the calling thread until the thread ends.
    pub(crate) fn adopt(self: &Arc<Self>) {
        CURRENT.with_borrow_mut(|current| *current = Some(self.clone()));
    }

    /// The scope of the calling thread. Outside runs, it is the scope of the process.
    pub(crate) fn current() -> Arc<Scope> {
        CURRENT.with_borrow(Clone::clone).unwrap_or_else(|| Scope::outside().clone())
    }

    fn outside() -> &'static Arc<Scope> {
        static OUTSIDE: OnceLock<Arc<Scope>> = OnceLock::new();
        OUTSIDE.get_or_init(Arc::default)
    }

    /// Sets whether text of this scope shows secrets; it masks them by default.
    pub(crate) fn show_secrets(&self, show: bool) {
        self.show_secrets.store(show, Ordering::Relaxed);
    }

    /// Applies the options of a run.
    pub(crate) fn set_args(&self, args: &Args) {
        self.show_secrets(args.show_secrets);
        let defaults = RequestDefaults { host: args.host.clone(), headers: args.default_headers() };
        *self.requests.write().unwrap_or_else(PoisonError::into_inner) = defaults;
    }

    /// Sets the rows that this machine hands out. Only the first call has an effect.
    #[cfg(feature = "cluster")]
    pub(crate) fn set_rows(&self, part: RowsPart) {
        let _ = self.rows.set(part);
    }

    /// Returns the rows that this machine hands out; `None` in a run on one machine.
    pub(crate) fn rows(&self) -> Option<RowsPart> {
        self.rows.get().copied()
    }

    /// Returns the defaults of requests that belong to no session.
    pub(crate) fn request_defaults(&self) -> RequestDefaults {
        self.requests.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether text made on the calling thread shows secrets.
    pub(crate) fn shows_secrets() -> bool {
        CURRENT.with_borrow(|current| {
            let scope = current.as_ref().unwrap_or_else(|| Scope::outside());
            scope.show_secrets.load(Ordering::Relaxed)
        })
    }

    /// Runs fixtures that run once for all machines. They can only set variables that other machines receive.
    pub(crate) fn run_once<T>(&self, fixtures: impl FnOnce() -> T) -> T {
        self.runs_once.store(true, Ordering::Relaxed);
        let result = fixtures();
        self.runs_once.store(false, Ordering::Relaxed);
        result
    }

    /// Returns the variables that all machines have, each as a JSON text.
    pub(crate) fn shared(&self) -> BTreeMap<String, String> {
        self.shared.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces the variables that all machines have.
    pub(crate) fn set_shared(&self, variables: BTreeMap<String, String>) {
        *self.shared.write().unwrap_or_else(PoisonError::into_inner) = variables;
    }

    /// Sets a variable that all machines have, as a JSON text.
    ///
    /// # Panics
    ///
    /// If no fixture runs that runs once.
    pub(crate) fn share(&self, name: &str, json: String) {
        assert!(
            self.runs_once.load(Ordering::Relaxed),
            "the shared variable `{name}` was set outside of a `global_setup` that runs once: other machines would not \
             receive it; set it in a function with `#[global_setup(once)]`"
        );
        self.shared.write().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), json);
    }

    fn refuse_in_once(&self, name: &str) {
        assert!(
            !self.runs_once.load(Ordering::Relaxed),
            "the variable `{name}` was set in `#[global_setup(once)]`, and would not exist on other machines; use \
             `molotov::set_shared_var`"
        );
    }

    fn set(&self, name: String, value: Value, kind: &'static str) {
        self.vars.write().unwrap_or_else(PoisonError::into_inner).insert(name, (value, kind));
    }

    fn get<T: Clone + 'static>(&self, name: &str) -> Option<T> {
        let (value, kind) = self.vars.read().unwrap_or_else(PoisonError::into_inner).get(name)?.clone();
        match value.downcast_ref::<T>() {
            Some(value) => Some(value.clone()),
            None => panic!("the variable `{name}` is a `{kind}`, not a `{}`", type_name::<T>()),
        }
    }
}

/// Sets a variable of the run. All its workers and fixtures see the new value.
///
/// ```
/// molotov::set_var("endpoint", "http://localhost:8080".to_owned());
/// assert_eq!(molotov::get_var::<String>("endpoint").as_deref(), Some("http://localhost:8080"));
/// ```
pub fn set_var<T: Any + Send + Sync>(name: impl Into<String>, value: T) {
    let (scope, name) = (Scope::current(), name.into());
    scope.refuse_in_once(&name);
    scope.set(name, Arc::new(value), type_name::<T>());
}

/// Sets a variable that all machines of the run have. Call it in a function with
/// [`#[global_setup(once)]`](macro@crate::global_setup).
///
/// The value is sent as JSON, also if the run has only one machine.
///
/// # Panics
///
/// Panics outside of such a function, or if JSON cannot represent the value. The fixture then fails.
///
/// ```no_run
/// use molotov::prelude::*;
///
/// #[global_setup(once)]
/// fn create_account() {
///     molotov::set_shared_var("token", "secret");
/// }
///
/// #[setup]
/// async fn log_in() -> SessionOptions {
///     let token: String = molotov::get_shared_var("token").unwrap_or_default();
///     SessionOptions::new().bearer_auth(token)
/// }
/// ```
pub fn set_shared_var<T: SharedValue + ?Sized>(name: &str, value: &T) {
    let json = serde_json::to_string(value);
    let json = json.unwrap_or_else(|error| panic!("JSON cannot represent the shared variable `{name}`: {error}"));
    Scope::current().share(name, json);
}

/// Returns a variable that [`set_shared_var`] has set on any machine of the run, or `None` if it is not set.
///
/// Each call reads the value from JSON, so keep it rather than calling this function in a scenario.
///
/// # Panics
///
/// Panics if the variable has another type than `T`.
///
/// ```
/// assert_eq!(molotov::get_shared_var::<Vec<String>>("unset"), None);
/// ```
pub fn get_shared_var<T: SharedVar>(name: &str) -> Option<T> {
    let scope = Scope::current();
    let shared = scope.shared.read().unwrap_or_else(PoisonError::into_inner);
    let json = shared.get(name)?;
    let value = serde_json::from_str(json);
    Some(value.unwrap_or_else(|error| {
        panic!("the shared variable `{name}` cannot be read as a `{}`: {error}", type_name::<T>())
    }))
}

/// A value that can be sent to other machines: any type that implements `serde::Serialize`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be sent to other machines",
    label = "does not implement `serde::Serialize`",
    note = "add `#[derive(serde::Serialize)]` to it, and `serde = {{ version = \"1\", features = [\"derive\"] }}` to Cargo.toml"
)]
pub trait SharedValue: serde::Serialize {}

#[diagnostic::do_not_recommend]
impl<T: serde::Serialize + ?Sized> SharedValue for T {}

/// A value that can be received from another machine: any type that implements `serde::Deserialize` and borrows nothing.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be received from another machine",
    label = "does not implement `serde::Deserialize`",
    note = "add `#[derive(serde::Deserialize)]` to it, and `serde = {{ version = \"1\", features = [\"derive\"] }}` to Cargo.toml"
)]
pub trait SharedVar: serde::de::DeserializeOwned {}

#[diagnostic::do_not_recommend]
impl<T: serde::de::DeserializeOwned> SharedVar for T {}

/// Returns a clone of a variable, or `None` if it is not set. Wrap values that are expensive to clone in an [`Arc`].
///
/// # Panics
///
/// Panics if the variable has a different type than `T`. In a scenario, this counts as a failure.
///
/// ```
/// molotov::set_var("users", vec!["ada", "grace"]);
/// let users: Option<Vec<&str>> = molotov::get_var("users");
/// assert_eq!(users.unwrap().len(), 2);
/// assert_eq!(molotov::get_var::<u32>("unset"), None);
/// ```
pub fn get_var<T: Any + Clone + Send + Sync>(name: &str) -> Option<T> {
    Scope::current().get(name)
}

/// Returns a clone of a variable, and sets it to the result of `init` first if it is not set. `init` runs once per run,
/// even if many workers call this function.
///
/// # Panics
///
/// Panics if the variable has a different type than `T`.
///
/// ```
/// let token: String = molotov::get_var_or_init("token", || "secret".to_owned());
/// assert_eq!(token, molotov::get_var_or_init("token", || "another".to_owned()));
/// ```
pub fn get_var_or_init<T: Any + Clone + Send + Sync>(name: &str, init: impl FnOnce() -> T) -> T {
    let scope = Scope::current();
    if let Some(value) = scope.get(name) {
        return value;
    }
    scope.refuse_in_once(name);
    // `init` runs outside the lock, since it may use variables. If several threads run it, the first value is kept.
    let made = init();
    let mut vars = scope.vars.write().unwrap_or_else(PoisonError::into_inner);
    vars.entry(name.to_owned()).or_insert_with(|| (Arc::new(made), type_name::<T>()));
    drop(vars);
    scope.get(name).expect("the variable has just been set")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_independent() {
        let (one, two) = (Arc::new(Scope::default()), Arc::new(Scope::default()));
        {
            let _in_one = one.enter();
            set_var("x", 1_u32);
            {
                let _in_two = two.enter();
                assert_eq!(get_var::<u32>("x"), None);
                set_var("x", 2_u32);
            }
            assert_eq!(get_var::<u32>("x"), Some(1));
        }
        assert_eq!(two.get::<u32>("x"), Some(2));
    }

    #[test]
    #[should_panic(expected = "the variable `y` is a `u32`, not a `alloc::string::String`")]
    fn a_variable_of_another_type_panics_with_both_types() {
        let scope = Arc::new(Scope::default());
        let _in = scope.enter();
        set_var("y", 1_u32);
        get_var::<String>("y");
    }
}
