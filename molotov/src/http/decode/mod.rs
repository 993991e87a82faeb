//! Bodies as they were before they were compressed, as they come.

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

/// How many codings of one response are undone. Each one takes memory and a level of the stack, and the server chooses
/// how many there are.
const MAX_CODINGS: usize = 5;

/// How many bytes after the end of the compressed data are skipped to keep the connection.
const MAX_SKIPPED: usize = 64 * 1024;

/// Which compressions are asked for and undone.
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

    /// What `Accept-Encoding` says; `None` where nothing is undone.
    pub(crate) fn accepted(self) -> Option<&'static str> {
        // Every combination, so that nothing has to be built.
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

    /// The coding of this name in lower case, if it is to be undone.
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

    /// The compressions to undo, the outermost first; `None` where there is none, or one that is not ours to undo.
    ///
    /// # Errors
    /// When the server states more than [`MAX_CODINGS`].
    pub(crate) fn to_undo(self, headers: &HeaderMap) -> Result<Option<Vec<Coding>>, Error> {
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

/// A body that is decompressed while it comes.
pub(crate) struct Decoded {
    reader: Pin<Box<dyn AsyncRead>>,
    body: Rc<RefCell<ResponseBody>>,
    buffer: BytesMut,
    time: Time,
    /// All data has been decoded; the rest of the body is skipped.
    decoded: bool,
    /// How much of it was skipped.
    skipped: usize,
}

/// How long decompressing may take.
enum Time {
    Unlimited,
    Until(Instant),
    /// For a body that has arrived: only decompressing takes of this, since a scenario may read such a body as late as it
    /// likes.
    Left(Duration),
}

impl Time {
    fn new(body: &ResponseBody, deadline: Option<Instant>) -> Time {
        match deadline {
            None => Time::Unlimited,
            Some(deadline) if body.is_whole() => Time::Left(deadline.saturating_duration_since(Instant::now())),
            Some(deadline) => Time::Until(deadline),
        }
    }

    fn is_over(&self, now: Instant) -> bool {
        match self {
            Time::Unlimited => false,
            Time::Until(deadline) => now >= *deadline,
            Time::Left(left) => left.is_zero(),
        }
    }

    fn spend(&mut self, since: Instant) {
        if let Time::Left(left) = self {
            *left = left.saturating_sub(since.elapsed());
        }
    }
}

/// How much is decompressed at once.
const PART: usize = 16 * 1024;

impl Decoded {
    /// A body with these codings, the outermost first. Decoding may take until `deadline`: a few bytes can become
    /// gigabytes.
    pub(crate) fn new(body: ResponseBody, codings: &[Coding], deadline: Option<Instant>) -> Decoded {
        let time = Time::new(&body, deadline);
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

    /// Gives the body more time to arrive.
    pub(crate) fn postpone_deadline(&mut self, time: Duration) {
        if let Time::Until(deadline) = &mut self.time {
            *deadline += time;
        }
        self.body.borrow_mut().postpone_deadline(time);
    }

    /// The next part; `None` when there is no more.
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
                    // The wire's own.
                    Ok(error) => return Poll::Ready(Some(Err(error))),
                    // No body at all is no broken one: servers state a compression for it too.
                    Err(_) if self.received() == 0 => return Poll::Ready(None),
                    Err(error) => {
                        let what = "the body cannot be decompressed";
                        return Poll::Ready(Some(Err(Error::new(ErrorKind::Decode, what).with_source(error))));
                    }
                },
            }
        }
        // The last chunk of the framing is still to come: only after it can the connection be used again. Of what else
        // comes only so much is waited for; then the connection is closed.
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

    /// Bytes that came over the wire so far.
    pub(crate) fn received(&self) -> u64 {
        self.body.borrow().received()
    }
}

/// The parts of a body, for readers.
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
    async fn every_coding_is_undone() {
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
    async fn a_body_that_has_arrived_may_be_read_late() {
        let packed = encoded(GzipEncoder::new(&b"to be"[..])).await;
        let deadline = Instant::now() + Duration::from_millis(100);
        let mut body = Decoded::new(ResponseBody::whole(packed), &[Coding::Gzip], Some(deadline));
        tokio::time::sleep_until((deadline + Duration::from_millis(1)).into()).await;
        assert_eq!(poll_fn(|cx| body.poll_chunk(cx)).await.unwrap().unwrap(), "to be");
    }

    #[test]
    fn only_what_is_known_is_undone() {
        let all = Decompression { gzip: true, deflate: true, brotli: true, zstd: true };
        let of = |text| HeaderMap::from_iter([(header::CONTENT_ENCODING, http::HeaderValue::from_static(text))]);
        let undo = |names| all.to_undo(&of(names)).unwrap();
        assert_eq!(undo("gzip"), Some(vec![Coding::Gzip]));
        assert_eq!(undo("BR, gzip"), Some(vec![Coding::Gzip, Coding::Brotli]));
        assert_eq!(undo("identity"), None);
        assert_eq!(undo("sdch"), None);
        assert_eq!(undo("br, gzip, deflate, br, zstd").unwrap().len(), MAX_CODINGS);
        assert!(all.to_undo(&of("br, gzip, deflate, br, zstd, gzip")).unwrap_err().is_decode());
        assert_eq!(Decompression { gzip: false, ..all }.to_undo(&of("gzip")).unwrap(), None);
        assert_eq!(all.accepted(), Some("gzip, deflate, br, zstd"));
        assert_eq!(Decompression { gzip: true, deflate: false, brotli: false, zstd: false }.accepted(), Some("gzip"));
    }

    #[tokio::test]
    async fn what_follows_the_last_member_is_ignored() {
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

    /// A server chooses the window, and the decoder makes room for it.
    #[tokio::test]
    async fn windows_are_as_large_as_the_content_codings_allow() {
        let zstd = |log: u8| Bytes::from(vec![0x28, 0xb5, 0x2f, 0xfd, 0, (log - 10) << 3, 1, 0, 0]);
        assert_eq!(decoded(zstd(23), &[Coding::Zstd]).await.unwrap(), b"");
        assert!(decoded(zstd(27), &[Coding::Zstd]).await.unwrap_err().is_decode());
        // An empty stream with a window of 1 GiB.
        assert!(decoded(Bytes::from_static(&[0x11, 0xde]), &[Coding::Brotli]).await.unwrap_err().is_decode());
        // And one of 16 MiB.
        assert_eq!(decoded(Bytes::from_static(&[0x3f]), &[Coding::Brotli]).await.unwrap(), b"");
    }

    /// A few kilobytes that become gigabytes take no longer than the deadline, and let others run.
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
            () = async { loop { others += 1; tokio::task::yield_now().await } } => unreachable!("it never ends"),
            ended = reading => ended,
        };
        assert!(ended.is_some_and(|end| end.is_err_and(|error| error.is_timeout())));
        assert!(deadline.elapsed() < Duration::from_secs(1), "{:?}", deadline.elapsed());
        // A decoder that kept the thread to itself would leave others their first turn only.
        assert!(all > 0 && others > 1, "{all} bytes, {others} turns of others");
    }
}
