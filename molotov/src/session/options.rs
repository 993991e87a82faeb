//! The options of sessions.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use super::{Expected, headers};
#[cfg(feature = "reqwest")]
use crate::http::proxy::Proxy;
#[cfg(feature = "tls")]
use crate::http::{Certificate, Identity};
use crate::http::{
    cookies::CookiePolicy, decode::Decompression, options::TransportOptions, redirect::Redirect,
    version::HttpVersionPolicy,
};
use crate::{
    missing::missing,
    options::{Args, BaseUrl, InvalidValue},
    secrets,
};
use http::{HeaderMap, HeaderName, HeaderValue, header};

/// The options of a session, which the fixture `setup` returns.
///
/// Methods can be chained. [`Session::new`](super::Session::new) returns any error in the options.
///
/// ```
/// # use molotov::prelude::*;
/// let options = SessionOptions::new().header("x-tenant", "acme").timeout(secs(10)).user_agent("my-test/1.0");
/// let session = Session::new(options)?;
/// # Ok::<(), molotov::Error>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct SessionOptions {
    pub(crate) headers: HeaderMap,
    /// The headers that the options of the run set. Those of the session replace them.
    run_headers: HeaderMap,
    /// The address that paths are added to.
    pub(crate) base_url: Option<BaseUrl>,
    pub(crate) cookies: Vec<(String, String)>,
    pub(crate) cookie_store: bool,
    /// Whether servers without a host name may set cookies.
    pub(crate) cookies_of_addresses: bool,
    /// Whether a decompressed response keeps the headers about its compression.
    pub(crate) keep_coding_headers: bool,
    pub(crate) timeout: Option<Duration>,
    /// The longest time without data from the server while a response is due.
    pub(crate) read_timeout: Option<Duration>,
    pub(crate) redirect: Redirect,
    pub(crate) decompression: Decompression,
    /// The maximum size of a body in memory, in bytes.
    pub(crate) max_body: u64,
    /// The statuses that are successes.
    pub(crate) expected: Expected,
    pub(crate) transport_options: TransportOptions,
    #[cfg(feature = "reqwest")]
    pub(crate) proxies: Vec<Proxy>,
    #[cfg(feature = "reqwest")]
    pub(crate) client: Option<reqwest::Client>,
    pub(crate) transport: Option<Transport>,
    pub(crate) error: Option<String>,
}

/// The implementation that sends the requests of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Transport {
    /// Molotov's own HTTP/1.1, and HTTP/2 by hyper. This is the default, and the fastest.
    Direct,
    /// A `reqwest` client for each worker. This is the default if a proxy or a client is given. It requires the feature
    /// `reqwest`.
    Reqwest,
}

/// The default maximum size of a body in memory, in bytes.
pub(crate) const MAX_BODY: u64 = 256 << 20;

/// The default total timeout of a request.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(300);

// Not derived, so that it masks secrets.
impl fmt::Debug for SessionOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionOptions")
            .field("headers", &secrets::Headers(&self.headers))
            .field("run_headers", &secrets::Headers(&self.run_headers))
            .field("base_url", &self.base_url)
            .field("cookie_store", &self.cookie_store)
            .field("timeout", &self.timeout)
            .field("redirect", &self.redirect)
            .field("decompression", &self.decompression)
            .field("transport_options", &self.transport_options)
            .field("transport", &self.transport)
            .finish_non_exhaustive()
    }
}

impl Default for SessionOptions {
    fn default() -> Self {
        SessionOptions::new()
    }
}

impl SessionOptions {
    /// Returns the defaults: cookies are stored, up to 10 redirects are followed, bodies are decompressed, connections are kept
    /// alive, and a request times out after 300 s.
    pub fn new() -> SessionOptions {
        SessionOptions {
            headers: HeaderMap::new(),
            run_headers: HeaderMap::new(),
            base_url: None,
            cookies: Vec::new(),
            cookie_store: cfg!(feature = "cookies"),
            cookies_of_addresses: true,
            keep_coding_headers: false,
            timeout: None,
            read_timeout: None,
            redirect: Redirect::default(),
            decompression: Decompression::ALL,
            max_body: MAX_BODY,
            expected: Expected::default(),
            transport_options: TransportOptions::default(),
            #[cfg(feature = "reqwest")]
            proxies: Vec::new(),
            #[cfg(feature = "reqwest")]
            client: None,
            transport: None,
            error: None,
        }
    }

