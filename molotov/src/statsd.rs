//! Metrics for statsd: those of each request, and your own.
//!
//! With `--statsd` each request sends the timing `molotov.<hostname>.<METHOD>.<host>.<path>` in milliseconds, and the counter
//! of the same name with `.<status>` appended. An [`Operation`](crate::session::Operation) of another protocol sends
//! `molotov.<hostname>.<protocol>.<name>` in the same way; without a status, its counter ends in `.ok` or `.failed`. Send your
//! own metrics through [`Context::statsd`]:
//!
//! ```no_run
//! use molotov::{prelude::*, statsd::prelude::*};
//!
//! #[molotov::scenario]
//! async fn buy(ctx: &Context, session: &Session) -> Result<()> {
//!     session.post("http://localhost:8080/cart").send().await?.error_for_status()?;
//!     if let Some(statsd) = ctx.statsd() {
//!         statsd.count_with_tags("shop.sold", 1).with_tag("kind", "tea").send();
//!     }
//!     Ok(())
//! }
//! ```
//!
//! For scenarios that start at a rate, `molotov.<hostname>.starts.started`, `.late` and `.dropped` count starts; those of a scenario
//! with its own rate are named `molotov.<hostname>.starts.<scenario>.started` and so on. The warm-up is included in all metrics.
//!
//! What scenarios check and record is sent too: the counters `molotov.<hostname>.checks.<name>.passed` and `.failed`, the counters
//! `molotov.<hostname>.counters.<name>`, the gauges `molotov.<hostname>.gauges.<name>`, and for each recorded number the histogram
//! (`|h`) `molotov.<hostname>.values.<name>`. Histograms are an extension of the protocol: the Datadog agent, Telegraf, Vector and
//! the exporter for Prometheus know them, the original daemon does not.
//!
//! Metrics are collected into packets and sent over UDP, which never blocks the run. The server need not be reachable.
//!
//! [`Context::statsd`]: crate::session::Context::statsd

use std::{
    fmt, io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket},
    sync::Arc,
    time::Duration,
};

use cadence::BufferedUdpMetricSink;
pub use cadence::{StatsdClient, prelude};
use http::Method;
use url::Url;

use crate::{
    metrics::{Starts, Status},
    secrets,
};

/// The largest packet that Ethernet carries in one frame, in bytes.
const PACKET: usize = 1432;

/// The statsd client of a process. Clones share it.
#[derive(Clone)]
pub(crate) struct Statsd {
    client: Arc<StatsdClient>,
    /// The prefix of the names of all requests.
    prefix: Arc<str>,
}

impl fmt::Debug for Statsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Statsd").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

/// Resolves a host and a port.
///
/// # Errors
///
/// Returns one sentence if the host has no address.
pub(crate) fn resolve((host, port): (String, u16)) -> Result<SocketAddr, String> {
    let found = (host.as_str(), port).to_socket_addrs();
    let why = match found.map(|mut addresses| {
        // UDP does not reveal whether a daemon listens, so only one address is used; most daemons listen on IPv4.
        let all: Vec<_> = addresses.by_ref().collect();
        all.iter().find(|address| address.is_ipv4()).or(all.first()).copied()
    }) {
        Ok(Some(address)) => return Ok(address),
        Ok(None) => "it has no address".to_owned(),
        Err(error) => error.to_string(),
    };
    Err(format!("the host of statsd, `{host}`, cannot be found: {why}; check `--statsd-address`"))
}

impl Statsd {
    /// Opens a socket to the daemon at an address.
    pub(crate) fn open(address: SocketAddr) -> io::Result<Statsd> {
        let any = match address {
            SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
        };
        let socket = UdpSocket::bind(any)?;
        // If the system's buffer is full, the packet is dropped and the run continues.
        socket.set_nonblocking(true)?;
        let sink = BufferedUdpMetricSink::with_capacity(address, socket, PACKET).map_err(io::Error::other)?;
        let hostname = rustix::system::uname().nodename().to_string_lossy().into_owned();
        Ok(Statsd {
            client: Arc::new(StatsdClient::from_sink("", sink)),
            prefix: format!("molotov.{}.", harmless(&hostname)).into(),
        })
    }

    /// Returns the client, for the user's metrics.
    pub(crate) fn client(&self) -> &StatsdClient {
        &self.client
    }

    /// Returns the name of an HTTP request.
    pub(crate) fn request_name(&self, method: &Method, url: &Url) -> String {
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let path = percent_encoding::percent_decode_str(url.path()).decode_utf8_lossy();
        format!("{}{method}.{}.{}", self.prefix, harmless(host), harmless(&path))
    }

