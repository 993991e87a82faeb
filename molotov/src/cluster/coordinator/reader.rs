//! Reads what agents have put into the stream of a run, in order and each message once.

use std::{collections::HashMap, time::Duration};

use async_nats::jetstream::consumer::PullConsumer;
use futures_util::StreamExt;
use tokio::sync::mpsc;

use super::super::{
    connection::Connection,
    delivery::{self, HEARTBEAT, RETRY},
    protocol::{FromAgent, PART, RunId},
};

/// How many messages wait for the engine, at most.
const CAPACITY: usize = 1_024;
/// How often messages that were read are deleted.
const PURGE_PERIOD: Duration = Duration::from_secs(2);

/// A message of an agent, by the number of its assignment.
pub(in crate::cluster) type Received = (usize, FromAgent);

/// Starts the task that reads.
pub(in crate::cluster) fn start(connection: &Connection, run: &RunId) -> mpsc::Receiver<Received> {
    let (sender, receiver) = mpsc::channel(CAPACITY);
    let reader =
        Reader { connection: connection.clone(), run: run.clone(), last: 0, purged: 0, parts: HashMap::new(), sender };
    tokio::spawn(reader.read());
    receiver
}

/// The place of a part in its message.
#[derive(Debug, Clone, Copy)]
struct Part {
    number: usize,
    parts: usize,
}

impl Part {
    fn read(text: &str) -> Option<Part> {
        let (number, parts) = text.split_once('/')?;
        Some(Part { number: number.parse().ok()?, parts: parts.parse().ok()? })
    }
}

/// The first parts of a message.
#[derive(Debug, Default)]
struct Parts {
    bytes: Vec<u8>,
    received: usize,
}

struct Reader {
    connection: Connection,
    run: RunId,
    /// The last sequence number of the stream that was read.
    last: u64,
    /// The last one that was deleted.
    purged: u64,
    /// The parts of messages whose last part has not arrived, by the number of the assignment.
    parts: HashMap<usize, Parts>,
    sender: mpsc::Sender<Received>,
}

impl Reader {
    /// Reads until the run has ended. After a break, it continues behind the last message that it has read.
    async fn read(mut self) {
        loop {
            match self.read_unbroken().await {
                Ok(()) => return,
                Err(error) => tracing::debug!(%error, last = self.last, "reading the stream of the run again"),
            }
            if self.sender.is_closed() {
                return;
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Reads until a message may have been lost on the way, which is an error, or the run has ended.
    async fn read_unbroken(&mut self) -> Result<(), async_nats::Error> {
        let mut is_up = self.connection.is_up();
        // A change before this is in the past.
        is_up.borrow_and_update();
        let stream = self.connection.jetstream.get_stream_no_info(self.run.stream()).await?;
        let consumer: PullConsumer = stream.create_consumer(delivery::after(self.last, self.run.up_all())).await?;
        let mut messages = consumer.stream().heartbeat(HEARTBEAT).messages().await?;
        let mut delivered = 0;
        let mut purge = tokio::time::interval(PURGE_PERIOD);
        loop {
            tokio::select! {
                message = messages.next() => {
                    let Some(message) = message else { return Err("the broker has ended the delivery".into()) };
                    let message = message?;
                    let info = message.info()?;
                    if info.consumer_sequence != delivered + 1 {
                        return Err(format!("{} messages were lost on the way", info.consumer_sequence - delivered - 1).into());
                    }
                    delivered += 1;
                    let sequence = info.stream_sequence;
                    let number = message.subject.rsplit('.').next().and_then(|number| number.parse().ok());
                    let part = message.headers.as_ref().and_then(|headers| Part::read(headers.get(PART)?.as_str()));
                    let received = number.and_then(|number| Some((number, self.join(number, &message.payload, part)?)));
                    match received {
                        None => {}
                        Some((number, Ok(received))) => match self.sender.send((number, received)).await {
                            Ok(()) => {}
                            Err(_) => return Ok(()),
                        },
                        Some((_, Err(error))) => {
                            tracing::warn!(subject = %message.subject, %error, "a message of an agent cannot be read");
                        }
                    }
                    self.last = sequence;
                }
                _ = is_up.changed() => {
                    if *is_up.borrow_and_update() {
                        return Err("the connection was lost meanwhile".into());
                    }
                }
                _ = purge.tick() => {
                    if self.last > self.purged {
                        let read = self.run.up_all();
                        stream.purge().filter(read).sequence(self.last + 1).await?;
                        self.purged = self.last;
                    }
                }
                () = self.sender.closed() => return Ok(()),
            }
        }
    }

    /// Returns a whole message: after its last part if it arrives in parts.
    fn join(&mut self, assignment: usize, payload: &[u8], part: Option<Part>) -> Option<postcard::Result<FromAgent>> {
        let Some(part) = part else { return Some(postcard::from_bytes(payload)) };
        let parts = self.parts.entry(assignment).or_default();
        // The broker may have stored a part twice, long after the first time.
        if part.number != parts.received {
            return None;
        }
        parts.bytes.extend_from_slice(payload);
        parts.received += 1;
        if parts.received < part.parts {
            return None;
        }
        self.parts.remove(&assignment).map(|whole| postcard::from_bytes(&whole.bytes))
    }
}
