//! The head of an HTTP/1 response.
//!
//! Common deviations from the standard are accepted if their meaning is unambiguous: bare line feeds, folded headers, and a
//! repeated length. A head that two parsers could interpret differently is rejected.

use std::mem::MaybeUninit;

use http::{Method, StatusCode, Version};

use super::{
    framing::{Framing, MAX_HEAD},
    malformed::Malformed,
};
use crate::http::headers::{is, is_special};

/// The maximum number of headers.
const MAX_HEADERS: usize = 256;

/// The number of heads that a thread remembers, and the length of the longest one.
const KNOWN_HEADS: usize = 4;
const LONGEST_KNOWN: usize = 1024;

/// The last heads of a thread that were parsed.
///
/// The responses to a load test often have equal heads, except that the date changes once a second. Comparing bytes is far cheaper
/// than parsing them. What a complete head means depends only on its bytes, and on whether the method is HEAD.
#[derive(Default)]
pub(crate) struct Heads {
    known: Vec<KnownHead>,
    /// The one to replace next.
    oldest: usize,
}

struct KnownHead {
    bytes: Vec<u8>,
    is_bodiless: bool,
    head: Head,
}

impl Heads {
    /// Parses a head, like [`parse`].
    pub(crate) fn parse(&mut self, bytes: &[u8], method: &Method) -> Result<Option<Head>, Malformed> {
        let is_bodiless = *method == Method::HEAD;
        let is_known = |known: &&KnownHead| known.is_bodiless == is_bodiless && bytes.starts_with(&known.bytes);
        if let Some(known) = self.known.iter().find(is_known) {
            return Ok(Some(known.head));
        }
        let parsed = parse(bytes, method)?;
        if let Some(head) = parsed
            && head.length <= LONGEST_KNOWN
        {
            if self.known.len() < KNOWN_HEADS {
                self.known.push(KnownHead { bytes: Vec::with_capacity(LONGEST_KNOWN), is_bodiless, head });
            }
            let known = &mut self.known[self.oldest];
            known.bytes.clear();
            known.bytes.extend_from_slice(&bytes[..head.length]);
            (known.is_bodiless, known.head) = (is_bodiless, head);
            self.oldest = (self.oldest + 1) % KNOWN_HEADS;
        }
        Ok(parsed)
    }
}

/// A complete head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) version: Version,
    pub(crate) status: StatusCode,
    /// Its length in bytes, including the empty line.
    pub(crate) length: usize,
    pub(crate) framing: Framing,
    /// Whether the server keeps the connection open after the body.
    pub(crate) keep_alive: bool,
    /// Whether a header continues on further lines; see [`unfold`].
    pub(crate) folded: bool,
    /// Whether a header affects how the response is handled; see [`is_special`].
    pub(crate) special: bool,
}

/// Unfolds headers in place: each line break becomes spaces (RFC 9112, section 5.2).
pub(crate) fn unfold(head: &mut [u8]) {
    for at in 0..head.len() {
        if is_fold(head, at) {
            head[at] = b' ';
            if at > 0 && head[at - 1] == b'\r' {
                head[at - 1] = b' ';
            }
        }
    }
}

/// Returns whether there is a line feed whose next line continues the header.
fn is_fold(head: &[u8], at: usize) -> bool {
    head[at] == b'\n' && matches!(head.get(at + 1), Some(b' ' | b'\t'))
}

/// Returns whether the bytes may contain the empty line that ends a head.
pub(crate) fn has_empty_line(bytes: &[u8]) -> bool {
    memchr::memchr_iter(b'\n', bytes).any(|at| matches!(&bytes[at + 1..], [b'\n', ..] | [b'\r', b'\n', ..]))
}

/// Parses a head. Returns `None` if it is incomplete.
pub(crate) fn parse(bytes: &[u8], method: &Method) -> Result<Option<Head>, Malformed> {
    match parse_lines(bytes, method, false) {
        // Folded headers are rare, so that only a head that is invalid without them is searched for them.
        Err(_) if memchr::memchr_iter(b'\n', bytes).any(|at| is_fold(bytes, at)) => parse_lines(bytes, method, true),
        parsed => parsed,
    }
}

