//! A connection for HTTP/1.1, and the buffers that the connections of a thread share.

use std::{cell::RefCell, net::SocketAddr};

use bytes::BytesMut;

use super::stream::Io;

/// The buffers that all connections of a thread read into and write from.
///
/// A connection keeps bytes only while a response is incomplete, so an idle one needs little memory.
pub(crate) struct Scratch {
    pub(crate) output: Vec<u8>,
    pub(crate) input: Box<[u8]>,
}

thread_local! {
    pub(crate) static SCRATCH: RefCell<Scratch> =
        RefCell::new(Scratch { output: Vec::with_capacity(4096), input: vec![0; 64 * 1024].into() });
}

/// A connection for HTTP/1.1.
pub(crate) struct Connection {
    pub(crate) io: Io,
    pub(crate) remote: SocketAddr,
    /// Bytes that were read and are not consumed yet.
    pub(crate) buffer: BytesMut,
}

impl Connection {
    pub(crate) fn new(io: Io, remote: SocketAddr) -> Self {
        Self { io, remote, buffer: BytesMut::new() }
    }

    /// Returns whether the last response left no bytes behind.
    pub(crate) fn is_clean(&self) -> bool {
        self.buffer.is_empty()
    }
}
