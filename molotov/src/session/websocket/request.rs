//! Messages with an answer.

use std::{borrow::Cow, fmt, time::Duration};

use futures_util::future::LocalBoxFuture;

use super::{
    WebSocket,
    message::Message,
    socket::{Matches, frame_size},
};
use crate::{http::Error, metrics::WEBSOCKET};

/// A message that is sent when this is awaited, and whose answer is the result. See [`WebSocket::request`].
#[must_use = "a request does nothing until it is awaited"]
pub struct WebSocketRequest<'a> {
    socket: &'a WebSocket,
    message: Message,
    name: Option<Cow<'static, str>>,
    matches: Option<Matches>,
    timeout: Duration,
}

impl<'a> WebSocketRequest<'a> {
    pub(super) fn new(socket: &'a WebSocket, message: Message) -> WebSocketRequest<'a> {
        WebSocketRequest { socket, message, name: None, matches: None, timeout: socket.timeout }
    }

    /// Sets the name of the row, such as `"join room"`. The row is named after the protocol, too: `WS join room`.
    pub fn name(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets which message is the answer. Other messages are kept for [`recv`](WebSocket::recv) and for other requests.
    pub fn matching(mut self, matches: impl FnMut(&Message) -> bool + 'static) -> Self {
        self.matches = Some(Box::new(matches));
        self
    }

    /// Sets the timeout. The default is that of the session.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sends the message and waits for its answer.
    ///
    /// # Errors
    ///
    /// Returns an error if the WebSocket is closed before the answer arrives, and the errors of [`WebSocket::send`] and
    /// [`WebSocket::recv`].
    pub async fn send(self) -> Result<Message, Error> {
        let WebSocketRequest { socket, message, name, matches, timeout } = self;
        let socket_ = &socket.socket;
        let name = name.unwrap_or_else(|| socket_.rows.of("request").into());
        let mut operation = socket_.rows.context().operation(WEBSOCKET, name).await;
        let sent = frame_size(message.len(), true);
        let exchange = async {
            let expected = socket_.expect_answer(matches);
            socket_.rows.belong_to_request(0, sent);
            socket_.send(message.into_frame()).await?;
            expected.answer().await
        };
        let answer = socket.within(timeout, exchange, "no answer came").await;
        operation.add_sent(sent);
        if let Ok(answer) = &answer {
            operation.add_received(frame_size(answer.len(), false));
            if let Some(at) = answer.received_at() {
                operation.ended_at(at);
            }
        }
        operation.finish(answer).await
    }
}

/// Awaiting a request sends its message, like [`send`](WebSocketRequest::send).
impl<'a> IntoFuture for WebSocketRequest<'a> {
    type Output = Result<Message, Error>;
    type IntoFuture = LocalBoxFuture<'a, Result<Message, Error>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

impl fmt::Debug for WebSocketRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketRequest")
            .field("name", &self.name)
            .field("message", &self.message)
            .finish_non_exhaustive()
    }
}
