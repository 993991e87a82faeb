//! Headers that options and builders set.

use std::fmt;

use http::{HeaderMap, HeaderValue, header};

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

/// Adds the headers whose names are missing.
pub(super) fn add_missing(headers: &mut HeaderMap, defaults: &HeaderMap) {
    for name in defaults.keys() {
        if !headers.contains_key(name) {
            for value in defaults.get_all(name) {
                headers.append(name, value.clone());
            }
        }
    }
}

/// Adds the cookies of a jar to those of the default headers. A cookie of the jar replaces a default with the same name.
pub(super) fn add_cookies(headers: &mut HeaderMap, jar: &HeaderValue) {
    let Some(defaults) = headers.get(header::COOKIE) else {
        headers.insert(header::COOKIE, jar.clone());
        return;
    };
    let name = |pair: &&[u8]| pair.split(|byte| *byte == b'=').next().unwrap_or_default().trim_ascii().to_vec();
    let pairs =
        |value: &HeaderValue| value.as_bytes().split(|byte| *byte == b';').map(<[u8]>::to_vec).collect::<Vec<_>>();
    let newer = pairs(jar);
    let replaced: Vec<_> = newer.iter().map(|pair| name(&pair.as_slice())).collect();
    let kept = pairs(defaults).into_iter().filter(|pair| !replaced.contains(&name(&pair.as_slice())));
    let all: Vec<_> = kept.chain(newer).map(|pair| pair.trim_ascii().to_vec()).collect();
    // Parts of valid values are valid.
    if let Ok(all) = HeaderValue::from_bytes(&all.join(b"; ".as_slice())) {
        headers.insert(header::COOKIE, all);
    }
}
