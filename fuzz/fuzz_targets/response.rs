//! Feeds the HTTP/1.1 reader any bytes: it must not panic, and must say the same wherever the bytes are cut.
#![no_main]

use http::Method;
use libfuzzer_sys::fuzz_target;
use molotov::__private::h1::parse_response;

fuzz_target!(|input: &[u8]| {
    let Some((&first, bytes)) = input.split_first() else { return };
    let method = if first & 1 == 0 { Method::GET } else { Method::HEAD };
    let closed = first & 2 != 0;
    let piece = usize::from(first >> 2) + 1;
    let whole = parse_response(bytes, &method, bytes.len(), closed);
    let pieces = parse_response(bytes, &method, piece, closed);
    match (&whole, &pieces) {
        (Ok(Some(whole)), Ok(Some(pieces))) => {
            assert_eq!(whole.status, pieces.status);
            assert_eq!(whole.body, pieces.body);
            assert_eq!(whole.complete, pieces.complete);
            assert_eq!(whole.consumed, pieces.consumed);
            assert!(whole.consumed <= bytes.len());
            assert!(whole.body.len() <= bytes.len());
        }
        (Ok(None), Ok(None)) | (Err(_), Err(_)) => {}
        // Cut in pieces, a head may be refused for what comes late in it before it is complete, and the other way.
        (Ok(None), Err(_)) | (Err(_), Ok(None)) => {}
        (whole, pieces) => panic!("{whole:?} in one piece, {pieces:?} in pieces of {piece}"),
    }
});
