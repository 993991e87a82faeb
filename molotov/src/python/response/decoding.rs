//! Decodes bodies to text, by the charset of their content type.

use pyo3::{
    prelude::*,
    types::{PyBytes, PyString},
};

/// Decodes text as aiohttp does. The default encoding is UTF-8.
pub(super) fn decode(py: Python<'_>, body: &[u8], encoding: Option<&str>, errors: &str) -> PyResult<Py<PyAny>> {
    let encoding = encoding.unwrap_or("utf-8");
    if encoding.eq_ignore_ascii_case("utf-8")
        && let Ok(text) = std::str::from_utf8(body)
    {
        return Ok(PyString::new(py, text).into_any().unbind());
    }
    Ok(PyBytes::new(py, body).call_method1("decode", (encoding, errors))?.unbind())
}

/// The charset that a content type states.
pub(super) fn charset(content_type: &str) -> Option<&str> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches('"');
        name.trim().eq_ignore_ascii_case("charset").then_some(value)
    })
}

/// The charset that a content type states, if Python has a codec with that name.
pub(super) fn known_charset(py: Python<'_>, content_type: Option<&str>) -> Option<String> {
    let stated = charset(content_type?)?;
    let is_known = stated.eq_ignore_ascii_case("utf-8")
        || py.import("codecs").and_then(|codecs| codecs.call_method1("lookup", (stated,))).is_ok();
    is_known.then(|| stated.to_owned())
}

/// The content type that `json()` expects.
#[derive(PartialEq)]
pub(super) enum ExpectedType {
    Any,
    /// `application/json`, or another type of JSON.
    Json,
    /// Any type that contains this text, in lower case.
    Containing(String),
}

impl ExpectedType {
    /// Returns whether `json()` accepts a body with this content type.
    pub(super) fn matches(&self, stated: Option<&str>) -> bool {
        let (ExpectedType::Json | ExpectedType::Containing(_), Some(stated)) = (self, stated) else {
            return matches!(self, ExpectedType::Any);
        };
        if let ExpectedType::Containing(text) = self {
            return stated.to_ascii_lowercase().contains(text);
        }
        const APPLICATION: &str = "application/";
        let kind = stated.split(';').next().unwrap_or_default().trim();
        let Some((application, kind)) = kind.split_at_checked(APPLICATION.len()) else { return false };
        application.eq_ignore_ascii_case(APPLICATION)
            && (kind.eq_ignore_ascii_case("json") || kind.to_ascii_lowercase().ends_with("+json"))
    }
}

impl<'py> FromPyObject<'_, 'py> for ExpectedType {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<ExpectedType> {
        if given.is_none() {
            return Ok(ExpectedType::Any);
        }
        let text = given.extract::<String>()?.to_ascii_lowercase();
        Ok(if text == "application/json" { ExpectedType::Json } else { ExpectedType::Containing(text) })
    }
}
