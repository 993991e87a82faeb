//! The context of a worker: its place in the run, and the values attached to it.

use std::{
    borrow::Cow,
    cell::{Cell, RefCell},
    fmt,
    future::{Future, poll_fn},
    panic::Location,
    pin::pin,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use super::{
    CheckOutcome, Observer, Operation, Options, StepOutcome, attach::Attachments, numbers::Numbers, random::seeded,
    step::Step, thinking::Thinking,
};
use crate::{
    metrics::SEPARATOR,
    options::{Args, Delay, WorkerId},
    statsd::Statsd,
};

/// The context of a worker: its number, the scenario that it runs, and the values attached to it.
///
/// A scenario or fixture takes it as a parameter (`ctx: &Context`) or gets it from its session
/// ([`Session::context`](super::Session::context)). Clones refer to the same context.
///
/// ```no_run
/// # use molotov::prelude::*;
/// #[scenario]
/// async fn browse(session: &Session, ctx: &Context) -> Result<()> {
///     let (worker, item) = (ctx.worker_id(), ctx.random_below(100));
///     let url = format!("http://127.0.0.1:8080/items/{item}?worker={worker}");
///     ctx.measure("item", session.get(url).send()).await?;
///     ctx.print(format!("step {} read item {item}", ctx.step()));
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct Context(Rc<Inner>);

struct Inner {
    worker: WorkerId,
    process: usize,
    args: Arc<Args>,
    step: Cell<u64>,
    scenario: RefCell<Rc<str>>,
    /// The path of the current group; with `--split-requests`, it begins with the scenario.
    group: RefCell<Option<Rc<str>>>,
    numbers: Arc<Numbers>,
    thinking: Thinking,
    attachments: Attachments,
    rng: RefCell<fastrand::Rng>,
    observer: Option<Rc<dyn Observer>>,
    printer: Option<Printer>,
    statsd: Option<Statsd>,
}

/// Prints a line of a worker.
pub(crate) type Printer = Rc<dyn Fn(WorkerId, String)>;

impl Context {
    pub(crate) fn new(worker: WorkerId, process: usize, args: Arc<Args>, printer: Option<Printer>) -> Context {
        let rng = match args.seed {
            Some(seed) => seeded(seed, process, worker, 0),
            None => fastrand::Rng::new(),
        };
        Context(Rc::new(Inner {
            worker,
            process,
            args,
            step: Cell::new(0),
            scenario: RefCell::new("".into()),
            group: RefCell::default(),
            numbers: Numbers::outside(),
            thinking: Thinking::default(),
            attachments: Attachments::default(),
            rng: RefCell::new(rng),
            observer: None,
            printer,
            statsd: None,
        }))
    }

    /// Returns a new context with a statsd client.
    pub(crate) fn with_statsd(mut self, statsd: Option<Statsd>) -> Context {
        if let Some(inner) = Rc::get_mut(&mut self.0) {
            inner.statsd = statsd;
        }
        self
    }

    /// Returns a new context with the numbers of its process.
    pub(crate) fn with_numbers(mut self, numbers: Arc<Numbers>) -> Context {
        if let Some(inner) = Rc::get_mut(&mut self.0) {
            inner.numbers = numbers;
        }
        self
    }

    /// Returns a new context of a worker whose slot this many others have had. Its random numbers do not repeat theirs.
    pub(crate) fn after(self, predecessors: u32) -> Context {
        if let Some(seed) = self.0.args.seed {
            self.0.rng.replace(seeded(seed, self.0.process, self.0.worker, predecessors));
        }
        self
    }

    /// Returns a new context with an observer of its sessions.
    pub(crate) fn with_observer(mut self, observer: Rc<dyn Observer>) -> Context {
        if let Some(inner) = Rc::get_mut(&mut self.0) {
            inner.observer = Some(observer);
        }
        self
    }

    /// Returns the observer of the worker's sessions; `None` outside a run.
    pub(crate) fn observer(&self) -> Option<&Rc<dyn Observer>> {
        self.0.observer.as_ref()
    }

    /// Returns the context of a session outside a run, as in a unit test of a scenario.
    pub(crate) fn outside() -> Context {
        Context::new(WorkerId(0), 0, Arc::default(), None)
    }

    /// Returns the number of the worker, from 0 in its process.
    pub fn worker_id(&self) -> WorkerId {
        self.0.worker
    }

    /// Returns the number of the process, from 0. It is unique over all machines of the run.
    pub fn process(&self) -> usize {
        self.0.process
    }

    /// Returns how many scenarios the worker has started, including the current one.
    pub fn step(&self) -> u64 {
        self.0.step.get()
    }

    /// Returns the options of the run.
    pub fn args(&self) -> &Args {
        &self.0.args
    }

    /// Returns the name of the current scenario, which is empty in fixtures.
    pub fn scenario(&self) -> Rc<str> {
        self.0.scenario.borrow().clone()
    }

    pub(crate) fn enter(&self, step: u64, scenario: &Rc<str>) {
        self.0.step.set(step);
        // Comparing pointers is cheaper than replacing the name, and workers often run the same scenario again.
        if !Rc::ptr_eq(&self.0.scenario.borrow(), scenario) {
            *self.0.scenario.borrow_mut() = scenario.clone();
        }
        let splits = self.0.args.split_requests;
        if splits || self.0.group.borrow().is_some() {
            *self.0.group.borrow_mut() = splits.then(|| scenario.clone());
        }
    }

    /// Returns the path of the current group, to which the names of requests and steps belong.
    pub(crate) fn group_path(&self) -> Option<Rc<str>> {
        self.0.group.borrow().clone()
    }

    /// Changes the current group, and returns the path of the last one.
    pub(crate) fn set_group_path(&self, path: Option<Rc<str>>) -> Option<Rc<str>> {
        self.0.group.replace(path)
    }

    /// Returns the path of a name within the current group.
    pub(crate) fn within_group<'a>(&self, name: &'a str) -> Cow<'a, str> {
        match &*self.0.group.borrow() {
            Some(group) => Cow::Owned(format!("{group}{SEPARATOR}{name}")),
            None => Cow::Borrowed(name),
        }
    }

    /// Attaches a value to this worker, replacing an earlier value of the same type.
    ///
    /// ```no_run
    /// # use molotov::prelude::*;
    /// # use std::cell::Cell;
    /// # fn sample(ctx: &Context) {
    /// ctx.attach(Cell::new(3_u32));
    /// assert_eq!(ctx.attached::<Cell<u32>>().map(|n| n.get()), Some(3));
    /// # }
    /// ```
    pub fn attach<T: 'static>(&self, value: T) {
        self.0.attachments.attach(value);
    }

    /// Drops the attached values. The engine calls this when the worker ends, because a value may hold the context itself.
    pub(crate) fn detach_all(&self) {
        self.0.attachments.clear();
    }

    /// Returns the attached value of type `T`, or `None`.
    pub fn attached<T: 'static>(&self) -> Option<Rc<T>> {
        self.0.attachments.attached()
    }

    /// Returns the options that `setup` returned for your own session type.
    ///
    /// # Errors
    ///
    /// Returns an error if `setup` returned no options of this type.
    pub fn options<O: Options>(&self) -> crate::Result<Rc<O>> {
        self.attached().ok_or_else(|| {
            crate::Failure::msg(format_args!(
                "there are no options of the type `{}`; return them from the `#[setup]` function",
                std::any::type_name::<O>()
            ))
        })
    }

    /// Measures a step, which gets its own row in the table. A step fails if its result is `Err`, `None` or `false`.
    ///
    /// A step whose future is dropped early counts as interrupted. For an `async` block that uses `?`, see
    /// [`try_measure`](Self::try_measure).
    ///
    /// ```no_run
    /// # use molotov::prelude::*;
    /// # async fn pay() -> Result<u32> { Ok(1) }
    /// # async fn sample(ctx: &Context) -> Result<()> {
    /// let receipt = ctx.measure("checkout", pay()).await?;
    /// # Ok(()) }
    /// ```
    pub async fn measure<F>(&self, name: &str, step: F) -> F::Output
    where
        F: Future,
        F::Output: StepOutcome,
    {
        let name = self.within_group(name);
        let running = Step::start(self, &name);
        let output = crate::backtrace::apart(running.aside(), step).await;
        running.end(output.succeeded());
        output
    }

    /// Measures a step, like [`measure`](Self::measure), whose error is a [`Failure`](crate::Failure). Type annotations are not
    /// needed in an `async` block that uses `?` and ends with `Ok(())`.
    ///
    /// ```no_run
    /// # use molotov::prelude::*;
    /// # async fn sample(session: &Session, ctx: &Context) -> Result<()> {
    /// ctx.try_measure("checkout", async {
    ///     session.post("http://127.0.0.1:8080/cart").send().await?.error_for_status()?;
    ///     session.post("http://127.0.0.1:8080/pay").send().await?.error_for_status()?;
    ///     Ok(())
    /// })
    /// .await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns the error of the step.
    pub async fn try_measure<T>(&self, name: &str, step: impl Future<Output = crate::Result<T>>) -> crate::Result<T> {
        self.measure(name, step).await
    }

    /// Runs a future as a group, which gets its own row with its time. The names of all requests and steps in it begin with the
    /// name of the group: `checkout / POST /orders`. Groups can contain groups.
    ///
    /// As with [`measure`](Self::measure), a group fails if its result is `Err`, `None` or `false`. Requests that tasks of their
    /// own send (`spawn_local`) do not belong to the group.
    ///
    /// ```no_run
    /// # use molotov::prelude::*;
    /// #[scenario]
    /// async fn buy(session: &Session, ctx: &Context) -> Result<()> {
    ///     session.get("http://127.0.0.1:8080/items").send().await?;
    ///     ctx.group("checkout", async {
    ///         session.post("http://127.0.0.1:8080/orders").send().await?.error_for_status()?;
    ///         session.post("http://127.0.0.1:8080/payments").send().await?.error_for_status()?;
    ///         Ok(())
    ///     })
    ///     .await
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns the error of the future.
    pub async fn group<T>(&self, name: &str, work: impl Future<Output = crate::Result<T>>) -> crate::Result<T> {
        let path: Rc<str> = self.within_group(name).into();
        let mut work = pin!(work);
        // Each poll enters and leaves the group, because other futures of the scenario may run in between.
        let within = poll_fn(|cx| {
            let before = self.set_group_path(Some(path.clone()));
            let _leave = Leave { context: self, before };
            work.as_mut().poll(cx)
        });
        self.measure(name, within).await
    }

    /// Checks a condition without ending the scenario, and returns whether it holds.
    ///
    /// The results of all checks with this name are in tables and reports, with the first failure, and thresholds can require
    /// that a share of them passes: `checks(stock known) > 99%`. `false`, `None` and `Err` are failures; the text of the error is
    /// the message of the failure.
    ///
    /// ```no_run
    /// # use molotov::prelude::*;
    /// # fn price(cart: &Value) -> Result<f64> { cart["price"].as_f64().context("there is no price") }
    /// # fn sample(ctx: &Context, cart: &Value) {
    /// ctx.check("stock known", cart["stock"].is_u64());
    /// if ctx.check("has a price", price(cart)) {
    ///     // ...
    /// }
    /// # }
    /// ```
    #[track_caller]
    pub fn check(&self, name: &str, result: impl CheckOutcome) -> bool {
        let place = Location::caller();
        self.check_at(name, result, || Some(shown(place)))
    }

    /// Records a check. `place` returns `file:line` of the check, if known.
    pub(crate) fn check_at(&self, name: &str, result: impl CheckOutcome, place: impl Fn() -> Option<String>) -> bool {
        let result = result.outcome();
        let passed = result.is_ok();
        if let Some(observer) = self.observer() {
            observer.checked(name, &self.0.scenario.borrow(), result, &place);
        }
        passed
    }

    /// Adds to a counter of your own, such as the number of retries. It has a row in tables and reports, and thresholds can name
    /// it: `counters(retries) < 100`. At most 100 counters have rows.
    ///
    /// ```no_run
    /// # fn sample(ctx: &molotov::session::Context) {
    /// ctx.count("retries", 1);
    /// # }
    /// ```
    pub fn count(&self, name: &str, number: u64) {
        if let Some(observer) = self.observer() {
            observer.counted(name, number);
        }
    }

    /// Records a number of your own, such as the value of a basket. Tables and reports show its distribution, and thresholds can
    /// name it: `values.p95(basket) < 500`. At most 100 names have rows.
    ///
    /// ```no_run
    /// # fn sample(ctx: &molotov::session::Context) {
    /// ctx.record("basket", 3.2);
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// Panics if the value is infinite or not a number, which fails the scenario.
    #[track_caller]
    pub fn record(&self, name: &str, value: f64) {
        assert!(value.is_finite(), "`{name}` cannot record {value}: it is not a finite number");
        if let Some(observer) = self.observer() {
            observer.recorded(name, value);
        }
    }

    /// Sets a gauge of your own, such as the length of a queue. Tables and reports show its last, lowest and highest value. At
    /// most 100 gauges have rows.
    ///
    /// ```no_run
    /// # fn sample(ctx: &molotov::session::Context) {
    /// ctx.gauge("queue", 17.0);
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// Panics if the value is infinite or not a number, which fails the scenario.
    #[track_caller]
    pub fn gauge(&self, name: &str, value: f64) {
        assert!(value.is_finite(), "the gauge `{name}` cannot be {value}: it is not a finite number");
        if let Some(observer) = self.observer() {
            observer.gauged(name, value);
        }
    }

    /// Waits as a user thinks, reads or types, before the scenario continues.
    ///
    /// The latencies of the scenario, and of the steps and groups around, do not include the time. A number is in seconds, a range
    /// is a random time between two, and [`Delay::exponential`] is usually short and sometimes long. `--seed` makes random times
    /// repeatable. For the time between scenarios, use the `delay` or `pacing` of their attribute.
    ///
    /// Requests that run meanwhile, in a `join!`, do not count towards the scenario's latency for that time.
    ///
    /// ```no_run
    /// # use molotov::{options::Delay, prelude::*};
    /// # async fn sample(ctx: &Context) {
    /// ctx.think(1..3).await;
    /// ctx.think(0.5).await;
    /// ctx.think(Delay::exponential(secs(2))).await;
    /// # }
    /// ```
    pub async fn think(&self, time: impl Into<Delay>) {
        let time = time.into().draw(|| self.random());
        let _thinking = self.start_thinking();
        tokio::time::sleep(time).await;
    }

    /// Excludes the time from the scenario's latency until the result is dropped.
    pub(crate) fn start_thinking(&self) -> Thought {
        self.0.thinking.start();
        Thought(self.clone())
    }

    /// Returns the time that the worker has thought so far.
    pub(crate) fn thought(&self) -> Duration {
        self.0.thinking.total()
    }

    /// Returns a number that no other call in this run returns, in any worker, thread or process. It is for data that must not
    /// occur twice, such as the name of a new user.
    ///
    /// ```no_run
    /// # use molotov::prelude::*;
    /// # async fn sample(session: &Session, ctx: &Context) -> Result<()> {
    /// let user = json!({ "name": format!("user-{}", ctx.unique()) });
    /// session.post("http://127.0.0.1:8080/users").json(&user).send().await?;
    /// # Ok(()) }
    /// ```
    pub fn unique(&self) -> u64 {
        self.0.numbers.unique()
    }

    /// Returns the number of the worker among those of all processes, from 0. [`worker_id`](Self::worker_id) counts those of its
    /// process.
    pub fn worker_number(&self) -> usize {
        self.0.numbers.worker(self.0.worker)
    }

    /// Starts an operation of a protocol other than HTTP, such as a query or a message with its reply. Like HTTP requests,
    /// operations appear in tables, thresholds, events and statsd.
    ///
    /// The latency excludes the time of listeners. See [`Operation`] for an example.
    pub async fn operation(
        &self,
        protocol: impl Into<Cow<'static, str>>,
        name: impl Into<Cow<'static, str>>,
    ) -> Operation {
        Operation::start(self.clone(), protocol.into(), name.into()).await
    }

    /// Returns the statsd client for your own metrics, or `None` without `--statsd`. See [`statsd`](crate::statsd).
    #[cfg(feature = "statsd")]
    pub fn statsd(&self) -> Option<&crate::statsd::StatsdClient> {
        self.0.statsd.as_ref().map(Statsd::client)
    }

    pub(crate) fn statsd_handle(&self) -> Option<Statsd> {
        self.0.statsd.clone()
    }

    /// Returns a random number in `0.0..1.0`. `--seed` makes it repeatable.
    pub fn random(&self) -> f64 {
        self.0.rng.borrow_mut().f64()
    }

    /// Returns a random number in `0..end`. `--seed` makes it repeatable.
    ///
    /// # Panics
    ///
    /// Panics if `end` is 0.
    pub fn random_below(&self, end: u64) -> u64 {
        self.0.rng.borrow_mut().u64(..end)
    }

    /// Returns a random item, or `None` if `items` is empty. `--seed` makes it repeatable.
    pub fn choose<'a, T>(&self, items: &'a [T]) -> Option<&'a T> {
        self.0.rng.borrow_mut().choice(items)
    }

    /// Prints a line on the console, in order with Molotov's own lines. `-q` hides it.
    pub fn print(&self, text: impl Into<String>) {
        match &self.0.printer {
            Some(printer) => printer(self.0.worker, text.into()),
            None => println!("{}", text.into()),
        }
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("worker_id", &self.0.worker)
            .field("process", &self.0.process)
            .field("step", &self.0.step.get())
            .field("scenario", &self.0.scenario.borrow())
            .finish_non_exhaustive()
    }
}

/// A worker that thinks. Dropping it ends the time.
pub(crate) struct Thought(Context);

impl Drop for Thought {
    fn drop(&mut self) {
        self.0.0.thinking.end();
    }
}

/// Returns `file:line` of a place in the source.
pub(super) fn shown(place: &Location<'_>) -> String {
    format!("{}:{}", place.file(), place.line())
}

/// Leaves a group, even if its future panics.
struct Leave<'a> {
    context: &'a Context,
    before: Option<Rc<str>>,
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.context.set_group_path(self.before.take());
    }
}
