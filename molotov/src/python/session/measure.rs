//! Measures of the requests that aiohttp sends, which count like the engine's.

use std::time::{Duration, Instant};

use http::{Method, StatusCode};
use pyo3::prelude::*;

use super::own::Own;
use crate::{
    http::target::Target,
    python::{context::WorkerContext, gil_cell::GilCell, group},
    session::{self, Expected},
};

/// The measure of one request. Dropped before the response, it counts as interrupted.
#[pyclass(frozen, module = "molotov._core")]
pub(in crate::python) struct Measure {
    measure: GilCell<Option<session::measure::Measure>>,
    /// The statuses that are successes.
    expected: GilCell<Expected>,
}

#[pymethods]
impl Measure {
    /// Starts the clock for a request of a worker. `name`, `tags` and `expect` are those of the request.
    #[new]
    #[pyo3(signature = (context, method, url, name=None, tags=None, expect=None))]
    fn new(
        context: &Bound<'_, WorkerContext>,
        method: &str,
        url: &str,
        name: Option<&Bound<'_, PyAny>>,
        tags: Option<&Bound<'_, PyAny>>,
        expect: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Measure> {
        let py = context.py();
        let own = Own::new(name, tags, expect)?;
        let (observer, group) = {
            let context = context.get().inner.borrow(py);
            (context.observer().cloned(), group::path_within(py, &context))
        };
        let measure = observer.and_then(|observer| {
            let method = Method::from_bytes(method.as_bytes()).ok()?;
            let name = match own.name {
                Some(name) => name.into(),
                None => Target::parse(url).ok()?.name(&method),
            };
            let tags = own.tags.iter().map(|(name, value)| format!("{name}={value}").into());
            let tags = (!own.tags.is_empty()).then(|| tags.collect());
            Some(session::measure::Measure::start(observer, group, name).with_tags(tags))
        });
        let expected = GilCell::new(own.expected.unwrap_or_default());
        Ok(Measure { measure: GilCell::new(measure), expected })
    }

    /// Excludes a time in seconds from the request's duration.
    fn leave_out(&self, py: Python<'_>, seconds: f64) {
        if let Some(measure) = &mut *self.measure.borrow_mut(py) {
            measure.leave_out(Duration::try_from_secs_f64(seconds).unwrap_or_default());
        }
    }

    /// Records the head of the final response.
    fn answered(&self, py: Python<'_>, method: &str, url: &str, status: u16) {
        let mut measure = self.measure.borrow_mut(py);
        let Some(measure) = &mut *measure else { return };
        if let (Ok(method), Ok(target)) = (Method::from_bytes(method.as_bytes()), Target::parse(url)) {
            measure.answered_to(&method, &target.url);
        }
        if let Ok(status) = StatusCode::from_u16(status) {
            let is_expected = self.expected.borrow(py).contains(status);
            measure.answered(status, Instant::now(), is_expected);
        }
    }

    /// Records the end of the response. The sizes are in bytes.
    fn completed(&self, py: Python<'_>, bytes_out: u64, head: u64, body: u64) {
        if let Some(mut measure) = self.measure.replace(py, None) {
            measure.hop(bytes_out, head);
            measure.body_in(body);
            measure.completed(Instant::now());
        }
    }

    /// Records a failed request.
    fn failed(&self, py: Python<'_>) {
        if let Some(measure) = self.measure.replace(py, None) {
            measure.failed();
        }
    }
}
