//! Orders to agents: numbered, signed, and published in order until the broker has acknowledged them.

use std::{sync::Arc, time::Duration};

use tokio::sync::mpsc;

use super::super::{
    connection::Connection,
    protocol::{AgentId, Order, RunId, ToAgent},
    trust::{SigningKey, sign},
};

/// The wait between two attempts to publish an order.
const RETRY: Duration = Duration::from_millis(500);

/// Sends orders to one agent.
#[derive(Debug, Clone)]
pub(super) struct Orders(mpsc::UnboundedSender<Order>);

impl Orders {
    /// Starts the task that publishes the orders to the agent of the assignment with this number.
    pub(super) fn start(
        connection: &Connection,
        run: &RunId,
        number: usize,
        agent: AgentId,
        key: Option<Arc<SigningKey>>,
    ) -> Orders {
        let (sender, orders) = mpsc::unbounded_channel();
        tokio::spawn(publish(connection.clone(), run.clone(), number, agent, key, orders));
        Orders(sender)
    }

    /// Orders that nothing publishes.
    #[cfg(test)]
    pub(super) fn channel() -> (Orders, mpsc::UnboundedReceiver<Order>) {
        let (sender, orders) = mpsc::unbounded_channel();
        (Orders(sender), orders)
    }

    pub(super) fn send(&self, order: Order) {
        // Fails only if the run has ended.
        let _ = self.0.send(order);
    }
}

async fn publish(
    connection: Connection,
    run: RunId,
    number: usize,
    agent: AgentId,
    key: Option<Arc<SigningKey>>,
    mut orders: mpsc::UnboundedReceiver<Order>,
) {
    let mut sequence = 0;
    while let Some(message) = orders.recv().await {
        let order = ToAgent { run: run.clone(), agent: agent.clone(), sequence, message };
        // Assignments were signed with the same key.
        let signed = sign(&order, key.as_deref()).ok().and_then(|signed| postcard::to_allocvec(&signed).ok());
        let Some(payload) = signed else { continue };
        // The broker drops a repetition of an order that it has.
        let mut headers = async_nats::HeaderMap::new();
        headers.insert("Nats-Msg-Id", format!("{}-down-{number}-{}-{sequence}", run.0, agent.0).as_str());
        let payload = bytes::Bytes::from(payload);
        loop {
            let jetstream = &connection.jetstream;
            let sent = jetstream.publish_with_headers(run.down(number), headers.clone(), payload.clone()).await;
            let acknowledged = match sent {
                Ok(acknowledged) => acknowledged.await.map(drop),
                Err(error) => Err(error),
            };
            match acknowledged {
                Ok(()) => break,
                Err(error) => tracing::debug!(%error, number, "an order is published again"),
            }
            tokio::time::sleep(RETRY).await;
        }
        sequence += 1;
    }
}
