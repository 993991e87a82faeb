//! Server-sent events: the body of a response as a stream of events, with the time at which each one arrived.

mod event;
mod reader;
mod rows;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    future::poll_fn,
    num::NonZeroUsize,
    rc::Rc,
    task::{self, Poll, Waker, ready},
    time::Instant,
};

use http::header;
use tokio::task::AbortHandle;

pub use self::event::ServerSentEvent;
pub(super) use self::rows::Sent;
use self::{reader::Reader, rows::Rows};
use super::Response;
use crate::{
    http::{Error, ErrorKind},
    secrets,
};

/// The content type of server-sent events.
pub(crate) const CONTENT_TYPE: &str = "text/event-stream";

/// A stream of server-sent events, which [`Response::events`] returns.
///
/// The stream is parsed as browsers parse it, by the [HTML standard](https://html.spec.whatwg.org/multipage/server-sent-events.html).
/// An incomplete event at its end is dropped.
///
/// ```no_run
/// # use molotov::prelude::*;
/// #[scenario]
/// async fn prices(session: &Session) -> Result<()> {
///     let mut events = session.get("http://127.0.0.1:8080/prices").send().await?.events()?;
///     while let Some(event) = events.next().await? {
///         if event.event() == "price" {
///             let price: Value = event.json()?;
///             ensure!(price["cents"].is_u64(), "no price in {price}");
///         }
///     }
///     Ok(())
/// }
/// ```
///
/// # Measures
///
/// The request has its own row, as every request does: it ends with the stream, or when the scenario drops it. Two steps have
/// rows, too. For a request named `GET /prices`, they are:
///
/// - `GET /prices first event`: from the start of the request to the arrival of the first event.
/// - `GET /prices between events`: from the arrival of each event to that of the next one.
///
/// Each event that the scenario takes is counted in one of the two. In a run, a task reads the stream while the scenario does
/// something else, so an event has arrived when its last byte was read from the connection, not when the scenario asks for it. The
/// task waits while 256 KiB of events wait for the scenario.
///
/// A server that closes the connection in the middle of the stream makes the request fail. Leaving the stream early does not.
pub struct ServerSentEvents {
    reader: Rc<Reader>,
    /// The task that reads. `None` outside a run, where [`next`](Self::next) reads, and if everything has arrived.
    task: Option<AbortHandle>,
    rows: Option<Rows>,
    /// When the request started, which is what the first event is measured from.
    started: Instant,
    /// The number of events that the scenario has taken, and when the last one arrived.
    taken: u64,
    last: Option<Instant>,
}

impl ServerSentEvents {
    /// Reads the events of a response. In a run, it has to be called on the runtime of the worker.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Response::events`].
    pub(crate) fn new(response: &Rc<Response>) -> Result<ServerSentEvents, Error> {
        response.check_events()?;
        let limit = usize::try_from(response.max_body()).ok().and_then(NonZeroUsize::new).unwrap_or(NonZeroUsize::MAX);
        let reader = Rc::new(Reader::new(Box::pin(response.clone().parts()), limit, response.target().clone()));
        let observer = response.context().and_then(|context| context.observer());
        let sent = response.sent();
        let mut events = ServerSentEvents {
            rows: observer.and_then(|observer| Rows::new(observer.clone(), sent)),
            reader,
            task: None,
            started: sent.started,
            taken: 0,
            last: None,
        };
        // What has arrived with the head must not wait for the task.
        let mut nothing = task::Context::from_waker(Waker::noop());
        if events.reader.poll(&mut nothing).is_pending() && observer.is_some() {
            let reader = events.reader.clone();
            let task = tokio::task::spawn_local(async move { poll_fn(|cx| reader.poll(cx)).await });
            events.task = Some(task.abort_handle());
        }
        Ok(events)
    }

