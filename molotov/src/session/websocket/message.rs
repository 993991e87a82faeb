//! A message of a WebSocket.

use std::{fmt, time::Instant};

use bytes::Bytes;
use serde::de::DeserializeOwned;
use tokio_tungstenite::tungstenite::{self, Utf8Bytes};

use crate::http::{Error, ErrorKind};

/// A message of a [`WebSocket`](super::WebSocket): text or bytes.
///
/// Text and bytes convert to messages, and messages compare with them:
///
/// ```
/// use molotov::session::Message;
/// let message = Message::from("hello");
/// assert_eq!(message, "hello");
/// assert_eq!(message.as_text(), Some("hello"));
/// ```
#[derive(Clone)]
pub struct Message {
    content: Content,
    received: Option<Instant>,
}

#[derive(Clone, PartialEq, Eq)]
enum Content {
    Text(Utf8Bytes),
    Binary(Bytes),
}

impl Message {
    /// Returns a text message.
    pub fn text(text: impl Into<String>) -> Message {
        Message { content: Content::Text(text.into().into()), received: None }
    }

    /// Returns a binary message.
    pub fn binary(bytes: impl Into<Bytes>) -> Message {
        Message { content: Content::Binary(bytes.into()), received: None }
    }

    pub(super) fn received_text(text: Utf8Bytes, at: Instant) -> Message {
        Message { content: Content::Text(text), received: Some(at) }
    }

    pub(super) fn received_binary(bytes: Bytes, at: Instant) -> Message {
        Message { content: Content::Binary(bytes), received: Some(at) }
    }

    pub(super) fn into_frame(self) -> tungstenite::Message {
        match self.content {
            Content::Text(text) => tungstenite::Message::Text(text),
            Content::Binary(bytes) => tungstenite::Message::Binary(bytes),
        }
    }

    /// Returns whether this is a text message.
    pub fn is_text(&self) -> bool {
        matches!(self.content, Content::Text(_))
    }

    /// Returns the text, or `None` for a binary message.
    pub fn as_text(&self) -> Option<&str> {
        match &self.content {
            Content::Text(text) => Some(text),
            Content::Binary(_) => None,
        }
    }

    /// Returns the content. A text is UTF-8.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.content {
            Content::Text(text) => text.as_bytes(),
            Content::Binary(bytes) => bytes,
        }
    }

    /// Returns the content, without copying it. A text is UTF-8.
    pub fn into_bytes(self) -> Bytes {
        match self.content {
            Content::Text(text) => text.into(),
            Content::Binary(bytes) => bytes,
        }
    }

    /// Decodes the message as JSON.
    ///
    /// # Errors
    ///
    /// Returns an error if the message is not JSON of this type.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(self.as_bytes()).map_err(|error| {
            Error::new(ErrorKind::Decode, format!("the message is not the expected JSON: {error}")).with_source(error)
        })
    }

    /// Returns the size, in bytes.
    pub fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// Returns whether the message is empty.
    pub fn is_empty(&self) -> bool {
        self.as_bytes().is_empty()
    }

    /// Returns when its last byte was read from the socket, or `None` if it was not received.
    pub fn received_at(&self) -> Option<Instant> {
        self.received
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Message {
        Message::text(text)
    }
}

impl From<String> for Message {
    fn from(text: String) -> Message {
        Message::text(text)
    }
}

impl From<Bytes> for Message {
    fn from(bytes: Bytes) -> Message {
        Message::binary(bytes)
    }
}

impl From<Vec<u8>> for Message {
    fn from(bytes: Vec<u8>) -> Message {
        Message::binary(bytes)
    }
}

impl From<&[u8]> for Message {
    fn from(bytes: &[u8]) -> Message {
        Message::binary(bytes.to_vec())
    }
}

/// Messages are equal if their kinds and contents are.
impl PartialEq for Message {
    fn eq(&self, other: &Message) -> bool {
        self.content == other.content
    }
}

impl PartialEq<str> for Message {
    fn eq(&self, other: &str) -> bool {
        self.as_text() == Some(other)
    }
}

impl PartialEq<&str> for Message {
    fn eq(&self, other: &&str) -> bool {
        self.as_text() == Some(*other)
    }
}

impl PartialEq<[u8]> for Message {
    fn eq(&self, other: &[u8]) -> bool {
        matches!(&self.content, Content::Binary(bytes) if bytes == other)
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.content {
            Content::Text(text) => f.debug_tuple("Text").field(&text.as_str()).finish(),
            Content::Binary(bytes) => f.debug_tuple("Binary").field(bytes).finish(),
        }
    }
}
