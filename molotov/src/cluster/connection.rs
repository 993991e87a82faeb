//! The connection to the broker: its URL, credentials, TLS, and whether it is up.
//!
//! Credentials come from the URL, or from the variables that the command `nats` reads too. Messages name servers without them.

use std::{fmt, io, path::PathBuf, time::Duration};

use async_nats::{Client, ConnectErrorKind, ConnectOptions, Event, RequestErrorKind, ServerAddr, jetstream};
use bytes::Bytes;
use tokio::sync::watch;
use url::Url;

use crate::http::{
    Certificate, Identity,
    tls::{self, TlsOptions},
    version::HttpVersionPolicy,
};

/// How often the connection is checked. After two checks without a reply, it counts as lost.
const PING_PERIOD: Duration = Duration::from_secs(1);
/// The longest wait between two attempts to connect again.
const LONGEST_RETRY: Duration = Duration::from_secs(1);

/// The subject that returns the account's limits for JetStream.
const JETSTREAM_INFO: &str = "$JS.API.INFO";

/// A broker, and how to log in to it.
#[derive(Clone)]
pub(super) struct Broker {
    /// The servers of its cluster, without credentials.
    servers: Vec<ServerAddr>,
    login: Login,
    tls: TlsFiles,
}

/// How a client proves who it is.
#[derive(Clone, PartialEq, Eq)]
enum Login {
    Anonymous,
    Token(String),
    Password {
        user: String,
        password: String,
    },
    /// A credentials file: a JWT and its NKey.
    Credentials(PathBuf),
    /// A file with the seed of an NKey.
    NKey(PathBuf),
}

/// PEM files for TLS.
#[derive(Clone, Default)]
struct TlsFiles {
    /// Certificates to trust instead of those of the system.
    ca: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
}

/// A connection, which connects again whenever it is lost.
#[derive(Clone)]
pub(super) struct Connection {
    pub(super) client: Client,
    pub(super) jetstream: jetstream::Context,
    is_up: watch::Receiver<bool>,
}

/// Why the broker cannot be used, in one sentence.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(super) struct ConnectionError {
    message: String,
    /// Whether the broker may only be away, so that another attempt is useful.
    pub(super) is_temporary: bool,
}

impl ConnectionError {
    fn permanent(message: String) -> ConnectionError {
        ConnectionError { message, is_temporary: false }
    }

    fn temporary(message: String) -> ConnectionError {
        ConnectionError { message, is_temporary: true }
    }
}

impl Broker {
    /// Reads the URL of a broker, or several URLs of one cluster, separated by commas.
    ///
    /// `variable` returns an environment variable.
    ///
    /// # Errors
    ///
    /// Returns an error if a URL is invalid.
    pub(super) fn parse(urls: &str, variable: impl Fn(&str) -> Option<String>) -> Result<Broker, ConnectionError> {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let file = |name: &str| variable(name).map(PathBuf::from);
        let mut broker = Broker {
            servers: Vec::new(),
            login: Login::Anonymous,
            tls: TlsFiles { ca: file("NATS_CA"), certificate: file("NATS_CERT"), key: file("NATS_KEY") },
        };
        for url in urls.split(',').map(str::trim).filter(|url| !url.is_empty()) {
            broker.add(url)?;
        }
        if broker.servers.is_empty() {
            return Err(ConnectionError::permanent(
                "the URL of the broker is empty; write one like nats://broker:4222".to_owned(),
            ));
        }
        if broker.login == Login::Anonymous {
            broker.login = match (variable("NATS_USER"), variable("NATS_PASSWORD"), variable("NATS_TOKEN")) {
                _ if variable("NATS_CREDS").is_some() => Login::Credentials(file("NATS_CREDS").unwrap_or_default()),
                _ if variable("NATS_NKEY").is_some() => Login::NKey(file("NATS_NKEY").unwrap_or_default()),
                (Some(user), Some(password), _) => Login::Password { user, password },
                // As with the command `nats`.
                (_, _, Some(token)) | (Some(token), None, None) => Login::Token(token),
                (None, _, None) => Login::Anonymous,
            };
        }
        Ok(broker)
    }

