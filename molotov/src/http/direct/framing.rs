//! The framing of HTTP/1 bodies, decoded from bytes without I/O.

use std::ops::Range;

use super::malformed::Malformed;

/// The maximum length of a head, and of the extensions and trailers of a chunked body, in bytes.
pub(crate) const MAX_HEAD: usize = 128 * 1024;

/// How a body is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    Length(u64),
    Chunked,
    /// Until the server closes the connection.
    Close,
}

/// The result of decoding some input.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Decoded {
    /// How many bytes of the input were consumed.
    pub(crate) consumed: usize,
    /// The range of the input with data of the body. It is empty if there was only framing.
    pub(crate) data: Range<usize>,
}

/// The decoder of one body.
#[derive(Debug)]
pub(crate) struct Decoder {
    state: State,
    /// The number of bytes in extensions, trailers and padding, which is limited.
    overhead: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Data(u64),
    Close,
    Size { size: u64, started: bool },
    SizeSpace { size: u64 },
    Extension { size: u64 },
    SizeEnd { size: u64 },
    Chunk(u64),
    ChunkCr,
    ChunkLf,
    TrailerStart,
    TrailerName,
    TrailerValue,
    TrailerLf,
    EndLf,
    Ended,
}

const SIZE: State = State::Size { size: 0, started: false };

impl Decoder {
    pub(crate) fn new(framing: Framing) -> Self {
        let state = match framing {
            Framing::Length(0) => State::Ended,
            Framing::Length(length) => State::Data(length),
            Framing::Chunked => SIZE,
            Framing::Close => State::Close,
        };
        Self { state, overhead: 0 }
    }

    pub(crate) fn is_end(&self) -> bool {
        self.state == State::Ended
    }

    /// Returns how many bytes are left, if the server has stated the length of the body.
    pub(crate) fn remaining(&self) -> Option<u64> {
        match self.state {
            State::Data(remaining) => Some(remaining),
            _ => None,
        }
    }

    /// Notes that the server closed the connection. Returns whether the body is complete.
    pub(crate) fn close(&mut self) -> bool {
        if self.state == State::Close {
            self.state = State::Ended;
        }
        self.is_end()
    }

    /// Decodes input until there is data, the end of the body, or no more input.
    pub(crate) fn decode(&mut self, input: &[u8]) -> Result<Decoded, Malformed> {
        let mut at = 0;
        while at < input.len() {
            let left = input.len() - at;
            let byte = input[at];
            match self.state {
                State::Data(remaining) | State::Chunk(remaining) => {
                    let taken = usize::try_from(remaining).unwrap_or(usize::MAX).min(left);
                    let remaining = remaining - taken as u64;
                    self.state = match (self.state, remaining) {
                        (State::Data(_), 0) => State::Ended,
                        (State::Data(_), _) => State::Data(remaining),
                        (_, 0) => State::ChunkCr,
                        _ => State::Chunk(remaining),
                    };
                    return Ok(Decoded { consumed: at + taken, data: at..at + taken });
                }
                State::Close => return Ok(Decoded { consumed: input.len(), data: at..input.len() }),
                State::Ended => break,
                framing => self.state = self.step(framing, byte)?,
            }
            at += 1;
        }
        Ok(Decoded { consumed: at, data: at..at })
    }

