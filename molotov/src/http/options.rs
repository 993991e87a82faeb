//! The options of a transport.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use super::{permits::Permits, tls::TlsOptions, version::HttpVersionPolicy};

/// The options of a transport.
#[derive(Clone, Debug)]
pub(crate) struct TransportOptions {
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) tls: TlsOptions,
    pub(crate) http_version: HttpVersionPolicy,
    pub(crate) local_address: Option<IpAddr>,
    /// Addresses of a host, used instead of the resolver. Port 0 stands for the port of the URL.
    pub(crate) resolve: HashMap<String, Vec<SocketAddr>>,
    pub(crate) keep_alive: bool,
    /// Whether a request may be sent again if its connection closes without a response.
    pub(crate) retry: bool,
    pub(crate) pool_idle_timeout: Option<Duration>,
    /// The maximum number of idle connections to an origin.
    pub(crate) pool_max_idle_per_host: usize,
    /// The maximum number of concurrent requests to an origin. Further requests wait.
    pub(crate) max_connections: Option<usize>,
    /// Limits that are shared with other transports, instead of `max_connections`.
    pub(crate) shared_permits: Option<Permits>,
    /// Restricts addresses to IPv6 (`true`) or IPv4 (`false`).
    pub(crate) only_ipv6: Option<bool>,
    /// The server name for TLS and its certificate, instead of the host of the URL.
    pub(crate) server_name: Option<String>,
    pub(crate) tcp_nodelay: bool,
}

impl Default for TransportOptions {
    fn default() -> Self {
        Self {
            connect_timeout: None,
            tls: TlsOptions::default(),
            http_version: HttpVersionPolicy::Auto,
            local_address: None,
            resolve: HashMap::new(),
            keep_alive: true,
            retry: true,
            pool_idle_timeout: Some(Duration::from_secs(90)),
            pool_max_idle_per_host: 1024,
            max_connections: None,
            shared_permits: None,
            only_ipv6: None,
            server_name: None,
            tcp_nodelay: true,
        }
    }
}

impl TransportOptions {
    /// Returns whether transports with these options can share them. Limits belong to one session.
    pub(crate) fn is_same(&self, other: &TransportOptions) -> bool {
        let TransportOptions {
            connect_timeout,
            tls,
            http_version,
            local_address,
            resolve,
            keep_alive,
            retry,
            pool_idle_timeout,
            pool_max_idle_per_host,
            max_connections,
            shared_permits: _,
            only_ipv6,
            server_name,
            tcp_nodelay,
        } = other;
        let limited = |options: &TransportOptions| options.permits().is_limited();
        self.connect_timeout == *connect_timeout
            && self.tls == *tls
            && self.http_version == *http_version
            && self.local_address == *local_address
            && self.resolve == *resolve
            && self.keep_alive == *keep_alive
            && self.retry == *retry
            && self.pool_idle_timeout == *pool_idle_timeout
            && self.pool_max_idle_per_host == *pool_max_idle_per_host
            && self.max_connections == *max_connections
            && !limited(self)
            && !limited(other)
            && self.only_ipv6 == *only_ipv6
            && self.server_name == *server_name
            && self.tcp_nodelay == *tcp_nodelay
    }

    /// Returns the limits on concurrent requests.
    pub(crate) fn permits(&self) -> Permits {
        self.shared_permits.clone().unwrap_or_else(|| Permits::new(self.max_connections, None))
    }
}
