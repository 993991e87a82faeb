//! Bodies of requests for transports that send from a task of their own, as hyper's do.
//!
//! A stream of the session must stay on its thread. A [`Pump`] polls it there, and moves its pieces through a channel to
//! the [`Outgoing`] body. Until the end of the stream has gone through, that body is incomplete: if the pump is dropped
//! before, the body fails, so that the server does not take a part for the whole.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{Stream, stream};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::mpsc;
use tokio_util::sync::PollSender;

use super::{
    BoxError, Error, ErrorKind,
    length::{count, wrong_length},
    permits::Permit,
    request::{Body, LocalByteStream},
    timeout::{self, ReadLimit},
};

/// The body as hyper sends it.
pub(crate) enum Outgoing {
    Whole(Bytes),
    Streamed { pieces: mpsc::Receiver<Piece>, length: Option<u64> },
}

pub(crate) enum Piece {
    Data(Bytes),
    Failed(BoxError),
    End,
}

/// What of the body is still to be moved.
pub(crate) struct Pump {
    state: State,
    moved: u64,
}

enum State {
    Running {
        stream: LocalByteStream,
        sender: PollSender<Piece>,
        /// Bytes that the stream has still to yield, where its length is known.
        left: Option<u64>,
    },
    Done,
}

/// Takes the body out of the request if it is a stream.
pub(crate) fn outgoing(body: &mut Body) -> (Outgoing, Pump) {
    let whole = |bytes: Bytes| {
        let moved = bytes.len() as u64;
        (Outgoing::Whole(bytes), Pump { state: State::Done, moved })
    };
    if let Body::Bytes(bytes) = body {
        return whole(bytes.clone());
    }
    let Body::Stream { stream, length } = std::mem::take(body) else { return whole(Bytes::new()) };
    let (sender, pieces) = mpsc::channel(1);
    let state = State::Running { stream, sender: PollSender::new(sender), left: length };
    (Outgoing::Streamed { pieces, length }, Pump { state, moved: 0 })
}

impl Pump {
    /// Bytes of body that were handed to the transport.
    pub(crate) fn moved(&self) -> u64 {
        self.moved
    }

    /// Waits for the answer, and sends the body meanwhile.
    ///
    /// # Errors
    /// When the body's stream fails, or does not have the length that it says; when the answer takes longer than
    /// `read_timeout` once the body is sent.
    pub(crate) async fn until<F: Future>(
        &mut self,
        answer: F,
        read_timeout: Option<Duration>,
    ) -> Result<F::Output, Error> {
        let mut answer = pin!(answer);
        let mut limit = read_timeout.map(ReadLimit::new);
        poll_fn(|cx| {
            if let Poll::Ready(Err(source)) = self.poll(cx) {
                let message = format!("the body of the request failed: {source}");
                return Poll::Ready(Err(Error::new(ErrorKind::Body, message).with_source(source)));
            }
            let answered = answer.as_mut().poll(cx).map(Ok);
            if answered.is_pending()
                && let Some(limit) = &mut limit
                && matches!(self.state, State::Done)
                && limit.poll(cx).is_ready()
            {
                return Poll::Ready(Err(timeout::read_timeout()));
            }
            answered
        })
        .await
    }

    /// The body of the answer; sends the rest of the request while it is read, and holds the permit until it ends.
    pub(crate) fn beside<S>(mut self, answer: S, permit: Option<Permit>) -> impl Stream<Item = Result<Bytes, Error>>
    where
        S: Stream<Item = Result<Bytes, Error>>,
    {
        let mut answer = Box::pin(answer);
        stream::poll_fn(move |cx| {
            let _ = &permit;
            // If the request's body fails now, the transport ends the exchange, and reading the answer fails too.
            let _ = self.poll(cx);
            answer.as_mut().poll_next(cx)
        })
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        while let State::Running { stream, sender, left } = &mut self.state {
            match sender.poll_reserve(cx) {
                Poll::Pending => return Poll::Pending,
                // The transport has dropped the body: the request is over.
                Poll::Ready(Err(_)) => {
                    self.state = State::Done;
                    break;
                }
                Poll::Ready(Ok(())) => {}
            }
            let piece = match stream.as_mut().poll_next(cx) {
                Poll::Pending => return Poll::Pending,
                // Servers close an HTTP/2 connection that sends many empty frames. A stream of nothing else still has to
                // let the deadline be looked at.
                Poll::Ready(Some(Ok(bytes))) if bytes.is_empty() => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Poll::Ready(Some(Ok(bytes))) => count(left, bytes.len() as u64).map(|()| Piece::Data(bytes)),
                Poll::Ready(Some(Err(error))) => Err(error),
                Poll::Ready(None) if left.is_some_and(|left| left > 0) => Err(wrong_length("shorter")),
                Poll::Ready(None) => Ok(Piece::End),
            };
            // A place is reserved; if the transport has gone meanwhile, the next poll notices.
            match piece {
                Ok(Piece::Data(bytes)) => {
                    self.moved += bytes.len() as u64;
                    let _ = sender.send_item(Piece::Data(bytes));
                }
                Ok(end) => {
                    let _ = sender.send_item(end);
                    self.state = State::Done;
                }
                Err(error) => {
                    let _ = sender.send_item(Piece::Failed(error.to_string().into()));
                    self.state = State::Done;
                    return Poll::Ready(Err(error));
                }
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl HttpBody for Outgoing {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.get_mut() {
            Self::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Streamed { pieces, .. } => pieces.poll_recv(cx).map(|piece| match piece {
                Some(Piece::Data(bytes)) => Some(Ok(Frame::data(bytes))),
                Some(Piece::Failed(error)) => Some(Err(error)),
                Some(Piece::End) => None,
                None => Some(Err("the request was dropped before its body had ended".into())),
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Streamed { length: Some(length), .. } => SizeHint::with_exact(*length),
            Self::Streamed { length: None, .. } => SizeHint::default(),
        }
    }
}
