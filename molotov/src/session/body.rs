//! The body of a response as the session reads it: decoded, measured, and limited in size.

use std::{
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};

use super::measure::Measure;
use crate::http::{
    Error, ErrorKind,
    body::ResponseBody,
    decode::{Coding, Decoded},
};

/// A body that is read once, or read by a listener and kept for the scenario.
pub(crate) struct Incoming {
    /// The body that has arrived, or that a listener read, for the scenario to read again.
    whole: Option<Bytes>,
    /// Most bodies arrive with their head, so this is apart.
    arriving: Option<Box<Arriving>>,
    /// The maximum size of a body in memory, in bytes.
    max_body: u64,
}

/// A body that has not arrived completely, or has to be decoded.
struct Arriving {
    source: Source,
    /// The error that a listener got, for the scenario to get again.
    failed: Option<(ErrorKind, String)>,
    /// An error after a part that has to be returned first.
    deferred: Option<Error>,
    measure: Option<Measure>,
}

enum Source {
    Raw(ResponseBody),
    Decoded(Decoded),
    /// The body cannot be read, for this reason.
    Unreadable(Error),
    Ended,
}

impl Incoming {
    /// Returns a body that decodes `codings` until `deadline`. `measure` is `None` if the request has been measured.
    pub(crate) fn new(
        mut body: ResponseBody,
        codings: Option<Result<Vec<Coding>, Error>>,
        deadline: Option<Instant>,
        measure: Option<Measure>,
        max_body: u64,
    ) -> Self {
        let source = match codings {
            None => match body.take_whole() {
                Some(whole) => {
                    return Incoming { whole: Some(whole), arriving: None, max_body };
                }
                None => Source::Raw(body),
            },
            Some(Ok(codings)) => Source::Decoded(Decoded::new(body, &codings, deadline)),
            Some(Err(error)) => Source::Unreadable(error),
        };
        let arriving = Arriving { source, failed: None, deferred: None, measure };
        Incoming { whole: None, arriving: Some(Box::new(arriving)), max_body }
    }

    /// Returns a body that has ended.
    pub(crate) fn ended() -> Self {
        Incoming { whole: None, arriving: None, max_body: 0 }
    }

    /// Polls for the next part. Returns `None` at the end.
    pub(crate) fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        match (self.whole.take(), &mut self.arriving) {
            (Some(whole), _) => Poll::Ready((!whole.is_empty()).then_some(Ok(whole))),
            (None, Some(arriving)) => arriving.poll_chunk(cx),
            (None, None) => Poll::Ready(None),
        }
    }

    /// Polls for the next parts, joined: those that have arrived, up to about `most` bytes. Returns `None` at the end.
    pub(crate) fn poll_chunks(&mut self, cx: &mut Context<'_>, most: usize) -> Poll<Option<Result<Bytes, Error>>> {
        let first = match ready!(self.poll_chunk(cx)) {
            Some(Ok(first)) => first,
            other => return Poll::Ready(other),
        };
        let mut collected = Collected::default();
        collected.push(first);
        while collected.len() < most {
            match self.poll_chunk(cx) {
                Poll::Ready(Some(Ok(part))) => collected.push(part),
                Poll::Ready(Some(Err(error))) => {
                    if let Some(arriving) = &mut self.arriving {
                        arriving.deferred = Some(error);
                    }
                    break;
                }
                Poll::Ready(None) | Poll::Pending => break,
            }
        }
        Poll::Ready(Some(Ok(collected.into_bytes())))
    }

    /// Excludes time that has passed from the duration of the request and from its timeout.
    pub(crate) fn leave_out(&mut self, time: Duration) {
        let Some(arriving) = &mut self.arriving else { return };
        match &mut arriving.source {
            Source::Raw(body) => body.postpone_deadline(time),
            Source::Decoded(body) => body.postpone_deadline(time),
            Source::Unreadable(_) | Source::Ended => {}
        }
        if let Some(measure) = &mut arriving.measure {
            measure.leave_out(time);
        }
    }

    /// Adds the next part to `collected`. Returns whether there was one.
    ///
    /// # Errors
    ///
    /// Returns an error if the body is incomplete or larger than the limit.
    pub(crate) fn poll_collect(
        &mut self,
        cx: &mut Context<'_>,
        collected: &mut Collected,
    ) -> Poll<Result<bool, Error>> {
        let length = match &mut self.arriving {
            Some(arriving) if self.whole.is_none() && arriving.appends(collected.len()) => {
                collected.appended().map(|appended| arriving.poll_append(cx, appended))
            }
            _ => None,
        };
        let part = match length {
            Some(length) => ready!(length).map(|length| length.map(|_| None)),
            None => ready!(self.poll_chunk(cx)).map(|part| part.map(Some)),
        };
        let part = match part {
            Some(part) => part?,
            None => return Poll::Ready(Ok(false)),
        };
        let more = part.as_ref().map_or(0, Bytes::len);
        if (collected.len() as u64).saturating_add(more as u64) > self.max_body {
            let what = format!("the body is larger than `max_body`, which is {} bytes", self.max_body);
            let error = Error::new(ErrorKind::TooLarge, what).with_hint("raise it, or read the body in parts");
            let ended = || Box::new(Arriving { source: Source::Ended, failed: None, deferred: None, measure: None });
            self.arriving.get_or_insert_with(ended).end(Some(&error));
            return Poll::Ready(Err(error));
        }
        if let Some(part) = part {
            collected.push(part);
        }
        Poll::Ready(Ok(true))
    }

    /// Reads the whole body.
    pub(crate) async fn read(&mut self) -> Result<Bytes, Error> {
        if let Some(whole) = self.whole.take_if(|whole| whole.len() as u64 <= self.max_body) {
            return Ok(whole);
        }
        let mut collected = Collected::default();
        while std::future::poll_fn(|cx| self.poll_collect(cx, &mut collected)).await? {}
        Ok(collected.into_bytes())
    }

    /// Returns the whole body if it has arrived. It can still be read.
    pub(crate) fn whole(&self) -> Option<Bytes> {
        self.whole.as_ref().filter(|whole| whole.len() as u64 <= self.max_body).cloned()
    }

    /// Returns the maximum size of a body in memory, in bytes.
    pub(crate) fn max_body(&self) -> u64 {
        self.max_body
    }

    /// Returns whether the body can be read without waiting.
    pub(crate) fn is_complete(&self) -> bool {
        self.whole.is_some()
            || match self.arriving.as_ref().map(|arriving| &arriving.source) {
                Some(Source::Raw(body)) => body.is_whole(),
                Some(Source::Decoded(_) | Source::Unreadable(_)) => false,
                Some(Source::Ended) | None => true,
            }
    }

    /// Puts back the body that was read, for the next reader.
    pub(crate) fn keep(&mut self, bytes: Bytes) {
        self.whole = Some(bytes);
    }
}