    fn add(&mut self, text: &str) -> Result<(), ConnectionError> {
        let with_scheme = if text.contains("://") { text.to_owned() } else { format!("nats://{text}") };
        // The rest of the text may be a password.
        let invalid = |why: &str| {
            ConnectionError::permanent(format!("the URL of the broker {why}; write one like nats://broker:4222"))
        };
        let mut url = Url::parse(&with_scheme).map_err(|error| invalid(&format!("is invalid: {error}")))?;
        if !matches!(url.scheme(), "nats" | "tls") {
            return Err(invalid(&format!("has the unknown scheme `{}`", url.scheme())));
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(invalid("has no host"));
        }
        let decoded = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
        match (decoded(url.username()), url.password().map(decoded)) {
            (user, Some(password)) => self.login = Login::Password { user, password },
            (token, None) if !token.is_empty() => self.login = Login::Token(token),
            _ => {}
        }
        for (name, value) in url.query_pairs() {
            let path = PathBuf::from(value.as_ref());
            match name.as_ref() {
                "creds" => self.login = Login::Credentials(path),
                "nkey" => self.login = Login::NKey(path),
                "ca" => self.tls.ca = Some(path),
                "cert" => self.tls.certificate = Some(path),
                "key" => self.tls.key = Some(path),
                _ => {
                    return Err(invalid(&format!(
                        "has the unknown parameter `{name}` (there are creds, nkey, ca, cert and key)"
                    )));
                }
            }
        }
        // Clearing cannot fail, because there is a host.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.set_query(None);
        url.set_fragment(None);
        self.servers.push(ServerAddr::from_url(url).map_err(|error| invalid(&format!("is invalid: {error}")))?);
        Ok(())
    }

    /// Connects, and checks that the broker has JetStream. `name` is shown in the broker's list of connections.
    ///
    /// # Errors
    ///
    /// Returns an error if the broker cannot be reached, refuses the client, or has no JetStream.
    pub(super) async fn connect(&self, name: &str) -> Result<Connection, ConnectionError> {
        let (changed, is_up) = watch::channel(true);
        let options = self
            .options()?
            .name(name)
            .ping_interval(PING_PERIOD)
            .max_reconnects(None)
            .reconnect_delay_callback(retry_delay)
            .event_callback(move |event| {
                match event {
                    Event::Connected => _ = changed.send(true),
                    Event::Disconnected | Event::Closed => _ = changed.send(false),
                    other => tracing::debug!(%other, "the connection to the broker"),
                }
                async {}
            });
        let client = options.connect(&self.servers[..]).await.map_err(|error| self.explain(&error))?;
        self.check_jetstream(&client).await?;
        Ok(Connection { jetstream: jetstream::new(client.clone()), client, is_up })
    }

    fn options(&self) -> Result<ConnectOptions, ConnectionError> {
        let options = ConnectOptions::new();
        let options = match &self.login {
            Login::Anonymous => options,
            Login::Token(token) => options.token(token.clone()),
            Login::Password { user, password } => options.user_and_password(user.clone(), password.clone()),
            Login::Credentials(path) => {
                let content = read(path, "credentials file", "NATS_CREDS")?;
                options.credentials(&content).map_err(|_| {
                    let path = path.display();
                    ConnectionError::permanent(format!("`{path}` is not a credentials file of NATS; check NATS_CREDS"))
                })?
            }
            Login::NKey(path) => {
                let seed = read(path, "NKey", "NATS_NKEY")?;
                let seed = seed.lines().map(str::trim).find(|line| line.starts_with('S'));
                let seed = seed.filter(|seed| nkeys::KeyPair::from_seed(seed).is_ok()).ok_or_else(|| {
                    let path = path.display();
                    ConnectionError::permanent(format!("`{path}` contains no seed of an NKey; check NATS_NKEY"))
                })?;
                options.nkey(seed.to_owned())
            }
        };
        let is_required = self.tls.ca.is_some() || self.servers.iter().any(ServerAddr::tls_required);
        match self.tls_config() {
            Ok(config) => Ok(options.tls_client_config(config).require_tls(is_required)),
            Err(error) if is_required || self.tls.certificate.is_some() => Err(error),
            // Without the certificates of the system, connections without TLS are possible.
            Err(_) => Ok(options),
        }
    }

