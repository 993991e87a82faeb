//! The reader of HTTP/1.1 responses, applied to bytes in memory: for fuzzing and conformance tests.

use bytes::BytesMut;
use http::Method;

use super::{exchange::Exchange, malformed::Malformed, scratch::Reader};

/// The result of [`parse_response`].
#[doc(hidden)]
#[derive(Debug)]
pub struct Parsed {
    /// The final status.
    pub status: u16,
    /// The body, without its framing.
    pub body: Vec<u8>,
    /// Whether the body is complete.
    pub complete: bool,
    /// How many bytes of the input belong to this response.
    pub consumed: usize,
}

/// Parses one final response with the reader of connections, as if a connection received `piece` bytes at a time.
///
/// `closed` is whether the server closes the connection at the end. Returns `None` if the head is incomplete.
///
/// # Errors
///
/// Returns a description of what is malformed.
#[doc(hidden)]
pub fn parse_response(bytes: &[u8], method: &Method, piece: usize, closed: bool) -> Result<Option<Parsed>, String> {
    let mut pieces = bytes.chunks(piece.max(1));
    let mut buffer = BytesMut::new();
    let (mut exchange, mut reader) = (Exchange::new(method), Reader::default());
    let mut read = 0;
    let response = loop {
        let Some(fresh) = pieces.next() else { return Ok(None) };
        read += fresh.len();
        match exchange.receive(&mut buffer, &mut BytesMut::from(fresh), &mut reader) {
            Ok(Some(response)) => break response,
            Ok(None) => {}
            Err(failed) => return Err(failed.error.to_string()),
        }
    };
    let status = response.head.status.as_u16();
    let mut decoder = match response.body {
        Ok(body) => {
            let consumed = read - buffer.len();
            return Ok(Some(Parsed { status, body: body.to_vec(), complete: true, consumed }));
        }
        Err(decoder) => decoder,
    };
    let (mut at, mut body) = (read - buffer.len(), Vec::new());
    while at < bytes.len() && !decoder.is_end() {
        let input = &bytes[at..at.saturating_add(piece).min(bytes.len())];
        let decoded = decoder.decode(input).map_err(|Malformed(reason)| reason.to_owned())?;
        body.extend_from_slice(&input[decoded.data]);
        at += decoded.consumed;
    }
    let complete = decoder.is_end() || (closed && decoder.close());
    Ok(Some(Parsed { status, body, complete, consumed: at }))
}
