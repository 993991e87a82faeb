//! Certificates to trust, and client certificates.

use std::{fmt, sync::Arc};

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

use crate::http::{Error, ErrorKind};

/// A certificate that is trusted in addition to those of the system.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let root = molotov::http::Certificate::from_pem(&std::fs::read("ca.pem")?)?;
/// # Ok(()) }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate(pub(super) CertificateDer<'static>);

impl Certificate {
    /// Returns a certificate from its DER encoding.
    ///
    /// # Errors
    ///
    /// Returns an error if the bytes are not a certificate.
    pub fn from_der(der: &[u8]) -> Result<Self, Error> {
        let der = CertificateDer::from(der.to_vec());
        RootCertStore::empty()
            .add(der.clone())
            .map_err(|error| builder("the bytes are not a certificate in DER encoding").with_source(error))?;
        Ok(Self(der))
    }

    /// Returns the first certificate of a PEM file, given its content.
    ///
    /// # Errors
    ///
    /// Returns an error if there is none.
    pub fn from_pem(pem: &[u8]) -> Result<Self, Error> {
        let der = CertificateDer::from_pem_slice(pem)
            .map_err(|error| builder("the PEM has no certificate").with_source(error))?;
        Self::from_der(&der)
    }

    /// Returns all certificates of a PEM file, given its content.
    ///
    /// # Errors
    ///
    /// Returns an error if one of them is invalid.
    pub fn from_pem_bundle(pem: &[u8]) -> Result<Vec<Self>, Error> {
        CertificateDer::pem_slice_iter(pem)
            .map(|der| {
                let der = der.map_err(|error| builder("a certificate in the PEM is invalid").with_source(error))?;
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

/// A client certificate with its private key, for servers that require one.
///
/// ```no_run
/// use molotov::{http::Identity, prelude::*};
///
/// #[setup]
/// async fn options() -> Result<SessionOptions> {
///     let pem = std::fs::read("client.pem").context("cannot read client.pem")?;
///     Ok(SessionOptions::new().identity(Identity::from_pem(&pem)?))
/// }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    pem: Arc<[u8]>,
}

impl Identity {
    /// Returns an identity from PEM with the certificate, its chain and the private key.
    ///
    /// # Errors
    ///
    /// Returns an error if the certificate or the key is missing or invalid.
    pub fn from_pem(pem: &[u8]) -> Result<Self, Error> {
        let identity = Self { pem: pem.into() };
        identity.parts()?;
        Ok(identity)
    }

    /// Returns the certificate chain and the key.
    pub(super) fn parts(&self) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), Error> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&self.pem)
            .collect::<Result<_, _>>()
            .map_err(|error| builder("the certificate of the identity is invalid").with_source(error))?;
        if chain.is_empty() {
            return Err(builder("the identity has no certificate").with_hint("add it to the PEM before the key"));
        }
        let key = PrivateKeyDer::from_pem_slice(&self.pem)
            .map_err(|error| builder("the identity has no valid private key").with_source(error))?;
        Ok((chain, key))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity(..)")
    }
}

fn builder(message: &str) -> Error {
    Error::new(ErrorKind::Builder, message)
}
