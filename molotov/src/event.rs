//! Events of a run, for listeners.

use crate::{
    Failure,
    metrics::Outcome,
    options::{Delay, WorkerId},
    session::{Operation, Request, Response, Session},
};

/// An event of the run; see [`events`](macro@crate::events).
///
/// Every listener is called for every event, in the order of registration, and awaited before the worker continues. The
/// time of listeners slows down the worker, but does not count towards the latency of the request.
///
/// ```no_run
/// use molotov::prelude::*;
///
/// #[events]
/// async fn log(event: &Event<'_>) {
///     match event {
///         Event::ResponseReceived { request, response, .. } => println!("{} {}", request.url(), response.status()),
///         Event::ScenarioFailure { scenario, failure, .. } => println!("{}: {failure}", scenario.name),
///         _ => {}
///     }
/// }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A request is about to be sent. Each hop of a redirect is a separate request.
    #[non_exhaustive]
    SendingRequest {
        /// The session that sends the request.
        session: &'a Session,
        /// The request. Values that listeners [attach](Request::attach) are available in both events.
        request: &'a Request,
    },
    /// A response was received, after redirects. The scenario has not seen it yet.
    #[non_exhaustive]
    ResponseReceived {
        /// The session that sent the request.
        session: &'a Session,
        /// The request; the last one if there were redirects.
        request: &'a Request,
        /// The response. To read its body without taking it from the scenario, use [`Response::buffered`].
        response: &'a Response,
    },
    /// An operation of a protocol other than HTTP is about to start.
    #[non_exhaustive]
    OperationStart {
        /// The operation.
        operation: &'a Operation,
        /// The worker whose session performs it.
        worker: WorkerId,
    },
    /// An operation of a protocol other than HTTP has ended.
    #[non_exhaustive]
    OperationEnd {
        /// The operation, with its status.
        operation: &'a Operation,
        /// How it ended.
        outcome: Outcome,
        /// How long it took, without the time of listeners.
        elapsed: std::time::Duration,
        /// The worker whose session performed it.
        worker: WorkerId,
    },
    /// The number of running workers in all processes; sent at the start, every second, and at the end.
    #[non_exhaustive]
    CurrentWorkers {
        /// The number of running workers.
        workers: usize,
    },
    /// A worker is about to run a scenario.
    #[non_exhaustive]
    ScenarioStart {
        /// The scenario.
        scenario: &'a ScenarioInfo,
        /// The worker that runs it.
        worker: WorkerId,
    },
    /// A scenario succeeded.
    #[non_exhaustive]
    ScenarioSuccess {
        /// The scenario.
        scenario: &'a ScenarioInfo,
        /// The worker that ran it.
        worker: WorkerId,
    },
    /// A scenario failed.
    #[non_exhaustive]
    ScenarioFailure {
        /// The scenario.
        scenario: &'a ScenarioInfo,
        /// Why it failed.
        failure: &'a Failure,
        /// The worker that ran it.
        worker: WorkerId,
    },
}

/// A scenario, as it is registered.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ScenarioInfo {
    /// Its name.
    pub name: String,
    /// Its weight among the scenarios of the run.
    pub weight: f64,
    /// The delay after each of its runs.
    pub delay: Delay,
    /// The time from one start to the next; `None` if only the delay separates its runs.
    pub pacing: Option<std::time::Duration>,
}
