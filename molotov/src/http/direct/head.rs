//! The head of an HTTP/1 response, read strictly: what two readers could understand differently is refused.

use std::mem::MaybeUninit;

use http::{Method, StatusCode, Version};

use super::framing::Framing;

/// The longest head accepted, and the longest trailer section.
pub(crate) const MAX_HEAD: usize = 128 * 1024;
const MAX_HEADERS: usize = 256;

/// What is wrong with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

/// A head that has wholly arrived.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) version: Version,
    pub(crate) status: StatusCode,
    /// Its length in bytes, the empty line included.
    pub(crate) length: usize,
    pub(crate) framing: Framing,
    /// Whether the server leaves the connection open after the body.
    pub(crate) keep_alive: bool,
}

/// Reads a head; `None` while it is incomplete.
pub(crate) fn parse(bytes: &[u8], method: &Method) -> Result<Option<Head>, Malformed> {
    if bytes.first().is_some_and(|first| *first != b'H') {
        return Err(Malformed("it does not start with `HTTP/`"));
    }
    let mut headers = [const { MaybeUninit::<httparse::Header<'_>>::uninit() }; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut []);
    let parsed =
        httparse::ParserConfig::default().parse_response_with_uninit_headers(&mut response, bytes, &mut headers);
    let length = match parsed {
        Ok(httparse::Status::Complete(length)) if length <= MAX_HEAD => length,
        Ok(httparse::Status::Partial) if bytes.len() <= MAX_HEAD => return Ok(None),
        Ok(_) => return Err(Malformed("its headers take more than 128 KiB")),
        Err(error) => return Err(Malformed(reason(error))),
    };
    // httparse takes a bare LF for the end of a line.
    let mut ends = memchr::memchr_iter(b'\n', &bytes[..length]);
    if ends.any(|at| at == 0 || bytes[at - 1] != b'\r') {
        return Err(Malformed("a line of its head ends without CR"));
    }
    let version = if response.version == Some(0) { Version::HTTP_10 } else { Version::HTTP_11 };
    let status = response
        .code
        .and_then(|code| StatusCode::from_u16(code).ok())
        .ok_or(Malformed("its status is not between 100 and 999"))?;

    let mut content_length = None;
    let mut chunked = false;
    let (mut close, mut keep) = (false, false);
    for header in response.headers.iter() {
        // The length of a name is enough to pass over nearly all headers.
        match header.name.len() {
            14 if header.name.eq_ignore_ascii_case("content-length") => {
                let length = decimal(header.value).ok_or(Malformed("its Content-Length is not a number"))?;
                if content_length.is_some_and(|other| other != length) {
                    return Err(Malformed("it has two differing Content-Length"));
                }
                content_length = Some(length);
            }
            17 if header.name.eq_ignore_ascii_case("transfer-encoding") => {
                if chunked || !header.value.eq_ignore_ascii_case(b"chunked") {
                    return Err(Malformed("its Transfer-Encoding is not just `chunked`"));
                }
                chunked = true;
            }
            10 if header.name.eq_ignore_ascii_case("connection") => {
                for token in header.value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
                    close |= token.eq_ignore_ascii_case(b"close");
                    keep |= token.eq_ignore_ascii_case(b"keep-alive");
                }
            }
            _ => {}
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
    Ok(Some(Head { version, status, length, framing, keep_alive }))
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
        httparse::Error::NewLine => "a line of its head ends wrongly",
        httparse::Error::Status => "its status line is invalid",
        httparse::Error::TooManyHeaders => "it has more than 256 headers",
        httparse::Error::Version => "its HTTP version is not known",
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
    fn framings() {
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
    fn incomplete() {
        let whole = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
        for end in 0..whole.len() {
            assert_eq!(get(&whole[..end]), Ok(None), "{end}");
        }
    }

    #[test]
    fn refused() {
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(257));
        let long = format!("HTTP/1.1 200 OK\r\na: {}\r\n", "x".repeat(MAX_HEAD));
        for head in [
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\nContent-Length: 5\n\n",
            "HTTP/1.1 200 OK\r\nA: b\nContent-Length: 5\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
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
