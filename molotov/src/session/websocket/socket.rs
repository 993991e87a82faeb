//! A connection after the handshake. Several tasks of a worker may use it at once.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::{Sink, Stream};
use tokio::sync::Mutex;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        self,
        protocol::{Role, WebSocketConfig},
    },
};
use url::Url;

use super::{
    close::{self, Broken, Close},
    message::Message,
    rows::Rows,
    wakers::Wakers,
};
use crate::http::{Error, ErrorKind, upgraded::Upgraded};

/// The size of the buffer that a connection reads into. It holds most messages, and thousands of connections have one.
const READ_BUFFER: usize = 8 * 1024;
/// The maximum size of the messages that wait for `recv`, in bytes, beside one of the maximum size.
const MAX_WAITING: usize = 64 << 20;

type Frames = WebSocketStream<Upgraded>;

/// An open WebSocket.
pub(crate) struct Socket {
    /// `None` once it has ended.
    stream: RefCell<Option<Frames>>,
    state: RefCell<State>,
    /// The tasks that wait for messages.
    readers: Arc<Wakers>,
    /// Wakes the readers.
    waker: Waker,
    /// How many futures wait for messages.
    waiting: Cell<usize>,
    /// Held while a message is written, so that messages are sent in order.
    sending: Mutex<()>,
    pub(super) rows: Rows,
    url: Url,
    max_message_size: usize,
    addresses: (Option<SocketAddr>, SocketAddr),
}

#[derive(Default)]
struct State {
    /// Messages that no future has taken yet.
    inbox: VecDeque<Message>,
    inbox_size: usize,
    /// Requests without an answer, in the order in which they were sent.
    requests: Vec<Request>,
    pings: Vec<Ping>,
    next_id: u64,
    /// When the close frame was sent or received, and what it says.
    closing: Option<(Instant, Close)>,
    end: Option<End>,
}

/// How a connection has ended.
#[derive(Clone)]
enum End {
    Closed(Close),
    Broken(Broken),
}

/// Decides whether a message is the answer to a request.
pub(super) type Matches = Box<dyn FnMut(&Message) -> bool>;

struct Request {
    id: u64,
    matches: Option<Matches>,
    answer: Option<Message>,
}

struct Ping {
    id: u64,
    data: Bytes,
    answered: Option<Instant>,
}

/// What has arrived.
#[derive(Debug)]
pub(crate) enum Event {
    Message(Message),
    Ping(Bytes),
    Pong(Bytes),
    /// The server has closed the WebSocket, or confirmed that we have.
    Close(Close),
    /// The connection has ended in another way.
    Broken(Broken),
}

impl Socket {
    pub(super) async fn new(connection: Upgraded, rows: Rows, url: Url, max_message_size: usize) -> Socket {
        let addresses = (connection.local(), connection.remote());
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(0)
            .max_message_size(Some(max_message_size))
            .max_frame_size(Some(max_message_size));
        let stream = WebSocketStream::from_raw_socket(connection, Role::Client, Some(config)).await;
        let readers = Arc::new(Wakers::default());
        Socket {
            stream: RefCell::new(Some(stream)),
            state: RefCell::default(),
            waker: Waker::from(Arc::clone(&readers)),
            readers,
            waiting: Cell::new(0),
            sending: Mutex::new(()),
            rows,
            url,
            max_message_size,
            addresses,
        }
    }

    /// Returns the address of this end, if it is known, and of the server.
    #[cfg(feature = "python")]
    pub(crate) fn addresses(&self) -> (Option<SocketAddr>, SocketAddr) {
        self.addresses
    }

    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    /// Returns how the WebSocket was closed, once a close frame was received or the connection was lost.
    pub(crate) fn close(&self) -> Option<(u16, String)> {
        match self.state.borrow().end.as_ref()? {
            End::Closed(close) => Some((close.code, close.reason.clone())),
            End::Broken(broken) => Some((broken.code, String::new())),
        }
    }

    pub(super) fn at(&self, error: Error) -> Error {
        error.at_url(&self.url)
    }

    /// Sends a frame. Once it is written, it will be sent even if the future is dropped.
    pub(crate) async fn send(&self, frame: tungstenite::Message) -> Result<(), Error> {
        let _guard = self.sending.lock().await;
        let is_data = matches!(frame, tungstenite::Message::Text(_) | tungstenite::Message::Binary(_));
        let mut frame = Some(frame);
        let sent = std::future::poll_fn(|cx| {
            let mut stream = self.stream.borrow_mut();
            let Some(stream) = stream.as_mut() else { return Poll::Ready(Err(None)) };
            let mut stream = std::pin::Pin::new(stream);
            if frame.is_some() {
                ready!(stream.as_mut().poll_ready(cx)).map_err(Some)?;
                if let Some(frame) = frame.take() {
                    stream.as_mut().start_send(frame).map_err(Some)?;
                    if is_data {
                        self.rows.count_sent();
                    }
                }
            }
            stream.as_mut().poll_flush(cx).map_err(Some)
        })
        .await;
        self.account();
        sent.map_err(|error| self.at(self.send_error(error.as_ref())))
    }