    fn tls_config(&self) -> Result<rustls::ClientConfig, ConnectionError> {
        let invalid = |path: &PathBuf, error: crate::http::Error| {
            ConnectionError::permanent(format!("cannot use `{}` for TLS: {error}", path.display()))
        };
        let mut options = TlsOptions { builtin_roots: self.tls.ca.is_none(), ..TlsOptions::default() };
        if let Some(path) = &self.tls.ca {
            let pem = read(path, "CA certificate", "NATS_CA")?;
            options.roots = Certificate::from_pem_bundle(pem.as_bytes()).map_err(|error| invalid(path, error))?;
        }
        match (&self.tls.certificate, &self.tls.key) {
            (Some(certificate), Some(key)) => {
                let pem = read(certificate, "certificate", "NATS_CERT")? + "\n" + &read(key, "key", "NATS_KEY")?;
                let identity = Identity::from_pem(pem.as_bytes()).map_err(|error| invalid(certificate, error))?;
                options.identity = Some(identity);
            }
            (None, None) => {}
            (Some(_), None) => {
                return Err(ConnectionError::permanent(
                    "NATS_CERT names a certificate; set NATS_KEY to its key".to_owned(),
                ));
            }
            (None, Some(_)) => {
                return Err(ConnectionError::permanent(
                    "NATS_KEY names a key; set NATS_CERT to its certificate".to_owned(),
                ));
            }
        }
        let config = tls::config(&options, HttpVersionPolicy::Http1Only)
            .map_err(|error| ConnectionError::permanent(format!("cannot set up TLS for {self}: {error}")))?;
        // The protocol of NATS has no name in ALPN.
        let mut config = (*config).clone();
        config.alpn_protocols.clear();
        Ok(config)
    }

    fn explain(&self, error: &async_nats::ConnectError) -> ConnectionError {
        if let Some(error) = cause::<rustls::Error>(error) {
            return self.explain_tls(error);
        }
        let refused = |what: &str| {
            let advice = match &self.login {
                Login::Anonymous => {
                    "add them to the URL (nats://user:password@host), or set NATS_USER and NATS_PASSWORD, NATS_TOKEN, \
                     NATS_NKEY or NATS_CREDS"
                }
                Login::Token(_) => "check the token in the URL or in NATS_TOKEN",
                Login::Password { .. } => "check the user and the password in the URL, or NATS_USER and NATS_PASSWORD",
                Login::Credentials(_) => "check the file in NATS_CREDS",
                Login::NKey(_) => "check the file in NATS_NKEY",
            };
            ConnectionError::permanent(format!("the broker {self} {what}; {advice}"))
        };
        match error.kind() {
            ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication => match self.login {
                Login::Anonymous => refused("requires credentials"),
                _ => refused("refused the credentials"),
            },
            ConnectErrorKind::TimedOut => ConnectionError::temporary(format!(
                "the broker {self} did not answer within 5 s; check the address and firewalls"
            )),
            ConnectErrorKind::Dns => {
                ConnectionError::temporary(format!("cannot find the host of the broker {self}; check the URL"))
            }
            _ => match cause::<io::Error>(error) {
                Some(error) if error.kind() == io::ErrorKind::ConnectionRefused => ConnectionError::temporary(format!(
                    "the broker {self} refused the connection; start it with `nats-server -js`, or check the port"
                )),
                Some(error) => ConnectionError::temporary(format!("cannot connect to the broker {self}: {error}")),
                None => ConnectionError::temporary(format!(
                    "{self} did not answer like a NATS server ({error}); check the URL"
                )),
            },
        }
    }

