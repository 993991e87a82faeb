//! What happens to a run that loses a machine.

use serde_json::Value as Json;

use super::{
    InvalidValue,
    arrivals::named,
    value::{Value, ValueKind},
};

/// What happens to a run on several machines if one of them is lost or leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnLost {
    /// The run stops.
    #[default]
    Stop,
    /// The run continues without it.
    Continue,
}

named!(OnLost, "write `stop` or `continue`", {
    "stop" => OnLost::Stop,
    "continue" => OnLost::Continue,
});
