//! The decoders of content codings. Each has a feature.
#![cfg_attr(
    not(all(feature = "brotli", feature = "deflate", feature = "gzip", feature = "zstd")),
    allow(dead_code, unused_imports, unused_variables, reason = "which parts are used depends on the features")
)]

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

#[cfg(feature = "brotli")]
use async_compression::tokio::bufread::BrotliDecoder;
#[cfg(feature = "gzip")]
use async_compression::tokio::bufread::GzipDecoder;
#[cfg(feature = "deflate")]
use async_compression::tokio::bufread::{DeflateDecoder, ZlibDecoder};
#[cfg(feature = "zstd")]
use async_compression::{tokio::bufread::ZstdDecoder, zstd::DParameter};
use tokio::{
    io::{AsyncBufRead, AsyncRead, ReadBuf},
    task::coop,
};

/// The maximum window of zstd, as a power of two: 8 MiB, the limit of the content coding (RFC 9659).
#[cfg(feature = "zstd")]
const ZSTD_WINDOW_LOG: u32 = 23;

/// A content coding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    #[cfg(feature = "gzip")]
    Gzip,
    #[cfg(feature = "deflate")]
    Deflate,
    #[cfg(feature = "brotli")]
    Brotli,
    #[cfg(feature = "zstd")]
    Zstd,
}

impl Coding {
    pub(super) fn decoder(self, input: Pin<Box<dyn AsyncBufRead>>) -> Pin<Box<dyn AsyncRead>> {
        let source = Source::new(input);
        match self {
            #[cfg(feature = "gzip")]
            Coding::Gzip => Box::pin(Paced(Members::<GzipDecoder<Source>>::First(source))),
            #[cfg(feature = "deflate")]
            Coding::Deflate => Box::pin(Paced(Deflate::Unknown(source))),
            #[cfg(feature = "brotli")]
            Coding::Brotli => Box::pin(Paced(Brotli::Unknown(source))),
            #[cfg(feature = "zstd")]
            Coding::Zstd => Box::pin(Paced(Members::<ZstdDecoder<Source>>::First(source))),
        }
    }
}

/// A decoder that yields to other tasks now and then, even if its input is always ready.
struct Paced<R>(R);

impl<R: AsyncRead + Unpin> AsyncRead for Paced<R> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let pace = ready!(coop::poll_proceed(cx));
        let polled = Pin::new(&mut self.0).poll_read(cx, out);
        if polled.is_ready() {
            pace.made_progress();
        }
        polled
    }
}

/// A reader whose next bytes can be peeked at.
struct Source {
    reader: Pin<Box<dyn AsyncBufRead>>,
    /// Bytes that were taken from the reader. Those from `from` to `to` are still to be read.
    peeked: [u8; 4],
    from: usize,
    to: usize,
}

impl Source {
    fn new(reader: Pin<Box<dyn AsyncBufRead>>) -> Source {
        Source { reader, peeked: [0; 4], from: 0, to: 0 }
    }

    /// Returns the next `count` bytes, or fewer at the end. Bytes of an earlier peek must have been consumed.
    fn poll_peek(&mut self, cx: &mut Context<'_>, count: usize) -> Poll<io::Result<&[u8]>> {
        if self.from == self.to {
            (self.from, self.to) = (0, 0);
        }
        while self.to < count {
            let available = ready!(self.reader.as_mut().poll_fill_buf(cx))?;
            if available.is_empty() {
                break;
            }
            let taken = available.len().min(count - self.to);
            self.peeked[self.to..self.to + taken].copy_from_slice(&available[..taken]);
            self.reader.as_mut().consume(taken);
            self.to += taken;
        }
        Poll::Ready(Ok(&self.peeked[self.from..self.to]))
    }
}

impl AsyncRead for Source {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let available = ready!(self.as_mut().poll_fill_buf(cx))?;
        let taken = available.len().min(out.remaining());
        out.put_slice(&available[..taken]);
        self.consume(taken);
        Poll::Ready(Ok(()))
    }
}

impl AsyncBufRead for Source {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        match this.from < this.to {
            true => Poll::Ready(Ok(&this.peeked[this.from..this.to])),
            false => this.reader.as_mut().poll_fill_buf(cx),
        }
    }

    fn consume(mut self: Pin<&mut Self>, amount: usize) {
        match self.from < self.to {
            true => self.from += amount,
            false => self.reader.as_mut().consume(amount),
        }
    }
}

/// A member of a gzip or zstd stream. A stream may have several, one after the other.
trait Member: AsyncRead + Unpin {
    fn open(source: Source) -> Self;

    fn close(self) -> Source;

    /// Returns whether these four bytes start a member.
    fn starts(bytes: &[u8]) -> bool;
}

