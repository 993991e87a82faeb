//! Reads the body of a response, and notes when each event arrived.

use std::{
    cell::RefCell,
    collections::VecDeque,
    num::NonZeroUsize,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::Stream;
use sse_core::{SseDecoder, SseEvent};

use super::ServerSentEvent;
use crate::http::{Error, ErrorKind, target::Target};

/// Reading waits while this many bytes of events wait for the scenario.
const MAX_WAITING: usize = 256 * 1024;

type Body = Pin<Box<dyn Stream<Item = Result<Bytes, Error>>>>;

/// The events of a body. One task reads them, and one takes them; both may be the same.
pub(super) struct Reader {
    state: RefCell<State>,
    target: Rc<Target>,
}

struct State {
    /// `None` at the end, and while the body is polled.
    body: Option<Body>,
    decoder: SseDecoder,
    retry: Option<Duration>,
    waiting: VecDeque<ServerSentEvent>,
    /// The size of the waiting events, in bytes.
    size: usize,
    ended: bool,
    /// The error that comes after the waiting events.
    error: Option<Error>,
    /// Waits for room.
    reads: Option<Waker>,
    /// Waits for an event.
    takes: Option<Waker>,
}

impl Reader {
    /// Returns a reader that fails if an event is larger than `limit` bytes.
    pub(super) fn new(body: Body, limit: NonZeroUsize, target: Rc<Target>) -> Reader {
        let state = State {
            body: Some(body),
            decoder: SseDecoder::with_limit(limit),
            retry: None,
            waiting: VecDeque::new(),
            size: 0,
            ended: false,
            error: None,
            reads: None,
            takes: None,
        };
        Reader { state: RefCell::new(state), target }
    }

    /// Reads what arrives, as long as there is room. Returns `Ready` when the stream has ended.
    pub(super) fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            // Nothing is borrowed while the body is polled or dropped, because that may run other code.
            let mut body = {
                let state = &mut *self.state.borrow_mut();
                if state.ended {
                    return Poll::Ready(());
                }
                if state.size >= MAX_WAITING {
                    state.reads = Some(cx.waker().clone());
                    return Poll::Pending;
                }
                match state.body.take() {
                    Some(body) => body,
                    None => return Poll::Pending,
                }
            };
            let polled = body.as_mut().poll_next(cx);
            let at = Instant::now();
            let state = &mut *self.state.borrow_mut();
            match polled {
                _ if state.ended => {}
                Poll::Pending => {
                    state.body = Some(body);
                    return Poll::Pending;
                }
                Poll::Ready(Some(Ok(part))) => match state.decode(part, at, &self.target) {
                    Ok(()) => state.body = Some(body),
                    Err(error) => state.end(Some(error)),
                },
                Poll::Ready(Some(Err(error))) => state.end(Some(error)),
                Poll::Ready(None) => state.end(None),
            }
        }
    }

    /// Takes the next event. Returns `None` at the end.
    pub(super) fn poll_take(&self, cx: &mut Context<'_>) -> Poll<Result<Option<ServerSentEvent>, Error>> {
        let state = &mut *self.state.borrow_mut();
        if let Some(event) = state.waiting.pop_front() {
            state.size -= event.size();
            if state.size < MAX_WAITING
                && let Some(reads) = state.reads.take()
            {
                reads.wake();
            }
            return Poll::Ready(Ok(Some(event)));
        }
        match state.error.take() {
            Some(error) => Poll::Ready(Err(error)),
            None if state.ended => Poll::Ready(Ok(None)),
            None => {
                state.takes = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// Ends the stream, and drops the body.
    pub(super) fn close(&self) {
        let body = {
            let state = &mut *self.state.borrow_mut();
            state.ended = true;
            state.body.take()
        };
        drop(body);
    }
}

impl State {
    fn decode(&mut self, mut part: Bytes, at: Instant, target: &Rc<Target>) -> Result<(), Error> {
        while let Some(decoded) = self.decoder.next(&mut part) {
            match decoded {
                Ok(SseEvent::Retry(milliseconds)) => self.retry = Some(Duration::from_millis(milliseconds.into())),
                Ok(SseEvent::Message(message)) => {
                    let event = ServerSentEvent::new(message, self.retry, at, target.clone());
                    self.size += event.size();
                    self.waiting.push_back(event);
                    self.wake();
                }
                Err(_) => {
                    let error = Error::new(ErrorKind::TooLarge, "an event is larger than `max_body`");
                    return Err(error.with_hint("raise `max_body`").at_url(&target.url));
                }
            }
        }
        Ok(())
    }

    fn end(&mut self, error: Option<Error>) {
        self.ended = true;
        self.error = error;
        self.wake();
    }

    fn wake(&mut self) {
        if let Some(takes) = self.takes.take() {
            takes.wake();
        }
    }
}
