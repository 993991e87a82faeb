//! Bodies of requests for transports that send them from another task, such as those of hyper.
//!
//! A stream of a session must stay on its thread. A [`Pump`] polls it there, and moves its parts through a channel to the
//! [`Outgoing`] body. If the pump is dropped before the stream ends, the body fails, so that the server does not mistake a
//! part of the body for all of it.

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

/// The body that hyper sends.
pub(crate) enum Outgoing {
    Whole(Bytes),
    Streamed { pieces: mpsc::Receiver<Piece>, length: Option<u64> },
}

pub(crate) enum Piece {
    Data(Bytes),
    Failed(BoxError),
    End,
}

/// The part of a body that is still to be sent.
pub(crate) struct Pump {
    state: State,
    moved: u64,
}

enum State {
    Running {
        stream: LocalByteStream,
        sender: PollSender<Piece>,
        /// How many bytes the stream has yet to yield, if its length is known.
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
    /// Returns how many bytes of the body were passed to the transport.
    pub(crate) fn moved(&self) -> u64 {
        self.moved
    }

    /// Waits for the response, and sends the body meanwhile.
    ///
    /// # Errors
    ///
    /// Returns an error if the stream of the body fails or does not have its stated length, or if the response takes longer
    /// than `read_timeout` after the body was sent.
    pub(crate) async fn until<F: Future>(
        &mut self,
        response: F,
        read_timeout: Option<Duration>,
    ) -> Result<F::Output, Error> {
        let mut response = pin!(response);
        let mut limit = read_timeout.map(ReadLimit::new);
        poll_fn(|cx| {
            if let Poll::Ready(Err(source)) = self.poll(cx) {
                let message = format!("the body of the request failed: {source}");
                return Poll::Ready(Err(Error::new(ErrorKind::Body, message).with_source(source)));
            }
            let polled = response.as_mut().poll(cx).map(Ok);
            if polled.is_pending()
                && let Some(limit) = &mut limit
                && matches!(self.state, State::Done)
                && limit.poll(cx).is_ready()
            {
                return Poll::Ready(Err(timeout::read_timeout()));
            }
            polled
        })
        .await
    }

    /// Returns the body of the response. Reading it sends the rest of the request, and it holds the permit until its end.
    pub(crate) fn while_reading<S>(
        mut self,
        response: S,
        permit: Option<Permit>,
    ) -> impl Stream<Item = Result<Bytes, Error>>
    where
        S: Stream<Item = Result<Bytes, Error>>,
    {
        let mut response = Box::pin(response);
        stream::poll_fn(move |cx| {
            let _ = &permit;
            // If the request's body fails, the transport cancels the request, and reading the response fails, too.
            let _ = self.poll(cx);
            response.as_mut().poll_next(cx)
        })
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        while let State::Running { stream, sender, left } = &mut self.state {
            match sender.poll_reserve(cx) {
                Poll::Pending => return Poll::Pending,
                // The transport has dropped the body, so the request has ended.
                Poll::Ready(Err(_)) => {
                    self.state = State::Done;
                    break;
                }
                Poll::Ready(Ok(())) => {}
            }
            let piece = match stream.as_mut().poll_next(cx) {
                Poll::Pending => return Poll::Pending,
                // Empty frames are not sent, because servers close HTTP/2 connections with many of them. Returning lets the
                // deadline be checked even if the stream yields nothing else.
                Poll::Ready(Some(Ok(bytes))) if bytes.is_empty() => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Poll::Ready(Some(Ok(bytes))) => count(left, bytes.len() as u64).map(|()| Piece::Data(bytes)),
                Poll::Ready(Some(Err(error))) => Err(error),
                Poll::Ready(None) if left.is_some_and(|left| left > 0) => Err(wrong_length("shorter")),
                Poll::Ready(None) => Ok(Piece::End),
            };
            // A slot is reserved. If the transport is gone, the next poll notices.
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
