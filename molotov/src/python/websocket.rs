//! WebSockets of scripts. `_websocket.py` adds aiohttp's interface.

use std::{cell::Cell, rc::Rc, task::Poll};

use futures_util::FutureExt;
use http::Method;
use pyo3::{
    exceptions::{PyConnectionResetError, PyValueError},
    prelude::*,
    types::{PyBytes, PyString},
};
use tokio_tungstenite::tungstenite::{self, protocol::CloseFrame};

use super::{awaitable::Awaitable, errors, gil_cell::GilCell, response::Response};
use crate::session::{Broken, Event, Fault, RequestBuilder, Socket, WebSocketBuilder};

// The numbers of aiohttp's `WSMsgType`.
const TEXT: u16 = 0x1;
const BINARY: u16 = 0x2;
const CLOSE: u16 = 0x8;
const PING: u16 = 0x9;
const PONG: u16 = 0xA;
const CLOSING: u16 = 0x100;
const CLOSED: u16 = 0x101;
const ERROR: u16 = 0x102;

/// An open WebSocket.
#[pyclass(frozen, module = "molotov._core")]
pub(super) struct WebSocket(GilCell<State>);

struct State {
    socket: Rc<Socket>,
    protocol: Option<String>,
    /// Set if `receive` has to return at once.
    interrupted: Rc<Cell<bool>>,
}

type Received = (u16, Option<Py<PyAny>>, Option<Py<PyAny>>);

impl WebSocket {
    fn send_frame(&self, py: Python<'_>, frame: tungstenite::Message) -> Awaitable {
        let socket = self.0.borrow(py).socket.clone();
        let mut sending = Box::pin(async move { socket.send(frame).await });
        let finish = |result: Result<(), crate::http::Error>| match result {
            Ok(()) => Python::attach(|py| Ok(py.None())),
            // The text is aiohttp's.
            Err(_) => Err(PyConnectionResetError::new_err("Cannot write to closing transport")),
        };
        // Most frames are written at once.
        match (&mut sending).now_or_never() {
            Some(result) => Awaitable::ready(finish(result)),
            None => Awaitable::work(Box::pin(async move { finish(sending.await) })),
        }
    }
}

#[pymethods]
impl WebSocket {
    #[getter]
    fn protocol(&self, py: Python<'_>) -> Option<String> {
        self.0.borrow(py).protocol.clone()
    }

    /// The address of the server, and that of this end if it is known.
    #[getter]
    fn addresses(&self, py: Python<'_>) -> ((String, u16), Option<(String, u16)>) {
        let (local, remote) = self.0.borrow(py).socket.addresses();
        let pair = |address: std::net::SocketAddr| (address.ip().to_string(), address.port());
        (pair(remote), local.map(pair))
    }

    fn send_text(&self, py: Python<'_>, text: &str) -> Awaitable {
        self.send_frame(py, tungstenite::Message::text(text))
    }

    /// Sends a frame with this opcode: a binary message, a ping or a pong.
    fn send(&self, py: Python<'_>, opcode: u16, data: &[u8]) -> PyResult<Awaitable> {
        let data = bytes::Bytes::copy_from_slice(data);
        let frame = match opcode {
            BINARY => tungstenite::Message::Binary(data),
            PING => tungstenite::Message::Ping(data),
            PONG => tungstenite::Message::Pong(data),
            other => return Err(PyValueError::new_err(format!("{other} is not the opcode of a message"))),
        };
        Ok(self.send_frame(py, frame))
    }

    /// Sends a close frame. `receive` returns the server's.
    fn send_close(&self, py: Python<'_>, code: u16, message: &[u8]) -> Awaitable {
        let reason = String::from_utf8_lossy(message).into_owned();
        self.0.borrow(py).socket.closes(code, &reason);
        let frame = CloseFrame { code: code.into(), reason: reason.into() };
        self.send_frame(py, tungstenite::Message::Close(Some(frame)))
    }

