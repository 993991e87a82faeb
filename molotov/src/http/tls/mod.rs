//! TLS, by rustls: the options of a session, and the configuration for them.

mod certificate;
pub(crate) mod verify;

use std::{cell::RefCell, sync::Arc};

use rustls::{
    CipherSuite, ClientConfig, ProtocolVersion, RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier},
    crypto::{CryptoProvider, ring},
};

pub use self::certificate::{Certificate, Identity};
use self::verify::{Pinned, Trusting, Unchecked, native};
use super::{Error, ErrorKind, version::HttpVersionPolicy};

/// The TLS options of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TlsOptions {
    pub(crate) roots: Vec<Certificate>,
    pub(crate) identity: Option<Identity>,
    pub(crate) accept_invalid_certs: bool,
    pub(crate) accept_invalid_hostnames: bool,
    /// Whether to trust the system's certificates.
    pub(crate) builtin_roots: bool,
    /// The SHA-256 digest that the certificate of the server must have.
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

type Cache = Vec<(TlsOptions, HttpVersionPolicy, Arc<ClientConfig>)>;

thread_local! {
    static CONFIGS: RefCell<Cache> = RefCell::default();
}

/// Returns the configuration for these options. It is cached, because the roots of the system take milliseconds to read and
/// 100 KB of memory.
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

/// Returns the algorithms, of which AES with 128 bits is preferred, as by browsers.
///
/// Processors have instructions for its SHA-256, but not for the SHA-384 of the suites with 256 bits, which takes 3 % of the CPU
/// time of a new connection.
fn provider() -> CryptoProvider {
    let mut provider = ring::default_provider();
    provider.cipher_suites.sort_by_key(|suite| {
        !matches!(
            suite.suite(),
            CipherSuite::TLS13_AES_128_GCM_SHA256
                | CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
                | CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
        )
    });
    provider
}

fn build(options: &TlsOptions, version: HttpVersionPolicy) -> Result<ClientConfig, Error> {
    let provider = Arc::new(provider());
    let versions: Vec<_> = rustls::ALL_VERSIONS
        .iter()
        .copied()
        .filter(|version| options.only_version.is_none_or(|only| version.version == only))
        .collect();
    let start = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&versions)
        .map_err(|error| builder("cannot set up TLS").with_source(error))?;
    let verifier: Arc<dyn ServerCertVerifier> = if options.accept_invalid_certs {
        Arc::new(Unchecked(provider))
    } else {
        let mut roots = RootCertStore::empty();
        let native = options.builtin_roots.then(native);
        if let Some(native) = &native {
            roots.add_parsable_certificates(native.certificates.iter().cloned());
        }
        for root in &options.roots {
            roots.add(root.0.clone()).map_err(|error| builder("a root certificate is invalid").with_source(error))?;
        }
        if roots.is_empty() {
            let reason =
                native.and_then(|native| native.error.clone()).map_or(String::new(), |error| format!(": {error}"));
            return Err(Error::new(ErrorKind::Tls, format!("no root certificate is trusted{reason}"))
                .with_hint("install the system's certificates, or add a root certificate to the session"));
        }
        let chains = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(|error| builder("cannot set up TLS").with_source(error))?;
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
                .map_err(|error| builder("the client identity is invalid").with_source(error))?
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

fn builder(message: &str) -> Error {
    Error::new(ErrorKind::Builder, message)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn suites_with_128_bits_are_preferred_and_none_is_missing() {
        let options = TlsOptions { accept_invalid_certs: true, ..TlsOptions::default() };
        let config = build(&options, HttpVersionPolicy::Auto).unwrap();
        let offered: Vec<_> = config.crypto_provider().cipher_suites.iter().map(|suite| suite.suite()).collect();
        assert_eq!(offered[0], CipherSuite::TLS13_AES_128_GCM_SHA256);
        let preferred = offered.iter().filter(|suite| format!("{suite:?}").contains("AES_128")).count();
        assert!(offered[..preferred].iter().all(|suite| format!("{suite:?}").contains("AES_128")), "{offered:?}");
        let known = ring::default_provider().cipher_suites;
        assert_eq!(offered.len(), known.len());
        assert!(known.iter().all(|suite| offered.contains(&suite.suite())), "{offered:?}");
    }
}
