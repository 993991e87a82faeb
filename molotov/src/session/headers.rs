//! Headers that options and builders set.

use std::fmt;

use http::{HeaderMap, HeaderValue};

use crate::http::{Error, ErrorKind, target};

/// Sets headers, replacing those with the same names.
pub(crate) fn replace(headers: &mut HeaderMap, new: HeaderMap) {
    let mut last = None;
    for (name, value) in new {
        // Only the first value of a name has the name.
        match (name, &last) {
            (Some(name), _) => {
                headers.insert(name.clone(), value);
                last = Some(name);
            }
            (None, Some(name)) => {
                headers.append(name, value);
            }
            (None, None) => {}
        }
    }
}

/// Returns the `Authorization` header for a user and password.
pub(crate) fn basic(user: impl fmt::Display, password: Option<impl fmt::Display>) -> HeaderValue {
    let password = password.map_or(String::new(), |password| password.to_string());
    target::basic(user.to_string().as_bytes(), password.as_bytes())
}

/// Returns the `Authorization` header for a token.
pub(crate) fn bearer(token: impl fmt::Display) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
        .map_err(|error| Error::new(ErrorKind::Builder, "the token cannot be sent in a header").with_source(error))?;
    value.set_sensitive(true);
    Ok(value)
}
