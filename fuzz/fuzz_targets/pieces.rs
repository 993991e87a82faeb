//! Properties of the HTTP/1.1 reader for any input, for the fuzz target and for a test with its corpus.

use http::Method;
use molotov::__private::h1::parse_response;

/// Reads a response in one part and in several, whose size is the first byte.
///
/// # Panics
///
/// Panics if the results differ, or if more was read than the input contains.
pub(crate) fn check(input: &[u8]) {
    let Some((&first, bytes)) = input.split_first() else { return };
    let method = if first & 1 == 0 { Method::GET } else { Method::HEAD };
    let closed = first & 2 != 0;
    let piece = usize::from(first >> 2) + 1;
    let whole = parse_response(bytes, &method, bytes.len(), closed);
    let pieces = parse_response(bytes, &method, piece, closed);
    match (&whole, &pieces) {
        (Ok(Some(whole)), Ok(Some(pieces))) => {
            assert_eq!((whole.status, whole.complete), (pieces.status, pieces.complete));
            assert_eq!((&whole.body, whole.consumed), (&pieces.body, pieces.consumed));
            assert!(whole.consumed <= bytes.len() && whole.body.len() <= bytes.len());
        }
        // In parts, an error may appear before the head is complete, or never appear because the head is incomplete.
        (Ok(None) | Err(_), Ok(None) | Err(_)) => {}
        (whole, pieces) => panic!("{whole:?} in one piece, {pieces:?} in pieces of {piece}"),
    }
}
