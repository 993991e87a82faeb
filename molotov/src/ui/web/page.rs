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

/// A page without its nonce, which is another one for each browser.
#[derive(Debug, Clone)]
pub(super) struct Template(Vec<Bytes>);

impl Template {
    /// Takes a page whose nonce is `placeholder`, which must not be empty.
    pub(super) fn new(page: String, placeholder: &str) -> Template {
        let page = Bytes::from(page);
        let text = String::from_utf8_lossy(&page);
        // The parts share the memory of the page.
        Template(text.split(placeholder).map(|part| page.slice_ref(part.as_bytes())).collect())
    }

    /// Returns the parts of the page with a nonce.
    pub(super) fn with_nonce(self, nonce: &str) -> impl Iterator<Item = Bytes> {
        let nonce = Bytes::copy_from_slice(nonce.as_bytes());
        let between = |(index, part)| [if index == 0 { Bytes::new() } else { nonce.clone() }, part];
        self.0.into_iter().enumerate().flat_map(between).collect::<Vec<_>>().into_iter()
    }
}

/// Returns the event that updates the page. `last` says whether the run has ended.
pub(super) fn event(summary: &Summary, last: bool) -> Published {
    // The data has no line break outside of texts, and texts escape theirs.
    let data = page_data(summary, !last);
    let end = if last { "event: end\ndata:\n\n" } else { "" };
    Published { event: Bytes::from(format!("data: {data}\n\n{end}")), last }
}