    /// Waits for the next frame or message: a type of aiohttp's messages with `data` and `extra`.
    fn receive(&self, py: Python<'_>) -> Awaitable {
        let (socket, interrupted) = {
            let state = self.0.borrow(py);
            (state.socket.clone(), state.interrupted.clone())
        };
        let next = std::future::poll_fn(move |cx| {
            if interrupted.take() {
                return Poll::Ready(None);
            }
            socket.poll_event(cx).map(Some)
        });
        Awaitable::work(Box::pin(async move {
            let event = next.await;
            Python::attach(|py| Ok(received(py, event)?.into_pyobject(py)?.into_any().unbind()))
        }))
    }

    /// Makes a waiting `receive` return at once.
    fn interrupt(&self, py: Python<'_>) {
        let state = self.0.borrow(py);
        state.interrupted.set(true);
        state.socket.wake_readers();
    }

    /// Closes the connection without a closing handshake.
    fn abort(&self, py: Python<'_>) {
        let socket = self.0.borrow(py).socket.clone();
        socket.abort(crate::session::ABNORMAL);
    }
}

fn received(py: Python<'_>, event: Option<Event>) -> PyResult<Received> {
    let bytes = |data: &[u8]| Some(PyBytes::new(py, data).into_any().unbind());
    let text = |text: &str| Some(PyString::new(py, text).into_any().unbind());
    let number = |code: u16| PyResult::Ok(Some(code.into_pyobject(py)?.into_any().unbind()));
    Ok(match event {
        None => (CLOSING, None, None),
        Some(Event::Message(message)) => match message.as_text() {
            Some(content) => (TEXT, text(content), text("")),
            None => (BINARY, bytes(message.as_bytes()), text("")),
        },
        Some(Event::Ping(data)) => (PING, bytes(&data), text("")),
        Some(Event::Pong(data)) => (PONG, bytes(&data), text("")),
        Some(Event::Close(close)) => {
            // aiohttp has no number for a missing code.
            let code = if close.code == crate::session::NO_STATUS { 0 } else { close.code };
            (CLOSE, number(code)?, text(&close.reason))
        }
        Some(Event::Broken(broken)) if broken.code == crate::session::ABNORMAL => (CLOSED, None, None),
        Some(Event::Broken(broken)) => (ERROR, number(broken.code)?, text(&aiohttp_text(&broken))),
    })
}

/// Returns the text of aiohttp's error.
fn aiohttp_text(broken: &Broken) -> String {
    match broken.code {
        1007 => "Invalid UTF-8 text message".to_owned(),
        _ => broken.message().to_owned(),
    }
}

/// Opens a WebSocket. The result has three parts: the response, the WebSocket if the server accepts it, and the fault if the
/// handshake is invalid.
pub(super) fn connect(
    request: RequestBuilder,
    name: Option<String>,
    info: Option<Py<PyAny>>,
    protocols: Vec<String>,
    max_message_size: usize,
) -> Awaitable {
    let mut builder = WebSocketBuilder::of_request(request).subprotocols(protocols).max_message_size(max_message_size);
    if let Some(name) = name {
        builder = builder.name(name);
    }
    Awaitable::work(Box::pin(async move {
        let mut handshake = match builder.start(true).await {
            Ok(handshake) => handshake,
            Err(error) => return Err(Python::attach(|py| errors::exception(py, &error))),
        };
        let (socket, fault) = match handshake.accepted.take() {
            None => (None, None),
            Some(Err(fault)) => (None, Some(message(&fault))),
            Some(Ok(accepted)) => (Some(handshake.open(accepted).await), None),
        };
        Python::attach(|py| {
            let socket = socket.map(|(socket, protocol)| {
                WebSocket(GilCell::new(State { socket, protocol, interrupted: Rc::default() }))
            });
            let response = match Response::shared_with_listeners(py, &handshake.response) {
                Some(known) => known.into_bound(py),
                None => Bound::new(py, Response::new(py, handshake.response, Method::GET, info)?)?,
            };
            Ok((response, socket, fault).into_pyobject(py)?.into_any().unbind())
        })
    }))
}

/// Returns aiohttp's message.
fn message(fault: &Fault) -> &'static str {
    match fault {
        Fault::Upgrade => "Invalid upgrade header",
        Fault::Connection => "Invalid connection header",
        Fault::Accept => "Invalid challenge response",
        Fault::Protocol(_) | Fault::Extension(_) | Fault::Transport => "Invalid response",
    }
}
