//! Reads what agents have put into the stream of a run, in order and each message once.

use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, PullConsumer, pull};
use futures_util::StreamExt;
use tokio::sync::mpsc;

use super::super::{
    connection::Connection,
    protocol::{FromAgent, RunId},
};

/// How many messages wait for the engine, at most.
const CAPACITY: usize = 1_024;
/// The wait before another attempt to read.
const RETRY: Duration = Duration::from_millis(200);
/// How often the broker shows that it has no message.
const HEARTBEAT: Duration = Duration::from_secs(2);
/// How often messages that were read are deleted.
const PURGE_PERIOD: Duration = Duration::from_secs(2);

/// A message of an agent, by the agent's number.
pub(super) type Received = (usize, FromAgent);

/// Starts the task that reads.
pub(super) fn start(connection: &Connection, run: &RunId) -> mpsc::Receiver<Received> {
    let (sender, receiver) = mpsc::channel(CAPACITY);
    let reader = Reader { connection: connection.clone(), run: run.clone(), last: 0, purged: 0, sender };
    tokio::spawn(reader.read());
    receiver
}

struct Reader {
    connection: Connection,
    run: RunId,
    /// The last sequence number of the stream that was read.
    last: u64,
    /// The last one that was deleted.
    purged: u64,
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
    ///
    /// The broker keeps no record of what was read, so nothing is delivered out of order after a break.
    async fn read_unbroken(&mut self) -> Result<(), async_nats::Error> {
        let mut is_up = self.connection.is_up();
        // A change before this is in the past.
        is_up.borrow_and_update();
        let stream = self.connection.jetstream.get_stream_no_info(self.run.stream()).await?;
        let config = pull::Config {
            deliver_policy: match self.last {
                0 => DeliverPolicy::All,
                last => DeliverPolicy::ByStartSequence { start_sequence: last + 1 },
            },
            ack_policy: AckPolicy::None,
            filter_subject: self.run.up_all(),
            inactive_threshold: Duration::from_secs(30),
            memory_storage: true,
            ..pull::Config::default()
        };
        let consumer: PullConsumer = stream.create_consumer(config).await?;
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
                    match (number, postcard::from_bytes(&message.payload)) {
                        (Some(number), Ok(received)) => {
                            if self.sender.send((number, received)).await.is_err() {
                                return Ok(());
                            }
                        }
                        (_, decoded) => {
                            let error = decoded.err();
                            tracing::warn!(subject = %message.subject, ?error, "a message of an agent cannot be read");
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
}
