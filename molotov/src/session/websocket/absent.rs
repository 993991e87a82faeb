//! Replaces WebSockets in builds without the feature `websocket`.

use crate::http::response::TransportResponse;

/// No request opens a WebSocket.
pub(crate) enum Upgrade {}

impl Upgrade {
    pub(crate) fn accept(&self, _: &mut TransportResponse) -> bool {
        match *self {}
    }
}
