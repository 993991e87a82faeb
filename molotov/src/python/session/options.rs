//! The options of a session, from the dict that `setup` returns.

use http::{HeaderName, HeaderValue};
use pyo3::{exceptions::PyValueError, prelude::*, types::PyDict};

use super::{
    MAX_REDIRECTS,
    connections::{Settings, timeout_of},
    own::expected,
};
use crate::{
    python::module,
    session::{Redirect, SessionOptions},
};

/// The total timeout, the timeout to connect, and the timeout of a read, in seconds. Infinite without a limit.
pub(super) type Timeouts = (f64, f64, f64);

/// Names and values of headers, as they are sent.
pub(super) type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

/// The engine's options of a session, from the options that `setup` returned.
pub(in crate::python) fn from_dict(py: Python<'_>, given: Option<&Bound<'_, PyDict>>) -> PyResult<SessionOptions> {
    // As with the original, the automatic headers are aiohttp's.
    let mut options =
        SessionOptions::new().brotli(false).zstd(false).redirect(Redirect::up_to(MAX_REDIRECTS)).like_aiohttp();
    let Some(given) = given else { return Ok(options.http1_only()) };
    let plain = module(py, "_sessions")?.call_method1("session_options", (given,))?;
    let (headers, timeout, decodes, http2, max_body, retry): (Pairs, Option<Timeouts>, bool, bool, Option<u64>, bool) =
        plain.extract()?;
    options = options.retry(retry);
    if let Some(expect) = given.get_item("expect")?.filter(|expect| !expect.is_none()) {
        options = options.expect(expected(&expect)?);
    }
    if !http2 {
        options = options.http1_only();
    }
    if let Some(max_body) = max_body {
        options = options.max_body(max_body);
    }
    for (name, value) in headers {
        let (name, value) = (HeaderName::from_bytes(&name), HeaderValue::from_bytes(&value));
        match (name, value) {
            (Ok(name), Ok(value)) => options = options.header(name, value),
            _ => return Err(PyValueError::new_err("a header in the options that `setup` returned cannot be sent")),
        }
    }
    if let Some((total, connect, read)) = timeout {
        options = options.timeout(timeout_of(total)).read_timeout(timeout_of(read));
        if connect.is_finite() {
            options = options.connect_timeout(timeout_of(connect));
        }
    }
    if let Some(connector) = given.get_item("connector")?.filter(|connector| !connector.is_none()) {
        let settings = module(py, "_connectors")?.call_method1("read", (connector,))?;
        options = settings.extract::<Settings<'_>>()?.apply(py, options);
    }
    Ok(if decodes { options } else { options.gzip(false).deflate(false).header("accept-encoding", "gzip, deflate") })
}
