//! WebSockets over the connections of a session.

mod builder;
mod close;
mod handshake;
mod message;
mod request;
mod rows;
mod socket;
mod wakers;

use std::{
    fmt,
    future::{Future, poll_fn},
    rc::Rc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::HeaderMap;
use serde::{Serialize, de::DeserializeOwned};
use tokio_tungstenite::tungstenite;

use self::close::Close;
pub(crate) use self::handshake::Upgrade;
#[cfg(test)]
pub(crate) use self::handshake::accept_key;
pub use self::{builder::WebSocketBuilder, message::Message, request::WebSocketRequest};
pub(crate) use self::{close::ABNORMAL, socket::Socket};
#[cfg(feature = "python")]
pub(crate) use self::{
    close::{Broken, NO_STATUS},
    handshake::Fault,
    socket::Event,
};
use super::Session;
use crate::{
    http::{Error, ErrorKind},
    metrics::WEBSOCKET,
    secrets,
};

/// How long [`WebSocket::close`] waits for the server.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

impl Session {
    /// Builds a WebSocket. The URL may have the scheme `ws`, `wss`, `http` or `https`.
    ///
    /// ```no_run
    /// # use molotov::prelude::*;
    /// #[scenario]
    /// async fn chat(session: &Session) -> Result<()> {
    ///     let socket = session.websocket("ws://127.0.0.1:8080/chat").connect().await?;
    ///     let reply = socket.request("hello").name("hello").await?;
    ///     assert_eq!(reply, "hello to you");
    ///     socket.close(1000, "bye").await?;
    ///     Ok(())
    /// }
    /// ```
    pub fn websocket(&self, url: impl AsRef<str>) -> WebSocketBuilder {
        WebSocketBuilder::new(self, url.as_ref())
    }
}

/// An open WebSocket.
///
/// [`Session::websocket`] opens one. Clones refer to the same connection. All methods take `&self`, so that one future can send
/// while another one receives:
///
/// ```no_run
/// # use molotov::prelude::*;
/// # async fn sample(session: &Session) -> Result<()> {
/// let socket = session.websocket("ws://127.0.0.1:8080/chat").connect().await?;
/// let send = async {
///     for n in 0..10 {
///         socket.send(format!("message {n}")).await?;
///     }
///     socket.close(1000, "").await
/// };
/// let receive = async {
///     let mut received = 0;
///     while socket.recv().await?.is_some() {
///         received += 1;
///     }
///     Ok(received)
/// };
/// let ((), received) = tokio::try_join!(send, receive)?;
/// assert_eq!(received, 10);
/// # Ok(()) }
/// ```
///
/// The table has rows for the handshake (`WS connect /chat`), for [requests](Self::request), for [pings](Self::ping), and for the
/// end of the connection (`WS close /chat`) with the close code as its status. Messages are counted as `WS /chat sent` and
/// `WS /chat received`.
///
/// Pings of the server are answered while a future receives. Dropping the last clone sends a close frame with the code 1000,
/// without waiting for the server.
#[derive(Clone)]
pub struct WebSocket {
    socket: Rc<Socket>,
    protocol: Option<Rc<str>>,
    headers: Rc<HeaderMap>,
    timeout: Duration,
}

impl WebSocket {
    /// Sends a message, and returns once the socket has accepted it.
    ///
    /// # Errors
    ///
    /// Returns an error if the WebSocket is closed or the connection is lost.
    pub async fn send(&self, message: impl Into<Message>) -> Result<(), Error> {
        self.socket.send(message.into().into_frame()).await
    }

    /// Sends a value as JSON, in a text message.
    ///
    /// # Errors
    ///
    /// Returns an error if the value cannot be written as JSON, and the errors of [`send`](Self::send).
    pub async fn send_json<T: Serialize + ?Sized>(&self, value: &T) -> Result<(), Error> {
        self.send(json(value)?).await
    }

    /// Waits for the next message that answers no [request](Self::request). Returns `None` once the WebSocket is closed; see
    /// [`close_code`](Self::close_code).
    ///
    /// There is no timeout. Dropping the future loses no message.
    ///
    /// # Errors
    ///
    /// Returns an error if the server closes the connection without a close frame, breaks the protocol, or sends a message that
    /// is too large. The WebSocket is closed then.
    pub async fn recv(&self) -> Result<Option<Message>, Error> {
        let _waiting = self.socket.waits();
        poll_fn(|cx| self.socket.poll_recv(cx)).await
    }

    /// Waits for the next message, and decodes it as JSON. Returns `None` once the WebSocket is closed.
    ///
    /// # Errors
    ///
    /// Returns an error if the message is not JSON of this type, and the errors of [`recv`](Self::recv).
    pub async fn recv_json<T: DeserializeOwned>(&self) -> Result<Option<T>, Error> {
        match self.recv().await? {
            Some(message) => message.json().map(Some).map_err(|error| self.socket.at(error)),
            None => Ok(None),
        }
    }

    /// Sends a message and waits for its answer. The time from sending to the last byte of the answer is the latency of the row
    /// `WS request /chat`, or of another [name](WebSocketRequest::name).
    ///
    /// The answer is the next message, or the next one that [matches](WebSocketRequest::matching). Await the request, or change
    /// it before:
    ///
    /// ```no_run
    /// # use molotov::{prelude::*, session::WebSocket};
    /// # async fn sample(socket: &WebSocket) -> Result<()> {
    /// let question = json!({"id": 7, "text": "hello"}).to_string();
    /// let answer = socket
    ///     .request(question)
    ///     .name("say hello")
    ///     .matching(|answer| answer.json::<Value>().is_ok_and(|answer| answer["id"] == 7))
    ///     .timeout(secs(5))
    ///     .await?;
    /// # Ok(()) }
    /// ```
    pub fn request(&self, message: impl Into<Message>) -> WebSocketRequest<'_> {
        WebSocketRequest::new(self, message.into())
    }

    /// Sends a ping and waits for its pong. The time between them is the latency of the row `WS ping /chat`.
    ///
    /// # Errors
    ///
    /// Returns an error if the WebSocket is closed or the connection is lost, or if there is no pong within the timeout of the
    /// session.
    pub async fn ping(&self) -> Result<Duration, Error> {
        let data = Bytes::copy_from_slice(&fastrand::u64(..).to_be_bytes());
        let mut operation = self.socket.rows.context().operation(WEBSOCKET, self.socket.rows.of("ping")).await;
        let started = Instant::now();
        let exchange = async {
            let expected = self.socket.expect_pong(data.clone());
            self.socket.send(tungstenite::Message::Ping(data)).await?;
            expected.pong().await
        };
        let ponged = self.within(self.timeout, exchange, "no pong came").await;
        if let Ok(at) = &ponged {
            operation.ended_at(*at);
        }
        operation.finish(ponged).await.map(|at| at.saturating_duration_since(started))
    }

    /// Closes the WebSocket: sends a close frame, and waits up to 10 s for the server's. Messages that arrive before it are kept
    /// for [`recv`](Self::recv). Has no effect if the WebSocket is closed.
    ///
    /// Codes for applications are 1000 (done), 1001 (going away), and those from 3000 to 4999.
    ///
    /// # Errors
    ///
    /// Returns an error if the code cannot be sent, the reason is longer than 123 bytes, the connection is lost, or the server
    /// does not reply.
    pub async fn close(&self, code: u16, reason: &str) -> Result<(), Error> {
        let frame = close::frame(code, reason).map_err(|error| self.socket.at(error))?;
        let close = Close { code, reason: reason.to_owned(), by_us: true };
        let closed =
            self.within(CLOSE_TIMEOUT, self.socket.close_with(close, Some(frame)), "no close frame came").await;
        if closed.is_err() {
            self.socket.abort(ABNORMAL);
        }
        closed
    }

    /// Returns whether the WebSocket is closed.
    pub fn is_closed(&self) -> bool {
        self.close_code().is_some()
    }

    /// Returns the close code: the one that the server sent, 1005 if it sent none, 1006 if the connection was lost, or the code
    /// of the error that ended it: 1002 (protocol), 1007 (not UTF-8) or 1009 (too large). `None` while the WebSocket is open.
    pub fn close_code(&self) -> Option<u16> {
        self.socket.close().map(|(code, _)| code)
    }

    /// Returns the reason that the server gave for closing. `None` while the WebSocket is open.
    pub fn close_reason(&self) -> Option<String> {
        self.socket.close().map(|(_, reason)| reason)
    }

    /// Returns the subprotocol that the server has chosen.
    pub fn subprotocol(&self) -> Option<&str> {
        self.protocol.as_deref()
    }

    /// Returns the headers of the server's handshake.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    async fn within<T>(
        &self,
        timeout: Duration,
        exchange: impl Future<Output = Result<T, Error>>,
        what: &str,
    ) -> Result<T, Error> {
        match tokio::time::timeout(timeout, exchange).await {
            Ok(result) => result,
            Err(_) => {
                let error = Error::new(ErrorKind::Timeout, format!("{what} within {timeout:?}"));
                Err(self.socket.at(error.with_hint("raise the timeout, or look at the server")))
            }
        }
    }
}

impl fmt::Debug for WebSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket")
            .field("url", &secrets::mask_url(self.socket.url()))
            .field("close_code", &self.close_code())
            .finish()
    }
}

fn json<T: Serialize + ?Sized>(value: &T) -> Result<String, Error> {
    serde_json::to_string(value)
        .map_err(|error| Error::new(ErrorKind::Builder, "the value cannot be written as JSON").with_source(error))
}
