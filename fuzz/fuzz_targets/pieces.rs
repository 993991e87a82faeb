//! What holds for any bytes that the HTTP/1.1 reader gets. Shared by the fuzz target and by a test that reads its corpus.

use http::Method;
use molotov::__private::h1::parse_response;

/// Reads a response in one piece and in several, as the first byte says.
///
/// # Panics
/// If the two differ, or more was read than there is.
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
        // In pieces, an error may show before the head is complete, or stay unseen because the head never is.
        (Ok(None) | Err(_), Ok(None) | Err(_)) => {}
        (whole, pieces) => panic!("{whole:?} in one piece, {pieces:?} in pieces of {piece}"),
    }
}
