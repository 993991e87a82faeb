//! The clocks of agents, compared with the one here.

use std::time::{Duration, Instant};

use async_nats::Client;

use super::super::protocol::{ClockReading, RunId};

/// How many times each clock is read.
const EXCHANGES: usize = 30;
/// How long an agent may take to answer.
const TIMEOUT: Duration = Duration::from_secs(2);

/// How the monotonic clock of an agent differs from the one here.
#[derive(Debug, Clone, Copy)]
pub(super) struct Offset {
    /// A moment here.
    base: Instant,
    /// What the agent's clock showed at that moment, in nanoseconds.
    reading: i128,
    /// The largest error of the reading.
    pub(super) error: Duration,
    /// The shortest time that a message took there and back.
    pub(super) round_trip: Duration,
}

impl Offset {
    /// Returns the offset that an exchange shows: the reading was taken between its two ends.
    pub(super) fn of(sent: Instant, reading: Duration, received: Instant) -> Offset {
        let round_trip = received.saturating_duration_since(sent);
        let error = round_trip / 2;
        Offset { base: sent + error, reading: nanos(reading), error, round_trip }
    }

    /// What the clock of the agent shows at a moment here.
    pub(super) fn at(&self, moment: Instant) -> Duration {
        let since = match moment.checked_duration_since(self.base) {
            Some(after) => nanos(after),
            None => -nanos(self.base.saturating_duration_since(moment)),
        };
        Duration::from_nanos(u64::try_from(self.reading + since).unwrap_or(0))
    }
}

fn nanos(time: Duration) -> i128 {
    // A monotonic clock that started with its machine is far below the maximum.
    i128::try_from(time.as_nanos()).unwrap_or(i128::MAX)
}

/// Reads the clock of an agent many times, and keeps the exchange that took the shortest time.
pub(super) async fn measure(client: &Client, run: &RunId, number: usize) -> Result<Offset, String> {
    let subject = run.clock(number);
    let mut best: Option<Offset> = None;
    let mut failed = String::new();
    for _ in 0..EXCHANGES {
        let sent = Instant::now();
        let reply = tokio::time::timeout(TIMEOUT, client.request(subject.clone(), bytes::Bytes::new())).await;
        let received = Instant::now();
        let reading = match reply {
            Ok(Ok(reply)) => postcard::from_bytes::<ClockReading>(&reply.payload).map_err(|error| error.to_string()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("no answer within 2 s".to_owned()),
        };
        match reading {
            Ok(reading) => {
                let offset = Offset::of(sent, reading.monotonic, received);
                if best.is_none_or(|best| offset.error < best.error) {
                    best = Some(offset);
                }
            }
            Err(error) => failed = error,
        }
        // A machine that does not answer is not asked 30 times.
        if best.is_none() && !failed.is_empty() {
            break;
        }
    }
    best.ok_or(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offset_is_the_reading_at_the_middle_of_an_exchange() {
        let sent = Instant::now() + Duration::from_secs(10);
        let offset = Offset::of(sent, Duration::from_secs(500), sent + Duration::from_millis(4));
        assert_eq!(offset.error, Duration::from_millis(2));
        assert_eq!(offset.at(sent + Duration::from_millis(2)), Duration::from_secs(500));
        assert_eq!(offset.at(sent + Duration::from_millis(302)), Duration::from_millis(500_300));
        assert_eq!(offset.at(sent), Duration::from_millis(499_998));
        // The machine has started after the moment.
        assert_eq!(Offset::of(sent, Duration::ZERO, sent).at(sent - Duration::from_secs(1)), Duration::ZERO);
    }
}
