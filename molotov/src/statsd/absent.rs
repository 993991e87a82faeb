//! Stands in for statsd in programs that are built without its feature.

use std::{convert::Infallible, io, net::SocketAddr, time::Duration};

use http::Method;
use url::Url;

use crate::{
    metrics::{Starts, Status},
    missing::missing,
};

/// The statsd client, which does not exist in this build.
#[derive(Debug, Clone)]
pub(crate) struct Statsd(Infallible);

/// Refuses every address.
pub(crate) fn resolve(_: (String, u16)) -> Result<SocketAddr, String> {
    Err(missing("`--statsd` does not work", "statsd"))
}

impl Statsd {
    pub(crate) fn open(_: SocketAddr) -> io::Result<Statsd> {
        Err(io::Error::new(io::ErrorKind::Unsupported, missing("there is no statsd", "statsd")))
    }

    pub(crate) fn request_name(&self, _: &Method, _: &Url) -> String {
        match self.0 {}
    }

    pub(crate) fn operation_name(&self, _: &str, _: &str) -> String {
        match self.0 {}
    }

    pub(crate) fn record(&self, _: &str, _: Status<'_>, _: Duration) {
        match self.0 {}
    }

    pub(crate) fn starts(&self, _: &str, _: &Starts) {
        match self.0 {}
    }

    pub(crate) fn check(&self, _: &str, _: bool) {
        match self.0 {}
    }

    pub(crate) fn count(&self, _: &str, _: u64) {
        match self.0 {}
    }

    pub(crate) fn value(&self, _: &str, _: f64) {
        match self.0 {}
    }

    pub(crate) fn gauge(&self, _: &str, _: f64) {
        match self.0 {}
    }

    pub(crate) fn flush(&self) {
        match self.0 {}
    }
}
