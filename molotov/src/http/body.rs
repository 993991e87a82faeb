//! The body of a response as it arrives from a transport.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use futures_util::Stream;

use super::{
    Error,
    timeout::{ReadLimit, body_timeout, read_timeout},
    timer::Deadline,
    upgraded::Upgraded,
};

/// The rest of a body that had not arrived together with its head. Each transport implements this.
///
/// Dropping it before its end closes or resets what it arrives on.
pub(crate) trait BodySource {
    /// Polls for the next part of the body, without its framing. Returns `None` at the end.
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>>;

    /// Returns whether [`poll_append`](Self::poll_append) can read the rest of the body, after `received` bytes of it.
    fn appends(&self, received: usize) -> bool {
        let _ = received;
        false
    }

    /// Polls for the next part like [`poll_chunk`](Self::poll_chunk), and appends it to the body. Returns its length.
    fn poll_append(&mut self, cx: &mut Context<'_>, body: &mut BytesMut) -> Poll<Option<Result<usize, Error>>> {
        self.poll_chunk(cx).map_ok(|chunk| {
            body.extend_from_slice(&chunk);
            chunk.len()
        })
    }

    /// Extends any deadline that the source checks itself.
    fn postpone_deadline(&mut self, time: Duration) {
        let _ = time;
    }

    /// Takes the connection of a response with status 101, which is no longer HTTP.
    fn take_upgraded(&mut self) -> Option<Upgraded> {
        None
    }
}

impl<S: Stream<Item = Result<Bytes, Error>> + Unpin> BodySource for S {
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        Pin::new(self).poll_next(cx)
    }
}

/// The body of a response. Dropping it before its end closes its connection.
pub(crate) struct ResponseBody {
    /// The whole body, if it has arrived. Its connection is back in the pool.
    whole: Bytes,
    /// Most bodies arrive with their head, so this is apart.
    arriving: Option<Box<Arriving<dyn BodySource>>>,
    received: u64,
}

/// A body that is still arriving.
struct Arriving<S: ?Sized> {
    deadline: Option<Deadline>,
    read_limit: Option<ReadLimit>,
    source: S,
}

impl ResponseBody {
    /// Returns a body that has arrived.
    pub(crate) fn whole(whole: Bytes) -> Self {
        let received = whole.len() as u64;
        Self { whole, arriving: None, received }
    }

    /// Returns a body that is still arriving.
    pub(crate) fn arriving(source: impl BodySource + 'static) -> Self {
        let arriving: Box<Arriving<dyn BodySource>> = Box::new(Arriving { deadline: None, read_limit: None, source });
        Self { whole: Bytes::new(), arriving: Some(arriving), received: 0 }
    }

    /// Sets the time at which the body must have arrived.
    pub(crate) fn set_deadline(&mut self, deadline: Option<Deadline>) {
        if let Some(arriving) = &mut self.arriving {
            arriving.deadline = deadline;
        }
    }

    /// Sets how long each part of the body may take to arrive.
    pub(crate) fn set_read_timeout(&mut self, timeout: Option<Duration>) {
        if let Some(arriving) = &mut self.arriving {
            arriving.read_limit = timeout.map(ReadLimit::new);
        }
    }

    /// Extends the deadline.
    pub(crate) fn postpone_deadline(&mut self, time: Duration) {
        if let Some(arriving) = &mut self.arriving {
            if let Some(deadline) = &mut arriving.deadline {
                deadline.postpone(time);
            }
            arriving.source.postpone_deadline(time);
        }
    }