    fn send_error(&self, error: Option<&tungstenite::Error>) -> Error {
        let state = self.state.borrow();
        let closed = match (&state.end, &state.closing) {
            (Some(End::Broken(broken)), _) => return broken.error(),
            (Some(End::Closed(close)), _) | (None, Some((_, close))) => Some(close),
            (None, None) => None,
        };
        match (closed, error) {
            (Some(close), _) => {
                let by = if close.by_us { "the scenario" } else { "the server" };
                let reason = if close.reason.is_empty() { String::new() } else { format!(": {}", close.reason) };
                Error::new(ErrorKind::Closed, format!("{by} closed the WebSocket with code {}{reason}", close.code))
            }
            (None, Some(tungstenite::Error::Io(source))) => Broken::lost(Some(source)).error(),
            (None, Some(error)) => Error::new(ErrorKind::Request, format!("the message cannot be sent: {error}")),
            (None, None) => Broken::lost(None).error(),
        }
    }

    /// Reports transferred bytes.
    fn account(&self) {
        if let Some(stream) = &*self.stream.borrow() {
            self.rows.transferred(stream.get_ref().received(), stream.get_ref().sent());
        }
    }

    /// Polls for what arrives next. Handles the closing handshake.
    pub(crate) fn poll_event(&self, cx: &mut Context<'_>) -> Poll<Event> {
        match &self.state.borrow().end {
            Some(End::Closed(close)) => return Poll::Ready(Event::Close(close.clone())),
            Some(End::Broken(broken)) => return Poll::Ready(Event::Broken(broken.clone())),
            None => {}
        }
        self.readers.register(cx);
        let (item, at) = {
            let mut stream = self.stream.borrow_mut();
            let Some(stream) = stream.as_mut() else { return Poll::Pending };
            let item = ready!(std::pin::Pin::new(&mut *stream).poll_next(&mut Context::from_waker(&self.waker)));
            (item, stream.get_ref().arrived())
        };
        let event = match item {
            Some(Ok(tungstenite::Message::Text(text))) => Event::Message(Message::received_text(text, at)),
            Some(Ok(tungstenite::Message::Binary(bytes))) => Event::Message(Message::received_binary(bytes, at)),
            Some(Ok(tungstenite::Message::Ping(data))) => Event::Ping(data),
            Some(Ok(tungstenite::Message::Pong(data))) => Event::Pong(data),
            Some(Ok(tungstenite::Message::Close(Some(frame)))) if close::is_invalid(&frame) => {
                self.break_off(Broken::invalid_code())
            }
            Some(Ok(tungstenite::Message::Close(frame))) => self.received_close(Close::by_server(frame.as_ref()), at),
            Some(Ok(tungstenite::Message::Frame(_))) => Event::Pong(Bytes::new()),
            Some(Err(error)) => self.break_off(Broken::from_error(&error, self.max_message_size)),
            None => self.break_off(Broken::lost(None)),
        };
        if matches!(event, Event::Message(_)) {
            self.rows.count_received();
        }
        self.account();
        // Another future may wait for this event.
        if self.waiting.get() > 1 {
            self.readers.wake_all();
        }
        Poll::Ready(event)
    }

    fn received_close(&self, close: Close, at: Instant) -> Event {
        let closing = self.state.borrow_mut().closing.take();
        let (close, took) = match closing {
            // The code that the scenario chose says why it was closed.
            Some((since, ours)) => {
                let by_us = close.code == ours.code;
                let close = if close.code == close::NO_STATUS { ours } else { Close { by_us, ..close } };
                (close, at.saturating_duration_since(since))
            }
            None => {
                self.flush_now();
                (close, at.elapsed())
            }
        };
        self.finish(End::Closed(close.clone()), took);
        Event::Close(close)
    }

    /// Ends the connection because of an error. Sends the code to the server if it is still connected.
    fn break_off(&self, broken: Broken) -> Event {
        if broken.can_reply() {
            let frame = tungstenite::protocol::CloseFrame { code: broken.code.into(), reason: "".into() };
            self.send_now(tungstenite::Message::Close(Some(frame)));
        }
        self.finish(End::Broken(broken.clone()), Duration::ZERO);
        Event::Broken(broken)
    }