/// Parses a head whose headers may be folded.
fn parse_lines(bytes: &[u8], method: &Method, may_fold: bool) -> Result<Option<Head>, Malformed> {
    if bytes.first().is_some_and(|first| *first != b'H') {
        return Err(Malformed("it does not start with `HTTP/`"));
    }
    let mut headers = [const { MaybeUninit::<httparse::Header<'_>>::uninit() }; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut []);
    let parsed = httparse::ParserConfig::default()
        .allow_obsolete_multiline_headers_in_responses(may_fold)
        .parse_response_with_uninit_headers(&mut response, bytes, &mut headers);
    let length = match parsed {
        Ok(httparse::Status::Complete(length)) if length <= MAX_HEAD => length,
        Ok(httparse::Status::Partial) if bytes.len() <= MAX_HEAD => return Ok(None),
        Ok(_) => return Err(Malformed("its headers take more than 128 KiB")),
        Err(error) => return Err(Malformed(reason(error))),
    };
    let bytes = &bytes[..length];
    let folded = may_fold && memchr::memchr_iter(b'\n', bytes).any(|at| is_fold(bytes, at));
    let version = if response.version == Some(0) { Version::HTTP_10 } else { Version::HTTP_11 };
    let status = response
        .code
        .and_then(|code| StatusCode::from_u16(code).ok())
        .ok_or(Malformed("its status is not between 100 and 999"))?;

    let mut content_length = None;
    let mut chunked = false;
    let (mut close, mut keep, mut special) = (false, false, false);
    for header in response.headers.iter() {
        if folded && is_folded_framing(header, bytes) {
            return Err(Malformed("its Content-Length or Transfer-Encoding is folded"));
        }
        let name = header.name.as_bytes();
        if is(name, b"content-length") {
            // The same length may be repeated, on one line or on several.
            for length in header.value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
                let length = decimal(length).ok_or(Malformed("its Content-Length is not a number"))?;
                if content_length.is_some_and(|other| other != length) {
                    return Err(Malformed("it has two different values of Content-Length"));
                }
                content_length = Some(length);
            }
        } else if is(name, b"transfer-encoding") {
            if chunked || !header.value.eq_ignore_ascii_case(b"chunked") {
                return Err(Malformed("its Transfer-Encoding is not just `chunked`"));
            }
            chunked = true;
        } else if is(name, b"connection") {
            for token in header.value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
                close |= is(token, b"close");
                keep |= is(token, b"keep-alive");
            }
        } else {
            special |= is_special(name);
        }
    }
    if chunked && content_length.is_some() {
        return Err(Malformed("it has both Content-Length and Transfer-Encoding"));
    }
    if chunked && version == Version::HTTP_10 {
        return Err(Malformed("it has Transfer-Encoding in HTTP/1.0"));
    }
    let bodiless = *method == Method::HEAD
        || status.is_informational()
        || status == StatusCode::NO_CONTENT
        || status == StatusCode::NOT_MODIFIED;
    let framing = match content_length {
        _ if bodiless => Framing::Length(0),
        _ if chunked => Framing::Chunked,
        Some(length) => Framing::Length(length),
        None => Framing::Close,
    };
    let keep_alive = framing != Framing::Close && !close && (version == Version::HTTP_11 || keep);
    Ok(Some(Head { version, status, length, framing, keep_alive, folded, special }))
}

/// Returns whether a header that frames the body is folded.
fn is_folded_framing(header: &httparse::Header<'_>, head: &[u8]) -> bool {
    if !["content-length", "transfer-encoding"].iter().any(|name| header.name.eq_ignore_ascii_case(name)) {
        return false;
    }
    // Both slices are parts of the head.
    let from = header.name.as_ptr().addr() - head.as_ptr().addr();
    let to = header.value.as_ptr().addr() + header.value.len() - head.as_ptr().addr();
    memchr::memchr(b'\n', &head[from..to]).is_some()
}

fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 18 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(digits.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
}

