//! What an agent sends to its coordinator: kept until the broker has acknowledged it, and published in order.

use std::{collections::VecDeque, time::Duration};

use async_nats::HeaderMap;
use bytes::Bytes;
use tokio::sync::{mpsc, watch};

use crate::cluster::{
    connection::Connection,
    protocol::{AgentId, FromAgent, PART, RunId},
};

/// The wait before another attempt to publish.
const RETRY: Duration = Duration::from_millis(200);
/// How long the broker may take to acknowledge a message.
const ACK_TIMEOUT: Duration = Duration::from_secs(5);
/// The largest size of several messages that are published as one, in bytes.
const BATCH_SIZE: usize = 256 << 10;
/// What a message has besides its payload, in bytes, at most.
const OVERHEAD: usize = 4 << 10;

/// Publishes the messages of an agent in a run.
#[derive(Debug)]
pub(super) struct Publisher {
    sender: mpsc::UnboundedSender<FromAgent>,
    /// How many messages the broker has acknowledged.
    acknowledged: watch::Receiver<u64>,
    sent: u64,
}

impl Publisher {
    /// Starts the task that publishes. It ends when the publisher is dropped, even if messages wait.
    pub(super) fn start(connection: &Connection, run: &RunId, number: usize, agent: &AgentId) -> Publisher {
        let (sender, messages) = mpsc::unbounded_channel();
        let (changed, acknowledged) = watch::channel(0);
        let task = Task {
            connection: connection.clone(),
            subject: run.up(number),
            id: format!("{}-{number}-{}", run.0, agent.0),
            counter: 0,
            waiting: VecDeque::new(),
            taken: 0,
            acknowledged: changed,
        };
        tokio::spawn(task.publish(messages));
        Publisher { sender, acknowledged, sent: 0 }
    }

    /// Queues a message.
    pub(super) fn send(&mut self, message: FromAgent) {
        self.sent += 1;
        // The task ends only after this.
        let _ = self.sender.send(message);
    }

    /// Whether the broker has everything that was queued.
    pub(super) fn is_drained(&self) -> bool {
        *self.acknowledged.borrow() >= self.sent
    }
}

struct Task {
    connection: Connection,
    subject: String,
    /// The start of the ids of messages, by which the broker drops repeated ones.
    id: String,
    /// The number of the next message at the broker.
    counter: u64,
    waiting: VecDeque<FromAgent>,
    /// How many queued messages are acknowledged or being published.
    taken: u64,
    acknowledged: watch::Sender<u64>,
}

impl Task {
    async fn publish(mut self, mut messages: mpsc::UnboundedReceiver<FromAgent>) {
        loop {
            if self.waiting.is_empty() {
                match messages.recv().await {
                    Some(message) => self.waiting.push_back(message),
                    None => return,
                }
            }
            while let Ok(message) = messages.try_recv() {
                self.waiting.push_back(message);
            }
            let Some(message) = self.next() else { continue };
            let payload = match postcard::to_allocvec(&message) {
                Ok(payload) => Bytes::from(payload),
                Err(error) => {
                    tracing::error!(%error, "a message cannot be encoded");
                    continue;
                }
            };
            self.counter = tokio::select! {
                next = self.deliver_parts(payload) => next,
                () = self.acknowledged.closed() => return,
            };
            self.acknowledged.send_replace(self.taken);
        }
    }

    /// Takes the next message. Messages of the run process that wait are joined.
    fn next(&mut self) -> Option<FromAgent> {
        let message = self.waiting.pop_front()?;
        self.taken += 1;
        let FromAgent::Run(mut batch) = message else { return Some(message) };
        let limit = BATCH_SIZE.min(self.part_size());
        let mut size: usize = batch.iter().map(Vec::len).sum();
        while let Some(FromAgent::Run(more)) = self.waiting.front() {
            size += more.iter().map(|message| message.len() + 4).sum::<usize>();
            if size > limit {
                break;
            }
            if let Some(FromAgent::Run(more)) = self.waiting.pop_front() {
                batch.extend(more);
                self.taken += 1;
            }
        }
        Some(FromAgent::Run(batch))
    }

    /// The largest payload that the broker accepts, in bytes.
    fn part_size(&self) -> usize {
        self.connection.client.max_payload().saturating_sub(OVERHEAD).max(1)
    }

    /// Publishes a message, in parts if the broker does not accept all of it at once. Returns the number of the next message.
    async fn deliver_parts(&self, mut payload: Bytes) -> u64 {
        let (size, mut counter) = (self.part_size(), self.counter);
        let parts = payload.len().div_ceil(size).max(1);
        for number in 0..parts {
            let part = payload.split_to(payload.len().min(size));
            self.deliver(counter, part, (parts > 1).then_some((number, parts))).await;
            counter += 1;
        }
        counter
    }

    /// Publishes a message or a part of one until the broker has acknowledged it.
    ///
    /// The next one follows only then, so the broker has all messages in order.
    async fn deliver(&self, counter: u64, payload: Bytes, part: Option<(usize, usize)>) {
        let mut headers = HeaderMap::new();
        if let Some((number, parts)) = part {
            headers.insert(PART, format!("{number}/{parts}").as_str());
        }
        headers.insert(async_nats::header::NATS_MESSAGE_ID, format!("{}-{counter}", self.id).as_str());
        let mut is_up = self.connection.is_up();
        loop {
            if is_up.wait_for(|up| *up).await.is_err() {
                return;
            }
            let jetstream = &self.connection.jetstream;
            let publish = async {
                let sent = jetstream.publish_with_headers(self.subject.clone(), headers.clone(), payload.clone());
                sent.await?.await
            };
            tokio::select! {
                published = tokio::time::timeout(ACK_TIMEOUT, publish) => match published {
                    Ok(Ok(_)) => return,
                    Ok(Err(error)) => tracing::debug!(%error, "a message is published again"),
                    Err(_) => tracing::debug!("a message was not acknowledged, and is published again"),
                },
                // The acknowledgement does not arrive on another connection.
                _ = is_up.wait_for(|up| !*up) => {}
            }
            tokio::time::sleep(RETRY).await;
        }
    }
}