    /// Writes a frame if the socket accepts it at once.
    fn send_now(&self, frame: tungstenite::Message) {
        if let Some(stream) = self.stream.borrow_mut().as_mut() {
            let _ = std::pin::Pin::new(stream).start_send(frame);
        }
        self.flush_now();
    }

    /// Writes buffered frames, as far as the socket accepts them at once.
    fn flush_now(&self) {
        if let Some(stream) = self.stream.borrow_mut().as_mut() {
            let _ = std::pin::Pin::new(stream).poll_flush(&mut Context::from_waker(Waker::noop()));
        }
    }

    fn finish(&self, end: End, took: Duration) {
        self.account();
        match &end {
            End::Closed(close) => self.rows.closed(close, took),
            End::Broken(broken) => {
                let close = Close { code: broken.code, reason: String::new(), by_us: false };
                self.rows.closed(&close, took);
            }
        }
        self.state.borrow_mut().end = Some(end);
        drop(self.stream.borrow_mut().take());
        self.readers.wake_all();
    }

    /// Reads one event, and passes it to the future that waits for it. Returns `false` at the end of the connection.
    fn poll_dispatch(&self, cx: &mut Context<'_>) -> Poll<Result<bool, Error>> {
        let event = ready!(self.poll_event(cx));
        let event = match event {
            Event::Message(message) => match self.answer_with(message) {
                Some(message) => Event::Message(message),
                None => return Poll::Ready(Ok(true)),
            },
            other => other,
        };
        let mut state = self.state.borrow_mut();
        match event {
            Event::Message(message) => {
                if state.inbox_size > MAX_WAITING {
                    let what = "more than 64 MiB of messages wait to be received";
                    return Poll::Ready(Err(Error::new(ErrorKind::TooLarge, what).with_hint("call `recv` as well")));
                } else {
                    state.inbox_size += message.len();
                    state.inbox.push_back(message);
                }
            }
            Event::Pong(data) => {
                let now = Instant::now();
                if let Some(ping) = state.pings.iter_mut().find(|ping| ping.answered.is_none() && ping.data == data) {
                    ping.answered = Some(now);
                }
            }
            Event::Ping(_) => {}
            Event::Close(_) => return Poll::Ready(Ok(false)),
            Event::Broken(broken) => return Poll::Ready(Err(broken.error())),
        }
        Poll::Ready(Ok(true))
    }

    /// Passes a message to the first request that it answers. Returns it if there is none.
    fn answer_with(&self, message: Message) -> Option<Message> {
        // The function of the scenario may use the socket, so the state must not be borrowed.
        let mut requests = std::mem::take(&mut self.state.borrow_mut().requests);
        let mut waiting = requests.iter_mut().filter(|request| request.answer.is_none());
        let asked = waiting.find_map(|request| {
            let answers = request.matches.as_mut().is_none_or(|matches| matches(&message));
            answers.then_some(request)
        });
        let left = match asked {
            Some(request) => {
                request.answer = Some(message);
                None
            }
            None => Some(message),
        };
        let mut state = self.state.borrow_mut();
        requests.append(&mut state.requests);
        state.requests = requests;
        left
    }

    /// Polls for the next message that answers no request. Returns `None` once the WebSocket is closed.
    pub(super) fn poll_recv(&self, cx: &mut Context<'_>) -> Poll<Result<Option<Message>, Error>> {
        loop {
            {
                let mut state = self.state.borrow_mut();
                if let Some(message) = state.inbox.pop_front() {
                    state.inbox_size -= message.len();
                    return Poll::Ready(Ok(Some(message)));
                }
            }
            if !ready!(self.poll_dispatch(cx)).map_err(|error| self.at(error))? {
                return Poll::Ready(Ok(None));
            }
        }
    }

