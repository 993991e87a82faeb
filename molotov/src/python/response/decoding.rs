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
pub(super) fn charset(content_type: &str) -> Option<String> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches('"');
        name.trim().eq_ignore_ascii_case("charset").then(|| value.to_owned())
    })
}

/// The charset that a content type states, if Python has a codec with that name.
pub(super) fn known_charset(py: Python<'_>, content_type: Option<&str>) -> Option<String> {
    let stated = charset(content_type?)?;
    if stated.eq_ignore_ascii_case("utf-8") {
        return Some(stated);
    }
    py.import("codecs").and_then(|codecs| codecs.call_method1("lookup", (&stated,))).is_ok().then_some(stated)
}

/// Whether `json()` accepts a body with this content type.
pub(super) fn is_expected(stated: Option<&str>, expected: &str) -> bool {
    let Some(stated) = stated else { return false };
    let kind = stated.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if expected.eq_ignore_ascii_case("application/json") {
        return kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"));
    }
    stated.to_ascii_lowercase().contains(&expected.to_ascii_lowercase())
}