    /// Returns the name of an operation that is not HTTP.
    pub(crate) fn operation_name(&self, protocol: &str, name: &str) -> String {
        format!("{}{}.{}", self.prefix, harmless(protocol), harmless(&secrets::mask(name)))
    }

    /// Sends how long an operation took, and counts its status.
    pub(crate) fn record(&self, name: &str, status: Status<'_>, time: Duration) {
        use cadence::prelude::*;

        let counter = match status {
            Status::Code(code) => format!("{name}.{code}"),
            Status::Text(text) => format!("{name}.{}", harmless(&secrets::mask(text))),
        };
        self.client.time_with_tags(name, time).send();
        self.client.count_with_tags(&counter, 1).send();
    }

    /// Counts starts at a rate: those of a scenario with its own rate, or of all others if `scenario` is empty.
    pub(crate) fn starts(&self, scenario: &str, starts: &Starts) {
        use cadence::prelude::*;

        let scenario = if scenario.is_empty() { String::new() } else { format!("{}.", harmless(scenario)) };
        let counts = [("started", starts.started), ("late", starts.late), ("dropped", starts.dropped)];
        for (what, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            self.client.count_with_tags(&format!("{}starts.{scenario}{what}", self.prefix), count).send();
        }
    }

    /// Counts the result of a check.
    pub(crate) fn check(&self, name: &str, passed: bool) {
        use cadence::prelude::*;

        let result = if passed { "passed" } else { "failed" };
        self.client.count_with_tags(&format!("{}.{result}", self.custom_name("checks", name)), 1).send();
    }

    /// Adds to a counter of the scenarios.
    pub(crate) fn count(&self, name: &str, number: u64) {
        use cadence::prelude::*;

        let number = i64::try_from(number).unwrap_or(i64::MAX);
        self.client.count_with_tags(&self.custom_name("counters", name), number).send();
    }

    /// Sends a number that a scenario recorded.
    pub(crate) fn value(&self, name: &str, value: f64) {
        use cadence::prelude::*;

        self.client.histogram_with_tags(&self.custom_name("values", name), value).send();
    }

    /// Sets a gauge of the scenarios.
    pub(crate) fn gauge(&self, name: &str, value: f64) {
        use cadence::prelude::*;

        let name = self.custom_name("gauges", name);
        if value < 0.0 {
            // Daemons subtract a negative value from the last one.
            self.client.gauge_with_tags(&name, 0.0).send();
        }
        self.client.gauge_with_tags(&name, value).send();
    }

    fn custom_name(&self, kind: &str, name: &str) -> String {
        format!("{}{kind}.{}", self.prefix, harmless(&secrets::mask(name)))
    }

    /// Sends a metric in the text form of the protocol.
    #[cfg(feature = "python")]
    pub(crate) fn raw(&self, metric: String) {
        use cadence::{Metric, ext::MetricBackend};

        struct Raw(String);

        impl Metric for Raw {
            fn as_metric_str(&self) -> &str {
                &self.0
            }
        }

        // Like all metrics, it is dropped if it cannot be sent.
        let _ = self.client.send_metric(&Raw(metric));
    }

    /// Sends the packet that is not full yet.
    pub(crate) fn flush(&self) {
        let _ = self.client.flush();
    }
}

/// Replaces the characters of a name that have a meaning in the protocol.
pub(crate) fn harmless(part: &str) -> String {
    let odd = |c: char| matches!(c, ':' | '|' | '@' | '#' | ',') || c.is_whitespace() || c.is_control();
    part.chars().map(|c| if odd(c) || c == char::REPLACEMENT_CHARACTER { '_' } else { c }).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_host_is_named_in_the_error() {
        assert!(resolve(("nowhere.invalid".to_owned(), 1)).unwrap_err().contains("`nowhere.invalid`"));
    }

    #[test]
    fn names_cannot_break_the_protocol() {
        let listener = UdpSocket::bind("127.0.0.1:0").unwrap();
        let statsd = Statsd::open(listener.local_addr().unwrap()).unwrap();
        let name = |url| statsd.request_name(&Method::GET, &Url::parse(url).unwrap());
        let plain = name("http://localhost:8080/a/b.html?q=1");
        assert!(plain.starts_with("molotov.") && plain.ends_with(".GET.localhost./a/b.html"), "{plain}");
        for url in ["http://h/a%0Ab:c%7Cd%40e%23f%20g", "http://[::1]/%FF,%00", "http://ex%41mple/ü|@"] {
            let name = name(url);
            assert!(!name.contains([':', '|', '@', '#', '\n', ' ', '\0', ',']), "{name}");
        }
        assert!(statsd.operation_name("LI|NE", "ec:ho\n").ends_with(".LI_NE.ec_ho_"));
    }
}
