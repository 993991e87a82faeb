//! A connection for HTTP/1.1.

use std::net::SocketAddr;

use bytes::BytesMut;

use super::{channel::Channel, stream::Io};
use crate::http::timer::Alarm;

/// A connection for HTTP/1.1.
pub(crate) struct Connection {
    pub(crate) io: Channel,
    pub(crate) remote: SocketAddr,
    /// Bytes that were read and are not consumed yet.
    pub(crate) buffer: BytesMut,
    /// Wakes the task at the deadline of the request.
    pub(crate) alarm: Alarm,
}

impl Connection {
    pub(crate) fn new(io: Io, remote: SocketAddr) -> Box<Self> {
        Box::new(Self { io: Channel::new(io), remote, buffer: BytesMut::new(), alarm: Alarm::default() })
    }

    /// Returns whether the last response left no bytes behind.
    pub(crate) fn is_clean(&self) -> bool {
        self.buffer.is_empty()
    }
}