    /// Registers a request that waits for its answer.
    pub(super) fn expect_answer(&self, matches: Option<Matches>) -> Expected<'_> {
        let mut state = self.state.borrow_mut();
        state.next_id += 1;
        let id = state.next_id;
        state.requests.push(Request { id, matches, answer: None });
        Expected { waiting: self.waits(), id }
    }

    /// Registers a ping that waits for its pong.
    pub(super) fn expect_pong(&self, data: Bytes) -> Expected<'_> {
        let mut state = self.state.borrow_mut();
        state.next_id += 1;
        let id = state.next_id;
        state.pings.push(Ping { id, data, answered: None });
        Expected { waiting: self.waits(), id }
    }

    /// Registers a future that waits for messages.
    pub(super) fn waits(&self) -> Waiting<'_> {
        self.waiting.set(self.waiting.get() + 1);
        Waiting(self)
    }

    /// Sends a close frame and waits for the server's. What arrives before it is kept for `recv`.
    pub(super) async fn close_with(
        &self,
        close: Close,
        frame: Option<tungstenite::protocol::CloseFrame>,
    ) -> Result<(), Error> {
        if self.state.borrow().end.is_some() {
            return Ok(());
        }
        let _waiting = self.waits();
        if self.state.borrow().closing.is_none() {
            self.state.borrow_mut().closing = Some((Instant::now(), close));
            if self.send(tungstenite::Message::Close(frame)).await.is_err() {
                // If the server has closed it meanwhile, the loop below reads its close frame.
                self.state.borrow_mut().closing = None;
            }
        }
        std::future::poll_fn(|cx| {
            loop {
                match ready!(self.poll_dispatch(cx)) {
                    Ok(true) => {}
                    Ok(false) => return Poll::Ready(Ok(())),
                    Err(error) => return Poll::Ready(Err(self.at(error))),
                }
            }
        })
        .await
    }

    /// Stores the close frame that is about to be sent.
    #[cfg(feature = "python")]
    pub(crate) fn closes(&self, code: u16, reason: &str) {
        let close = Close { code, reason: reason.to_owned(), by_us: true };
        self.state.borrow_mut().closing.get_or_insert((Instant::now(), close));
    }

    /// Wakes all futures that wait for messages.
    #[cfg(feature = "python")]
    pub(crate) fn wake_readers(&self) {
        self.readers.wake_all();
    }

    /// Ends the connection without waiting for the server.
    pub(crate) fn abort(&self, code: u16) {
        if self.state.borrow().end.is_none() {
            self.finish(End::Broken(Broken::aborted(code)), Duration::ZERO);
        }
    }
}

/// A scenario that drops a WebSocket closes it, without waiting for the server.
impl Drop for Socket {
    fn drop(&mut self) {
        if self.state.get_mut().end.is_some() {
            return;
        }
        if self.rows.is_cutting() {
            self.account();
            self.rows.interrupted();
            return;
        }
        let close = match self.state.get_mut().closing.take() {
            Some((_, close)) => close,
            None => {
                let frame = tungstenite::protocol::CloseFrame { code: 1000.into(), reason: "".into() };
                // Has no effect outside a runtime.
                self.send_now(tungstenite::Message::Close(Some(frame)));
                Close { code: 1000, reason: String::new(), by_us: true }
            }
        };
        self.account();
        self.rows.closed(&close, Duration::ZERO);
    }
}

/// A future that waits for messages.
pub(super) struct Waiting<'a>(&'a Socket);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.set(self.0.waiting.get() - 1);
    }
}

/// A request that waits for its answer, or a ping that waits for its pong.
pub(super) struct Expected<'a> {
    waiting: Waiting<'a>,
    id: u64,
}

impl Expected<'_> {
    /// Waits for the answer.
    pub(super) async fn answer(&self) -> Result<Message, Error> {
        self.until(|state| {
            let request = state.requests.iter_mut().find(|request| request.id == self.id)?;
            request.answer.take()
        })
        .await
    }

    /// Waits for the pong, and returns when it arrived.
    pub(super) async fn pong(&self) -> Result<Instant, Error> {
        self.until(|state| state.pings.iter_mut().find(|ping| ping.id == self.id)?.answered).await
    }

    async fn until<T>(&self, mut take: impl FnMut(&mut State) -> Option<T>) -> Result<T, Error> {
        let socket = self.waiting.0;
        std::future::poll_fn(|cx| {
            loop {
                if let Some(taken) = take(&mut socket.state.borrow_mut()) {
                    return Poll::Ready(Ok(taken));
                }
                match ready!(socket.poll_dispatch(cx)) {
                    Ok(true) => {}
                    Ok(false) => return Poll::Ready(Err(socket.at(socket.send_error(None)))),
                    Err(error) => return Poll::Ready(Err(socket.at(error))),
                }
            }
        })
        .await
    }
}

impl Drop for Expected<'_> {
    fn drop(&mut self) {
        let mut state = self.waiting.0.state.borrow_mut();
        state.requests.retain(|request| request.id != self.id);
        state.pings.retain(|ping| ping.id != self.id);
    }
}

/// Returns the size of a frame with a payload of this size. Frames of a client are masked.
pub(super) fn frame_size(payload: usize, masked: bool) -> u64 {
    let length = match payload {
        0..=125 => 0,
        126..=65535 => 2,
        _ => 8,
    };
    2 + length + if masked { 4 } else { 0 } + payload as u64
}
