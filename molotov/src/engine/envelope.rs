//! Envelopes carry updates between processes. Their sequence numbers reveal lost and repeated updates.
//!
//! Inside a process nothing is lost, and queues drop lines and merge measures on purpose. So updates are numbered where they
//! leave their process, and checked where they arrive.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::update::{MemberId, Update};

/// The version of the protocol between members and the coordinator. It changes with [`Update`], `Command` and the types in them.
pub(super) const VERSION: u16 = 4;

/// An update that a member sends to the coordinator.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Envelope {
    /// The first field, so that it can be read whatever follows.
    version: u16,
    member: MemberId,
    /// Counts the member's envelopes from 0.
    sequence: u64,
    /// When it was sent, from the start of the run.
    elapsed: Duration,
    update: Update,
}

impl Envelope {
    /// Deserializes an envelope.
    pub(super) fn read(bytes: &[u8]) -> Result<Envelope, EnvelopeError> {
        match postcard::take_from_bytes::<u16>(bytes) {
            Ok((VERSION, _)) => postcard::from_bytes(bytes).map_err(EnvelopeError::Malformed),
            Ok((version, _)) => Err(EnvelopeError::Version(version)),
            Err(error) => Err(EnvelopeError::Malformed(error)),
        }
    }
}

/// Why an envelope cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum EnvelopeError {
    /// It has another version.
    #[error(
        "uses version {0} of the protocol between members, and the coordinator version {VERSION}; run the same version of \
         Molotov everywhere"
    )]
    Version(u16),
    /// It is not an envelope.
    #[error("sent a malformed update: {0}")]
    Malformed(postcard::Error),
}

/// Puts a member's updates into envelopes.
#[derive(Debug)]
pub(crate) struct EnvelopeWriter {
    member: MemberId,
    sequence: u64,
}

impl EnvelopeWriter {
    pub(crate) fn new(member: MemberId) -> EnvelopeWriter {
        EnvelopeWriter { member, sequence: 0 }
    }

    pub(crate) fn seal(&mut self, elapsed: Duration, update: Update) -> Envelope {
        self.sequence += 1;
        Envelope { version: VERSION, member: self.member, sequence: self.sequence - 1, elapsed, update }
    }
}

/// Takes a member's updates out of envelopes.
#[derive(Debug)]
pub(crate) struct EnvelopeReader {
    member: MemberId,
    /// The sequence number of the next envelope.
    next: u64,
}

impl EnvelopeReader {
    pub(crate) fn new(member: MemberId) -> EnvelopeReader {
        EnvelopeReader { member, next: 0 }
    }

    /// Returns the update of an envelope, preceded by [`Update::Missing`] if updates were lost before it. Returns nothing for
    /// a repeated envelope and for that of another member.
    pub(crate) fn open(&mut self, envelope: Envelope) -> impl Iterator<Item = Update> {
        let Envelope { member, sequence, elapsed, update, .. } = envelope;
        let is_new = member == self.member && sequence >= self.next;
        let missing = if is_new { sequence - self.next } else { 0 };
        if is_new {
            self.next = sequence + 1;
        } else {
            tracing::debug!(?member, sequence, ?elapsed, "ignored a repeated or misdirected envelope");
        }
        let missing = (missing > 0).then_some(Update::Missing { updates: missing });
        missing.into_iter().chain(is_new.then_some(update))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn opened(incoming: &mut EnvelopeReader, envelope: Envelope) -> Vec<String> {
        incoming.open(envelope).map(|update| format!("{update:?}")).collect()
    }

    #[test]
    fn notices_gaps_and_repetitions() {
        let mut outgoing = EnvelopeWriter::new(MemberId(7));
        let mut sealed = || outgoing.seal(Duration::from_secs(1), Update::StopOnFailure);
        let mut incoming = EnvelopeReader::new(MemberId(7));
        assert_eq!(opened(&mut incoming, sealed()), ["StopOnFailure"]);
        let (lost, also_lost, late) = (sealed(), sealed(), sealed());
        drop(also_lost);
        assert_eq!(opened(&mut incoming, late), ["Missing { updates: 2 }", "StopOnFailure"]);
        assert_eq!(opened(&mut incoming, lost), [""; 0], "it counted as missing");
        assert_eq!(opened(&mut incoming, sealed()), ["StopOnFailure"]);
        let others = EnvelopeWriter::new(MemberId(8)).seal(Duration::ZERO, Update::StopOnFailure);
        assert_eq!(opened(&mut incoming, others), [""; 0]);
    }

    #[test]
    fn names_another_version_whatever_follows() {
        let envelope = EnvelopeWriter::new(MemberId(0)).seal(Duration::ZERO, Update::StopOnFailure);
        let mut bytes = postcard::to_allocvec(&envelope).unwrap();
        assert!(Envelope::read(&bytes).is_ok());
        bytes[0] = 9;
        bytes.truncate(2);
        let error = Envelope::read(&bytes).unwrap_err().to_string();
        assert!(
            error.starts_with("uses version 9 of the protocol between members, and the coordinator version 4;"),
            "{error}"
        );
        assert!(matches!(Envelope::read(&[]), Err(EnvelopeError::Malformed(_))));
    }
}
