//! The body of a request as users write it.

use std::fmt;

use bytes::Bytes;
use futures_util::{Stream, TryStreamExt};

use crate::http::{BoxError, request::Body};

/// The body of a request: text, bytes, or a stream of parts.
///
/// ```no_run
/// # use molotov::{prelude::*, session::RequestBody};
/// # async fn sample(session: &Session) -> Result<()> {
/// session.put("http://127.0.0.1:8080/note").body("text").send().await?;
/// let lines = (0..3).map(|n| Ok::<_, std::io::Error>(format!("line {n}\n")));
/// let lines = RequestBody::wrap_stream(futures_util::stream::iter(lines));
/// session.put("http://127.0.0.1:8080/log").body(lines).send().await?;
/// # Ok(()) }
/// ```
pub struct RequestBody(pub(super) Body);

impl RequestBody {
    /// Returns a body that is sent in chunks while the stream produces them. It can be sent only once, so a redirect that
    /// needs it again is returned to the scenario.
    pub fn wrap_stream<S, B, E>(stream: S) -> RequestBody
    where
        S: Stream<Item = Result<B, E>> + 'static,
        B: Into<Bytes> + 'static,
        E: Into<BoxError> + 'static,
    {
        let stream = stream.map_ok(Into::into).map_err(Into::into);
        RequestBody(Body::Stream { stream: Box::pin(stream), length: None })
    }

    /// Returns a body like [`wrap_stream`](Self::wrap_stream), with a known length in bytes, which is sent to the server.
    pub fn sized_stream<S, B, E>(length: u64, stream: S) -> RequestBody
    where
        S: Stream<Item = Result<B, E>> + 'static,
        B: Into<Bytes> + 'static,
        E: Into<BoxError> + 'static,
    {
        let stream = stream.map_ok(Into::into).map_err(Into::into);
        RequestBody(Body::Stream { stream: Box::pin(stream), length: Some(length) })
    }
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

macro_rules! from_bytes {
    ($($from:ty),*) => {$(
        impl From<$from> for RequestBody {
            fn from(bytes: $from) -> RequestBody {
                RequestBody(Body::Bytes(bytes.into()))
            }
        }
    )*};
}

from_bytes!(Bytes, Vec<u8>, String, &'static str, &'static [u8]);
