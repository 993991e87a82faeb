//! The body of a response, on its way from the wire to the scenario.

use std::{
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::measure::Measure;
use crate::http::{
    Error, ErrorKind,
    body::ResponseBody,
    decode::{Coding, Decoded},
};

/// A body that may be read once, or kept by a listener and read again.
pub(crate) struct Incoming {
    source: Source,
    /// Parts that were read by a listener, for the scenario to read again.
    kept: Option<Bytes>,
    /// A failure that a listener met, for the scenario to meet again.
    failed: Option<(ErrorKind, String)>,
    /// A failure that was met behind a part that had to be delivered first.
    deferred: Option<Error>,
    measure: Option<Measure>,
    /// The most bytes that are kept in memory.
    max_body: u64,
}

enum Source {
    Raw(ResponseBody),
    Decoded(Box<Decoded>),
    /// It is not read, for this reason.
    Refused(Error),
    Ended,
}

impl Incoming {
    /// `codings` are to be undone, until `deadline`; `measure` is there unless the request is over already.
    pub(crate) fn new(
        body: ResponseBody,
        codings: Option<Result<Vec<Coding>, Error>>,
        deadline: Option<Instant>,
        measure: Option<Measure>,
        max_body: u64,
    ) -> Self {
        let source = match codings {
            None => Source::Raw(body),
            Some(Ok(codings)) => Source::Decoded(Box::new(Decoded::new(body, &codings, deadline))),
            Some(Err(error)) => Source::Refused(error),
        };
        Incoming { source, kept: None, failed: None, deferred: None, measure, max_body }
    }

    /// The next part; `None` when there is no more.
    pub(crate) fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        if let Some(kept) = self.kept.take() {
            return Poll::Ready((!kept.is_empty()).then_some(Ok(kept)));
        }
        if let Some(error) = self.deferred.take() {
            return Poll::Ready(Some(Err(error)));
        }
        if let Some((kind, message)) = &self.failed {
            return Poll::Ready(Some(Err(Error::new(*kind, message.clone()))));
        }
        let polled = match &mut self.source {
            Source::Raw(body) => body.poll_chunk(cx),
            Source::Decoded(body) => body.poll_chunk(cx),
            Source::Refused(_) => match std::mem::replace(&mut self.source, Source::Ended) {
                Source::Refused(error) => Poll::Ready(Some(Err(error))),
                _ => Poll::Ready(None),
            },
            Source::Ended => return Poll::Ready(None),
        };
        match polled {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(Ok(bytes))) => {
                self.count();
                Poll::Ready(Some(Ok(bytes)))
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

    /// The next parts as one, as far as they have arrived and up to about `most` bytes; `None` when there is no more.
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
                    self.deferred = Some(error);
                    break;
                }
                Poll::Ready(None) | Poll::Pending => break,
            }
        }
        Poll::Ready(Some(Ok(collected.into_bytes())))
    }

    /// What has come over the wire so far.
    fn count(&mut self) {
        if let Some(measure) = &mut self.measure {
            let received = match &self.source {
                Source::Raw(body) => body.received(),
                Source::Decoded(body) => body.received(),
                Source::Refused(_) | Source::Ended => return,
            };
            measure.body_in(received);
        }
    }

    /// Leaves time that has passed out of the request's duration and of its timeout, unless the request is over.
    pub(crate) fn leave_out(&mut self, time: Duration) {
        match &mut self.source {
            Source::Raw(body) => body.postpone_deadline(time),
            Source::Decoded(body) => body.postpone_deadline(time),
            Source::Refused(_) | Source::Ended => {}
        }
        if let Some(measure) = &mut self.measure {
            measure.leave_out(time);
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

    /// Takes another part, and says whether there was one: for reading to the end.
    ///
    /// # Errors
    /// When the body broke off, or when it is larger than may be kept in memory.
    pub(crate) fn poll_collect(
        &mut self,
        cx: &mut Context<'_>,
        collected: &mut Collected,
    ) -> Poll<Result<bool, Error>> {
        let part = match ready!(self.poll_chunk(cx)) {
            Some(part) => part?,
            None => return Poll::Ready(Ok(false)),
        };
        if (collected.len() as u64).saturating_add(part.len() as u64) > self.max_body {
            let what = format!("the body is larger than `max_body`, which is {} bytes", self.max_body);
            let error = Error::new(ErrorKind::TooLarge, what).with_hint("raise it, or read the body in parts");
            self.end(Some(&error));
            return Poll::Ready(Err(error));
        }
        collected.push(part);
        Poll::Ready(Ok(true))
    }

    /// Reads it to its end.
    pub(crate) async fn read(&mut self) -> Result<Bytes, Error> {
        let mut collected = Collected::default();
        while std::future::poll_fn(|cx| self.poll_collect(cx, &mut collected)).await? {}
        Ok(collected.into_bytes())
    }

    /// The most bytes that are kept in memory.
    pub(crate) fn max_body(&self) -> u64 {
        self.max_body
    }

    /// Whether all of it is here, or gone.
    pub(crate) fn is_complete(&self) -> bool {
        self.kept.is_some()
            || match &self.source {
                Source::Raw(body) => body.is_whole() || body.is_end(),
                Source::Decoded(_) | Source::Refused(_) => false,
                Source::Ended => true,
            }
    }

    /// Puts what was read back, for whoever reads next.
    pub(crate) fn keep(&mut self, bytes: Bytes) {
        self.kept = Some(bytes);
    }
}

/// The parts of a body, joined as they come: never twice in memory.
#[derive(Default)]
pub(crate) struct Collected {
    /// Most bodies are one part, which need not be copied.
    first: Bytes,
    joined: Vec<u8>,
}

impl Collected {
    fn len(&self) -> usize {
        self.first.len() + self.joined.len()
    }

    fn push(&mut self, part: Bytes) {
        if self.len() == 0 {
            self.first = part;
            return;
        }
        let first = std::mem::take(&mut self.first);
        let more = first.len() + part.len();
        if self.joined.capacity() - self.joined.len() < more {
            // Not doubled, as a vector would by itself: large ones grow by a quarter. The system moves their pages
            // and copies nothing.
            let ahead = self.joined.capacity().clamp(4096, 1 << 20).max(self.joined.capacity() / 4);
            self.joined.reserve_exact(more.max(ahead));
        }
        self.joined.extend_from_slice(&first);
        self.joined.extend_from_slice(&part);
    }

    pub(crate) fn into_bytes(self) -> Bytes {
        if self.joined.is_empty() { self.first } else { self.joined.into() }
    }
}
