//! Headers of a response, parsed when they are used.

use std::{cell::OnceCell, fmt};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

/// Headers that become a `HeaderMap` when one is needed.
#[derive(Clone)]
pub(crate) struct LazyHeaders {
    /// A valid HTTP/1 head: status line, header lines and empty line, each terminated by CRLF or LF. No header is folded.
    raw: Bytes,
    /// Whether a header may affect how the response is handled.
    special: bool,
    map: OnceCell<Box<HeaderMap>>,
}

impl LazyHeaders {
    /// Returns the headers of a head that the reader has validated. `special` is what [`is_special`] says about them.
    pub(crate) fn from_head(raw: Bytes, special: bool) -> Self {
        Self { raw, special, map: OnceCell::new() }
    }

    /// Returns headers from a map.
    #[cfg_attr(not(feature = "http2"), allow(dead_code, reason = "only the feature `http2` uses it"))]
    pub(crate) fn from_map(map: HeaderMap) -> Self {
        Self { raw: Bytes::new(), special: true, map: OnceCell::from(Box::new(map)) }
    }

    /// Returns the first value of a header.
    pub(crate) fn get(&self, name: &HeaderName) -> Option<&[u8]> {
        if let Some(map) = self.map.get() {
            return map.get(name).map(HeaderValue::as_bytes);
        }
        let name = name.as_str().as_bytes();
        raw_lines(&self.raw).find_map(|line| {
            // The colon is compared first, which rules out most lines.
            let (key, rest) = line.split_at_checked(name.len())?;
            let value = rest.strip_prefix(b":")?;
            key.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
        })
    }

    /// Returns all headers. The first call builds the map.
    pub(crate) fn map(&self) -> &HeaderMap {
        self.map.get_or_init(|| {
            let mut map = HeaderMap::new();
            for (name, value) in lines(&self.raw) {
                // The head is valid, so neither fails. A header that did would be left out.
                if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
                    map.append(name, value);
                }
            }
            Box::new(map)
        })
    }

    /// Returns all headers as they were received, with the case of their names if it is known.
    pub(crate) fn pairs(&self) -> Vec<(&[u8], &[u8])> {
        if self.raw.is_empty() {
            return self.map().iter().map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes())).collect();
        }
        lines(&self.raw).collect()
    }

    /// Returns the reason phrase, if it is known.
    pub(crate) fn reason(&self) -> Option<&[u8]> {
        let end = memchr::memchr(b'\n', &self.raw)?;
        let line = self.raw[..end].strip_suffix(b"\r").unwrap_or(&self.raw[..end]);
        let mut parts = line.splitn(3, |byte| *byte == b' ');
        parts.next()?;
        parts.next()?;
        Some(parts.next().unwrap_or_default())
    }

    /// Returns all headers for modification.
    pub(crate) fn map_mut(&mut self) -> &mut HeaderMap {
        self.map();
        self.raw = Bytes::new();
        self.map.get_mut().expect("the map has just been made")
    }

    /// Returns whether there may be a header that affects how the response is handled. `false` is certain.
    pub(crate) fn has_special(&self) -> bool {
        self.special
    }
}

/// Returns whether a header affects how a response is handled: a cookie, a compression or a redirect.
pub(crate) fn is_special(name: &[u8]) -> bool {
    is(name, b"location") || is(name, b"set-cookie") || is(name, b"content-encoding")
}

/// Returns whether the name of a header is this one, which is in lower case and has letters and hyphens only.
///
/// The length decides about most names, and all bytes are compared at once.
#[inline]
pub(crate) fn is<const N: usize>(name: &[u8], lower: &[u8; N]) -> bool {
    let Ok(name) = <&[u8; N]>::try_from(name) else { return false };
    // This bit makes letters lower, does not change hyphens, and turns nothing else that a name may contain into one of them.
    name.iter().zip(lower).fold(0, |differences, (byte, lower)| differences | ((byte | 0x20) ^ lower)) == 0
}

impl fmt::Debug for LazyHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.map().fmt(f)
    }
}

/// Returns the names and values of a valid head.
fn lines(raw: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    raw_lines(raw).map_while(|line| {
        let colon = memchr::memchr(b':', line)?;
        Some((&line[..colon], line[colon + 1..].trim_ascii()))
    })
}

/// Returns the header lines of a valid head.
fn raw_lines(raw: &[u8]) -> impl Iterator<Item = &[u8]> {
    let start = memchr::memchr(b'\n', raw).map_or(raw.len(), |at| at + 1);
    let mut rest = &raw[start..];
    std::iter::from_fn(move || {
        let end = memchr::memchr(b'\n', rest)?;
        let line = &rest[..end];
        rest = &rest[end + 1..];
        Some(line)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_found_without_a_map() {
        let head = LazyHeaders::from_head(Bytes::from_static(
            b"HTTP/1.1 200 OK\r\nContent-Type:  text/plain \r\nSet-Cookie: a=b\r\nset-cookie: c=d:e\r\nEmpty:\r\n\r\n",
        ), true);
        assert_eq!(head.get(&http::header::CONTENT_TYPE), Some(&b"text/plain"[..]));
        assert_eq!(head.get(&http::header::SET_COOKIE), Some(&b"a=b"[..]));
        assert_eq!(head.get(&http::header::LOCATION), None);
        assert_eq!(head.map().len(), 4);
        assert_eq!(head.map().get_all("set-cookie").iter().next_back(), Some(&HeaderValue::from_static("c=d:e")));
        assert_eq!(head.get(&HeaderName::from_static("empty")), Some(&b""[..]));
    }
}
