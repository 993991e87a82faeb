//! The page, and the data with which it is updated.

use bytes::Bytes;

use super::stream::Published;
use crate::{report, run::Summary};

/// Updates the page with the events of the server.
const SCRIPT: &str = include_str!("live.js");

/// Returns the page of a run. Browsers run its script and apply its style only with the header for the same nonce.
pub(super) fn page(summary: &Summary, nonce: &str, token: &str) -> String {
    let page = report::html(summary);
    // The style is the only one, and precedes all text of the run.
    let page = page.replacen("<style>", &format!("<style nonce=\"{nonce}\">"), 1);
    let end = page.rfind("</body>").unwrap_or(page.len());
    let script = SCRIPT.replace("TOKEN", token);
    format!("{}<script nonce=\"{nonce}\">\n{script}</script>{}", &page[..end], &page[end..])
}

/// Returns the event that updates the page.
pub(super) fn event(summary: &Summary, last: bool) -> Published {
    let data = report::json(summary).replace(['\n', '\r'], "");
    let end = if last { "event: end\ndata:\n\n" } else { "" };
    Published { event: Bytes::from(format!("data: {data}\n\n{end}")), last }
}
