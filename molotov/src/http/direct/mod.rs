//! The direct transport: connections that belong to the worker, HTTP/1.1 with a reader of our own.

use std::{
    rc::Rc,
    task::{Context, Poll},
};

use bytes::Bytes;

use super::{
    Error,
    wire::{WireOptions, WireRequest, WireResponse},
};

pub(crate) struct Direct {
    options: Rc<WireOptions>,
}
pub(crate) struct H1Body {}
impl H1Body {
    pub(crate) fn poll_chunk(&mut self, _cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        Poll::Ready(None)
    }
}
impl Direct {
    pub(crate) fn new(options: Rc<WireOptions>) -> Direct {
        Direct { options }
    }
    pub(crate) async fn execute(&self, _request: WireRequest<'_>) -> Result<WireResponse, Error> {
        let _ = &self.options;
        Err(Error::new(super::ErrorKind::Request, ""))
    }
}
