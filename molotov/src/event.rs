//! What happens in a run, for listeners to see.

use crate::{
    Failure,
    options::WorkerId,
    session::{Request, Response, Session},
};

/// What a listener is told; see [`events`](macro@crate::events).
///
/// Every listener is called for every event, in the order in which the listeners are registered, and awaited before
/// the run goes on: time spent in a listener is time of the worker, not of the request.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A request is about to be sent. Each hop of a redirect is a request of its own.
    #[non_exhaustive]
    SendingRequest {
        /// The session that sends it.
        session: &'a Session,
        /// The request. What listeners [attach](Request::attach) to it is there in both events.
        request: &'a Request,
    },
    /// The answer has come, after redirects; the scenario has not seen it yet.
    #[non_exhaustive]
    ResponseReceived {
        /// The session that sent the request.
        session: &'a Session,
        /// The request that was answered: after redirects, the last one.
        request: &'a Request,
        /// The answer; [`Response::buffered`] reads its body and leaves it to the scenario.
        response: &'a Response,
    },
    /// How many workers run, in all processes: told at the start, once a second, and at the end.
    #[non_exhaustive]
    CurrentWorkers {
        /// Workers that run.
        workers: usize,
    },
    /// A worker begins a scenario.
    #[non_exhaustive]
    ScenarioStart {
        /// The scenario.
        scenario: &'a ScenarioInfo,
        /// The worker that runs it.
        worker: WorkerId,
    },
    /// A scenario ended well.
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

/// What a scenario is registered as.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ScenarioInfo {
    /// Its name.
    pub name: String,
    /// Its weight among the scenarios of the run.
    pub weight: f64,
    /// Its own delay after each of its runs.
    pub delay: std::time::Duration,
}