#[cfg(feature = "gzip")]
impl Member for GzipDecoder<Source> {
    fn open(source: Source) -> Self {
        GzipDecoder::new(source)
    }

    fn close(self) -> Source {
        self.into_inner()
    }

    fn starts(bytes: &[u8]) -> bool {
        bytes.starts_with(&[0x1f, 0x8b])
    }
}

#[cfg(feature = "zstd")]
impl Member for ZstdDecoder<Source> {
    fn open(source: Source) -> Self {
        ZstdDecoder::with_params(source, &[DParameter::window_log_max(ZSTD_WINDOW_LOG)])
    }

    fn close(self) -> Source {
        self.into_inner()
    }

    fn starts(bytes: &[u8]) -> bool {
        match bytes {
            [0x28, 0xb5, 0x2f, 0xfd] => true,
            // A skippable frame.
            [first, 0x2a, 0x4d, 0x18] => first & 0xf0 == 0x50,
            _ => false,
        }
    }
}

/// Reads members until other bytes follow, which are ignored, as in browsers and `gzip`.
enum Members<M> {
    First(Source),
    Reading(M),
    Between(Source),
    Ended,
}

impl<M: Member> AsyncRead for Members<M> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            match this {
                Members::Reading(member) => {
                    let before = out.filled().len();
                    ready!(Pin::new(member).poll_read(cx, out))?;
                    if out.filled().len() > before {
                        return Poll::Ready(Ok(()));
                    }
                }
                Members::Between(source) => {
                    // There may be many empty members.
                    let pace = ready!(coop::poll_proceed(cx));
                    let starts = M::starts(ready!(source.poll_peek(cx, 4))?);
                    pace.made_progress();
                    if !starts {
                        *this = Members::Ended;
                    }
                }
                Members::First(_) => {}
                Members::Ended => return Poll::Ready(Ok(())),
            }
            *this = match std::mem::replace(this, Members::Ended) {
                Members::First(source) | Members::Between(source) => Members::Reading(M::open(source)),
                Members::Reading(member) => Members::Between(member.close()),
                Members::Ended => Members::Ended,
            };
        }
    }
}

/// Brotli with windows of up to 16 MiB, the limit of the content coding (RFC 7932). The decoder would also accept "large
/// windows" of up to 1 GiB.
#[cfg(feature = "brotli")]
enum Brotli {
    Unknown(Source),
    Reading(BrotliDecoder<Source>),
    Ended,
}

#[cfg(feature = "brotli")]
impl AsyncRead for Brotli {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if let Brotli::Unknown(source) = &mut *self {
            let first = ready!(source.poll_peek(cx, 1))?.first();
            if first.is_some_and(|first| first & 0x7f == 0x11) {
                return Poll::Ready(Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "the window of brotli is too large",
                )));
            }
            if let Brotli::Unknown(source) = std::mem::replace(&mut *self, Brotli::Ended) {
                *self = Brotli::Reading(BrotliDecoder::new(source));
            }
        }
        match &mut *self {
            Brotli::Reading(reader) => Pin::new(reader).poll_read(cx, out),
            Brotli::Unknown(_) | Brotli::Ended => Poll::Ready(Ok(())),
        }
    }
}

/// `deflate` is zlib in the standard, but some servers send it without the header. The first bytes show which one it is.
#[cfg(feature = "deflate")]
enum Deflate {
    Unknown(Source),
    Zlib(ZlibDecoder<Source>),
    Bare(DeflateDecoder<Source>),
    Empty,
}

#[cfg(feature = "deflate")]
impl AsyncRead for Deflate {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if let Deflate::Unknown(source) = &mut *self {
            // The method in the low half of the first byte is 8, and both bytes together are a multiple of 31.
            let zlib = match ready!(source.poll_peek(cx, 2))? {
                [] => None,
                [method, flags] => Some(method & 0x0f == 8 && u16::from_be_bytes([*method, *flags]) % 31 == 0),
                _ => Some(false),
            };
            *self = match (std::mem::replace(&mut *self, Deflate::Empty), zlib) {
                (Deflate::Unknown(source), Some(true)) => Deflate::Zlib(ZlibDecoder::new(source)),
                (Deflate::Unknown(source), Some(false)) => Deflate::Bare(DeflateDecoder::new(source)),
                _ => Deflate::Empty,
            };
        }
        match &mut *self {
            Deflate::Zlib(reader) => Pin::new(reader).poll_read(cx, out),
            Deflate::Bare(reader) => Pin::new(reader).poll_read(cx, out),
            Deflate::Unknown(_) | Deflate::Empty => Poll::Ready(Ok(())),
        }
    }
}
