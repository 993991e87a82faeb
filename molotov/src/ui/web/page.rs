//! The page, and the data with which it is updated.

use bytes::Bytes;

use super::stream::Published;
use crate::{
    report::{live_page, page_data},
    run::Summary,
};

/// Updates the page with the events of the server.
const SCRIPT: &str = include_str!("live.js");

/// Returns the page of a run. Browsers run its scripts and apply its style only with the header for the same nonce.
pub(super) fn page(summary: &Summary, nonce: &str, token: &str) -> String {
    live_page(summary, &SCRIPT.replace("TOKEN", token), nonce)
}

/// Returns the event that updates the page. `last` says whether the run has ended.
pub(super) fn event(summary: &Summary, last: bool) -> Published {
    // The data has no line break outside of texts, and texts escape theirs.
    let data = page_data(summary, !last);
    let end = if last { "event: end\ndata:\n\n" } else { "" };
    Published { event: Bytes::from(format!("data: {data}\n\n{end}")), last }
}