fn reason(error: httparse::Error) -> &'static str {
    match error {
        httparse::Error::HeaderName => "a header's name is invalid",
        httparse::Error::HeaderValue => "a header's value is invalid",
        httparse::Error::NewLine => "a line of its head has an invalid end",
        httparse::Error::Status => "its status line is invalid",
        httparse::Error::TooManyHeaders => "it has more than 256 headers",
        httparse::Error::Version => "its HTTP version is unknown",
        _ => "its head is invalid",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(head: &str) -> Result<Option<Head>, Malformed> {
        parse(head.as_bytes(), &Method::GET)
    }

    fn framing(head: &str) -> (Framing, bool) {
        match get(head) {
            Ok(Some(head)) => (head.framing, head.keep_alive),
            other => panic!("{head:?}: {other:?}"),
        }
    }

    #[test]
    fn headers_determine_the_framing() {
        assert_eq!(framing("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"), (Framing::Length(5), true));
        assert_eq!(framing("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n").0, Framing::Length(5));
        assert_eq!(framing("HTTP/1.1 200\r\nTransfer-Encoding: Chunked\r\n\r\n"), (Framing::Chunked, true));
        assert_eq!(framing("HTTP/1.1 200 OK\r\n\r\n"), (Framing::Close, false));
        assert_eq!(framing("HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n"), (Framing::Length(0), true));
        assert_eq!(framing("HTTP/1.1 304 No\r\n\r\n"), (Framing::Length(0), true));
        assert_eq!(framing("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"), (Framing::Length(0), false));
        assert!(framing("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n").1);
        assert!(!framing("HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 0\r\n\r\n").1);
    }

    #[test]
    fn unambiguous_deviations_are_accepted() {
        let five = (Framing::Length(5), true);
        assert_eq!(framing("HTTP/1.1 200 OK\nContent-Length: 5\n\n"), five);
        assert_eq!(framing("HTTP/1.1 200 OK\r\nA: b\nContent-Length: 5\r\n\n"), five);
        assert_eq!(framing("HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n"), five);
        assert_eq!(framing("HTTP/1.1 200 OK\r\nA: b\r\n\t folded\r\nContent-Length: 5\r\n\r\n"), five);
    }

    #[test]
    fn folded_headers_are_unfolded() {
        let mut head = *b"HTTP/1.1 200 OK\r\nA: b\r\n\tc\n d\r\nE:\r\n f\r\n\r\n";
        assert!(parse(&head, &Method::GET).unwrap().unwrap().folded);
        unfold(&mut head);
        assert_eq!(head, *b"HTTP/1.1 200 OK\r\nA: b  \tc  d\r\nE:   f\r\n\r\n");
        assert!(!parse(&head, &Method::GET).unwrap().unwrap().folded);
    }

    #[test]
    fn known_heads_mean_the_same_as_new_ones() {
        let mut heads = Heads::default();
        for round in 0..3 {
            for n in 0..2 * KNOWN_HEADS {
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {n}\r\n\r\nHTTP/1.1 {round}");
                for method in [Method::GET, Method::HEAD] {
                    for _ in 0..2 {
                        assert_eq!(heads.parse(head.as_bytes(), &method), parse(head.as_bytes(), &method));
                    }
                }
            }
        }
        assert_eq!(heads.known.len(), KNOWN_HEADS);
        assert_eq!(heads.parse(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r", &Method::GET), Ok(None));
        let long = format!("HTTP/1.1 200 OK\r\nA: {}\r\n\r\n", "b".repeat(LONGEST_KNOWN));
        assert!(heads.parse(long.as_bytes(), &Method::GET).is_ok_and(|head| head.is_some()));
        assert!(heads.known.iter().all(|known| known.bytes.len() <= LONGEST_KNOWN));
    }

    #[test]
    fn incomplete_heads_are_not_errors() {
        let whole = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
        for end in 0..whole.len() {
            assert_eq!(get(&whole[..end]), Ok(None), "{end}");
        }
    }

    #[test]
    fn ambiguous_heads_are_rejected() {
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(257));
        let long = format!("HTTP/1.1 200 OK\r\na: {}\r\n", "x".repeat(MAX_HEAD));
        for head in [
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5,\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n 6\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length:\r\n 5\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\n chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding\r\n : chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\n folded\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA: b\rContent-Length: 5\r\n\r\n",
            "HTTP/1.1 200 OK\rA: b\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA: b\0c\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\n",
            "HTTP/1.1 099 OK\r\n\r\n",
            "HTTP/2.0 200 OK\r\n\r\n",
            "\r\nHTTP/1.1 200 OK\r\n\r\n",
            "<html>",
            &many,
            &long,
        ] {
            assert!(get(head).is_err(), "{:?}", &head[..head.len().min(80)]);
        }
    }
}