    fn explain_tls(&self, error: &rustls::Error) -> ConnectionError {
        use rustls::AlertDescription::{BadCertificate, CertificateRequired, UnknownCA};

        ConnectionError::permanent(match error {
            rustls::Error::InvalidCertificate(reason) => format!(
                "the TLS certificate of the broker {self} is not trusted ({reason}); name the certificate of its authority \
                 in NATS_CA, or check the host name"
            ),
            rustls::Error::AlertReceived(CertificateRequired | BadCertificate | UnknownCA) => {
                match self.tls.certificate {
                    // Servers report a missing certificate in several ways.
                    None => format!("the broker {self} requires a client certificate; set NATS_CERT and NATS_KEY"),
                    Some(_) => {
                        format!("the broker {self} refused the client certificate; check NATS_CERT and NATS_KEY")
                    }
                }
            }
            other => format!("TLS with the broker {self} failed: {other}"),
        })
    }

    /// Checks that the account of the client has JetStream.
    async fn check_jetstream(&self, client: &Client) -> Result<(), ConnectionError> {
        let reply = client.request(JETSTREAM_INFO, Bytes::new()).await.map_err(|error| match error.kind() {
            RequestErrorKind::NoResponders => ConnectionError::permanent(format!(
                "the broker {self} has no JetStream; start it with `nats-server -js`"
            )),
            RequestErrorKind::TimedOut => ConnectionError::temporary(format!(
                "JetStream of the broker {self} did not answer; check that the account may publish to `$JS.API.>` and \
                 subscribe to `_INBOX.>`"
            )),
            _ => ConnectionError::temporary(format!("cannot ask the broker {self} for JetStream: {error}")),
        })?;
        // `Context::query_account` requires fields that older servers do not send.
        let reply: serde_json::Value = serde_json::from_slice(&reply.payload).unwrap_or_default();
        match reply.pointer("/error/description").and_then(serde_json::Value::as_str) {
            None => Ok(()),
            Some(why) => Err(ConnectionError::permanent(format!(
                "the broker {self} has no JetStream for this account ({why}); enable it in the broker's configuration"
            ))),
        }
    }
}

/// The servers without credentials.
impl fmt::Display for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, server) in self.servers.iter().enumerate() {
            let comma = if n == 0 { "" } else { "," };
            let host =
                if server.host().contains(':') { format!("[{}]", server.host()) } else { server.host().to_owned() };
            write!(f, "{comma}{}://{host}:{}", server.scheme(), server.port())?;
        }
        Ok(())
    }
}

/// Hides the credentials.
impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Broker({self})")
    }
}

impl Connection {
    /// Whether the broker can be reached, as far as this side knows. Changes wake the receiver.
    pub(super) fn is_up(&self) -> watch::Receiver<bool> {
        self.is_up.clone()
    }
}

/// Reads a file that a variable names.
fn read(path: &PathBuf, what: &str, variable: &str) -> Result<String, ConnectionError> {
    std::fs::read_to_string(path).map_err(|error| {
        ConnectionError::permanent(format!("cannot read the {what} `{}`: {error}; check {variable}", path.display()))
    })
}

/// The wait before an attempt to connect, the first of which has the number 1.
fn retry_delay(attempt: usize) -> Duration {
    if attempt <= 1 {
        return Duration::ZERO;
    }
    // So that many agents do not all connect at once.
    let spread = fastrand::u64(0..100);
    let attempt = u64::try_from(attempt).unwrap_or(u64::MAX);
    LONGEST_RETRY.min(Duration::from_millis(attempt.saturating_mul(50) + spread))
}