    fn step(&mut self, state: State, byte: u8) -> Result<State, Malformed> {
        let next = match (state, byte) {
            (State::Size { size, started }, byte) if byte.is_ascii_hexdigit() => {
                if size >= 1 << 56 {
                    return Err(Malformed("the size of a chunk is too large"));
                }
                let digit = (byte as char).to_digit(16).map_or(0, u64::from);
                let next = State::Size { size: size * 16 + digit, started: true };
                // Leading zeros are padding, which is limited.
                if size == 0 && started { next } else { return Ok(next) }
            }
            (State::Size { size, started: true }, b'\r') => return Ok(State::SizeEnd { size }),
            (State::Size { size, started: true } | State::SizeSpace { size }, b';') => State::Extension { size },
            (State::Size { size, started: true } | State::SizeSpace { size }, b' ' | b'\t') => {
                State::SizeSpace { size }
            }
            (State::SizeSpace { size }, b'\r') => State::SizeEnd { size },
            (State::Size { .. } | State::SizeSpace { .. }, _) => {
                return Err(Malformed("the size of a chunk is not a number"));
            }
            (State::Extension { size }, b'\r') => State::SizeEnd { size },
            (State::Extension { .. }, b'\n') => return Err(Malformed("a chunk extension ends without CR")),
            (State::Extension { .. }, _) => state,
            (State::SizeEnd { size: 0 }, b'\n') => State::TrailerStart,
            (State::SizeEnd { size }, b'\n') => return Ok(State::Chunk(size)),
            (State::ChunkCr, b'\r') => return Ok(State::ChunkLf),
            (State::ChunkLf, b'\n') => return Ok(SIZE),
            (State::ChunkCr | State::ChunkLf, _) => return Err(Malformed("a chunk is longer than its stated size")),
            (State::TrailerStart, b'\r') => State::EndLf,
            (State::TrailerStart | State::TrailerName, byte) if is_token(byte) => State::TrailerName,
            (State::TrailerName, b':') => State::TrailerValue,
            (State::TrailerStart | State::TrailerName, _) => return Err(Malformed("a trailer line is invalid")),
            (State::TrailerValue, b'\r') => State::TrailerLf,
            (State::TrailerValue, b'\t' | b' '..=b'~' | 0x80..) => State::TrailerValue,
            (State::TrailerValue, b'\n') => return Err(Malformed("a trailer line ends without CR")),
            (State::TrailerValue, _) => return Err(Malformed("a trailer line is invalid")),
            (State::TrailerLf, b'\n') => State::TrailerStart,
            (State::EndLf, b'\n') => State::Ended,
            _ => return Err(Malformed("a line of its chunked body has an invalid end")),
        };
        self.overhead += 1;
        if self.overhead > MAX_HEAD {
            return Err(Malformed("its chunk extensions and trailers take more than 128 KiB"));
        }
        Ok(next)
    }
}

/// Returns whether a byte is allowed in the name of a header.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn read(framing: Framing, pieces: &[&[u8]]) -> Result<(Vec<u8>, bool), Malformed> {
        let mut decoder = Decoder::new(framing);
        let mut body = Vec::new();
        for piece in pieces {
            let mut rest = *piece;
            while !rest.is_empty() && !decoder.is_end() {
                let decoded = decoder.decode(rest)?;
                body.extend_from_slice(&rest[decoded.data]);
                rest = &rest[decoded.consumed..];
            }
        }
        Ok((body, decoder.is_end()))
    }

    #[test]
    fn bodies_end_by_length_or_close() {
        assert_eq!(read(Framing::Length(3), &[b"ab", b"cd"]), Ok((b"abc".to_vec(), true)));
        assert_eq!(read(Framing::Close, &[b"ab", b"cd"]), Ok((b"abcd".to_vec(), false)));
        assert!(Decoder::new(Framing::Close).close());
        assert!(!Decoder::new(Framing::Length(1)).close());
        assert!(Decoder::new(Framing::Length(0)).is_end());
    }

    #[test]
    fn sizes_may_be_padded() {
        let body = Ok((b"abc".to_vec(), true));
        for size in ["3", "003", "00000000000000000000003", "3 ", "3 \t ", "0003 ;x=y"] {
            let wire = format!("{size}\r\nabc\r\n0000\r\n\r\n");
            assert_eq!(read(Framing::Chunked, &[wire.as_bytes()]), body, "{size:?}");
        }
    }

    #[test]
    fn invalid_chunks_are_rejected() {
        for bytes in [
            &b"\r\n"[..],
            b"g\r\n",
            b" 3\r\nabc\r\n",
            b"3 x\r\nabc\r\n",
            b"0x3\r\nabc\r\n",
            b"-1\r\n",
            b"1000000000000000\r\n",
            b"3\nabc\r\n",
            b"3\r\nabcd\r\n",
            b"3\r\nabc\n",
            b"3;x\ny\r\n",
            b"0\r\nA: b\n\r\n",
            b"0\r\n folded\r\n\r\n",
        ] {
            assert!(read(Framing::Chunked, &[bytes]).is_err(), "{bytes:?}");
        }
        let long = [b"3;".to_vec(), vec![b'x'; MAX_HEAD + 1]].concat();
        assert!(read(Framing::Chunked, &[&long]).is_err());
        assert!(read(Framing::Chunked, &[&vec![b'0'; MAX_HEAD + 2]]).is_err());
    }

    proptest! {
        #[test]
        fn chunks_are_decoded_wherever_they_are_split(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..6),
            cut in 1usize..17,
        ) {
            let mut wire = Vec::new();
            for chunk in &chunks {
                wire.extend_from_slice(format!("{:x};ext=\"1\"\r\n", chunk.len()).as_bytes());
                wire.extend_from_slice(chunk);
                wire.extend_from_slice(b"\r\n");
            }
            wire.extend_from_slice(b"0\r\nTrailer: yes\r\n\r\n");
            let pieces: Vec<_> = wire.chunks(cut).collect();
            prop_assert_eq!(read(Framing::Chunked, &pieces), Ok((chunks.concat(), true)));
        }
    }
}
