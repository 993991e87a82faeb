//! A response as a transport returns it.

use std::{net::SocketAddr, time::Instant};

use http::{StatusCode, Version};

use super::{body::ResponseBody, headers::LazyHeaders};

/// The head of a response, and a body that may still be arriving.
#[derive(Debug)]
pub(crate) struct TransportResponse {
    pub(crate) version: Version,
    pub(crate) status: StatusCode,
    pub(crate) headers: LazyHeaders,
    pub(crate) body: ResponseBody,
    /// When the first byte of the final head arrived.
    pub(crate) first_byte: Instant,
    /// Bytes of the request that were written when the head of the response arrived.
    pub(crate) bytes_out: u64,
    pub(crate) head_bytes: u64,
    pub(crate) remote_addr: Option<SocketAddr>,
}
