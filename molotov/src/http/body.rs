//! The body of a response as it arrives from a transport.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
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
    state: State,
    received: u64,
    deadline: Option<Deadline>,
    read_limit: Option<Box<ReadLimit>>,
}

enum State {
    Ended,
    /// The whole body has arrived, and its connection is back in the pool.
    Whole(Bytes),
    Arriving(Box<dyn BodySource>),
}

impl ResponseBody {
    /// Returns a body that has arrived.
    pub(crate) fn whole(bytes: Bytes) -> Self {
        let received = bytes.len() as u64;
        let state = if bytes.is_empty() { State::Ended } else { State::Whole(bytes) };
        Self { state, received, deadline: None, read_limit: None }
    }

    /// Returns a body that is still arriving.
    pub(crate) fn arriving(source: impl BodySource + 'static) -> Self {
        Self { state: State::Arriving(Box::new(source)), received: 0, deadline: None, read_limit: None }
    }

    /// Sets the time at which the body must have arrived.
    pub(crate) fn set_deadline(&mut self, deadline: Option<Deadline>) {
        if !self.is_whole() {
            self.deadline = deadline;
        }
    }

    /// Sets how long each part of the body may take to arrive.
    pub(crate) fn set_read_timeout(&mut self, timeout: Option<Duration>) {
        if !self.is_whole() {
            self.read_limit = timeout.map(|timeout| Box::new(ReadLimit::new(timeout)));
        }
    }

    /// Extends the deadline.
    pub(crate) fn postpone_deadline(&mut self, time: Duration) {
        if let Some(deadline) = &mut self.deadline {
            deadline.postpone(time);
        }
        if let State::Arriving(source) = &mut self.state {
            source.postpone_deadline(time);
        }
    }

    /// Polls for the next part. Returns `None` at the end, and after an error.
    pub(crate) fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        let polled = match &mut self.state {
            State::Ended => return Poll::Ready(None),
            State::Whole(_) => return Poll::Ready(self.take_whole().map(Ok)),
            State::Arriving(source) => source.poll_chunk(cx),
        };
        match polled {
            Poll::Ready(Some(Ok(bytes))) => {
                self.received += bytes.len() as u64;
                if self.deadline.as_ref().is_some_and(Deadline::has_passed) {
                    self.finish();
                    return Poll::Ready(Some(Err(body_timeout())));
                }
                if let Some(limit) = &mut self.read_limit {
                    limit.reset();
                }
                Poll::Ready(Some(Ok(bytes)))
            }
            Poll::Ready(end) => {
                self.finish();
                Poll::Ready(end)
            }
            Poll::Pending => {
                let error = if self.deadline.as_mut().is_some_and(|deadline| deadline.poll(cx).is_ready()) {
                    body_timeout()
                } else if self.read_limit.as_mut().is_some_and(|limit| limit.poll(cx).is_ready()) {
                    read_timeout()
                } else {
                    return Poll::Pending;
                };
                self.finish();
                Poll::Ready(Some(Err(error)))
            }
        }
    }

    fn finish(&mut self) {
        self.state = State::Ended;
        self.deadline = None;
        self.read_limit = None;
    }

    /// Takes the whole body, if it has arrived.
    pub(crate) fn take_whole(&mut self) -> Option<Bytes> {
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Ended => Some(Bytes::new()),
            State::Whole(bytes) => Some(bytes),
            other => {
                self.state = other;
                None
            }
        }
    }

    /// Returns the whole body, if it has arrived and was not taken.
    pub(crate) fn as_whole(&self) -> Option<&Bytes> {
        match &self.state {
            State::Whole(bytes) => Some(bytes),
            State::Ended | State::Arriving(_) => None,
        }
    }

    /// Takes the connection of a response with status 101, which is no longer HTTP. The body has ended then.
    pub(crate) fn take_upgraded(&mut self) -> Option<Upgraded> {
        let State::Arriving(source) = &mut self.state else { return None };
        let upgraded = source.take_upgraded();
        self.finish();
        upgraded
    }

    /// Stops reading, and closes the connection if the body has not ended.
    pub(crate) fn abandon(&mut self) {
        self.finish();
    }

    /// Returns how many bytes of the body have arrived.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// Returns whether the body has ended: it was taken completely, or failed.
    pub(crate) fn is_end(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    /// Returns whether the whole body has arrived or was taken.
    pub(crate) fn is_whole(&self) -> bool {
        matches!(self.state, State::Ended | State::Whole(_))
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
