//! Transcripts of requests and responses for `-vv`. They mask secrets and describe binary bodies instead of showing them.

use std::fmt::Write;

use http::{HeaderMap, header};

use crate::{
    metrics::Outcome,
    secrets,
    session::{Operation, Request, Response},
};

/// How much of a body is shown, in bytes.
const MAX_SHOWN: usize = 16 * 1024;

/// The start of an operation that is not HTTP.
pub(super) fn operation(operation: &Operation) -> String {
    format!("> {} {}", operation.protocol(), secrets::mask(operation.name()))
}

/// The end of an operation that is not HTTP.
pub(super) fn operation_end(operation: &Operation, outcome: Outcome) -> String {
    let status = operation.status().unwrap_or(outcome.name());
    format!("< {} {}: {}", operation.protocol(), secrets::mask(operation.name()), secrets::mask(status))
}

/// A request with its headers and body.
pub(super) fn request(request: &Request) -> String {
    let mut text = format!("> {} {}\n", request.method(), secrets::mask_url(request.url()));
    headers(&mut text, '>', request.headers());
    match request.body() {
        Some(bytes) => body(&mut text, '>', bytes, request.headers()),
        None if request.is_streamed() => text.push_str("> [streamed body]"),
        None => {}
    }
    text.truncate(text.trim_end().len());
    text
}

/// A response with its headers and body. The body stays readable for the scenario. Server-sent events are not read.
pub(super) async fn response(response: &Response) -> String {
    let mut text = format!("< {:?} {}\n", response.version(), response.status());
    headers(&mut text, '<', response.headers());
    // A stream of events may have no end, and the scenario must get its events when they arrive.
    if response.has_events() {
        text.push_str("< [server-sent events]");
        return text;
    }
    match response.buffered().await {
        Ok(bytes) => body(&mut text, '<', &bytes, response.headers()),
        Err(error) => {
            let _ = write!(text, "< [unreadable body: {error}]");
        }
    }
    text.truncate(text.trim_end().len());
    text
}

fn headers(text: &mut String, side: char, headers: &HeaderMap) {
    for (name, value) in headers {
        let _ = writeln!(text, "{side} {name}: {}", secrets::mask_header(name, value));
    }
}

fn body(text: &mut String, side: char, bytes: &[u8], headers: &HeaderMap) {
    if bytes.is_empty() {
        return;
    }
    let kind = || match headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()) {
        Some(kind) => format!(" {kind}"),
        None => String::new(),
    };
    let encoding = headers.get(header::CONTENT_ENCODING).and_then(|encoding| encoding.to_str().ok());
    if let Some(encoding) = encoding.filter(|encoding| *encoding != "identity") {
        let _ = write!(text, "{side} [{} bytes, compressed with {encoding}]", bytes.len());
        return;
    }
    match std::str::from_utf8(bytes) {
        Ok(body) if !body.chars().any(|c| c.is_control() && !c.is_whitespace()) => {
            let body = if is_form(headers) { secrets::mask_form(body) } else { body.into() };
            let mut end = body.len().min(MAX_SHOWN);
            while !body.is_char_boundary(end) {
                end -= 1;
            }
            let _ = writeln!(text, "{side}");
            for line in body[..end].lines() {
                let _ = writeln!(text, "{side} {line}");
            }
            if end < body.len() {
                let _ = write!(text, "{side} [{} more bytes]", body.len() - end);
            }
        }
        _ => {
            let _ = write!(text, "{side} [{} bytes of binary{}]", bytes.len(), kind());
        }
    }
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.trim_start().to_ascii_lowercase().starts_with("application/x-www-form-urlencoded")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::{
        io::{Read, Write as _},
        net::TcpListener,
        time::Duration,
    };

    use super::*;
    use crate::session::{Session, SessionOptions};

    fn shown(bytes: &[u8], encoding: Option<&'static str>) -> String {
        let mut map = HeaderMap::new();
        map.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("image/png"));
        if let Some(encoding) = encoding {
            map.insert(header::CONTENT_ENCODING, header::HeaderValue::from_static(encoding));
        }
        let mut text = String::new();
        body(&mut text, '<', bytes, &map);
        text
    }

    #[test]
    fn masks_secrets() {
        let mut map = HeaderMap::new();
        for (name, value) in [
            (header::AUTHORIZATION, "Basic YWRhOnB3"),
            (header::COOKIE, "id=1"),
            (header::LOCATION, "http://ada:pw@host/cb?code=42"),
            (header::CONTENT_TYPE, "application/x-www-form-urlencoded; charset=utf-8"),
        ] {
            map.insert(name, header::HeaderValue::from_static(value));
        }
        let mut text = String::new();
        headers(&mut text, '<', &map);
        body(&mut text, '<', b"password=pw&user=ada", &map);
        for part in ["authorization: ***\n", "cookie: ***\n", "location: http://ada:***@host/cb?code=***\n"] {
            assert!(text.contains(part), "no {part:?} in\n{text}");
        }
        assert!(text.ends_with("< password=***&user=ada\n"), "{text}");
    }

    #[test]
    fn shows_text_and_describes_binary_bodies() {
        assert_eq!(shown(b"hello\nworld", None), "<\n< hello\n< world\n");
        assert_eq!(shown(&[0xff, 0, 1], None), "< [3 bytes of binary image/png]");
        assert_eq!(shown(b"a\x1b[31mb", None), "< [7 bytes of binary image/png]");
        assert_eq!(shown(b"xyz", Some("br")), "< [3 bytes, compressed with br]");
        assert_eq!(shown(b"", None), "");
        let long = shown("ä".repeat(MAX_SHOWN).as_bytes(), None);
        assert!(long.ends_with("more bytes]"), "{}", &long[long.len() - 40..]);
    }

    #[tokio::test]
    async fn does_not_read_server_sent_events() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]).unwrap();
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
            stream.write_all(head.as_bytes()).unwrap();
            // The stream has no end until the client closes the connection.
            let _ = stream.read(&mut [0]);
        });
        let answer = Session::new(SessionOptions::new()).unwrap().get(url).send().await.unwrap();
        let text = tokio::time::timeout(Duration::from_secs(5), response(&answer)).await.expect("it reads the body");
        assert_eq!(text, "< HTTP/1.1 200 OK\n< content-type: text/event-stream\n< [server-sent events]");
        drop(answer);
        server.join().unwrap();
    }
}
