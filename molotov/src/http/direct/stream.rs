//! TCP streams, plain or with TLS, and how they are opened.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::{StreamExt, stream::FuturesUnordered};
#[cfg(feature = "tls")]
use rustls::{AlertDescription, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpSocket, TcpStream},
    time::sleep,
};
#[cfg(feature = "tls")]
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::turn;
#[cfg(feature = "tls")]
use crate::http::tls;
use crate::http::{
    Error, ErrorKind, dns, options::TransportOptions, target::Origin, upgraded::Connection, version::HttpVersionPolicy,
};

/// How long to wait for a connection before the next address is tried in parallel (RFC 8305).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// A stream, which without TLS is an `S`.
pub(crate) enum Io<S> {
    Plain(S),
    #[cfg(feature = "tls")]
    Tls(Box<TlsStream<TcpStream>>),
}

impl Io<TcpStream> {
    /// Returns the stream of a connection for HTTP/1.1.
    pub(super) fn in_turns(self) -> Io<turn::Stream> {
        match self {
            Self::Plain(stream) => Io::Plain(turn::Stream::new(stream)),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => Io::Tls(stream),
        }
    }
}

impl Io<turn::Stream> {
    /// Returns the stream if it has no TLS.
    pub(super) fn plain(&self) -> Option<&turn::Stream> {
        match self {
            Self::Plain(stream) => Some(stream),
            #[cfg(feature = "tls")]
            Self::Tls(_) => None,
        }
    }

    /// Returns whether the server has closed the connection, or sent something unexpected. This needs no system call unless
    /// the runtime knows that the connection is readable.
    #[cfg_attr(not(feature = "tls"), allow(unused_variables, reason = "only TLS needs it"))]
    pub(crate) fn is_stale(&mut self, cx: &mut Context<'_>) -> bool {
        let mut byte = [0];
        match self {
            Self::Plain(stream) => {
                let read = stream.with(|stream| stream.try_read(&mut byte));
                !matches!(read, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
            }
            #[cfg(feature = "tls")]
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, &mut ReadBuf::new(&mut byte)).is_ready(),
        }
    }

    /// Returns whether the server has closed the connection, with a system call.
    pub(crate) fn is_closed(&self) -> bool {
        use rustix::net::{RecvFlags, recv};
        let mut byte = [0_u8];
        let mut peek = |stream: &TcpStream| recv(stream, &mut byte[..], RecvFlags::PEEK | RecvFlags::DONTWAIT);
        let peeked = match self {
            Self::Plain(stream) => stream.with(|stream| peek(stream)),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => peek(stream.get_ref().0),
        };
        match peeked {
            // With TLS, there may be session tickets to read.
            Ok((_, read)) => read == 0 || matches!(self, Self::Plain(_)),
            Err(error) => error != rustix::io::Errno::AGAIN,
        }
    }
}

impl Connection for Io<turn::Stream> {
    fn local(&self) -> Option<SocketAddr> {
        match self {
            Self::Plain(stream) => stream.with(|stream| stream.local_addr()).ok(),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.get_ref().0.local_addr().ok(),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Io<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Io<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

/// An open stream, and the version of HTTP that was negotiated.
pub(crate) struct Opened {
    pub(crate) io: Io<TcpStream>,
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
        return Ok(Opened { io: Io::Plain(stream), remote, http2 });
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
    Ok(Opened { io: Io::Tls(Box::new(stream)), remote, http2 })
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
