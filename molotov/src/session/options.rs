//! What a session is made with.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use super::{headers, transport::Transport};
#[cfg(feature = "reqwest")]
use crate::http::proxy::Proxy;
#[cfg(feature = "tls")]
use crate::http::{Certificate, Identity};
use crate::http::{
    cookies::CookiePolicy, decode::Decompression, options::TransportOptions, redirect::Redirect,
    version::HttpVersionPolicy,
};
use crate::{missing::missing, secrets};
use http::{HeaderMap, HeaderName, HeaderValue, header};

/// What a session is made with: what the fixture `setup` gives back.
///
/// Each method gives the options back, so that they can be written one after the other. What is wrong with them is told
/// when the session is made.
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
    pub(crate) cookies: Vec<(String, String)>,
    pub(crate) cookie_store: bool,
    /// Whether servers that are named by their address may set cookies.
    pub(crate) cookies_of_addresses: bool,
    /// Whether headers still speak of a compression that was undone.
    pub(crate) keep_coding_headers: bool,
    pub(crate) timeout: Option<Duration>,
    /// The longest time without data from the server while a response is due.
    pub(crate) read_timeout: Option<Duration>,
    pub(crate) redirect: Redirect,
    pub(crate) decompression: Decompression,
    /// The most bytes of a body that are kept in memory.
    pub(crate) max_body: u64,
    pub(crate) transport_options: TransportOptions,
    #[cfg(feature = "reqwest")]
    pub(crate) proxies: Vec<Proxy>,
    #[cfg(feature = "reqwest")]
    pub(crate) client: Option<reqwest::Client>,
    pub(crate) transport: Option<Transport>,
    pub(crate) error: Option<String>,
}

/// The most bytes of a body that are kept in memory, unless the session says otherwise.
pub(crate) const MAX_BODY: u64 = 256 << 20;

/// How long a request may take in all, where nothing else is said.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(300);