impl Arriving {
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        if let Some(error) = self.deferred.take() {
            return Poll::Ready(Some(Err(error)));
        }
        if let Some((kind, message)) = &self.failed {
            return Poll::Ready(Some(Err(Error::new(*kind, message.clone()))));
        }
        let polled = match &mut self.source {
            Source::Raw(body) => body.poll_chunk(cx),
            Source::Decoded(body) => body.poll_chunk(cx),
            Source::Unreadable(_) => match std::mem::replace(&mut self.source, Source::Ended) {
                Source::Unreadable(error) => Poll::Ready(Some(Err(error))),
                _ => Poll::Ready(None),
            },
            Source::Ended => return Poll::Ready(None),
        };
        self.after(polled)
    }

    /// Returns whether [`poll_append`](Self::poll_append) can read the rest of the body, after `received` bytes of it.
    fn appends(&self, received: usize) -> bool {
        let Source::Raw(body) = &self.source else { return false };
        self.deferred.is_none() && self.failed.is_none() && body.appends(received)
    }

    fn poll_append(&mut self, cx: &mut Context<'_>, body: &mut BytesMut) -> Poll<Option<Result<usize, Error>>> {
        let Source::Raw(source) = &mut self.source else { return Poll::Ready(None) };
        let polled = source.poll_append(cx, body);
        self.after(polled)
    }

    /// Counts a part, and ends the body after its end or an error.
    fn after<T>(&mut self, polled: Poll<Option<Result<T, Error>>>) -> Poll<Option<Result<T, Error>>> {
        match polled {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(Ok(part))) => {
                self.count();
                Poll::Ready(Some(Ok(part)))
            }
            Poll::Ready(Some(Err(error))) => {
                self.end(Some(&error));
                Poll::Ready(Some(Err(error)))
            }
            Poll::Ready(None) => {
                self.end(None);
                Poll::Ready(None)
            }
        }
    }

    /// Updates the number of received bytes in the measure.
    fn count(&mut self) {
        if let Some(measure) = &mut self.measure {
            let received = match &self.source {
                Source::Raw(body) => body.received(),
                Source::Decoded(body) => body.received(),
                Source::Unreadable(_) | Source::Ended => return,
            };
            measure.body_in(received);
        }
    }

    fn end(&mut self, error: Option<&Error>) {
        self.count();
        self.source = Source::Ended;
        if let Some(error) = error {
            self.failed = Some((error.kind(), error.to_string()));
        }
        match (self.measure.take(), error) {
            (Some(measure), Some(_)) => measure.failed(),
            (Some(measure), None) => measure.completed(Instant::now()),
            (None, _) => {}
        }
    }
}

/// The parts of a body, joined as they arrive so that the body is in memory only once.
#[derive(Default)]
pub(crate) enum Collected {
    #[default]
    Nothing,
    /// The first part. Most bodies have only one, which is not copied.
    First(Bytes),
    Joined(Vec<u8>),
    /// Parts that were read into the place where they are kept.
    Appended(BytesMut),
}

impl Collected {
    fn len(&self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::First(first) => first.len(),
            Self::Joined(joined) => joined.len(),
            Self::Appended(appended) => appended.len(),
        }
    }

    /// Returns the parts to append the next one to, unless they are kept in another way.
    fn appended(&mut self) -> Option<&mut BytesMut> {
        if let Self::Nothing = self {
            *self = Self::Appended(BytesMut::new());
        }
        match self {
            Self::Appended(appended) => Some(appended),
            _ => None,
        }
    }

    fn push(&mut self, part: Bytes) {
        if self.len() == 0 {
            *self = Self::First(part);
            return;
        }
        let (first, mut joined) = match std::mem::take(self) {
            Self::Joined(joined) => (Bytes::new(), joined),
            other => (other.into_bytes(), Vec::new()),
        };
        let more = first.len() + part.len();
        if joined.capacity() - joined.len() < more {
            // Large vectors grow by a quarter instead of doubling. The system moves their pages without copying.
            let ahead = joined.capacity().clamp(4096, 1 << 20).max(joined.capacity() / 4);
            joined.reserve_exact(more.max(ahead));
        }
        joined.extend_from_slice(&first);
        joined.extend_from_slice(&part);
        *self = Self::Joined(joined);
    }

    pub(crate) fn into_bytes(self) -> Bytes {
        match self {
            Self::Nothing => Bytes::new(),
            Self::First(first) => first,
            Self::Joined(joined) => joined.into(),
            Self::Appended(appended) => appended.freeze(),
        }
    }
}
