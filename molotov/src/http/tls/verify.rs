//! Verifiers of server certificates.

use std::{cell::RefCell, fmt, sync::Arc};

use rustls::{
    CertificateError, DigitallySignedStruct, OtherError, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    client::{WebPkiServerVerifier, verify_server_name},
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
};

use super::certificate::Certificate;

thread_local! {
    static NATIVE: RefCell<Option<Arc<Native>>> = RefCell::default();
}

/// The certificates that the system trusts, or those in `SSL_CERT_FILE` and `SSL_CERT_DIR`.
#[derive(Debug)]
pub(super) struct Native {
    pub(super) certificates: Vec<CertificateDer<'static>>,
    /// Why some of them could not be read.
    pub(super) error: Option<String>,
}

pub(super) fn native() -> Arc<Native> {
    let load = || {
        let loaded = rustls_native_certs::load_native_certs();
        let error = loaded.errors.first().map(ToString::to_string);
        Arc::new(Native { certificates: loaded.certs, error })
    };
    NATIVE.with_borrow_mut(|kept| Arc::clone(kept.get_or_insert_with(load)))
}

/// Accepts every certificate, but checks that the server has its key.
#[derive(Debug)]
pub(super) struct Unchecked(pub(super) Arc<CryptoProvider>);

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

/// Verifies the certificate chain and the name of a server.
///
/// It also accepts a certificate that is itself trusted, such as a self-signed one. OpenSSL creates those as certificates of
/// an authority, which webpki rejects for servers.
#[derive(Debug)]
pub(super) struct Trusting {
    pub(super) chains: Arc<WebPkiServerVerifier>,
    pub(super) native: Option<Arc<Native>>,
    pub(super) roots: Vec<Certificate>,
    /// Whether to accept certificates for any name.
    pub(super) any_name: bool,
}

impl Trusting {
    fn is_trusted(&self, certificate: &CertificateDer<'_>) -> bool {
        self.roots.iter().map(|root| &root.0).any(|root| root == certificate)
            || self.native.as_ref().is_some_and(|native| native.certificates.contains(certificate))
    }
}

/// Returns whether a certificate was rejected because it belongs to an authority. Its validity is checked before that.
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
            // The chain is verified before the name, so only the name does not match.
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

/// The certificate of a server has the wrong fingerprint.
#[derive(Debug)]
pub(crate) struct WrongFingerprint {
    pub(crate) expected: [u8; 32],
    pub(crate) got: [u8; 32],
}

impl WrongFingerprint {
    /// Finds this error among the sources of another.
    pub(crate) fn among<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a WrongFingerprint> {
        if let Some(rustls::Error::InvalidCertificate(CertificateError::Other(other))) = error.downcast_ref() {
            return other.0.downcast_ref();
        }
        // The inner error of an I/O error is not its source.
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

/// Accepts only one certificate, after the usual verification.
#[derive(Debug)]
pub(super) struct Pinned {
    pub(super) expected: [u8; 32],
    pub(super) inner: Arc<dyn ServerCertVerifier>,
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
