//! Decompression of bodies while they arrive.

mod coding;

use std::{
    cell::RefCell,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use http::{HeaderMap, header};
use tokio::io::{AsyncBufRead, AsyncRead, BufReader, ReadBuf};
use tokio_util::io::StreamReader;

pub(crate) use self::coding::Coding;
use super::{Error, ErrorKind, body::ResponseBody};

/// The maximum number of codings of a response. Each one needs memory and stack, and the server chooses how many there are.
const MAX_CODINGS: usize = 5;

/// The maximum number of bytes after the compressed data that are skipped to keep the connection.
const MAX_SKIPPED: usize = 64 * 1024;

/// The codings that are accepted and decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Decompression {
    pub(crate) gzip: bool,
    pub(crate) deflate: bool,
    pub(crate) brotli: bool,
    pub(crate) zstd: bool,
}

impl Decompression {
    /// Everything that this build can decompress.
    pub(crate) const ALL: Decompression = Decompression {
        gzip: cfg!(feature = "gzip"),
        deflate: cfg!(feature = "deflate"),
        brotli: cfg!(feature = "brotli"),
        zstd: cfg!(feature = "zstd"),
    };

    /// Returns the value of `Accept-Encoding`, or `None` if no coding is accepted.
    pub(crate) fn accepted(self) -> Option<&'static str> {
        // All combinations, so that no text has to be built.
        const NAMES: [&str; 16] = [
            "",
            "gzip",
            "deflate",
            "gzip, deflate",
            "br",
            "gzip, br",
            "deflate, br",
            "gzip, deflate, br",
            "zstd",
            "gzip, zstd",
            "deflate, zstd",
            "gzip, deflate, zstd",
            "br, zstd",
            "gzip, br, zstd",
            "deflate, br, zstd",
            "gzip, deflate, br, zstd",
        ];
        let bit = |on: bool, bit: usize| if on { bit } else { 0 };
        let index = bit(self.gzip, 1) | bit(self.deflate, 2) | bit(self.brotli, 4) | bit(self.zstd, 8);
        Some(NAMES[index]).filter(|names| !names.is_empty())
    }

    /// Returns the coding with a name in lower case, if it is accepted.
    fn coding(self, name: &str) -> Option<Coding> {
        match name {
            #[cfg(feature = "gzip")]
            "gzip" | "x-gzip" if self.gzip => Some(Coding::Gzip),
            #[cfg(feature = "deflate")]
            "deflate" if self.deflate => Some(Coding::Deflate),
            #[cfg(feature = "brotli")]
            "br" if self.brotli => Some(Coding::Brotli),
            #[cfg(feature = "zstd")]
            "zstd" if self.zstd => Some(Coding::Zstd),
            _ => None,
        }
    }

    /// Returns the codings to decode, the outermost first, or `None` if there are none or one of them is not accepted.
    ///
    /// # Errors
    ///
    /// Returns an error if there are more than [`MAX_CODINGS`].
    pub(crate) fn codings(self, headers: &HeaderMap) -> Result<Option<Vec<Coding>>, Error> {
        let mut codings = Vec::new();
        for value in headers.get_all(header::CONTENT_ENCODING) {
            let Ok(names) = value.to_str() else { return Ok(None) };
            for name in names.split(',').map(str::trim) {
                let name = name.to_ascii_lowercase();
                if matches!(&*name, "identity" | "") {
                    continue;
                }
                match self.coding(&name) {
                    Some(coding) => codings.push(coding),
                    None => return Ok(None),
                }
            }
        }
        if codings.len() > MAX_CODINGS {
            let what = format!("the response has {} content codings, more than {MAX_CODINGS}", codings.len());
            return Err(Error::new(ErrorKind::Decode, what).with_hint("look at the server"));
        }
        codings.reverse();
        Ok(Some(codings).filter(|codings| !codings.is_empty()))
    }
}

/// A body that is decompressed while it arrives.
pub(crate) struct Decoded {
    reader: Pin<Box<dyn AsyncRead>>,
    body: Rc<RefCell<ResponseBody>>,
    buffer: BytesMut,
    time: TimeLimit,
    /// Whether all data was decoded. The rest of the body is skipped.
    decoded: bool,
    /// How many bytes of the rest were skipped.
    skipped: usize,
}

