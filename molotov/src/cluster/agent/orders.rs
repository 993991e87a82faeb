//! The orders of the coordinator, read from the stream of the run: verified, in order, and each once.

use async_nats::jetstream::{consumer::PullConsumer, context::GetStreamErrorKind};
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::sync::mpsc;

use crate::cluster::{
    connection::Connection,
    delivery::{self, HEARTBEAT, RETRY},
    protocol::{AgentId, Order, RunId, Signed, ToAgent},
    trust::Trust,
};

/// What arrives from the stream.
pub(super) enum Received {
    Order(Order),
    /// An order was refused, for this reason.
    Refused(String),
    /// The stream does not exist.
    NoStream,
}

/// Reads the orders to one agent, until the receiver is dropped.
pub(super) struct Reader {
    pub(super) connection: Connection,
    pub(super) run: RunId,
    pub(super) number: usize,
    pub(super) agent: AgentId,
    pub(super) trust: Trust,
    /// The last message of the stream that was read.
    last: u64,
    /// The number of the next order.
    next: u64,
}

impl Reader {
    /// Starts the task that reads.
    pub(super) fn start(
        connection: &Connection,
        run: &RunId,
        number: usize,
        agent: &AgentId,
        trust: &Trust,
    ) -> mpsc::UnboundedReceiver<Received> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let (connection, run, agent, trust) = (connection.clone(), run.clone(), agent.clone(), trust.clone());
        let reader = Reader { connection, run, number, agent, trust, last: 0, next: 0 };
        tokio::spawn(reader.read(sender));
        receiver
    }

    async fn read(mut self, sender: mpsc::UnboundedSender<Received>) {
        while !sender.is_closed() {
            let broken = tokio::select! {
                broken = self.read_unbroken(&sender) => broken,
                () = sender.closed() => return,
            };
            if let Err(error) = broken {
                tracing::debug!(%error, last = self.last, "reading the orders of the run again");
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Reads until a message may have been lost on the way.
    async fn read_unbroken(&mut self, sender: &mpsc::UnboundedSender<Received>) -> Result<(), async_nats::Error> {
        let mut is_up = self.connection.is_up();
        is_up.wait_for(|up| *up).await?;
        // The broker may not be asked about a stream when it has just started.
        let stream = match self.connection.jetstream.get_stream(self.run.stream()).await {
            Ok(stream) => stream,
            Err(error) => {
                if let GetStreamErrorKind::JetStream(error) = error.kind()
                    && error.error_code() == async_nats::jetstream::ErrorCode::STREAM_NOT_FOUND
                {
                    let _ = sender.send(Received::NoStream);
                }
                return Err(error.into());
            }
        };
        let consumer: PullConsumer =
            stream.create_consumer(delivery::after(self.last, self.run.down(self.number))).await?;
        let mut messages = consumer.stream().heartbeat(HEARTBEAT).messages().await?;
        let mut delivered = 0;
        loop {
            tokio::select! {
                message = messages.next() => {
                    let message = message.ok_or("the broker has ended the delivery")??;
                    let info = message.info()?;
                    if info.consumer_sequence != delivered + 1 {
                        return Err("messages were lost on the way".into());
                    }
                    delivered += 1;
                    self.last = info.stream_sequence;
                    if let Some(received) = self.check(&message.payload)
                        && sender.send(received).is_err()
                    {
                        return Ok(());
                    }
                }
                changed = is_up.wait_for(|up| !*up) => {
                    changed?;
                    return Err("the connection was lost".into());
                }
            }
        }
    }

    /// Returns the order in a message, if it is the next one to this agent.
    fn check(&mut self, payload: &Bytes) -> Option<Received> {
        let order = match postcard::from_bytes::<Signed>(payload) {
            Ok(signed) => self.trust.open::<ToAgent>(&signed).map_err(|error| error.to_string()),
            Err(error) => Err(format!("an order of the coordinator cannot be read: {error}")),
        };
        match order {
            // The number had another agent before.
            Ok(order) if order.agent != self.agent || order.run != self.run => None,
            Ok(order) if order.sequence == self.next => {
                self.next += 1;
                Some(Received::Order(order.message))
            }
            Ok(order) if order.sequence < self.next => None,
            Ok(order) => Some(Received::Refused(format!(
                "refused an order of the coordinator: its number is {}, and {} is next",
                order.sequence, self.next
            ))),
            Err(error) => Some(Received::Refused(error)),
        }
    }
}
