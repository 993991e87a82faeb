//! TLS and HTTP/2: which certificates are trusted, and what happens when the server closes a connection.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use http_body_util::Full;
use hyper_util::rt::{TokioExecutor, TokioIo};
use molotov::{
    ErrorKind,
    http::{Certificate, Identity},
    session::{Session, SessionOptions},
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::{BOTH, get, options, server::Server};

pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Authority(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn root(&self) -> Certificate {
        Certificate::from_pem(self.0.pem().as_bytes()).unwrap()
    }

    /// Returns a certificate and its key for a name.
    pub(crate) fn sign(&self, name: &str, expired: bool) -> (String, String) {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        if expired {
            params.not_before = rcgen::date_time_ymd(2001, 1, 1);
            params.not_after = rcgen::date_time_ymd(2002, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.0).unwrap().pem(), key.serialize_pem())
    }
}

/// Returns the configuration of a server with a certificate and its key. With `clients`, it requires certificates of clients.
pub(crate) fn config((certificate, key): (String, String), clients: Option<&Authority>) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions().unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_slice(authority.0.pem().as_bytes()).unwrap()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        }
    };
    let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
    builder.with_single_cert(chain, PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap()).unwrap()
}

/// Serves the paths of the misbehaving server over TLS.
async fn serve(certificate: (String, String), clients: Option<&Authority>) -> SocketAddr {
    let acceptor = TlsAcceptor::from(Arc::new(config(certificate, clients)));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::start().await;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, server) = (acceptor.clone(), server.clone());
            tokio::spawn(async move {
                // A client that does not trust the certificate closes the connection.
                if let Ok(mut stream) = acceptor.accept(stream).await {
                    let _ = server.connection(&mut stream).await;
                }
            });
        }
    });
    address
}

async fn ask(options: SessionOptions, address: SocketAddr) -> Result<(u16, Bytes), ErrorKind> {
    let options = options.resolve("shop.test", address);
    get(&Session::new(options).unwrap(), "https://shop.test/").await
}

#[tokio::test]
async fn only_trusted_certificates_are_accepted() {
    let authority = Authority::new();
    let good = serve(authority.sign("shop.test", false), None).await;
    let other = serve(authority.sign("other.test", false), None).await;
    let expired = serve(authority.sign("shop.test", true), None).await;
    let ok = Ok((200, Bytes::from_static(b"ok")));
    for transport in BOTH {
        let trusting = || options(transport).add_root_certificate(authority.root());
        assert_eq!(ask(trusting(), good).await, ok, "{transport:?}");
        assert_eq!(ask(options(transport), good).await, Err(ErrorKind::Tls), "{transport:?}: unknown authority");
        assert_eq!(ask(trusting(), other).await, Err(ErrorKind::Tls), "{transport:?}: wrong name");
        assert_eq!(ask(trusting(), expired).await, Err(ErrorKind::Tls), "{transport:?}: expired");
        assert_eq!(ask(trusting().danger_accept_invalid_hostnames(true), other).await, ok, "{transport:?}");
        assert_eq!(
            ask(trusting().danger_accept_invalid_hostnames(true), expired).await,
            Err(ErrorKind::Tls),
            "{transport:?}: a wrong name may pass, an expired certificate may not"
        );
        assert_eq!(ask(options(transport).danger_accept_invalid_certs(true), expired).await, ok, "{transport:?}");
    }
}

