//! Stands in for the live page in a program without the feature `web`.

use super::Screen;
use crate::{missing::missing, options::WebAddress};

/// The address of a live page. There is none.
#[derive(Debug)]
pub(crate) enum WebListener {}

impl WebListener {
    /// Fails.
    pub(crate) fn bind(_: WebAddress) -> Result<WebListener, String> {
        Err(missing("there is no live page", "web"))
    }

    pub(crate) fn url(&self) -> String {
        match *self {}
    }

    pub(crate) fn is_loopback(&self) -> bool {
        match *self {}
    }

    pub(crate) fn over(self, _: Box<dyn Screen>) -> Box<dyn Screen> {
        match self {}
    }
}