    /// Returns whether sessions with these options can share them. Limits and clients belong to one session.
    pub(super) fn is_same(&self, other: &SessionOptions) -> bool {
        let SessionOptions {
            headers,
            run_headers,
            base_url,
            cookies,
            cookie_store,
            cookies_of_addresses,
            keep_coding_headers,
            timeout,
            read_timeout,
            redirect,
            decompression,
            max_body,
            expected,
            transport_options,
            #[cfg(feature = "reqwest")]
            proxies,
            #[cfg(feature = "reqwest")]
            client,
            transport,
            error,
        } = other;
        #[cfg(feature = "reqwest")]
        if !(self.proxies == *proxies && self.client.is_none() && client.is_none()) {
            return false;
        }
        self.headers == *headers
            && self.run_headers == *run_headers
            && self.base_url == *base_url
            && self.cookies == *cookies
            && self.cookie_store == *cookie_store
            && self.cookies_of_addresses == *cookies_of_addresses
            && self.keep_coding_headers == *keep_coding_headers
            && self.timeout == *timeout
            && self.read_timeout == *read_timeout
            && self.redirect.is_same(redirect)
            && self.decompression == *decompression
            && self.max_body == *max_body
            && self.expected == *expected
            && self.transport_options.is_same(transport_options)
            && self.transport == *transport
            && self.error == *error
    }

    fn invalid(mut self, what: impl Into<String>) -> Self {
        self.error.get_or_insert_with(|| what.into());
        self
    }

    /// Sets the address of the service, such as `http://127.0.0.1:8080`. Requests then need only a path.
    ///
    /// A path in the address comes before the path of the request. URLs with a host are sent unchanged. The option `--host` and
    /// [`LoadTest::host`](crate::LoadTest::host) replace the address, so that the same load test runs in each environment.
    ///
    /// ```no_run
    /// # use molotov::prelude::*;
    /// #[setup]
    /// async fn shop() -> SessionOptions {
    ///     SessionOptions::new().base_url("http://127.0.0.1:8080")
    /// }
    ///
    /// #[scenario]
    /// async fn cart(session: &Session) -> Result<()> {
    ///     session.get("/cart").send().await?.error_for_status()?;
    ///     Ok(())
    /// }
    /// ```
    pub fn base_url(mut self, address: impl TryInto<BaseUrl, Error: Into<InvalidValue>>) -> Self {
        match address.try_into() {
            Ok(address) => {
                self.base_url = Some(address);
                self
            }
            Err(error) => self.invalid(format!("the base URL is invalid: {}", error.into())),
        }
    }

    /// Adds a header to every request. A request can replace it.
    pub fn header<K, V>(mut self, name: K, value: V) -> Self
    where
        K: TryInto<HeaderName, Error: fmt::Display>,
        V: TryInto<HeaderValue, Error: fmt::Display>,
    {
        match (name.try_into(), value.try_into()) {
            (Ok(name), Ok(value)) => {
                self.headers.append(name, value);
                self
            }
            (Err(error), _) => self.invalid(format!("a default header is invalid: {error}")),
            (_, Err(error)) => self.invalid(format!("a default header is invalid: {error}")),
        }
    }

    /// Adds headers to every request, replacing those with the same names.
    pub fn headers(mut self, headers: HeaderMap) -> Self {
        headers::replace(&mut self.headers, headers);
        self
    }

    /// Sets the header `User-Agent`. The default is `molotov/` and the version.
    pub fn user_agent<V>(mut self, value: V) -> Self
    where
        V: TryInto<HeaderValue, Error: fmt::Display>,
    {
        match value.try_into() {
            Ok(value) => {
                self.headers.insert(header::USER_AGENT, value);
                self
            }
            Err(error) => self.invalid(format!("the user agent is invalid: {error}")),
        }
    }