/// The time limit for decompression.
enum TimeLimit {
    Unlimited,
    Until(Instant),
    /// The time left for a body that has arrived. Only decompression counts, since a scenario may read the body later.
    Left(Duration),
}

impl TimeLimit {
    fn new(body: &ResponseBody, deadline: Option<Instant>) -> TimeLimit {
        match deadline {
            None => TimeLimit::Unlimited,
            Some(deadline) if body.is_whole() => TimeLimit::Left(deadline.saturating_duration_since(Instant::now())),
            Some(deadline) => TimeLimit::Until(deadline),
        }
    }

    fn is_over(&self, now: Instant) -> bool {
        match self {
            TimeLimit::Unlimited => false,
            TimeLimit::Until(deadline) => now >= *deadline,
            TimeLimit::Left(left) => left.is_zero(),
        }
    }

    fn spend(&mut self, since: Instant) {
        if let TimeLimit::Left(left) = self {
            *left = left.saturating_sub(since.elapsed());
        }
    }
}

/// How many bytes are decompressed at once.
const PART: usize = 16 * 1024;

impl Decoded {
    /// Returns a body that decodes these codings, the outermost first. The deadline includes decompression, because a few
    /// bytes can become gigabytes.
    pub(crate) fn new(body: ResponseBody, codings: &[Coding], deadline: Option<Instant>) -> Decoded {
        let time = TimeLimit::new(&body, deadline);
        let body = Rc::new(RefCell::new(body));
        let mut input: Pin<Box<dyn AsyncBufRead>> = Box::pin(StreamReader::new(Parts(body.clone())));
        let reader = match codings.split_last() {
            None => Box::pin(input),
            Some((last, outer)) => {
                for coding in outer {
                    input = Box::pin(BufReader::new(coding.decoder(input)));
                }
                last.decoder(input)
            }
        };
        Decoded { reader, body, buffer: BytesMut::new(), time, decoded: false, skipped: 0 }
    }

    /// Extends the deadline.
    pub(crate) fn postpone_deadline(&mut self, time: Duration) {
        if let TimeLimit::Until(deadline) = &mut self.time {
            *deadline += time;
        }
        self.body.borrow_mut().postpone_deadline(time);
    }

