//! The parser compared with the algorithm of the standard, applied to the whole text at once.

use futures_util::stream;
use proptest::prelude::*;

use super::*;

/// An event: type, data, ID, and the reconnection time in milliseconds.
type Parsed = (String, String, String, Option<u128>);

/// Parses a stream step by step as in "9.2.6 Interpreting an event stream".
fn by_the_standard(bytes: &[u8]) -> Vec<Parsed> {
    let text = String::from_utf8_lossy(bytes);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text).replace("\r\n", "\n").replace('\r', "\n");
    let (mut events, mut data, mut kind) = (Vec::new(), String::new(), String::new());
    let (mut id, mut retry) = (String::new(), None);
    // What follows the last line feed is not a line.
    for line in text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            _ if line.is_empty() => {
                if let Some(data) = data.strip_suffix('\n') {
                    let kind = if kind.is_empty() { "message" } else { &kind };
                    events.push((kind.to_owned(), data.to_owned(), id.clone(), retry));
                }
                data.clear();
                kind.clear();
            }
            "event" => value.clone_into(&mut kind),
            "data" => data.extend([value, "\n"]),
            "id" if !value.contains('\0') => value.clone_into(&mut id),
            "retry" if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) => {
                retry = value.parse::<u32>().ok().map(u128::from).or(retry);
            }
            _ => {}
        }
    }
    events
}

/// Parses a stream that arrives in these parts.
fn by_the_reader(parts: Vec<Bytes>) -> Vec<Parsed> {
    let reader = reader_of(stream::iter(parts.into_iter().map(Ok)));
    let mut cx = task::Context::from_waker(Waker::noop());
    assert!(reader.poll(&mut cx).is_ready());
    let mut events = Vec::new();
    while let Poll::Ready(Ok(Some(event))) = reader.poll_take(&mut cx) {
        let retry = event.retry().map(|retry| retry.as_millis());
        events.push((event.event().to_owned(), event.data().to_owned(), event.id().to_owned(), retry));
    }
    events
}

/// The pieces of a stream that matter to a parser.
const PIECES: &[&[u8]] = &[
    b"\n",
    b"\n",
    b"\r",
    b"\r\n",
    b"\n\n",
    b"data",
    b"data:",
    b"data: x",
    b"data:  two",
    b"event: e",
    b"event",
    b"id: 1",
    b"id",
    b"id: a\0b",
    b"id:",
    b"retry: 20",
    b"retry: 2x",
    b"retry",
    b"retry: 99999999999",
    b": comment",
    b":",
    b" ",
    b"\xef\xbb\xbf",
    b"\xef\xbb",
    b"\xff",
    "ä".as_bytes(),
    b"\xc3",
    b"Data: no",
    b"datax: no",
    b"\0",
];

fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop::sample::select(PIECES).prop_map(<[u8]>::to_vec)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_parts_give_the_events_of_the_standard(
        pieces in prop::collection::vec(piece(), 0..40),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let whole = pieces.concat();
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(whole.len() + 1)).chain([0, whole.len()]).collect();
        cuts.sort_unstable();
        let parts = cuts.windows(2).map(|pair| Bytes::copy_from_slice(&whole[pair[0]..pair[1]])).collect();
        prop_assert_eq!(by_the_reader(parts), by_the_standard(&whole), "{:?}", Bytes::from(whole));
    }
}

#[test]
fn the_examples_of_the_standard_are_parsed() {
    let event = |kind: &str, data: &str, id: &str| (kind.to_owned(), data.to_owned(), id.to_owned(), None);
    for (text, expected) in [
        ("data: YHOO\ndata: +2\ndata: 10\n\n", vec![event("message", "YHOO\n+2\n10", "")]),
        (
            ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n",
            vec![event("message", "first event", "1"), event("message", "second event", "")],
        ),
        ("data\n\ndata\ndata\n\ndata:", vec![event("message", "", ""), event("message", "\n", "")]),
        ("data:test\n\ndata: test\n\n", vec![event("message", "test", ""), event("message", "test", "")]),
        ("\u{feff}event: add\ndata: 73857293\r\r\n", vec![event("add", "73857293", "")]),
    ] {
        assert_eq!(by_the_standard(text.as_bytes()), expected, "the model on {text:?}");
        assert_eq!(by_the_reader(vec![Bytes::from(text)]), expected, "{text:?}");
    }
}
