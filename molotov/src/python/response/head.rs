//! The head of a response, as Python objects.

use std::borrow::Cow;

use http::{HeaderMap, StatusCode, header};
use pyo3::{
    prelude::*,
    types::{PyBytes, PyDict},
};

use crate::session;

/// The parts of a response's head that scripts can ask for.
pub(super) fn to_dict<'py>(py: Python<'py>, response: &session::Response) -> PyResult<Bound<'py, PyDict>> {
    let head = PyDict::new(py);
    let raw = |pairs: Vec<(&[u8], &[u8])>| -> Vec<(Py<PyBytes>, Py<PyBytes>)> {
        let pair = |(name, value)| (PyBytes::new(py, name).unbind(), PyBytes::new(py, value).unbind());
        pairs.into_iter().map(pair).collect()
    };
    let pairs = |headers: &HeaderMap| {
        raw(headers.iter().map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes())).collect())
    };
    let text = |reason: &[u8]| String::from_utf8_lossy(reason).into_owned();
    head.set_item("headers", raw(response.head().pairs()))?;
    head.set_item("url", response.url().as_str())?;
    head.set_item("reason", response.head().reason().map_or_else(|| reason(response.status()), text))?;
    head.set_item("method", response.method().as_str())?;
    head.set_item("version", format!("{:?}", response.version()))?;
    let history: Vec<_> = response
        .history()
        .iter()
        .map(|hop| {
            let reason = hop.reason().map_or_else(|| reason(hop.status()), text);
            (hop.status().as_u16(), hop.url().to_string(), pairs(hop.headers()), reason)
        })
        .collect();
    head.set_item("history", history)?;
    Ok(head)
}

fn reason(status: StatusCode) -> String {
    status.canonical_reason().unwrap_or_default().to_owned()
}

/// The content type that the headers of a response state.
pub(super) fn content_type(response: &session::Response) -> Option<Cow<'_, str>> {
    response.head().get(&header::CONTENT_TYPE).map(String::from_utf8_lossy)
}

/// Whether the headers of a response state the content type that most JSON has.
pub(super) fn is_plain_json(response: &session::Response) -> bool {
    response.head().get(&header::CONTENT_TYPE) == Some(b"application/json")
}