    /// Waits for the next event. Returns `None` when the server has ended the stream.
    ///
    /// # Errors
    ///
    /// Returns an error if the stream is cut or times out, and if an event is larger than the session's
    /// [`max_body`](super::SessionOptions::max_body). The error says how many events had arrived. Note that the timeout of the
    /// request includes the whole stream.
    pub async fn next(&mut self) -> Result<Option<ServerSentEvent>, Error> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// Polls for the next event, and records its time.
    pub(crate) fn poll_next(&mut self, cx: &mut task::Context<'_>) -> Poll<Result<Option<ServerSentEvent>, Error>> {
        if self.task.is_none() {
            let _ = self.reader.poll(cx);
        }
        let taken = ready!(self.reader.poll_take(cx)).map_err(|error| self.describe(error))?;
        let Some(mut event) = taken else { return Poll::Ready(Ok(None)) };
        event.since_start = event.received_at.saturating_duration_since(self.started);
        if let Some(rows) = &self.rows {
            match self.last {
                None => rows.first(event.since_start),
                Some(last) => rows.next(event.received_at.saturating_duration_since(last)),
            }
        }
        self.taken += 1;
        self.last = Some(event.received_at);
        Poll::Ready(Ok(Some(event)))
    }

    /// Adds the number and the time of the events before an error.
    fn describe(&self, error: Error) -> Error {
        let since = |at: Instant| at.saturating_duration_since(self.started).as_secs_f64();
        error.after(&match (self.taken, self.last) {
            (1, Some(last)) => format!("after 1 event, {:.3} s after the start of the request", since(last)),
            (taken, Some(last)) => {
                format!("after {taken} events, the last one {:.3} s after the start of the request", since(last))
            }
            (_, None) => "before the first event".to_owned(),
        })
    }
}

impl Drop for ServerSentEvents {
    fn drop(&mut self) {
        // The request ends now, not when the task is dropped.
        self.reader.close();
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl fmt::Debug for ServerSentEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerSentEvents").field("taken", &self.taken).finish_non_exhaustive()
    }
}

impl Response {
    /// Returns the body as a stream of server-sent events. Their rows in the results are described at [`ServerSentEvents`].
    ///
    /// ```no_run
    /// # use molotov::prelude::*;
    /// # async fn sample(session: &Session) -> Result<()> {
    /// let mut events = session.get("http://127.0.0.1:8080/events").send().await?.events()?;
    /// while let Some(event) = events.next().await? {
    ///     println!("{:?}: {} {}", event.since_start(), event.event(), event.data());
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the status is not a success, or if the content type is not `text/event-stream`.
    pub fn events(self) -> Result<ServerSentEvents, Error> {
        ServerSentEvents::new(&Rc::new(self))
    }

    /// Returns an error if the body is not a stream of server-sent events.
    pub(crate) fn check_events(&self) -> Result<(), Error> {
        let status = self.status();
        let wrong = |kind, what: String| Error::new(kind, what).with_status(status).at(self.method(), self.url());
        if !status.is_success() {
            return Err(wrong(ErrorKind::Status, format!("there are no server-sent events: the status is {status}")));
        }
        if self.has_events() {
            return Ok(());
        }
        let kind = match content_type(self) {
            Some(kind) => format!("the content type is `{}`", secrets::mask(kind)),
            None => "there is no content type".to_owned(),
        };
        Err(wrong(ErrorKind::Decode, format!("there are no server-sent events: the status is {status}, and {kind}")))
    }

    /// Returns whether the body is a stream of server-sent events.
    pub(crate) fn has_events(&self) -> bool {
        content_type(self).is_some_and(|kind| {
            let essence = kind.split(';').next().unwrap_or_default();
            essence.trim().eq_ignore_ascii_case(CONTENT_TYPE)
        })
    }
}

fn content_type(response: &Response) -> Option<&str> {
    response.head().get(&header::CONTENT_TYPE).and_then(|kind| std::str::from_utf8(kind).ok())
}
