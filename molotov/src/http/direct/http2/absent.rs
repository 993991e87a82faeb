//! The replacement for HTTP/2 in builds without its feature.

use std::convert::Infallible;

use crate::{
    http::{
        Error, ErrorKind,
        direct::{retry::Failed, stream::Opened},
        permits::Permit,
        request::TransportRequest,
        response::TransportResponse,
    },
    missing::missing,
};

/// A handle to a connection. This build cannot create one.
#[derive(Clone)]
pub(crate) struct Connection(Infallible);

impl Connection {
    pub(crate) async fn new(_: Opened) -> Result<Self, Error> {
        Err(Error::new(ErrorKind::Builder, missing("HTTP/2 is not supported", "http2")))
    }

    pub(crate) fn is_closed(&self) -> bool {
        match self.0 {}
    }

    pub(crate) async fn send(
        &mut self,
        _: &mut TransportRequest<'_>,
        _: &mut Option<Permit>,
    ) -> Result<TransportResponse, Failed> {
        match self.0 {}
    }
}
