//! How TCP streams are opened, plain or with TLS.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use futures_util::{StreamExt, stream::FuturesUnordered};
#[cfg(feature = "tls")]
use rustls::{AlertDescription, pki_types::ServerName};
use tokio::{
    net::{TcpSocket, TcpStream},
    time::sleep,
};
#[cfg(feature = "tls")]
use tokio_rustls::{TlsConnector, client::TlsStream};
#[cfg(feature = "tls")]
use tokio_util::either::Either;

#[cfg(feature = "tls")]
use crate::http::tls;
use crate::http::{Error, ErrorKind, dns, options::TransportOptions, target::Origin, version::HttpVersionPolicy};

/// How long to wait for a connection before the next address is tried in parallel (RFC 8305).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// A TCP stream, or a TLS stream whose handshake is complete.
#[cfg(feature = "tls")]
pub(crate) type Io = Either<TcpStream, Box<TlsStream<TcpStream>>>;

/// A TCP stream.
#[cfg(not(feature = "tls"))]
pub(crate) type Io = TcpStream;

/// Returns a stream without TLS.
fn plain(stream: TcpStream) -> Io {
    #[cfg(feature = "tls")]
    let stream = Io::Left(stream);
    stream
}

/// An open stream, and the version of HTTP that was negotiated.
pub(crate) struct Opened {
    pub(crate) io: Io,
    pub(crate) remote: SocketAddr,
    pub(crate) http2: bool,
}

/// Resolves the host and opens a stream.
pub(crate) async fn open(
    origin: &Origin,
    options: &TransportOptions,
    version: HttpVersionPolicy,
) -> Result<Opened, Error> {
    let addresses = dns::resolve(origin, options).await?;
    let (stream, remote) = connect(&addresses, options).await.map_err(|error| {
        let at = match addresses.as_slice() {
            [address] => address.to_string(),
            _ => format!("{}:{}", origin.host, origin.port),
        };
        let hint = match error.kind() {
            io::ErrorKind::ConnectionRefused => "is the server listening there?",
            io::ErrorKind::AddrNotAvailable => "the machine has no free ports: keep connections alive, or use fewer",
            _ if error.raw_os_error() == Some(24) => "too many open files: raise the limit (ulimit -n)",
            _ => "check the address and the network",
        };
        Error::new(ErrorKind::Connect, format!("no connection to {at}: {error}")).with_hint(hint).with_source(error)
    })?;
    if !origin.https {
        let http2 = version == HttpVersionPolicy::Http2PriorKnowledge;
        return Ok(Opened { io: plain(stream), remote, http2 });
    }
    secure(origin, options, version, stream, remote).await
}

/// Performs the TLS handshake.
#[cfg(feature = "tls")]
async fn secure(
    origin: &Origin,
    options: &TransportOptions,
    version: HttpVersionPolicy,
    stream: TcpStream,
    remote: SocketAddr,
) -> Result<Opened, Error> {
    let failed = |source: crate::http::BoxError| {
        let hint = match (alert(&*source), version) {
            (Some(AlertDescription::NoApplicationProtocol), HttpVersionPolicy::Http1Only) => {
                "the server does not support HTTP/1.1, which this request requires"
            }
            (Some(AlertDescription::NoApplicationProtocol), _) => "the server supports none of the versions of HTTP",
            _ => "check the certificate, or add its root to the session",
        };
        Error::new(ErrorKind::Tls, format!("the TLS handshake with {}:{} failed: {source}", origin.host, origin.port))
            .with_hint(hint)
            .with_source(source)
    };
    let name = options.server_name.as_ref().unwrap_or(&origin.host).clone();
    let name = ServerName::try_from(name).map_err(|error| failed(error.into()))?;
    let config = tls::config(&options.tls, version)?;
    let stream = TlsConnector::from(config).connect(name, stream).await.map_err(|error| failed(error.into()))?;
    let http2 = match stream.get_ref().1.alpn_protocol() {
        Some(protocol) => protocol == b"h2",
        None => version == HttpVersionPolicy::Http2PriorKnowledge,
    };
    Ok(Opened { io: Io::Right(Box::new(stream)), remote, http2 })
}

/// Returns the alert with which the server ended the TLS handshake.
#[cfg(feature = "tls")]
fn alert(error: &(dyn std::error::Error + 'static)) -> Option<AlertDescription> {
    match error.downcast_ref::<io::Error>()?.get_ref()?.downcast_ref::<rustls::Error>()? {
        rustls::Error::AlertReceived(alert) => Some(*alert),
        _ => None,
    }
}

#[cfg(not(feature = "tls"))]
async fn secure(
    _: &Origin,
    _: &TransportOptions,
    _: HttpVersionPolicy,
    _: TcpStream,
    _: SocketAddr,
) -> Result<Opened, Error> {
    Err(Error::new(ErrorKind::Tls, crate::missing::missing("`https` URLs are not supported", "tls")))
}

async fn connect(addresses: &[SocketAddr], options: &TransportOptions) -> io::Result<(TcpStream, SocketAddr)> {
    if let [address] = addresses {
        return connect_one(*address, options).await;
    }
    let mut waiting = addresses.iter();
    let mut running = FuturesUnordered::new();
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    loop {
        match waiting.next() {
            Some(address) => running.push(connect_one(*address, options)),
            None if running.is_empty() => return Err(last),
            None => {}
        }
        tokio::select! {
            Some(done) = running.next() => match done {
                Ok(connected) => return Ok(connected),
                Err(error) => last = error,
            },
            () = sleep(ATTEMPT_DELAY), if waiting.len() > 0 => {}
        }
    }
}

async fn connect_one(address: SocketAddr, options: &TransportOptions) -> io::Result<(TcpStream, SocketAddr)> {
    let socket = if address.is_ipv6() { TcpSocket::new_v6()? } else { TcpSocket::new_v4()? };
    if let Some(local) = options.local_address.filter(|local: &IpAddr| local.is_ipv6() == address.is_ipv6()) {
        socket.bind(SocketAddr::new(local, 0))?;
    }
    let stream = socket.connect(address).await?;
    stream.set_nodelay(options.tcp_nodelay)?;
    tracing::debug!(%address, "connected");
    Ok((stream, address))
}