    /// Polls for the next part. Returns `None` at the end, and after an error.
    pub(crate) fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        let Some(arriving) = &mut self.arriving else {
            let whole = std::mem::take(&mut self.whole);
            return Poll::Ready((!whole.is_empty()).then_some(Ok(whole)));
        };
        let polled = arriving.source.poll_chunk(cx);
        self.after(cx, polled, Bytes::len)
    }

    /// Returns whether [`poll_append`](Self::poll_append) can read the rest of the body, after `received` bytes of it.
    pub(crate) fn appends(&self, received: usize) -> bool {
        self.arriving.as_ref().is_some_and(|arriving| arriving.source.appends(received))
    }

    /// Polls for the next part, and appends it to the body. Returns its length, or `None` at the end and after an error.
    pub(crate) fn poll_append(
        &mut self,
        cx: &mut Context<'_>,
        body: &mut BytesMut,
    ) -> Poll<Option<Result<usize, Error>>> {
        let Some(arriving) = &mut self.arriving else { return Poll::Ready(None) };
        let polled = arriving.source.poll_append(cx, body);
        self.after(cx, polled, |length| *length)
    }

    /// Counts a part, and checks the timeouts.
    fn after<T>(
        &mut self,
        cx: &mut Context<'_>,
        polled: Poll<Option<Result<T, Error>>>,
        length: impl FnOnce(&T) -> usize,
    ) -> Poll<Option<Result<T, Error>>> {
        let Some(arriving) = &mut self.arriving else { return polled };
        match polled {
            Poll::Ready(Some(Ok(part))) => {
                self.received += length(&part) as u64;
                if arriving.deadline.as_ref().is_some_and(Deadline::has_passed) {
                    self.abandon();
                    return Poll::Ready(Some(Err(body_timeout())));
                }
                if let Some(limit) = &mut arriving.read_limit {
                    limit.reset();
                }
                Poll::Ready(Some(Ok(part)))
            }
            Poll::Ready(end) => {
                self.abandon();
                Poll::Ready(end)
            }
            Poll::Pending => {
                let error = if arriving.deadline.as_mut().is_some_and(|deadline| deadline.poll(cx).is_ready()) {
                    body_timeout()
                } else if arriving.read_limit.as_mut().is_some_and(|limit| limit.poll(cx).is_ready()) {
                    read_timeout()
                } else {
                    return Poll::Pending;
                };
                self.abandon();
                Poll::Ready(Some(Err(error)))
            }
        }
    }

    /// Takes the whole body, if it has arrived.
    pub(crate) fn take_whole(&mut self) -> Option<Bytes> {
        self.is_whole().then(|| std::mem::take(&mut self.whole))
    }

    /// Takes the connection of a response with status 101, which is no longer HTTP. The body has ended then.
    pub(crate) fn take_upgraded(&mut self) -> Option<Upgraded> {
        self.arriving.take()?.source.take_upgraded()
    }

    /// Stops reading, and closes the connection if the body has not ended.
    pub(crate) fn abandon(&mut self) {
        (self.whole, self.arriving) = (Bytes::new(), None);
    }

    /// Returns how many bytes of the body have arrived.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// Returns whether the body has ended: it was taken completely, or failed.
    pub(crate) fn is_end(&self) -> bool {
        self.is_whole() && self.whole.is_empty()
    }

    /// Returns whether the whole body has arrived or was taken.
    pub(crate) fn is_whole(&self) -> bool {
        self.arriving.is_none()
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").field("received", &self.received).field("end", &self.is_end()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[tokio::test]
    async fn deadlines_end_bodies_that_are_always_ready() {
        let before = Instant::now();
        let endless = futures_util::stream::repeat_with(|| Ok(Bytes::from_static(b"x")));
        let mut body = ResponseBody::arriving(endless);
        body.set_deadline(Some(Deadline::new(before + Duration::from_millis(20))));
        let error = loop {
            assert!(before.elapsed() < Duration::from_secs(2));
            match std::future::poll_fn(|cx| body.poll_chunk(cx)).await.unwrap() {
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        assert!(error.is_timeout(), "{error}");
        assert!(body.is_end());
    }

    #[test]
    fn whole_bodies_are_taken_once() {
        let mut body = ResponseBody::whole(Bytes::from_static(b"abc"));
        assert!(body.is_whole() && !body.is_end());
        assert_eq!(body.take_whole().as_deref(), Some(&b"abc"[..]));
        assert_eq!((body.received(), body.is_end()), (3, true));
    }
}
