//! A request body that Python code writes while the request is sent.
//!
//! An asyncio task writes parts into an [`Upload`], and the transport takes them out. The task starts when the transport
//! asks for the first part, waits while the connection is full, and is cancelled when the request ends.

use std::{
    cell::RefCell,
    collections::VecDeque,
    future::poll_fn,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use futures_util::Stream;
use pyo3::{intern, prelude::*, pybacked::PyBackedBytes, types::PyBytes};

use super::{awaitable::Awaitable, errors::ScriptException, event_loop::AsyncioRuntime, gil_cell::GilCell};
use crate::{http::BoxError, session::RequestBody};

/// How many bytes may wait for the connection before the writer has to wait, in bytes. The same as in aiohttp.
const CAPACITY: usize = 64 * 1024;

/// Where Python code writes the parts of a body.
#[pyclass(frozen, module = "molotov._core")]
pub(super) struct Upload(GilCell<Rc<RefCell<Pipe>>>);

#[derive(Default)]
struct Pipe {
    parts: VecDeque<Bytes>,
    /// Bytes in `parts`.
    waiting: usize,
    end: Option<Result<(), PyErr>>,
    /// The request has ended, so no more parts are sent.
    closed: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Pipe {
    /// Whether the writer may write: there is room, or the parts are discarded.
    fn is_open(&self) -> bool {
        self.closed || self.waiting < CAPACITY
    }

    fn end(&mut self, end: Result<(), PyErr>) {
        self.end.get_or_insert(end);
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}

#[pymethods]
impl Upload {
    /// Adds a part. Returns whether there is room for more.
    fn push(&self, py: Python<'_>, part: &Bound<'_, PyAny>) -> PyResult<bool> {
        let part = match part.cast::<PyBytes>() {
            Ok(part) => part.clone(),
            Err(_) => {
                let view = py.import(intern!(py, "builtins"))?.getattr(intern!(py, "memoryview"))?.call1((part,))?;
                view.call_method0(intern!(py, "tobytes"))?.cast_into::<PyBytes>()?
            }
        };
        let pipe = self.0.borrow(py);
        let mut pipe = pipe.borrow_mut();
        if pipe.closed {
            let error = "Cannot write to closing transport";
            return Err(pyo3::exceptions::PyConnectionResetError::new_err(error));
        }
        let part = PyBackedBytes::from(part);
        if !part.is_empty() {
            pipe.waiting += part.len();
            pipe.parts.push_back(Bytes::from_owner(part));
            if let Some(reader) = pipe.reader.take() {
                reader.wake();
            }
        }
        Ok(pipe.is_open())
    }

    /// Waits until there is room for a part.
    fn room(&self, py: Python<'_>) -> Awaitable {
        let pipe = self.0.borrow(py).clone();
        Awaitable::work(Box::pin(async move {
            poll_fn(|cx| {
                let mut pipe = pipe.borrow_mut();
                if pipe.is_open() {
                    return Poll::Ready(());
                }
                pipe.writer = Some(cx.waker().clone());
                Poll::Pending
            })
            .await;
            Ok(Python::attach(|py| py.None()))
        }))
    }

    /// The body is complete.
    fn end(&self, py: Python<'_>) {
        self.0.borrow(py).borrow_mut().end(Ok(()));
    }

    /// The body cannot be completed.
    fn fail(&self, py: Python<'_>, error: Bound<'_, PyAny>) {
        self.0.borrow(py).borrow_mut().end(Err(PyErr::from_value(error)));
    }
}

/// The parts of a body, as a stream for the transport.
struct Parts {
    pipe: Rc<RefCell<Pipe>>,
    /// Starts the writing task. `None` once it has started.
    start: Option<Py<PyAny>>,
    task: Option<Py<PyAny>>,
}

/// A body that a task writes. The first read of the body calls `start` with an [`Upload`]; it returns the task.
pub(super) fn body(length: Option<u64>, start: Py<PyAny>) -> RequestBody {
    let parts = Parts { pipe: Rc::default(), start: Some(start), task: None };
    match length {
        Some(length) => RequestBody::sized_stream(length, parts),
        None => RequestBody::wrap_stream(parts),
    }
}

impl Parts {
    fn begin(&mut self, start: Py<PyAny>) -> PyResult<()> {
        Python::attach(|py| {
            let upload = Bound::new(py, Upload(GilCell::new(self.pipe.clone())))?;
            self.task = Some(start.call1(py, (upload,))?);
            if let Some(event_loop) = AsyncioRuntime::current() {
                event_loop.nudge(py);
            }
            Ok(())
        })
    }
}

impl Stream for Parts {
    type Item = Result<Bytes, BoxError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(start) = self.start.take()
            && let Err(error) = self.begin(start)
        {
            return Poll::Ready(Some(Err(ScriptException(error).into())));
        }
        let mut pipe = self.pipe.borrow_mut();
        if let Some(part) = pipe.parts.pop_front() {
            pipe.waiting -= part.len();
            if pipe.is_open()
                && let Some(writer) = pipe.writer.take()
            {
                writer.wake();
            }
            return Poll::Ready(Some(Ok(part)));
        }
        match pipe.end.take() {
            Some(Ok(())) => {
                pipe.end = Some(Ok(()));
                Poll::Ready(None)
            }
            Some(Err(error)) => Poll::Ready(Some(Err(ScriptException(error).into()))),
            None => {
                pipe.reader = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        let writer = {
            let mut pipe = self.pipe.borrow_mut();
            pipe.closed = true;
            pipe.parts = VecDeque::new();
            pipe.writer.take()
        };
        if let Some(writer) = writer {
            writer.wake();
        }
        let Some(task) = self.task.take() else { return };
        Python::attach(|py| {
            // Fails for a task whose loop is closed, and has no effect on a task that has ended.
            let _ = task.call_method0(py, intern!(py, "cancel"));
            if let Some(event_loop) = AsyncioRuntime::current() {
                event_loop.nudge(py);
            }
        });
    }
}
