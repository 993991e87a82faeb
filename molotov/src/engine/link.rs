//! The link between the processes of a run: messages over a pair of sockets, each preceded by its length.

use std::{
    io::{self, BufReader, Read, Write},
    os::unix::net::UnixStream,
};

use serde::{Serialize, de::DeserializeOwned};

/// The longest message, in bytes. A longer one means that the other side does not send messages.
const MAX_LENGTH: usize = 1 << 30;

/// The writing end of a link.
#[derive(Debug)]
pub(crate) struct Writer {
    stream: UnixStream,
    buffer: Vec<u8>,
}

impl Writer {
    pub(crate) fn new(stream: UnixStream) -> Writer {
        Writer { stream, buffer: Vec::new() }
    }

    /// Sends a message. Blocks while the other side does not read.
    pub(crate) fn send(&mut self, message: &impl Serialize) -> io::Result<()> {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        buffer.extend_from_slice(&[0; 4]);
        let mut buffer = postcard::to_extend(message, buffer).map_err(io::Error::other)?;
        let length = u32::try_from(buffer.len() - 4).map_err(io::Error::other)?;
        buffer[..4].copy_from_slice(&length.to_le_bytes());
        let sent = self.stream.write_all(&buffer);
        self.buffer = buffer;
        sent
    }
}

/// The reading end of a link.
#[derive(Debug)]
pub(crate) struct Reader {
    stream: BufReader<UnixStream>,
    buffer: Vec<u8>,
}

impl Reader {
    pub(crate) fn new(stream: UnixStream) -> Reader {
        Reader { stream: BufReader::with_capacity(1 << 16, stream), buffer: Vec::new() }
    }

    /// Returns the next message, or `None` if the other side has closed the link, even in the middle of a message.
    pub(crate) fn receive<T: DeserializeOwned>(&mut self) -> io::Result<Option<T>> {
        let bytes = self.receive_bytes()?;
        bytes.map(|bytes| postcard::from_bytes(bytes).map_err(io::Error::other)).transpose()
    }

    /// Like [`receive`](Self::receive), but returns the bytes of the message.
    pub(crate) fn receive_bytes(&mut self) -> io::Result<Option<&[u8]>> {
        let mut length = [0; 4];
        if !self.fill(&mut length)? {
            return Ok(None);
        }
        let length = u32::from_le_bytes(length) as usize;
        if length > MAX_LENGTH {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.resize(length, 0);
        let whole = self.fill(&mut buffer);
        self.buffer = buffer;
        Ok(whole?.then_some(self.buffer.as_slice()))
    }

    fn fill(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        match self.stream.read_exact(buffer) {
            Ok(()) => Ok(true),
            Err(error) => match error.kind() {
                io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => Ok(false),
                _ => Err(error),
            },
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        engine::update::{Command, Update},
        metrics::{Limits, Outcome, Recorder},
        run::Line,
    };

    #[test]
    fn receives_messages_as_sent() {
        let (one, other) = UnixStream::pair().unwrap();
        let recorder = Recorder::new(Limits::default());
        let browse = recorder.scenario_id("browse");
        for n in 0..1000_u64 {
            recorder.scenario(browse, Outcome::Ok, Duration::from_micros(n * n));
        }
        let measures = recorder.take();
        let updates = [
            Update::Line(Line::failure("ü\nsecond").by_worker(3).by_process(7)),
            Update::Measures(Box::new(measures)),
            Update::Workers { running: 3, most: 40 },
            Update::Reported(Duration::from_millis(200)),
            Update::Done { elapsed: Duration::from_secs(3), paused: Duration::ZERO },
        ];
        let expected: Vec<String> = updates.iter().map(|update| format!("{update:?}")).collect();
        let sender = std::thread::spawn(move || {
            let mut writer = Writer::new(one);
            updates.iter().for_each(|update| writer.send(update).unwrap());
        });
        let mut reader = Reader::new(other);
        let mut received = Vec::new();
        while let Some(update) = reader.receive::<Update>().unwrap() {
            received.push(format!("{update:?}"));
        }
        sender.join().unwrap();
        assert_eq!(received, expected);
    }

    #[test]
    fn ends_at_an_incomplete_message() {
        let (mut one, other) = UnixStream::pair().unwrap();
        let mut writer = Writer::new(one.try_clone().unwrap());
        writer.send(&Command::Force).unwrap();
        one.write_all(&[200, 0, 0, 0, 1, 2]).unwrap();
        drop((one, writer));
        let mut reader = Reader::new(other);
        assert_eq!(reader.receive::<Command>().unwrap(), Some(Command::Force));
        assert_eq!(reader.receive::<Command>().unwrap(), None);
    }
}
