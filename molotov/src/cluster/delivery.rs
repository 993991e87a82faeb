//! How messages of a stream are read: in order, without acknowledgements, and again from any message after a break.

use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};

/// The wait before another attempt to read.
pub(super) const RETRY: Duration = Duration::from_millis(200);
/// How often the broker shows that it has no message.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(2);

/// Returns a consumer of a subject that begins after a message of the stream, or with the first one if that is 0.
///
/// The broker keeps no record of what was read, so nothing is delivered out of order after a break.
pub(super) fn after(last: u64, subject: String) -> pull::Config {
    pull::Config {
        deliver_policy: match last {
            0 => DeliverPolicy::All,
            last => DeliverPolicy::ByStartSequence { start_sequence: last + 1 },
        },
        ack_policy: AckPolicy::None,
        filter_subject: subject,
        inactive_threshold: Duration::from_secs(30),
        memory_storage: true,
        ..pull::Config::default()
    }
}
