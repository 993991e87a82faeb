//! How a WebSocket was closed.

use tokio_tungstenite::tungstenite::{
    Error as ProtocolError,
    error::ProtocolError as Violation,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

use crate::http::{Error, ErrorKind};

/// The code of a close frame without a code.
pub(crate) const NO_STATUS: u16 = 1005;
/// The code of a connection that was closed without a close frame.
pub(crate) const ABNORMAL: u16 = 1006;

/// How a WebSocket was closed: its code (RFC 6455, section 7.4), and who closed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Close {
    pub(crate) code: u16,
    pub(crate) reason: String,
    pub(crate) by_us: bool,
}

impl Close {
    /// Returns the content of the server's close frame.
    pub(crate) fn by_server(frame: Option<&CloseFrame>) -> Close {
        let (code, reason) =
            frame.map_or((NO_STATUS, String::new()), |frame| (frame.code.into(), frame.reason.to_string()));
        Close { code, reason, by_us: false }
    }

    /// Returns whether this is a failure: the connection was lost, a peer broke the protocol, or the server closed it with a
    /// code that says so.
    pub(crate) fn is_failure(&self) -> bool {
        match self.code {
            1000 | 1001 | NO_STATUS => false,
            ABNORMAL => true,
            _ => !self.by_us,
        }
    }
}

/// Why a connection ended without a close frame of the server.
#[derive(Debug, Clone)]
pub(crate) struct Broken {
    pub(crate) code: u16,
    kind: ErrorKind,
    message: String,
    hint: &'static str,
}

impl Broken {
    /// Returns the end of a connection that the server closed, or that was lost.
    pub(crate) fn lost(source: Option<&std::io::Error>) -> Broken {
        let message = match source {
            None => "the server closed the connection without closing the WebSocket".to_owned(),
            Some(source) => format!("the connection of the WebSocket was lost: {source}"),
        };
        Broken { code: ABNORMAL, kind: ErrorKind::Closed, message, hint: "look at the server's log" }
    }

    /// Returns the end of a connection that `error` ends.
    pub(crate) fn from_error(error: &ProtocolError, max_message_size: usize) -> Broken {
        let (code, kind, message, hint) = match error {
            ProtocolError::Io(error) => return Broken::lost(Some(error)),
            ProtocolError::Protocol(Violation::ResetWithoutClosingHandshake) => return Broken::lost(None),
            ProtocolError::Capacity(_) => (
                1009,
                ErrorKind::TooLarge,
                format!("a message is larger than `max_message_size`, which is {max_message_size} bytes"),
                "raise it",
            ),
            ProtocolError::Utf8(_) => {
                (1007, ErrorKind::Protocol, "the server sent text that is not UTF-8".to_owned(), "look at the server")
            }
            ProtocolError::Protocol(violation) => {
                let what = format!("the server broke the WebSocket protocol: {}", violation_of(violation));
                (1002, ErrorKind::Protocol, what, "look at the server")
            }
            other => (
                1002,
                ErrorKind::Protocol,
                format!("the server broke the WebSocket protocol: {other}"),
                "look at the server",
            ),
        };
        Broken { code, kind, message, hint }
    }

    /// Returns the end of a connection whose server sent a close code that does not exist.
    pub(crate) fn invalid_code() -> Broken {
        let message = "the server broke the WebSocket protocol: a close frame has an invalid code".to_owned();
        Broken { code: 1002, kind: ErrorKind::Protocol, message, hint: "look at the server" }
    }

    /// Returns the end of a connection that this end aborts.
    pub(crate) fn aborted(code: u16) -> Broken {
        let message = "the connection of the WebSocket was aborted".to_owned();
        Broken { code, kind: ErrorKind::Closed, message, hint: "look at the server's log" }
    }

    /// Describes the end.
    #[cfg(feature = "python")]
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    pub(crate) fn error(&self) -> Error {
        Error::new(self.kind, self.message.clone()).with_hint(self.hint)
    }

    /// Returns whether a close frame can still be sent.
    pub(crate) fn can_reply(&self) -> bool {
        self.code != ABNORMAL
    }
}

/// Describes a violation within a sentence.
fn violation_of(violation: &Violation) -> String {
    match violation {
        Violation::NonZeroReservedBits => "a frame has reserved bits set".to_owned(),
        Violation::MaskedFrameFromServer => "a frame is masked".to_owned(),
        Violation::FragmentedControlFrame => "a control frame is fragmented".to_owned(),
        Violation::ControlFrameTooBig => "a control frame is larger than 125 bytes".to_owned(),
        Violation::UnknownControlFrameType(opcode)
        | Violation::UnknownDataFrameType(opcode)
        | Violation::InvalidOpcode(opcode) => format!("a frame has the unknown opcode {opcode}"),
        Violation::UnexpectedContinueFrame => "a continuation frame continues nothing".to_owned(),
        Violation::ExpectedFragment(_) => "a new message starts within a fragmented one".to_owned(),
        Violation::InvalidCloseSequence => "a close frame has a single byte".to_owned(),
        other => other.to_string(),
    }
}

/// Returns whether `tungstenite` has replaced an invalid code in a received close frame.
pub(super) fn is_invalid(frame: &CloseFrame) -> bool {
    frame.code == CloseCode::Protocol && frame.reason.as_str() == "Protocol violation"
}

/// Returns a close frame.
///
/// # Errors
///
/// Returns an error if no endpoint may send the code, or the reason is longer than 123 bytes.
pub(super) fn frame(code: u16, reason: &str) -> Result<CloseFrame, Error> {
    if !CloseCode::from(code).is_allowed() {
        let what = format!("{code} is not a close code that can be sent");
        return Err(Error::new(ErrorKind::Builder, what).with_hint("use 1000, or 3000 to 4999 for codes of your own"));
    }
    if reason.len() > 123 {
        let what = format!("the reason for closing has {} bytes", reason.len());
        return Err(Error::new(ErrorKind::Builder, what).with_hint("use at most 123"));
    }
    Ok(CloseFrame { code: code.into(), reason: reason.into() })
}