/// Returns a self-signed certificate and its key.
fn self_signed(name: &str, authority: bool, expired: bool) -> (String, String) {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    if authority {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    if expired {
        params.not_before = rcgen::date_time_ymd(2001, 1, 1);
        params.not_after = rcgen::date_time_ymd(2002, 1, 1);
    }
    let key = KeyPair::generate().unwrap();
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

/// Certificates from `openssl req -x509`, which are those of an authority, and plain ones.
#[tokio::test]
async fn self_signed_certificates_can_be_trusted() {
    for authority in [true, false] {
        let own = self_signed("shop.test", authority, false);
        let root = Certificate::from_pem(own.0.as_bytes()).unwrap();
        let good = serve(own, None).await;
        let twin = serve(self_signed("shop.test", authority, false), None).await;
        let old = self_signed("shop.test", authority, true);
        let old_root = Certificate::from_pem(old.0.as_bytes()).unwrap();
        let expired = serve(old, None).await;
        let elsewhere = self_signed("other.test", authority, false);
        let other_root = Certificate::from_pem(elsewhere.0.as_bytes()).unwrap();
        let other = serve(elsewhere, None).await;
        let ok = Ok((200, Bytes::from_static(b"ok")));
        for transport in BOTH {
            let trusting = |root: &Certificate| options(transport).add_root_certificate(root.clone());
            let why = format!("{transport:?}, authority: {authority}");
            assert_eq!(ask(trusting(&root), good).await, ok, "{why}");
            assert_eq!(ask(options(transport), good).await, Err(ErrorKind::Tls), "{why}: nobody trusts it");
            assert_eq!(ask(trusting(&root), twin).await, Err(ErrorKind::Tls), "{why}: another of the same name");
            assert_eq!(ask(trusting(&old_root), expired).await, Err(ErrorKind::Tls), "{why}: expired");
            assert_eq!(ask(trusting(&other_root), other).await, Err(ErrorKind::Tls), "{why}: for another name");
            let any_name = trusting(&other_root).danger_accept_invalid_hostnames(true);
            assert_eq!(ask(any_name, other).await, ok, "{why}: any name");
        }
    }
}

/// A process reads `SSL_CERT_FILE` once, so the test runs itself again with it.
#[tokio::test]
async fn ssl_cert_file_can_contain_a_self_signed_certificate() {
    const ADDRESS: &str = "MOLOTOV_TEST_ADDRESS";
    if let Ok(address) = std::env::var(ADDRESS) {
        for transport in BOTH {
            let answer = ask(options(transport), address.parse().unwrap()).await;
            assert_eq!(answer, Ok((200, Bytes::from_static(b"ok"))), "{transport:?}");
        }
        return;
    }
    let own = self_signed("shop.test", true, false);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &own.0).unwrap();
    let address = serve(own, None).await;
    let child = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["tls::ssl_cert_file_may_name_a_self_signed_certificate", "--exact"])
        .env("SSL_CERT_FILE", file.path())
        .env(ADDRESS, address.to_string())
        .output();
    let output = child.await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[tokio::test]
async fn client_certificates_are_sent() {
    let authority = Authority::new();
    let address = serve(authority.sign("shop.test", false), Some(&authority)).await;
    let (certificate, key) = authority.sign("client.test", false);
    let identity = Identity::from_pem(format!("{certificate}{key}").as_bytes()).unwrap();
    for transport in BOTH {
        let trusting = || options(transport).add_root_certificate(authority.root());
        assert!(ask(trusting(), address).await.is_err(), "{transport:?} without a certificate");
        assert_eq!(ask(trusting().identity(identity.clone()), address).await, Ok((200, "ok".into())), "{transport:?}");
    }
}

/// A server for HTTP/2 without TLS, which closes each connection after a few requests.
#[tokio::test]
async fn http2_goes_on_after_goodbyes() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (served, connections) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    tokio::spawn({
        let (served, connections) = (served.clone(), connections.clone());
        async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::Relaxed);
                let served = served.clone();
                tokio::spawn(async move {
                    let (enough, mut goodbye) = tokio::sync::mpsc::unbounded_channel();
                    let here = Arc::new(AtomicUsize::new(0));
                    let service = hyper::service::service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
                        served.fetch_add(1, Ordering::Relaxed);
                        if here.fetch_add(1, Ordering::Relaxed) == 4 {
                            let _ = enough.send(());
                        }
                        let answer = format!("{:?} {}", request.version(), request.uri().path());
                        async move {
                            Ok::<_, std::convert::Infallible>(hyper::Response::new(Full::new(Bytes::from(answer))))
                        }
                    });
                    let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                    let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
                    tokio::select! {
                        _ = connection.as_mut() => {}
                        Some(()) = goodbye.recv() => {
                            connection.as_mut().graceful_shutdown();
                            let _ = connection.await;
                        }
                    }
                });
            }
        }
    });
    for transport in BOTH {
        let session = Session::new(options(transport).http2_prior_knowledge()).unwrap();
        for i in 0..20 {
            let answer = get(&session, &format!("http://{address}/{i}")).await;
            assert_eq!(answer, Ok((200, format!("HTTP/2.0 /{i}").into())), "{transport:?}");
        }
    }
    assert_eq!(served.load(Ordering::Relaxed), 40);
    assert!(connections.load(Ordering::Relaxed) > 4, "goodbyes were said");
}