// By hand, so that no secret is shown.
impl fmt::Debug for SessionOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionOptions")
            .field("headers", &secrets::Headers(&self.headers))
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
    /// The defaults: cookies kept, up to 10 redirects followed, bodies decompressed, connections kept alive, 300 s for
    /// a request.
    pub fn new() -> SessionOptions {
        SessionOptions {
            headers: HeaderMap::new(),
            cookies: Vec::new(),
            cookie_store: cfg!(feature = "cookies"),
            cookies_of_addresses: true,
            keep_coding_headers: false,
            timeout: None,
            read_timeout: None,
            redirect: Redirect::default(),
            decompression: Decompression::ALL,
            max_body: MAX_BODY,
            transport_options: TransportOptions::default(),
            #[cfg(feature = "reqwest")]
            proxies: Vec::new(),
            #[cfg(feature = "reqwest")]
            client: None,
            transport: None,
            error: None,
        }
    }

    fn wrong(mut self, what: impl Into<String>) -> Self {
        self.error.get_or_insert_with(|| what.into());
        self
    }

    /// A header of every request; one that the request sets itself wins.
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
            (Err(error), _) => self.wrong(format!("a default header cannot be sent: {error}")),
            (_, Err(error)) => self.wrong(format!("a default header cannot be sent: {error}")),
        }
    }

    /// Headers of every request, in the place of those of the same names.
    pub fn headers(mut self, headers: HeaderMap) -> Self {
        headers::replace(&mut self.headers, headers);
        self
    }

    /// The `User-Agent`; `molotov/` and the version by default.
    pub fn user_agent<V>(mut self, value: V) -> Self
    where
        V: TryInto<HeaderValue, Error: fmt::Display>,
    {
        match value.try_into() {
            Ok(value) => {
                self.headers.insert(header::USER_AGENT, value);
                self
            }
            Err(error) => self.wrong(format!("the user agent cannot be sent: {error}")),
        }
    }

    /// A user and password, sent with every request.
    pub fn basic_auth(mut self, user: impl fmt::Display, password: Option<impl fmt::Display>) -> Self {
        self.headers.insert(header::AUTHORIZATION, headers::basic(user, password));
        self
    }

    /// A token, sent with every request.
    pub fn bearer_auth(mut self, token: impl fmt::Display) -> Self {
        match headers::bearer(token) {
            Ok(value) => {
                self.headers.insert(header::AUTHORIZATION, value);
                self
            }
            Err(error) => self.wrong(error.to_string()),
        }
    }

    /// A cookie, as a server at `url` would set it: `"id=1; Path=/"`.
    pub fn cookie(mut self, url: impl Into<String>, cookie: impl Into<String>) -> Self {
        self.cookies.push((url.into(), cookie.into()));
        self
    }

    /// Whether cookies that servers set are kept and sent back; `true` by default if the feature `cookies` is on.
    pub fn cookie_store(mut self, keep: bool) -> Self {
        if keep && !cfg!(feature = "cookies") {
            return self.wrong(missing("cookies are not supported", "cookies"));
        }
        self.cookie_store = keep;
        self
    }

    /// What scripts written for aiohttp rely on: no cookies from servers without a name, and headers as they came.
    pub(crate) fn like_aiohttp(mut self) -> Self {
        self.cookies_of_addresses = false;
        self.keep_coding_headers = true;
        self
    }

    /// How long a request may take in all, from its start to the end of the answer's body; 300 s by default.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// How long the server may send nothing while a response is due.
    pub(crate) fn read_timeout(mut self, timeout: Duration) -> Self {
        self.read_timeout = Some(timeout);
        self
    }

    /// As [`timeout`](Self::timeout), where none was set.
    pub(crate) fn or_timeout(mut self, timeout: Duration) -> Self {
        self.timeout.get_or_insert(timeout);
        self
    }

    /// How long making a connection may take, with its TLS handshake; only the total counts by default.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.transport_options.connect_timeout = Some(timeout);
        self
    }

    /// Which redirects are followed; up to 10 by default.
    pub fn redirect(mut self, redirect: Redirect) -> Self {
        self.redirect = redirect;
        self
    }

    /// Adds a proxy. The first one that applies to the URL of a request is used, by [`Transport::Reqwest`].
    ///
    /// Needs the feature `reqwest`.
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

    /// Trusts an authority beside those of the system.
    #[cfg(feature = "tls")]
    pub fn add_root_certificate(mut self, certificate: Certificate) -> Self {
        self.transport_options.tls.roots.push(certificate);
        self
    }

    /// Whether the system's authorities are trusted; they are by default.
    #[cfg(feature = "tls")]
    pub fn tls_built_in_root_certs(mut self, trust: bool) -> Self {
        self.transport_options.tls.builtin_roots = trust;
        self
    }

    /// What servers are shown that ask who the client is.
    #[cfg(feature = "tls")]
    pub fn identity(mut self, identity: Identity) -> Self {
        self.transport_options.tls.identity = Some(identity);
        self
    }

    /// Accepts any certificate: encrypted, but with nobody knows whom.
    #[cfg(feature = "tls")]
    pub fn danger_accept_invalid_certs(mut self, accept: bool) -> Self {
        self.transport_options.tls.accept_invalid_certs = accept;
        self
    }

    /// Accepts a certificate that is for another name.
    #[cfg(feature = "tls")]
    pub fn danger_accept_invalid_hostnames(mut self, accept: bool) -> Self {
        self.transport_options.tls.accept_invalid_hostnames = accept;
        self
    }

    /// Never speaks HTTP/2.
    pub fn http1_only(mut self) -> Self {
        self.transport_options.http_version = HttpVersionPolicy::Http1Only;
        self
    }

    /// Speaks HTTP/2 from the first byte, without TLS too.
    pub fn http2_prior_knowledge(mut self) -> Self {
        if !cfg!(feature = "http2") {
            return self.wrong(missing("HTTP/2 is not supported", "http2"));
        }
        self.transport_options.http_version = HttpVersionPolicy::Http2PriorKnowledge;
        self
    }

    /// The address of this machine that connections come from.
    pub fn local_address(mut self, address: impl Into<Option<IpAddr>>) -> Self {
        self.transport_options.local_address = address.into();
        self
    }

    /// The address of a host, instead of asking the system; a port of 0 is the URL's. More calls add more addresses.
    pub fn resolve(mut self, host: impl Into<String>, address: SocketAddr) -> Self {
        self.transport_options.resolve.entry(host.into()).or_default().push(address);
        self
    }

    /// Whether gzip is accepted and decompressed; `true` by default if the feature `gzip` is on.
    pub fn gzip(mut self, enable: bool) -> Self {
        if enable && !Decompression::ALL.gzip {
            return self.wrong(missing("responses with gzip are not supported", "gzip"));
        }
        self.decompression.gzip = enable;
        self
    }

    /// Whether deflate is accepted and decompressed; `true` by default if the feature `deflate` is on.
    pub fn deflate(mut self, enable: bool) -> Self {
        if enable && !Decompression::ALL.deflate {
            return self.wrong(missing("responses with deflate are not supported", "deflate"));
        }
        self.decompression.deflate = enable;
        self
    }

    /// Whether brotli is accepted and decompressed; `true` by default if the feature `brotli` is on.
    pub fn brotli(mut self, enable: bool) -> Self {
        if enable && !Decompression::ALL.brotli {
            return self.wrong(missing("responses with brotli are not supported", "brotli"));
        }
        self.decompression.brotli = enable;
        self
    }

    /// Whether zstd is accepted and decompressed; `true` by default if the feature `zstd` is on.
    pub fn zstd(mut self, enable: bool) -> Self {
        if enable && !Decompression::ALL.zstd {
            return self.wrong(missing("responses with zstd are not supported", "zstd"));
        }
        self.decompression.zstd = enable;
        self
    }

    /// The largest body that [`Response::bytes`](super::Response::bytes) and the like keep in memory, in bytes after
    /// decompression; 256 MiB by default. A larger one fails with [`ErrorKind::TooLarge`], so that a server cannot take
    /// all memory. Reading in parts, as [`Response::chunk`](super::Response::chunk) does, has no limit.
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

    /// Whether a connection is used again; it is by default. Without, each request makes its own.
    pub fn keep_alive(mut self, keep: bool) -> Self {
        self.transport_options.keep_alive = keep;
        self
    }

    /// Whether a request is sent once more when a kept connection closes without an answer; it is by default.
    ///
    /// Only idempotent methods whose body is not a stream are repeated. The server may have seen the first request, so the
    /// report counts each repetition as `retried`. Without, such a request fails.
    pub fn retry(mut self, retry: bool) -> Self {
        self.transport_options.retry = retry;
        self
    }

    /// How long a connection may wait for its next request before it is closed; 90 s by default.
    pub fn pool_idle_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.transport_options.pool_idle_timeout = timeout.into();
        self
    }

    /// How many connections to one server may wait for their next request, for each worker; 1,024 by default. More are
    /// closed once their request is over.
    pub fn pool_max_idle_per_host(mut self, most: usize) -> Self {
        self.transport_options.pool_max_idle_per_host = most;
        self
    }

    /// How many requests a worker may have under way at one server at the same time; no limit by default.
    pub fn max_connections(mut self, most: usize) -> Self {
        self.transport_options.max_connections = Some(most);
        self
    }

    /// Sets a `reqwest` client that makes the requests, by [`Transport::Reqwest`].
    ///
    /// Turn off its redirects, cookies and decompression, which the session does itself, and its retries
    /// (`.retry(reqwest::retry::never())`), which the report does not count.
    ///
    /// Needs the feature `reqwest`. Build the client with `molotov::reqwest`, which has the right version of the crate; it may
    /// change to an incompatible one in a minor version of Molotov.
    ///
    /// ```
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

    /// Does not compile, and says why.
    #[cfg(not(feature = "reqwest"))]
    #[doc(hidden)]
    pub fn proxy<T: FeatureReqwest>(self, _: T) -> Self {
        self
    }

    /// Does not compile, and says why.
    #[cfg(not(feature = "reqwest"))]
    #[doc(hidden)]
    pub fn client<T: FeatureReqwest>(self, _: T) -> Self {
        self
    }

    /// By what requests are made; the options choose by themselves where this does not.
    pub fn transport(mut self, transport: Transport) -> Self {
        self.transport = Some(transport);
        self
    }

    /// Which cookies are kept.
    pub(crate) fn cookie_policy(&self) -> CookiePolicy {
        match (self.cookie_store, self.cookies_of_addresses) {
            (false, _) => CookiePolicy::Reject,
            (true, false) => CookiePolicy::NamedHosts,
            (true, true) => CookiePolicy::Accept,
        }
    }

    /// All headers that every request has.
    pub(crate) fn all_headers(&self) -> HeaderMap {
        self.with_automatic(self.headers.clone())
    }

    /// Adds the headers that every request has even if nobody asks for them.
    pub(crate) fn with_automatic(&self, mut headers: HeaderMap) -> HeaderMap {
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

/// No type has this trait: it is the bound of methods that need the feature `reqwest`.
#[cfg(not(feature = "reqwest"))]
#[diagnostic::on_unimplemented(
    message = "proxies and custom clients need the feature `reqwest` of the crate `molotov`",
    note = "add the feature in Cargo.toml: `molotov = {{ ..., features = [\"reqwest\"] }}`"
)]
pub trait FeatureReqwest {}
