//! The bodies of responses: a page, or a stream of events.

use std::{
    collections::VecDeque,
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::stream::{self, Stream};
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::watch;

/// The body of a response.
pub(super) enum Content {
    /// The rest of a body, in parts.
    Whole(VecDeque<Bytes>),
    Events(Pin<Box<dyn Stream<Item = Bytes> + Send>>),
}

/// The last event that was published. An empty one ends the streams: the run is lost.
#[derive(Debug, Clone, Default)]
pub(super) struct Published {
    pub(super) event: Bytes,
    /// Whether the run has ended, so that no other event follows.
    pub(super) last: bool,
}

impl Content {
    pub(super) fn whole(text: impl Into<Bytes>) -> Content {
        Content::parts([text.into()])
    }

    pub(super) fn parts(parts: impl IntoIterator<Item = Bytes>) -> Content {
        Content::Whole(parts.into_iter().filter(|part| !part.is_empty()).collect())
    }

    /// Returns the stream of `first` and of what is published from now on.
    ///
    /// A viewer that reads slowly misses events in between, so that nothing waits for it.
    pub(super) fn events(first: Published, later: watch::Receiver<Published>) -> Content {
        let state = (Some(first), Some(later));
        Content::Events(Box::pin(stream::unfold(state, |(now, later)| async move {
            let mut later = later?;
            let published = match now {
                Some(published) => published,
                None => {
                    later.changed().await.ok()?;
                    later.borrow_and_update().clone()
                }
            };
            if published.event.is_empty() {
                return None;
            }
            let later = (!published.last).then_some(later);
            Some((published.event, (None, later)))
        })))
    }
}

impl Body for Content {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = match self.get_mut() {
            Content::Whole(parts) => Poll::Ready(parts.pop_front()),
            Content::Events(events) => events.as_mut().poll_next(context),
        };
        next.map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Content::Whole(parts) if parts.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Content::Whole(parts) => SizeHint::with_exact(parts.iter().map(Bytes::len).sum::<usize>() as u64),
            Content::Events(_) => SizeHint::default(),
        }
    }
}