/// Returns the first error of this type among the causes.
fn cause<'a, E: std::error::Error + 'static>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        // The source of an `io::Error` is not the error in it, but the source of that.
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if let Some(found) = inner.and_then(|inner| inner.downcast_ref()) {
            return Some(found);
        }
        next = error.source();
    }
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::{fs, net::TcpListener};

    use super::{super::test_server::TestServer, *};

    fn parse(url: &str, variables: &[(&str, &str)]) -> Result<Broker, ConnectionError> {
        let find =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        Broker::parse(url, find)
    }

    #[tokio::main(flavor = "current_thread")]
    async fn error(url: &str, variables: &[(&str, &str)]) -> String {
        let error = match parse(url, variables) {
            Ok(broker) => broker.connect("test").await.err().expect("the connection should be refused"),
            Err(error) => error,
        };
        error.to_string()
    }

    #[tokio::main(flavor = "current_thread")]
    async fn connects(url: &str, variables: &[(&str, &str)]) {
        let connection = parse(url, variables).unwrap().connect("test").await.unwrap();
        assert!(*connection.is_up().borrow());
    }

    #[test]
    fn names_brokers_without_credentials() {
        for (url, shown) in [
            ("broker", "nats://broker:4222"),
            ("nats://ada:secret@broker", "nats://broker:4222"),
            ("tls://token@[::1]:4333/?ca=/ca.pem", "tls://[::1]:4333"),
            ("nats://one:1, nats://u:p@two:2", "nats://one:1,nats://two:2"),
        ] {
            let broker = parse(url, &[]).unwrap();
            assert_eq!(broker.to_string(), shown);
            assert_eq!(format!("{broker:?}"), format!("Broker({shown})"));
        }
    }

    #[test]
    fn refuses_invalid_urls_without_repeating_passwords() {
        for (url, expected) in [
            ("", "the URL of the broker is empty"),
            ("http://u:secret@host", "has the unknown scheme `http`"),
            ("nats://u:secret@", "the URL of the broker"),
            ("nats://u:secret@host:99999", "invalid port number"),
            ("nats://host?user=secret", "has the unknown parameter `user`"),
        ] {
            let error = parse(url, &[]).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn prefers_credentials_of_the_url() {
        let password =
            |user: &str, password: &str| Login::Password { user: user.to_owned(), password: password.to_owned() };
        let token = |token: &str| Login::Token(token.to_owned());
        let of_environment = [("NATS_USER", "ada"), ("NATS_PASSWORD", "pw")];
        for (url, variables, expected) in [
            ("nats://h", &[][..], Login::Anonymous),
            ("nats://h", &of_environment, password("ada", "pw")),
            ("nats://u%40x:p%2Fq@h", &of_environment, password("u@x", "p/q")),
            ("nats://t@h", &of_environment, token("t")),
            ("nats://h?creds=/c", &of_environment, Login::Credentials("/c".into())),
            ("nats://h", &[("NATS_USER", "t")], token("t")),
            ("nats://h", &[("NATS_TOKEN", "t")], token("t")),
            ("nats://h", &[("NATS_NKEY", "/n"), ("NATS_USER", "")], Login::NKey("/n".into())),
            ("nats://h", &[("NATS_CREDS", "/c"), ("NATS_USER", "u")], Login::Credentials("/c".into())),
        ] {
            assert!(parse(url, variables).unwrap().login == expected, "{url} {variables:?}");
        }
    }

    #[test]
    fn says_how_to_reach_a_broker() {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let url = format!("nats://u:secret@127.0.0.1:{port}");
        assert_eq!(
            error(&url, &[]),
            format!(
                "the broker nats://127.0.0.1:{port} refused the connection; start it with `nats-server -js`, or check the port"
            )
        );
        let server = TestServer::without_jetstream();
        assert!(error(&server.url(), &[]).ends_with("has no JetStream; start it with `nats-server -js`"));
    }

    #[test]
    fn logs_in_with_passwords_tokens_and_nkeys() {
        let key = nkeys::KeyPair::new_user();
        let server = TestServer::with_settings(&format!(
            "authorization {{ users = [ {{ user: ada, password: pw }}, {{ nkey: {} }} ] }}",
            key.public_key()
        ));
        let url = server.url();
        assert!(error(&url, &[]).contains("requires credentials; add them to the URL"));
        let wrong = error(&url.replace("//", "//ada:wrong@"), &[]);
        assert!(
            wrong.ends_with(
                "refused the credentials; check the user and the password in the URL, or NATS_USER and NATS_PASSWORD"
            ),
            "{wrong}"
        );
        assert!(!wrong.contains(":wrong"), "{wrong}");
        connects(&url.replace("//", "//ada:pw@"), &[]);
        connects(&url, &[("NATS_USER", "ada"), ("NATS_PASSWORD", "pw")]);
        let seed = server.folder().join("user.nk");
        fs::write(&seed, format!("# a key\n{}\n", key.seed().unwrap())).unwrap();
        let seed = seed.to_str().unwrap();
        connects(&url, &[("NATS_NKEY", seed)]);
        connects(&format!("{url}/?nkey={seed}"), &[]);
        fs::write(seed, "no key").unwrap();
        assert!(error(&url, &[("NATS_NKEY", seed)]).ends_with("contains no seed of an NKey; check NATS_NKEY"));
        assert!(error(&url, &[("NATS_CREDS", seed)]).contains("is not a credentials file of NATS; check NATS_CREDS"));
        assert!(
            error(&url, &[("NATS_CREDS", "/none")]).contains("cannot read the credentials file `/none`: No such file")
        );

        let server = TestServer::with_settings("authorization { token: t0ken }");
        connects(&server.url(), &[("NATS_TOKEN", "t0ken")]);
        connects(&server.url().replace("//", "//t0ken@"), &[]);
        assert!(error(&server.url(), &[("NATS_TOKEN", "x")]).contains("check the token in the URL or in NATS_TOKEN"));
    }

    #[test]
    fn trusts_only_certificates_of_the_given_authority() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let authority = |name: &str| {
            let mut params = rcgen::CertificateParams::new([]).unwrap();
            params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
            let key = rcgen::KeyPair::generate().unwrap();
            fs::write(path(name), params.self_signed(&key).unwrap().pem()).unwrap();
            rcgen::Issuer::new(params, key)
        };
        let ours = authority("ca.pem");
        authority("other.pem");
        let issue = |name: &str| {
            let key = rcgen::KeyPair::generate().unwrap();
            let params = rcgen::CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
            fs::write(path(&format!("{name}.pem")), params.signed_by(&key, &ours).unwrap().pem()).unwrap();
            fs::write(path(&format!("{name}.key")), key.serialize_pem()).unwrap();
        };
        issue("server");
        issue("client");
        let tls = |verify: bool| {
            TestServer::with_settings(&format!(
                "tls {{ cert_file: {:?}, key_file: {:?}, ca_file: {:?}, verify: {verify} }}",
                path("server.pem"),
                path("server.key"),
                path("ca.pem")
            ))
        };
        let (ca, other) = (path("ca.pem"), path("other.pem"));
        let server = tls(false);
        connects(&server.url(), &[("NATS_CA", &ca)]);
        connects(&format!("tls://127.0.0.1:{}?ca={ca}", server.port()), &[]);
        for variables in [&[][..], &[("NATS_CA", other.as_str())]] {
            let error = error(&server.url(), variables);
            assert!(error.contains("is not trusted (") && error.contains("NATS_CA"), "{error}");
        }
        let error_of_name = error(&format!("tls://localhost:{}", server.port()), &[("NATS_CA", &ca)]);
        assert!(error_of_name.contains("is not trusted ("), "{error_of_name}");
        let plain = TestServer::start();
        let error_of_plain = error(&plain.url().replace("nats:", "tls:"), &[("NATS_CA", &ca)]);
        assert!(error_of_plain.contains(&format!("tls://127.0.0.1:{}", plain.port())), "{error_of_plain}");

        let server = tls(true);
        let without = error(&server.url(), &[("NATS_CA", &ca)]);
        assert!(without.contains("requires a client certificate; set NATS_CERT and NATS_KEY"), "{without}");
        let (certificate, key) = (path("client.pem"), path("client.key"));
        let half = error(&server.url(), &[("NATS_CA", &ca), ("NATS_CERT", &certificate)]);
        assert_eq!(half, "NATS_CERT names a certificate; set NATS_KEY to its key");
        connects(&server.url(), &[("NATS_CA", &ca), ("NATS_CERT", &certificate), ("NATS_KEY", &key)]);
    }

    #[test]
    fn connects_again_after_the_broker_was_away() {
        let mut server = TestServer::start();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let connection = runtime.block_on(server.connect());
        let mut is_up = connection.is_up();
        server.stop();
        runtime.block_on(is_up.wait_for(|up| !*up)).unwrap();
        let _server = server.start_again();
        runtime.block_on(is_up.wait_for(|up| *up)).unwrap();
        runtime.block_on(connection.jetstream.get_or_create_stream("molotov-test")).unwrap();
    }
}
