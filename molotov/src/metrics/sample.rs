//! One measurement: how an operation ended, how long it took, and how much it transferred.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

/// The protocol of requests that a [`Session`](crate::session::Session) sends.
pub(crate) const HTTP: &str = "HTTP";

/// The protocol of what a WebSocket does.
pub(crate) const WEBSOCKET: &str = "WS";

/// How a scenario, an operation or a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Outcome {
    /// It succeeded.
    Ok,
    /// It failed: with an error, a panic, or, for HTTP, a status of 400 or above.
    Failed,
    /// The end of the run cancelled it. It is counted separately, and no latency includes it.
    Interrupted,
}

impl Outcome {
    /// Returns `ok`, `failed` or `interrupted`.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Ok => "ok",
            Outcome::Failed => "failed",
            Outcome::Interrupted => "interrupted",
        }
    }
}

/// The status of an operation: a number of HTTP, or the text of another protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status<'a> {
    /// A status code of HTTP. Counting it compares numbers only.
    Code(u16),
    /// The status of any other protocol.
    Text(&'a str),
}

impl fmt::Display for Status<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Status::Code(code) => code.fmt(f),
            Status::Text(text) => f.write_str(text),
        }
    }
}

/// The measurements of one operation, such as an HTTP request from the call to the end of the response's body. A chain of
/// redirects is one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OperationSample<'a> {
    /// How it ended.
    pub(crate) outcome: Outcome,
    /// Its final status, if it has one.
    pub(crate) status: Option<Status<'a>>,
    /// How long it waited for a connection; `None` if one was idle.
    pub(crate) connect: Option<Duration>,
    /// The time to the first byte of the response.
    pub(crate) first_byte: Option<Duration>,
    /// The time to its end.
    pub(crate) total: Duration,
    /// Bytes received, including heads.
    pub(crate) bytes_in: u64,
    /// Bytes sent, including heads.
    pub(crate) bytes_out: u64,
    /// How often it was repeated because a kept connection closed without a response.
    pub(crate) retried: u32,
}
