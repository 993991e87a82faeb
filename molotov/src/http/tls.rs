//! TLS over rustls: what a session may ask for, and the configuration made of it, one per thread and set of options.

use std::{cell::RefCell, fmt, sync::Arc};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, OtherError, ProtocolVersion, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    client::{WebPkiServerVerifier, verify_server_name},
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
    server::ParsedCertificate,
};

use super::{Error, ErrorKind, version::HttpVersionPolicy};

/// A certificate to trust, beside those of the system.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let root = molotov::http::Certificate::from_pem(&std::fs::read("ca.pem")?)?;
/// # Ok(()) }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate(CertificateDer<'static>);

impl Certificate {
    /// From one certificate in DER form.
    ///
    /// # Errors
    /// Where the bytes are no certificate.
    pub fn from_der(der: &[u8]) -> Result<Self, Error> {
        let der = CertificateDer::from(der.to_vec());
        RootCertStore::empty()
            .add(der.clone())
            .map_err(|error| builder("this is not a certificate in DER form").with_source(error))?;
        Ok(Self(der))
    }

    /// From the first certificate of a PEM file's content.
    ///
    /// # Errors
    /// Where there is none.
    pub fn from_pem(pem: &[u8]) -> Result<Self, Error> {
        let der = CertificateDer::from_pem_slice(pem)
            .map_err(|error| builder("no certificate was found in this PEM").with_source(error))?;
        Self::from_der(&der)
    }

    /// All certificates of a PEM file's content.
    ///
    /// # Errors
    /// Where one of them cannot be read.
    pub fn from_pem_bundle(pem: &[u8]) -> Result<Vec<Self>, Error> {
        CertificateDer::pem_slice_iter(pem)
            .map(|der| {
                let der =
                    der.map_err(|error| builder("a certificate of this PEM cannot be read").with_source(error))?;
                Self::from_der(&der)
            })
            .collect()
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({} bytes)", self.0.len())
    }
}

/// A client certificate with its private key, for servers that ask for one.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    pem: Arc<[u8]>,
}

impl Identity {
    /// From a PEM that holds the certificate, its chain and the private key.
    ///
    /// # Errors
    /// Where one of them is missing.
    pub fn from_pem(pem: &[u8]) -> Result<Self, Error> {
        let identity = Self { pem: pem.into() };
        identity.parts()?;
        Ok(identity)
    }

    /// The PEM it was made of.
    fn parts(&self) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), Error> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&self.pem)
            .collect::<Result<_, _>>()
            .map_err(|error| builder("the certificate of the identity cannot be read").with_source(error))?;
        if chain.is_empty() {
            return Err(builder("the identity has no certificate").with_hint("put it into the PEM before the key"));
        }
        let key = PrivateKeyDer::from_pem_slice(&self.pem)
            .map_err(|error| builder("the identity has no private key that can be read").with_source(error))?;
        Ok((chain, key))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity(..)")
    }
}

/// What a session asks of TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TlsOptions {
    pub(crate) roots: Vec<Certificate>,
    pub(crate) identity: Option<Identity>,
    pub(crate) accept_invalid_certs: bool,
    pub(crate) accept_invalid_hostnames: bool,
    /// Whether the system's certificates are trusted.
    pub(crate) builtin_roots: bool,
    /// The SHA-256 digest of the only certificate that a server may have.
    pub(crate) fingerprint: Option<[u8; 32]>,
    /// The only TLS version to use; `None` allows 1.2 and 1.3.
    pub(crate) only_version: Option<ProtocolVersion>,
}

impl Default for TlsOptions {
    fn default() -> Self {
        Self {
            roots: Vec::new(),
            identity: None,
            accept_invalid_certs: false,
            accept_invalid_hostnames: false,
            builtin_roots: true,
            fingerprint: None,
            only_version: None,
        }
    }
}

type Kept = Vec<(TlsOptions, HttpVersionPolicy, Arc<ClientConfig>)>;

thread_local! {
    static CONFIGS: RefCell<Kept> = RefCell::default();
    static NATIVE: RefCell<Option<Arc<Native>>> = RefCell::default();
}

/// The configuration for these options; made once, since reading the system's roots takes milliseconds and 100 KB.
pub(crate) fn config(options: &TlsOptions, version: HttpVersionPolicy) -> Result<Arc<ClientConfig>, Error> {
    let known = CONFIGS.with_borrow(|kept| {
        kept.iter().find(|(o, v, _)| o == options && *v == version).map(|(_, _, config)| Arc::clone(config))
    });
    if let Some(config) = known {
        return Ok(config);
    }
    let config = Arc::new(build(options, version)?);
    CONFIGS.with_borrow_mut(|kept| {
        if kept.len() >= 64 {
            kept.remove(0);
        }
        kept.push((options.clone(), version, Arc::clone(&config)));
    });
    Ok(config)
}

