//! The rows and counters of a WebSocket in the results.

use std::{
    cell::Cell,
    rc::Rc,
    time::{Duration, Instant},
};

use super::close::Close;
use crate::{
    metrics::{OperationSample, Outcome, Status, WEBSOCKET},
    session::Context,
};

/// The rows of a connection, and the bytes that have been added to them.
pub(super) struct Rows {
    context: Context,
    /// The group in which it was opened.
    group: Option<Rc<str>>,
    /// The name of the connection, such as `/chat`.
    name: String,
    connect: String,
    sent: String,
    received: String,
    opened: Instant,
    is_closed: Cell<bool>,
    bytes_in: Cell<u64>,
    bytes_out: Cell<u64>,
}

/// Returns the name of the handshake's row.
pub(super) fn connect(name: &str) -> String {
    format!("connect {name}")
}

impl Rows {
    pub(super) fn new(context: Context, group: Option<Rc<str>>, name: String) -> Rows {
        Rows {
            group: group.or_else(|| context.group_path()),
            context,
            connect: connect(&name),
            sent: format!("{WEBSOCKET} {name} sent"),
            received: format!("{WEBSOCKET} {name} received"),
            name,
            opened: Instant::now(),
            is_closed: Cell::new(false),
            bytes_in: Cell::new(0),
            bytes_out: Cell::new(0),
        }
    }

    pub(super) fn context(&self) -> &Context {
        &self.context
    }

    /// Returns the name of a row of this connection: `of("ping")` is `ping /chat`.
    pub(super) fn of(&self, what: &str) -> String {
        format!("{what} {}", self.name)
    }

    pub(super) fn count_sent(&self) {
        self.context.count(&self.sent, 1);
    }

    pub(super) fn count_received(&self) {
        self.context.count(&self.received, 1);
    }

    /// Excludes the bytes of a request from the row of the connection, because the request has its own row.
    pub(super) fn belong_to_request(&self, bytes_in: u64, bytes_out: u64) {
        self.bytes_in.set(self.bytes_in.get() + bytes_in);
        self.bytes_out.set(self.bytes_out.get() + bytes_out);
    }

    /// Reports the bytes that have been transferred since the last call, from the totals of the connection.
    pub(super) fn transferred(&self, bytes_in: u64, bytes_out: u64) {
        let (more_in, more_out) =
            (bytes_in.saturating_sub(self.bytes_in.get()), bytes_out.saturating_sub(self.bytes_out.get()));
        if more_in == 0 && more_out == 0 {
            return;
        }
        self.bytes_in.set(self.bytes_in.get() + more_in);
        self.bytes_out.set(self.bytes_out.get() + more_out);
        if let Some(observer) = self.context.observer() {
            observer.transferred(self.group.as_deref(), WEBSOCKET, &self.connect, more_in, more_out);
        }
    }

    /// Records the end of the connection, once. Closing it took `took`.
    pub(super) fn closed(&self, close: &Close, took: Duration) {
        let outcome = if close.is_failure() { Outcome::Failed } else { Outcome::Ok };
        self.end(outcome, Some(Status::Code(close.code)), took);
    }

    /// Records that the end of the run cut the connection.
    pub(super) fn interrupted(&self) {
        self.end(Outcome::Interrupted, None, Duration::ZERO);
    }

    fn end(&self, outcome: Outcome, status: Option<Status<'_>>, took: Duration) {
        if self.is_closed.replace(true) {
            return;
        }
        let Some(observer) = self.context.observer() else { return };
        let name = self.of("close");
        let metric = match outcome {
            Outcome::Interrupted => None,
            Outcome::Ok | Outcome::Failed => {
                self.context.record(&format!("{WEBSOCKET} {} session", self.name), self.opened.elapsed().as_secs_f64());
                observer.operation_metric(WEBSOCKET, &name)
            }
        };
        let sample = OperationSample {
            outcome,
            status,
            connect: None,
            first_byte: None,
            total: took,
            bytes_in: 0,
            bytes_out: 0,
            retried: 0,
        };
        observer.measured(self.group.as_deref(), WEBSOCKET, &name, metric.as_deref(), sample);
    }

    pub(super) fn is_cutting(&self) -> bool {
        self.context.observer().is_some_and(|observer| observer.is_cutting())
    }
}
