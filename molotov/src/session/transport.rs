//! The transport of a session, chosen by its options.

use std::rc::Rc;

#[cfg(feature = "reqwest")]
use futures_util::future::Either;

use super::options::{SessionOptions, Transport};
#[cfg(feature = "reqwest")]
use crate::http::reqwest::ReqwestTransport;
use crate::http::{
    Error, ErrorKind, direct::DirectTransport, options::TransportOptions, request::TransportRequest,
    response::TransportResponse,
};
#[cfg(not(feature = "reqwest"))]
use crate::missing::missing;

/// The transport that sends the requests of a session.
pub(crate) enum HttpTransport {
    Direct(DirectTransport),
    #[cfg(feature = "reqwest")]
    Reqwest(ReqwestTransport),
}

impl HttpTransport {
    /// Returns the transport of these options. `transport_options` are among them, as sessions share them.
    pub(crate) fn new(
        options: &SessionOptions,
        transport_options: Rc<TransportOptions>,
    ) -> Result<HttpTransport, Error> {
        let direct = || HttpTransport::Direct(DirectTransport::new(transport_options));
        #[cfg(feature = "reqwest")]
        {
            let needs_reqwest = !options.proxies.is_empty() || options.client.is_some();
            let reqwest = || {
                ReqwestTransport::new(&options.transport_options, &options.proxies, options.client.as_ref())
                    .map(HttpTransport::Reqwest)
            };
            match options.transport {
                Some(Transport::Direct) if needs_reqwest => {
                    let what = "the direct transport does not support proxies or custom clients; leave `transport` out";
                    Err(Error::new(ErrorKind::Builder, what))
                }
                Some(Transport::Reqwest) => reqwest(),
                None if needs_reqwest => reqwest(),
                Some(Transport::Direct) | None => Ok(direct()),
            }
        }
        #[cfg(not(feature = "reqwest"))]
        match options.transport {
            Some(Transport::Reqwest) => {
                Err(Error::new(ErrorKind::Builder, missing("`Transport::Reqwest` is not supported", "reqwest")))
            }
            Some(Transport::Direct) | None => Ok(direct()),
        }
    }

    /// Returns whether a connection can leave HTTP, as a WebSocket's does.
    #[cfg(feature = "websocket")]
    pub(crate) fn can_upgrade(&self) -> bool {
        match self {
            HttpTransport::Direct(_) => true,
            #[cfg(feature = "reqwest")]
            HttpTransport::Reqwest(_) => false,
        }
    }

    /// Sends a request and reads at least the head of its response.
    pub(crate) fn execute<'a>(
        &'a self,
        request: TransportRequest<'a>,
    ) -> impl Future<Output = Result<TransportResponse, Error>> + 'a {
        match self {
            #[cfg(feature = "reqwest")]
            HttpTransport::Direct(direct) => Either::Left(direct.execute(request)),
            #[cfg(not(feature = "reqwest"))]
            HttpTransport::Direct(direct) => direct.execute(request),
            // Boxed, so that it does not make the future of the direct transport larger.
            #[cfg(feature = "reqwest")]
            HttpTransport::Reqwest(reqwest) => Either::Right(Box::pin(reqwest.execute(request))),
        }
    }
}
