//! The body of a response, on its way from the wire to the scenario.

use std::{
    cell::Cell,
    rc::Rc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};

use super::measure::Measure;
use crate::http::{
    Error, ErrorKind,
    decode::{Coding, Decoded},
    wire::WireBody,
};

/// A body that may be read once, or kept by a listener and read again.
pub(crate) struct Incoming {
    source: Source,
    /// Parts that were read by a listener, for the scenario to read again.
    kept: Option<Bytes>,
    /// A failure that a listener met, for the scenario to meet again.
    failed: Option<(ErrorKind, String)>,
    measure: Option<Measure>,
}

enum Source {
    Wire(WireBody),
    Decoded(Box<Decoded>, Rc<Cell<u64>>),
    Ended,
}

impl Incoming {
    /// `measure` is there unless the request is over already.
    pub(crate) fn new(body: WireBody, codings: Option<&[Coding]>, measure: Option<Measure>) -> Self {
        let source = match codings {
            None => Source::Wire(body),
            Some(codings) => {
                let received = Rc::new(Cell::new(0));
                Source::Decoded(Box::new(Decoded::new(body, codings, received.clone())), received)
            }
        };
        Incoming { source, kept: None, failed: None, measure }
    }

    /// All of it, where all of it is here.
    pub(crate) fn take_whole(&mut self) -> Option<Bytes> {
        if self.kept.is_some() {
            return self.kept.take();
        }
        match &mut self.source {
            Source::Wire(body) if self.measure.is_none() && self.failed.is_none() => body.take_whole(),
            _ => None,
        }
    }

    /// The next part; `None` when there is no more.
    pub(crate) fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        if let Some(kept) = self.kept.take() {
            return Poll::Ready((!kept.is_empty()).then_some(Ok(kept)));
        }
        if let Some((kind, message)) = &self.failed {
            return Poll::Ready(Some(Err(Error::new(*kind, message.clone()))));
        }
        let polled = match &mut self.source {
            Source::Wire(body) => body.poll_chunk(cx),
            Source::Decoded(body, _) => body.poll_chunk(cx),
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

    /// What has come over the wire so far.
    fn count(&mut self) {
        if let Some(measure) = &mut self.measure {
            let received = match &self.source {
                Source::Wire(body) => body.received(),
                Source::Decoded(_, received) => received.get(),
                Source::Ended => return,
            };
            measure.body_in(received);
        }
    }

    /// So much of the time that has passed was not the request's; of no concern to one that is over.
    pub(crate) fn leave_out(&mut self, time: Duration) {
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

    /// Reads it to its end.
    pub(crate) async fn read(&mut self) -> Result<Bytes, Error> {
        if let Some(whole) = self.take_whole() {
            return Ok(whole);
        }
        let mut first = Bytes::new();
        let mut all = BytesMut::new();
        while let Some(part) = std::future::poll_fn(|cx| self.poll_chunk(cx)).await {
            let part = part?;
            // Most bodies are one part, and need not be copied.
            if first.is_empty() && all.is_empty() {
                first = part;
            } else {
                if all.is_empty() {
                    all.extend_from_slice(&first);
                    first = Bytes::new();
                }
                all.extend_from_slice(&part);
            }
        }
        Ok(if all.is_empty() { first } else { all.freeze() })
    }

    /// Whether all of it is here, or gone.
    #[cfg(feature = "python")]
    pub(crate) fn is_complete(&self) -> bool {
        self.kept.is_some()
            || match &self.source {
                Source::Wire(body) => body.is_whole() || body.is_end(),
                Source::Decoded(..) => false,
                Source::Ended => true,
            }
    }

    /// Puts what was read back, for whoever reads next.
    pub(crate) fn keep(&mut self, bytes: Bytes) {
        self.kept = Some(bytes);
    }
}