    /// Sets the user and password of Basic authorization.
    pub fn basic_auth(mut self, user: impl fmt::Display, password: Option<impl fmt::Display>) -> Self {
        self.headers.insert(header::AUTHORIZATION, headers::basic(user, password));
        self
    }

    /// Sets the token of Bearer authorization.
    pub fn bearer_auth(mut self, token: impl fmt::Display) -> Self {
        match headers::bearer(token) {
            Ok(value) => {
                self.headers.insert(header::AUTHORIZATION, value);
                self
            }
            Err(error) => self.invalid(error.to_string()),
        }
    }

    /// Adds a cookie, as if a server at `url` had set it: `"id=1; Path=/"`. With a base URL, the path `/` is enough for `url`.
    pub fn cookie(mut self, url: impl Into<String>, cookie: impl Into<String>) -> Self {
        self.cookies.push((url.into(), cookie.into()));
        self
    }

    /// Sets whether cookies from servers are stored and sent. The default is `true` with the feature `cookies`.
    pub fn cookie_store(mut self, keep: bool) -> Self {
        if keep && !cfg!(feature = "cookies") {
            return self.invalid(missing("cookies are not supported", "cookies"));
        }
        self.cookie_store = keep;
        self
    }

    /// Behaves like aiohttp: servers without a host name cannot set cookies, and decompressed responses keep all headers.
    pub(crate) fn like_aiohttp(mut self) -> Self {
        self.cookies_of_addresses = false;
        self.keep_coding_headers = true;
        self
    }

    /// Sets the total timeout, from the start of a request to the end of the response's body. The default is 300 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sets how long the server may send nothing while a response is due.
    pub(crate) fn read_timeout(mut self, timeout: Duration) -> Self {
        self.read_timeout = Some(timeout);
        self
    }

    /// Applies the options of the run: its host replaces the base URL, and its timeout and headers are defaults.
    pub(crate) fn with_args(mut self, args: &Args) -> Self {
        self.timeout.get_or_insert(args.timeout);
        self.with_defaults(args.host.clone(), args.default_headers())
    }

    /// Replaces the base URL, if there is a host, and sets the headers of requests without such headers.
    pub(crate) fn with_defaults(mut self, host: Option<BaseUrl>, headers: HeaderMap) -> Self {
        self.base_url = host.or(self.base_url);
        self.run_headers = headers;
        self
    }