fn build(options: &TlsOptions, version: HttpVersionPolicy) -> Result<ClientConfig, Error> {
    let provider = Arc::new(ring::default_provider());
    let versions: Vec<_> = rustls::ALL_VERSIONS
        .iter()
        .copied()
        .filter(|version| options.only_version.is_none_or(|only| version.version == only))
        .collect();
    let start = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&versions)
        .map_err(|error| builder("TLS cannot be set up").with_source(error))?;
    let verifier: Arc<dyn ServerCertVerifier> = if options.accept_invalid_certs {
        Arc::new(Unchecked(provider))
    } else {
        let mut roots = RootCertStore::empty();
        let native = options.builtin_roots.then(native);
        if let Some(native) = &native {
            roots.add_parsable_certificates(native.certificates.iter().cloned());
        }
        for root in &options.roots {
            roots
                .add(root.0.clone())
                .map_err(|error| builder("a root certificate cannot be used").with_source(error))?;
        }
        if roots.is_empty() {
            let why =
                native.and_then(|native| native.error.clone()).map_or(String::new(), |error| format!(": {error}"));
            return Err(Error::new(ErrorKind::Tls, format!("there is no root certificate to trust{why}"))
                .with_hint("install the system's certificates, or add a root certificate to the session"));
        }
        let chains = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(|error| builder("TLS cannot be set up").with_source(error))?;
        let any_name = options.accept_invalid_hostnames;
        Arc::new(Trusting { chains, native, roots: options.roots.clone(), any_name })
    };
    let verifier = match options.fingerprint {
        Some(expected) => Arc::new(Pinned { expected, inner: verifier }),
        None => verifier,
    };
    let chosen = start.dangerous().with_custom_certificate_verifier(verifier);
    let mut config = match &options.identity {
        Some(identity) => {
            let (chain, key) = identity.parts()?;
            chosen
                .with_client_auth_cert(chain, key)
                .map_err(|error| builder("the client identity cannot be used").with_source(error))?
        }
        None => chosen.with_no_client_auth(),
    };
    config.alpn_protocols = match version {
        HttpVersionPolicy::Auto if !cfg!(feature = "http2") => vec![b"http/1.1".to_vec()],
        HttpVersionPolicy::Auto => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        HttpVersionPolicy::Http1Only => vec![b"http/1.1".to_vec()],
        HttpVersionPolicy::Http2PriorKnowledge => vec![b"h2".to_vec()],
    };
    Ok(config)
}

/// The certificates that the system trusts, or those of `SSL_CERT_FILE` and `SSL_CERT_DIR`.
#[derive(Debug)]
struct Native {
    certificates: Vec<CertificateDer<'static>>,
    /// Why some could not be read.
    error: Option<String>,
}

fn native() -> Arc<Native> {
    let load = || {
        let loaded = rustls_native_certs::load_native_certs();
        let error = loaded.errors.first().map(ToString::to_string);
        Arc::new(Native { certificates: loaded.certs, error })
    };
    NATIVE.with_borrow_mut(|kept| Arc::clone(kept.get_or_insert_with(load)))
}

fn builder(message: &str) -> Error {
    Error::new(ErrorKind::Builder, message)
}

/// Accepts every certificate, but still checks that the server holds its key.
#[derive(Debug)]
struct Unchecked(Arc<CryptoProvider>);

impl ServerCertVerifier for Unchecked {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Checks a server's chain of certificates and its name.
///
/// Beyond what webpki accepts, a server may show a certificate that is itself trusted, as self-signed ones are. Those that
/// OpenSSL makes are certificates of an authority, which webpki refuses for a server.
#[derive(Debug)]
struct Trusting {
    chains: Arc<WebPkiServerVerifier>,
    native: Option<Arc<Native>>,
    roots: Vec<Certificate>,
    /// Whether a certificate may be for another name.
    any_name: bool,
}

impl Trusting {
    fn is_trusted(&self, certificate: &CertificateDer<'_>) -> bool {
        self.roots.iter().map(|root| &root.0).any(|root| root == certificate)
            || self.native.as_ref().is_some_and(|native| native.certificates.contains(certificate))
    }
}

/// Whether a certificate was refused for being one of an authority. Its validity has been checked by then.
fn is_authority(error: &CertificateError) -> bool {
    let CertificateError::Other(other) = error else { return false };
    matches!(other.0.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity))
}

impl ServerCertVerifier for Trusting {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        use rustls::Error;
        match self.chains.verify_server_cert(end_entity, intermediates, name, ocsp, now) {
            Err(Error::InvalidCertificate(error)) if is_authority(&error) && self.is_trusted(end_entity) => {
                if !self.any_name {
                    verify_server_name(&ParsedCertificate::try_from(end_entity)?, name)?;
                }
                Ok(ServerCertVerified::assertion())
            }
            // The chain is verified before the name, so only the name is wrong here.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if self.any_name => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.chains.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.chains.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chains.supported_verify_schemes()
    }
}

/// A server has another certificate than the one that was asked for.
#[derive(Debug)]
pub(crate) struct WrongFingerprint {
    pub(crate) expected: [u8; 32],
    pub(crate) got: [u8; 32],
}

impl WrongFingerprint {
    /// Looks for it among the causes of an error.
    pub(crate) fn among<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a WrongFingerprint> {
        if let Some(rustls::Error::InvalidCertificate(CertificateError::Other(other))) = error.downcast_ref() {
            return other.0.downcast_ref();
        }
        // What an I/O error was made of is no cause of it.
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        match inner {
            Some(inner) => WrongFingerprint::among(inner),
            None => error.source().and_then(WrongFingerprint::among),
        }
    }
}

impl fmt::Display for WrongFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the certificate has the fingerprint ")?;
        self.got.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(", not ")?;
        self.expected.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::error::Error for WrongFingerprint {}

/// Accepts one certificate only, after the usual checks.
#[derive(Debug)]
struct Pinned {
    expected: [u8; 32],
    inner: Arc<dyn ServerCertVerifier>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verified = self.inner.verify_server_cert(end_entity, intermediates, name, ocsp, now)?;
        let mut got = [0; 32];
        got.copy_from_slice(::ring::digest::digest(&::ring::digest::SHA256, end_entity).as_ref());
        if got == self.expected {
            return Ok(verified);
        }
        let wrong = WrongFingerprint { expected: self.expected, got };
        Err(rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(wrong)))))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