    /// Polls for the next part. Returns `None` at the end.
    pub(crate) fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        if !self.decoded {
            let now = Instant::now();
            if self.time.is_over(now) {
                return Poll::Ready(Some(Err(Error::new(ErrorKind::Timeout, "the body was not decompressed in time")
                    .with_hint("raise the timeout, or look at the server"))));
            }
            self.buffer.resize(PART, 0);
            let mut part = ReadBuf::new(&mut self.buffer);
            let polled = self.reader.as_mut().poll_read(cx, &mut part);
            self.time.spend(now);
            match ready!(polled) {
                Ok(()) => match part.filled().len() {
                    0 => self.decoded = true,
                    read => return Poll::Ready(Some(Ok(self.buffer.split_to(read).freeze()))),
                },
                Err(error) => match error.downcast::<Error>() {
                    // An error of the transport.
                    Ok(error) => return Poll::Ready(Some(Err(error))),
                    // Servers state a coding even if there is no body.
                    Err(_) if self.received() == 0 => return Poll::Ready(None),
                    Err(error) => {
                        let what = "the body could not be decompressed";
                        return Poll::Ready(Some(Err(Error::new(ErrorKind::Decode, what).with_source(error))));
                    }
                },
            }
        }
        // The connection can be used again after the last chunk of the framing. If too much precedes it, the connection is
        // closed.
        let mut body = self.body.borrow_mut();
        while self.skipped <= MAX_SKIPPED {
            match ready!(body.poll_chunk(cx)) {
                Some(Ok(bytes)) => self.skipped += bytes.len(),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
        body.abandon();
        Poll::Ready(None)
    }

    /// Returns how many bytes of the compressed body have arrived.
    pub(crate) fn received(&self) -> u64 {
        self.body.borrow().received()
    }
}

/// The parts of a body, as a stream of I/O results.
struct Parts(Rc<RefCell<ResponseBody>>);

impl Stream for Parts {
    type Item = io::Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        self.0.borrow_mut().poll_chunk(cx).map(|part| part.map(|part| part.map_err(io::Error::other)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_compression::tokio::bufread::{BrotliEncoder, DeflateEncoder, GzipEncoder, ZlibEncoder, ZstdEncoder};
    use std::future::poll_fn;
    use tokio::io::AsyncReadExt;

    async fn encoded(mut encoder: impl AsyncRead + Unpin) -> Bytes {
        let mut bytes = Vec::new();
        encoder.read_to_end(&mut bytes).await.unwrap();
        bytes.into()
    }

    async fn decoded(bytes: Bytes, codings: &[Coding]) -> Result<Vec<u8>, Error> {
        let mut decoded = Decoded::new(ResponseBody::whole(bytes), codings, None);
        let mut body = Vec::new();
        while let Some(part) = poll_fn(|cx| decoded.poll_chunk(cx)).await {
            body.extend_from_slice(&part?);
        }
        Ok(body)
    }

    #[tokio::test]
    async fn all_codings_are_decoded() {
        let text = b"to be, or not to be ".repeat(4000);
        for (bytes, coding) in [
            (encoded(GzipEncoder::new(&text[..])).await, Coding::Gzip),
            (encoded(ZlibEncoder::new(&text[..])).await, Coding::Deflate),
            (encoded(DeflateEncoder::new(&text[..])).await, Coding::Deflate),
            (encoded(BrotliEncoder::new(&text[..])).await, Coding::Brotli),
            (encoded(ZstdEncoder::new(&text[..])).await, Coding::Zstd),
        ] {
            assert_eq!(decoded(bytes.clone(), &[coding]).await.unwrap(), text, "{coding:?}");
            let half = bytes.slice(..bytes.len() / 2);
            assert!(decoded(half, &[coding]).await.unwrap_err().is_decode(), "{coding:?} cut in half");
            assert!(decoded(Bytes::from_static(b"\xffgarbage"), &[coding]).await.unwrap_err().is_decode());
        }
        for coding in [Coding::Gzip, Coding::Deflate, Coding::Brotli, Coding::Zstd] {
            assert_eq!(decoded(Bytes::new(), &[coding]).await.unwrap(), b"", "{coding:?} of nothing");
        }
        let twice = encoded(GzipEncoder::new(&encoded(BrotliEncoder::new(&text[..])).await[..])).await;
        assert_eq!(decoded(twice, &[Coding::Gzip, Coding::Brotli]).await.unwrap(), text);
    }

    #[tokio::test]
    async fn bodies_that_have_arrived_can_be_read_late() {
        let packed = encoded(GzipEncoder::new(&b"to be"[..])).await;
        let deadline = Instant::now() + Duration::from_millis(100);
        let mut body = Decoded::new(ResponseBody::whole(packed), &[Coding::Gzip], Some(deadline));
        tokio::time::sleep_until((deadline + Duration::from_millis(1)).into()).await;
        assert_eq!(poll_fn(|cx| body.poll_chunk(cx)).await.unwrap().unwrap(), "to be");
    }

    #[test]
    fn only_accepted_codings_are_decoded() {
        let all = Decompression { gzip: true, deflate: true, brotli: true, zstd: true };
        let of = |text| HeaderMap::from_iter([(header::CONTENT_ENCODING, http::HeaderValue::from_static(text))]);
        let undo = |names| all.codings(&of(names)).unwrap();
        assert_eq!(undo("gzip"), Some(vec![Coding::Gzip]));
        assert_eq!(undo("BR, gzip"), Some(vec![Coding::Gzip, Coding::Brotli]));
        assert_eq!(undo("identity"), None);
        assert_eq!(undo("sdch"), None);
        assert_eq!(undo("br, gzip, deflate, br, zstd").unwrap().len(), MAX_CODINGS);
        assert!(all.codings(&of("br, gzip, deflate, br, zstd, gzip")).unwrap_err().is_decode());
        assert_eq!(Decompression { gzip: false, ..all }.codings(&of("gzip")).unwrap(), None);
        assert_eq!(all.accepted(), Some("gzip, deflate, br, zstd"));
        assert_eq!(Decompression { gzip: true, deflate: false, brotli: false, zstd: false }.accepted(), Some("gzip"));
    }

    #[tokio::test]
    async fn bytes_after_the_last_member_are_ignored() {
        let (gzip, zstd) = (encoded(GzipEncoder::new(&b"one"[..])).await, encoded(ZstdEncoder::new(&b"one"[..])).await);
        let skipped = [0x5a, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 9, 9];
        for (member, coding) in [(&gzip, Coding::Gzip), (&zstd, Coding::Zstd)] {
            for (tail, expected) in [
                (&b""[..], "one"),
                (&member[..], "oneone"),
                (b"\0\0\0\0\0\0", "one"),
                (b"\x1f", "one"),
                (b"garbage", "one"),
                (&skipped, "one"),
            ] {
                let whole = [&member[..], tail].concat();
                let body = decoded(whole.into(), &[coding]).await.unwrap();
                assert_eq!(body, expected.as_bytes(), "{coding:?} {tail:?}");
            }
            let cut = [&member[..], &member[..member.len() - 1]].concat();
            assert!(decoded(cut.into(), &[coding]).await.unwrap_err().is_decode(), "{coding:?}");
        }
        for coding in [Coding::Brotli, Coding::Deflate] {
            let bytes = match coding {
                Coding::Brotli => encoded(BrotliEncoder::new(&b"one"[..])).await,
                _ => encoded(ZlibEncoder::new(&b"one"[..])).await,
            };
            let body = decoded([&bytes[..], b"garbage"].concat().into(), &[coding]).await.unwrap();
            assert_eq!(body, b"one", "{coding:?}");
        }
    }

    /// The server chooses the window, and the decoder allocates it.
    #[tokio::test]
    async fn windows_have_the_limits_of_the_content_codings() {
        let zstd = |log: u8| Bytes::from(vec![0x28, 0xb5, 0x2f, 0xfd, 0, (log - 10) << 3, 1, 0, 0]);
        assert_eq!(decoded(zstd(23), &[Coding::Zstd]).await.unwrap(), b"");
        assert!(decoded(zstd(27), &[Coding::Zstd]).await.unwrap_err().is_decode());
        // An empty stream with a window of 1 GiB.
        assert!(decoded(Bytes::from_static(&[0x11, 0xde]), &[Coding::Brotli]).await.unwrap_err().is_decode());
        // And one of 16 MiB.
        assert_eq!(decoded(Bytes::from_static(&[0x3f]), &[Coding::Brotli]).await.unwrap(), b"");
    }

    /// A few kilobytes that become gigabytes take no longer than the deadline, and other tasks run meanwhile.
    #[tokio::test]
    async fn decoding_stops_at_the_deadline() {
        let zeros = encoded(GzipEncoder::new(&vec![0; 4 << 20][..])).await;
        let inner = Bytes::from(zeros.repeat(1000));
        let bomb = encoded(GzipEncoder::new(&inner[..])).await;
        assert!(bomb.len() < 64 << 10, "{}", bomb.len());
        let deadline = Instant::now() + Duration::from_millis(100);
        let codings = [Coding::Gzip, Coding::Gzip];
        let mut body = Decoded::new(ResponseBody::whole(bomb), &codings, Some(deadline));
        let (mut others, mut all) = (0, 0);
        let reading = async {
            loop {
                match poll_fn(|cx| body.poll_chunk(cx)).await {
                    Some(Ok(part)) => all += part.len(),
                    end => break end,
                }
            }
        };
        let ended = tokio::select! {
            biased;
            () = async { loop { others += 1; tokio::task::yield_now().await } } => unreachable!("the loop does not end"),
            ended = reading => ended,
        };
        assert!(ended.is_some_and(|end| end.is_err_and(|error| error.is_timeout())));
        assert!(deadline.elapsed() < Duration::from_secs(1), "{:?}", deadline.elapsed());
        // If the decoder never yielded, other tasks would run only once.
        assert!(all > 0 && others > 1, "{all} bytes, other tasks ran {others} times");
    }
}
