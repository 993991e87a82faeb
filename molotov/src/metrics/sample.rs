//! One thing measured: how it ended, and the measures of a request.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How a scenario, a request or a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Outcome {
    /// As it should.
    Ok,
    /// With an error, a panic, or (a request) a status of 400 and above.
    Failed,
    /// Cut short by the end of the run; counted apart, and not part of any latency.
    Interrupted,
}

/// The measures of one request, from the call to the end of its body; a chain of redirects is one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestSample {
    /// How it ended.
    pub outcome: Outcome,
    /// Status of the final response, if there was one.
    pub status: Option<u16>,
    /// Time to the first byte of the final response's head.
    pub first_byte: Option<Duration>,
    /// Time to the end of the body, or to the error.
    pub total: Duration,
    /// Bytes received, heads included.
    pub bytes_in: u64,
    /// Bytes sent, heads included.
    pub bytes_out: u64,
    /// How often it was sent again because a kept connection closed without an answer.
    pub retried: u32,
}
