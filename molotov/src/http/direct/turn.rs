//! Sends the requests that a thread makes in a turn of its event loop together.
//!
//! In a turn, many workers handle a response and make their next request. A server on the same machine that has nothing to do sleeps.
//! If the requests arrived one by one, with the work of a worker between them, it would fall asleep and be woken for each of them, and
//! to wake it takes longer than to send. A thread that has little to do sends each request at once.

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    io, mem,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// The number of requests that are sent before the turn ends, so that the first of them do not wait long.
const MOST: usize = 16;

/// How long a request waits before it is sent with the next one, if scenarios block the thread.
const LONGEST: Duration = Duration::from_millis(1);

/// The requests of the next turn wait for its end if this one had as many.
const MANY: usize = 8;

/// If requests do not wait, the end of a turn is only noticed after as many. So a few small turns count as one.
const FEW: usize = 4;

thread_local! {
    /// `None` if requests are sent at once.
    static TURN: RefCell<Option<Turn>> = const { RefCell::new(None) };
}

/// What a thread sends at the end of its turn.
struct Turn {
    /// How many requests it has had so far, with those that were sent at once.
    made: usize,
    /// Whether its requests wait.
    waits: bool,
    requests: Vec<Request>,
    /// Their bytes, one after the other.
    bytes: Vec<u8>,
    /// Wakes the task that ends the turn.
    end: Option<Waker>,
}

struct Request {
    stream: Rc<Inner>,
    made: Instant,
    /// Where its bytes end.
    end: usize,
    task: Waker,
}

/// A TCP stream that can send its requests at the end of a turn. What waits is not sent once it is dropped.
pub(super) struct Stream(Rc<Inner>);

struct Inner {
    stream: RefCell<TcpStream>,
    request: Cell<State>,
}

/// The state of the request of a stream.
#[derive(Default)]
enum State {
    #[default]
    None,
    Waits,
    Sent(Result<(), Box<NotSent>>),
}

/// Why a request was not sent with the others.
pub(super) enum NotSent {
    /// The stream does not take more bytes now. These are left.
    Full(Bytes),
    Failed(io::Error),
}

impl Stream {
    pub(super) fn new(stream: TcpStream) -> Stream {
        Stream(Rc::new(Inner { stream: RefCell::new(stream), request: Cell::default() }))
    }

    /// Calls a function with the stream.
    pub(super) fn with<T>(&self, function: impl FnOnce(&mut TcpStream) -> T) -> T {
        function(&mut self.0.stream.borrow_mut())
    }

    /// Lets a request that is made `now` wait for the end of the turn. Returns what `encode` returns, which appends its bytes; `None`
    /// if the request is to be sent at once. The task is woken if the request cannot be sent as a whole. After an error, nothing
    /// is sent.
    pub(super) fn send_later<T>(
        &self,
        cx: &Context<'_>,
        now: Instant,
        encode: impl FnOnce(&mut Vec<u8>) -> io::Result<T>,
    ) -> Option<io::Result<T>> {
        let (encoded, is_full) = TURN.with_borrow_mut(|turn| {
            let turn = turn.as_mut()?;
            turn.made += 1;
            if turn.made == if turn.waits { 1 } else { FEW }
                && let Some(end) = &turn.end
            {
                end.wake_by_ref();
            }
            if !turn.waits {
                return None;
            }
            let start = turn.bytes.len();
            let encoded = encode(&mut turn.bytes);
            if encoded.is_err() {
                turn.bytes.truncate(start);
                return Some((encoded, false));
            }
            self.0.request.set(State::Waits);
            turn.requests.push(Request {
                stream: Rc::clone(&self.0),
                made: now,
                end: turn.bytes.len(),
                task: cx.waker().clone(),
            });
            let waited =
                turn.requests.first().map_or(Duration::ZERO, |first| now.saturating_duration_since(first.made));
            Some((encoded, turn.requests.len() >= MOST || waited >= LONGEST))
        })?;
        if is_full {
            send();
        }
        Some(encoded)
    }

    fn waits(&self) -> bool {
        let state = self.0.request.take();
        let waits = matches!(state, State::Waits);
        self.0.request.set(state);
        waits
    }

    /// Returns what came of the request once it does not wait any more.
    pub(super) fn sent(&self) -> Option<Result<(), Box<NotSent>>> {
        match self.0.request.take() {
            State::None => None,
            State::Waits => {
                self.0.request.set(State::Waits);
                None
            }
            State::Sent(sent) => Some(sent),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.with(|stream| Pin::new(stream).poll_read(cx, buffer))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.waits() {
            send();
        }
        self.with(|stream| Pin::new(stream).poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|stream| Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|stream| Pin::new(stream).poll_shutdown(cx))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.0.request.set(State::None);
    }
}

impl Turn {
    /// In the first turn, all workers start.
    fn first() -> Turn {
        Turn { made: 0, waits: true, requests: Vec::new(), bytes: Vec::new(), end: None }
    }

    /// Begins the next turn.
    fn next(&mut self) {
        if self.waits && self.made > 0 || self.made >= FEW {
            self.waits = self.made >= MANY;
            self.made = 0;
        }
    }
}

/// Sends all requests that wait. Wakes the tasks of those that were not sent as a whole.
fn send() {
    // To wake or drop a task may run any code.
    let take = |turn: &mut Turn| (mem::take(&mut turn.requests), mem::take(&mut turn.bytes));
    let (mut requests, mut bytes) = TURN.with_borrow_mut(|turn| turn.as_mut().map(take)).unwrap_or_default();
    let mut start = 0;
    for Request { stream, end, task, .. } in requests.drain(..) {
        let bytes = &bytes[start..end];
        start = end;
        if !matches!(stream.request.take(), State::Waits) {
            continue;
        }
        let result = match stream.stream.borrow().try_write(bytes) {
            Ok(written) if written == bytes.len() => Ok(()),
            Ok(written) => Err(NotSent::Full(Bytes::copy_from_slice(&bytes[written..]))),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                Err(NotSent::Full(Bytes::copy_from_slice(bytes)))
            }
            Err(error) => Err(NotSent::Failed(error)),
        };
        let is_sent = result.is_ok();
        stream.request.set(State::Sent(result.map_err(Box::new)));
        if !is_sent {
            task.wake();
        }
    }
    bytes.clear();
    TURN.with_borrow_mut(|turn| {
        if let Some(turn) = turn
            && turn.requests.is_empty()
        {
            (turn.requests, turn.bytes) = (requests, bytes);
        }
    });
}

/// Ends the turns of this thread, until it is dropped. A task of the thread that is woken in a turn runs after those that are ready.
pub(crate) async fn end_turns() {
    let _turns = Turns::start();
    poll_fn(|cx| {
        TURN.with_borrow_mut(|turn| {
            let Some(turn) = turn else { return };
            if !turn.end.as_ref().is_some_and(|end| end.will_wake(cx.waker())) {
                turn.end = Some(cx.waker().clone());
            }
            turn.next();
        });
        send();
        Poll::Pending
    })
    .await
}

/// Requests of this thread wait for the end of the turn until this is dropped.
struct Turns;

impl Turns {
    fn start() -> Turns {
        TURN.with_borrow_mut(|turn| {
            turn.get_or_insert_with(Turn::first);
        });
        Turns
    }
}

impl Drop for Turns {
    fn drop(&mut self) {
        send();
        drop(TURN.take());
    }
}
