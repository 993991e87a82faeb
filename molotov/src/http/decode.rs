//! Bodies as they were before they were compressed, as they come.

use std::{
    cell::Cell,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use async_compression::tokio::bufread::{BrotliDecoder, DeflateDecoder, GzipDecoder, ZlibDecoder, ZstdDecoder};
use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use http::{HeaderMap, header};
use tokio::io::{AsyncBufRead, AsyncRead, ReadBuf};
use tokio_util::io::StreamReader;

use super::{Error, ErrorKind, wire::WireBody};

/// Which compressions are asked for and undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Decompression {
    pub(crate) gzip: bool,
    pub(crate) deflate: bool,
    pub(crate) brotli: bool,
    pub(crate) zstd: bool,
}

impl Decompression {
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

    /// The compressions to undo, the outermost first; `None` where there is none, or one that is not ours to undo.
    pub(crate) fn to_undo(self, headers: &HeaderMap) -> Option<Vec<Coding>> {
        let mut codings = Vec::new();
        for value in headers.get_all(header::CONTENT_ENCODING) {
            for name in value.to_str().ok()?.split(',').map(str::trim) {
                match name.to_ascii_lowercase().as_str() {
                    "identity" | "" => {}
                    "gzip" | "x-gzip" if self.gzip => codings.push(Coding::Gzip),
                    "deflate" if self.deflate => codings.push(Coding::Deflate),
                    "br" if self.brotli => codings.push(Coding::Brotli),
                    "zstd" if self.zstd => codings.push(Coding::Zstd),
                    _ => return None,
                }
            }
        }
        codings.reverse();
        Some(codings).filter(|codings| !codings.is_empty())
    }
}

/// A way to compress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

/// A body that is decompressed while it comes.
pub(crate) struct Decoded {
    reader: Pin<Box<dyn AsyncRead>>,
    buffer: BytesMut,
    received: Rc<Cell<u64>>,
}

/// How much is decompressed at once.
const PART: usize = 16 * 1024;

impl Decoded {
    /// `received` counts what comes over the wire.
    pub(crate) fn new(body: WireBody, codings: &[Coding], received: Rc<Cell<u64>>) -> Decoded {
        let mut reader: Pin<Box<dyn AsyncBufRead>> =
            Box::pin(StreamReader::new(Parts { body, received: received.clone() }));
        for coding in codings {
            reader = match coding {
                Coding::Gzip => {
                    let mut decoder = GzipDecoder::new(reader);
                    decoder.multiple_members(true);
                    buffered(decoder)
                }
                Coding::Deflate => Box::pin(tokio::io::BufReader::new(Deflate::Unknown(Some(reader)))),
                Coding::Brotli => buffered(BrotliDecoder::new(reader)),
                Coding::Zstd => {
                    let mut decoder = ZstdDecoder::new(reader);
                    decoder.multiple_members(true);
                    buffered(decoder)
                }
            };
        }
        Decoded { reader: Box::pin(reader), buffer: BytesMut::new(), received }
    }

    /// The next part; `None` when there is no more.
    pub(crate) fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        self.buffer.resize(PART, 0);
        let mut part = ReadBuf::new(&mut self.buffer);
        match self.reader.as_mut().poll_read(cx, &mut part) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(error)) => match error.downcast::<Error>() {
                // The wire's own.
                Ok(error) => Poll::Ready(Some(Err(error))),
                // No body at all is no broken one: servers state a compression for it too.
                Err(_) if self.received.get() == 0 => Poll::Ready(None),
                Err(error) => {
                    let what = "the body cannot be decompressed";
                    Poll::Ready(Some(Err(Error::new(ErrorKind::Decode, what).with_source(error))))
                }
            },
            Poll::Ready(Ok(())) => match part.filled().len() {
                0 => Poll::Ready(None),
                read => Poll::Ready(Some(Ok(self.buffer.split_to(read).freeze()))),
            },
        }
    }
}

fn buffered(reader: impl AsyncRead + 'static) -> Pin<Box<dyn AsyncBufRead>> {
    Box::pin(tokio::io::BufReader::new(Box::pin(reader)))
}

/// The parts of a body, for readers.
struct Parts {
    body: WireBody,
    received: Rc<Cell<u64>>,
}

impl Stream for Parts {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        let part = self.body.poll_chunk(cx);
        if let Poll::Ready(Some(Ok(bytes))) = &part {
            self.received.set(self.received.get() + bytes.len() as u64);
        }
        part.map(|part| part.map(|part| part.map_err(io::Error::other)))
    }
}

/// `deflate` is zlib by the standard and bare by the habit of some servers: the first bytes tell.
enum Deflate {
    Unknown(Option<Pin<Box<dyn AsyncBufRead>>>),
    Known(Pin<Box<dyn AsyncRead>>),
}

impl AsyncRead for Deflate {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if let Deflate::Unknown(reader) = &mut *self {
            let Some(source) = reader else { return Poll::Ready(Ok(())) };
            let first = match source.as_mut().poll_fill_buf(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Ready(Ok(first)) => first,
            };
            // The method in the low half is 8, and both bytes together are a multiple of 31; one byte must do where
            // only one has come.
            let zlib = match first {
                [] => return Poll::Ready(Ok(())),
                [method] => method & 0x0f == 8,
                [method, flags, ..] => method & 0x0f == 8 && (u16::from(*method) << 8 | u16::from(*flags)) % 31 == 0,
            };
            let Some(source) = reader.take() else { return Poll::Ready(Ok(())) };
            *self = Deflate::Known(if zlib {
                Box::pin(ZlibDecoder::new(source))
            } else {
                Box::pin(DeflateDecoder::new(source))
            });
        }
        match &mut *self {
            Deflate::Known(reader) => reader.as_mut().poll_read(cx, out),
            Deflate::Unknown(_) => Poll::Ready(Ok(())),
        }
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
        let mut decoded = Decoded::new(WireBody::whole(bytes), codings, Rc::default());
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

    #[test]
    fn only_what_is_known_is_undone() {
        let all = Decompression { gzip: true, deflate: true, brotli: true, zstd: true };
        let of = |text| HeaderMap::from_iter([(header::CONTENT_ENCODING, http::HeaderValue::from_static(text))]);
        assert_eq!(all.to_undo(&of("gzip")), Some(vec![Coding::Gzip]));
        assert_eq!(all.to_undo(&of("BR, gzip")), Some(vec![Coding::Gzip, Coding::Brotli]));
        assert_eq!(all.to_undo(&of("identity")), None);
        assert_eq!(all.to_undo(&of("sdch")), None);
        assert_eq!(Decompression { gzip: false, ..all }.to_undo(&of("gzip")), None);
        assert_eq!(all.accepted(), Some("gzip, deflate, br, zstd"));
        assert_eq!(Decompression { gzip: true, deflate: false, brotli: false, zstd: false }.accepted(), Some("gzip"));
    }
}