    /// Sets the timeout of opening a connection, including the TLS handshake. By default, only the total timeout applies.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.transport_options.connect_timeout = Some(timeout);
        self
    }

    /// Sets which redirects are followed. The default is up to 10.
    pub fn redirect(mut self, redirect: Redirect) -> Self {
        self.redirect = redirect;
        self
    }

    /// Adds a proxy. The first one that applies to the URL of a request is used, by [`Transport::Reqwest`].
    ///
    /// Requires the feature `reqwest`.
    ///
    /// ```
    /// # use molotov::{prelude::*, session::Proxy};
    /// let options = SessionOptions::new().proxy(Proxy::http("http://127.0.0.1:3128"));
    /// ```
    #[cfg(feature = "reqwest")]
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.proxies.push(proxy);
        self
    }

    /// Trusts a certificate in addition to those of the system.
    #[cfg(feature = "tls")]
    pub fn add_root_certificate(mut self, certificate: Certificate) -> Self {
        self.transport_options.tls.roots.push(certificate);
        self
    }

    /// Sets whether the certificates of the system are trusted. The default is `true`.
    #[cfg(feature = "tls")]
    pub fn tls_built_in_root_certs(mut self, trust: bool) -> Self {
        self.transport_options.tls.builtin_roots = trust;
        self
    }

    /// Sets the client certificate, for servers that require one.
    #[cfg(feature = "tls")]
    pub fn identity(mut self, identity: Identity) -> Self {
        self.transport_options.tls.identity = Some(identity);
        self
    }

    /// Accepts any certificate. Connections are encrypted but not authenticated.
    #[cfg(feature = "tls")]
    pub fn danger_accept_invalid_certs(mut self, accept: bool) -> Self {
        self.transport_options.tls.accept_invalid_certs = accept;
        self
    }

    /// Accepts certificates for other names.
    #[cfg(feature = "tls")]
    pub fn danger_accept_invalid_hostnames(mut self, accept: bool) -> Self {
        self.transport_options.tls.accept_invalid_hostnames = accept;
        self
    }

    /// Uses only HTTP/1.1.
    pub fn http1_only(mut self) -> Self {
        self.transport_options.http_version = HttpVersionPolicy::Http1Only;
        self
    }

    /// Uses HTTP/2 without negotiation, with and without TLS.
    pub fn http2_prior_knowledge(mut self) -> Self {
        if !cfg!(feature = "http2") {
            return self.invalid(missing("HTTP/2 is not supported", "http2"));
        }
        self.transport_options.http_version = HttpVersionPolicy::Http2PriorKnowledge;
        self
    }

    /// Sets the local address of connections.
    pub fn local_address(mut self, address: impl Into<Option<IpAddr>>) -> Self {
        self.transport_options.local_address = address.into();
        self
    }

    /// Sets the address of a host, instead of resolving it. Port 0 stands for the port of the URL. More calls add more addresses.
    pub fn resolve(mut self, host: impl Into<String>, address: SocketAddr) -> Self {
        self.transport_options.resolve.entry(host.into()).or_default().push(address);
        self
    }

    /// Sets whether gzip is accepted and decompressed. The default is `true` with the feature `gzip`.
    pub fn gzip(mut self, enable: bool) -> Self {
        if enable && !Decompression::ALL.gzip {
            return self.invalid(missing("responses with gzip are not supported", "gzip"));
        }
        self.decompression.gzip = enable;
        self
    }

    /// Sets whether deflate is accepted and decompressed. The default is `true` with the feature `deflate`.
    pub fn deflate(mut self, enable: bool) -> Self {
        if enable && !Decompression::ALL.deflate {
            return self.invalid(missing("responses with deflate are not supported", "deflate"));
        }
        self.decompression.deflate = enable;
        self
    }

    /// Sets whether brotli is accepted and decompressed. The default is `true` with the feature `brotli`.
    pub fn brotli(mut self, enable: bool) -> Self {
        if enable && !Decompression::ALL.brotli {
            return self.invalid(missing("responses with brotli are not supported", "brotli"));
        }
        self.decompression.brotli = enable;
        self
    }

    /// Sets whether zstd is accepted and decompressed. The default is `true` with the feature `zstd`.
    pub fn zstd(mut self, enable: bool) -> Self {
        if enable && !Decompression::ALL.zstd {
            return self.invalid(missing("responses with zstd are not supported", "zstd"));
        }
        self.decompression.zstd = enable;
        self
    }

    /// Sets the maximum size of a body in memory, in bytes after decompression. The default is 256 MiB.
    ///
    /// If a body is larger, [`Response::bytes`](super::Response::bytes) and similar methods fail with
    /// [`ErrorKind::TooLarge`](crate::ErrorKind::TooLarge), so that a server cannot exhaust the memory. There is no limit for
    /// reading in parts, as with [`Response::chunk`](super::Response::chunk).
    ///
    /// ```
    /// # use molotov::prelude::*;
    /// let options = SessionOptions::new().max_body(2 << 30); // 2 GiB
    /// # let _ = options;
    /// ```
    pub fn max_body(mut self, bytes: u64) -> Self {
        self.max_body = bytes;
        self
    }

    /// Sets the statuses that make a request a success, such as `200..=299`. By default those are the ones below 400.
    /// [`RequestBuilder::expect`](super::RequestBuilder::expect) takes precedence.
    pub fn expect(mut self, statuses: impl Into<Expected>) -> Self {
        self.expected = statuses.into();
        self
    }

    /// Sets whether connections are reused. The default is `true`. Otherwise, each request opens a new connection.
    pub fn keep_alive(mut self, keep: bool) -> Self {
        self.transport_options.keep_alive = keep;
        self
    }

    /// Sets whether a request is sent again if a reused connection closes without a response. The default is `true`. Otherwise,
    /// such a request fails.
    ///
    /// Only requests with an idempotent method and without a streamed body are sent again. The server may have counted the
    /// first one, so the report shows them as `retried`.
    pub fn retry(mut self, retry: bool) -> Self {
        self.transport_options.retry = retry;
        self
    }

    /// Sets how long a connection may be idle before it is closed. The default is 90 s.
    pub fn pool_idle_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.transport_options.pool_idle_timeout = timeout.into();
        self
    }

    /// Sets the maximum number of idle connections to one server, for each worker. The default is 1,024. Further connections
    /// are closed after their request.
    pub fn pool_max_idle_per_host(mut self, most: usize) -> Self {
        self.transport_options.pool_max_idle_per_host = most;
        self
    }

    /// Sets the maximum number of concurrent requests to one server, for each worker. There is no limit by default.
    pub fn max_connections(mut self, most: usize) -> Self {
        self.transport_options.max_connections = Some(most);
        self
    }

    /// Sets the `reqwest` client that sends the requests, as with [`Transport::Reqwest`].
    ///
    /// Turn off its redirects, cookies and decompression, which the session implements, and its retries
    /// (`.retry(reqwest::retry::never())`), which the report does not count.
    ///
    /// Requires the feature `reqwest`. Build the client with `molotov::reqwest`, the version of the crate that Molotov uses. A
    /// minor version of Molotov may change it to an incompatible one.
    ///
    /// `molotov::reqwest` has no TLS provider, without which building the client panics: add `reqwest` with its feature `rustls` to
    /// your crate, or install a provider of `rustls`.
    ///
    /// ```no_run
    /// # use molotov::{prelude::*, reqwest};
    /// let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    /// let client = client.retry(reqwest::retry::never()).no_proxy().build()?;
    /// let options = SessionOptions::new().client(client);
    /// # Ok::<(), reqwest::Error>(())
    /// ```
    #[cfg(feature = "reqwest")]
    pub fn client(mut self, client: reqwest::Client) -> Self {
        self.client = Some(client);
        self
    }

    /// Fails to compile, with a message that names the feature.
    #[cfg(not(feature = "reqwest"))]
    #[doc(hidden)]
    pub fn proxy<T: FeatureReqwest>(self, _: T) -> Self {
        self
    }

    /// Fails to compile, with a message that names the feature.
    #[cfg(not(feature = "reqwest"))]
    #[doc(hidden)]
    pub fn client<T: FeatureReqwest>(self, _: T) -> Self {
        self
    }

    /// Sets the transport. By default, it depends on the other options.
    pub fn transport(mut self, transport: Transport) -> Self {
        self.transport = Some(transport);
        self
    }

    /// Returns which cookies are stored from responses.
    pub(crate) fn cookie_policy(&self) -> CookiePolicy {
        match (self.cookie_store, self.cookies_of_addresses) {
            (false, _) => CookiePolicy::Reject,
            (true, false) => CookiePolicy::NamedHosts,
            (true, true) => CookiePolicy::Accept,
        }
    }

    /// Returns the headers of every request.
    pub(crate) fn all_headers(&self) -> HeaderMap {
        self.with_automatic(self.headers.clone())
    }

    /// Adds the headers that every request has by default.
    pub(crate) fn with_automatic(&self, mut headers: HeaderMap) -> HeaderMap {
        headers::add_missing(&mut headers, &self.run_headers);
        let mut or = |name: HeaderName, value: &'static str| {
            headers.entry(name).or_insert(HeaderValue::from_static(value));
        };
        or(header::ACCEPT, "*/*");
        or(header::USER_AGENT, concat!("molotov/", env!("CARGO_PKG_VERSION")));
        if let Some(accepted) = self.decompression.accepted() {
            or(header::ACCEPT_ENCODING, accepted);
        }
        headers
    }
}

/// No type implements this trait. It is the bound of methods that require the feature `reqwest`.
#[cfg(not(feature = "reqwest"))]
#[diagnostic::on_unimplemented(
    message = "proxies and custom clients require the feature `reqwest` of the crate `molotov`",
    note = "add the feature in Cargo.toml: `molotov = {{ ..., features = [\"reqwest\"] }}`"
)]
pub trait FeatureReqwest {}
