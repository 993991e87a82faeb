//! In place of HTTP/2, in programs that are built without its feature.

use std::convert::Infallible;

use crate::{
    http::{
        Error, ErrorKind,
        direct::{Failed, stream::Opened},
        permits::Permit,
        wire::{WireRequest, WireResponse},
    },
    missing::missing,
};

/// A handle on a connection, which no program of this build has.
#[derive(Clone)]
pub(crate) struct Client(Infallible);

impl Client {
    pub(crate) async fn new(_: Opened) -> Result<Self, Error> {
        Err(Error::new(ErrorKind::Builder, missing("HTTP/2 is not supported", "http2")))
    }

    pub(crate) fn is_closed(&self) -> bool {
        match self.0 {}
    }

    pub(crate) async fn send(
        &mut self,
        _: &mut WireRequest<'_>,
        _: &mut Option<Permit>,
    ) -> Result<WireResponse, Failed> {
        match self.0 {}
    }
}
