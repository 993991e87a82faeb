//! Both ends of a connection, without a pool.

use std::{
    io::{self, Read as _},
    net,
    sync::Arc,
};

use super::{super::retry::Failed, *};

/// The server's end of a connection.
pub(super) struct Server {
    pub(super) tcp: net::TcpStream,
    pub(super) tls: Option<rustls::ServerConnection>,
}

impl io::Read for Server {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.tcp.read(bytes),
            Some(tls) => rustls::Stream::new(tls, &mut self.tcp).read(bytes),
        }
    }
}

impl io::Write for Server {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.tcp.write(bytes),
            Some(tls) => rustls::Stream::new(tls, &mut self.tcp).write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.tls {
            None => self.tcp.flush(),
            Some(tls) => rustls::Stream::new(tls, &mut self.tcp).flush(),
        }
    }
}

/// Connects to a server, perhaps with TLS.
pub(super) async fn connect(tls: bool) -> (Box<Connection>, Server) {
    let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (acceptor, root) = tls_acceptor(&[]);
    let server = std::thread::spawn(move || {
        let (mut tcp, _) = listener.accept().unwrap();
        // What is written has arrived when the call returns.
        tcp.set_nodelay(true).unwrap();
        let mut tls = tls.then(|| rustls::ServerConnection::new(Arc::clone(acceptor.config())).unwrap());
        if let Some(tls) = &mut tls {
            while tls.is_handshaking() || tls.wants_write() {
                tls.complete_io(&mut tcp).unwrap();
            }
        }
        Server { tcp, tls }
    });
    let scheme = if tls { "https" } else { "http" };
    let target = Target::parse(&format!("{scheme}://localhost:{port}/")).unwrap();
    let opened =
        super::super::stream::open(&target.origin, &trusting(&root), HttpVersionPolicy::Http1Only).await.ok().unwrap();
    let connection = Connection::new(opened.io, opened.remote);
    poll_fn(|cx| connection.io.tcp().with(|tcp| tcp.poll_write_ready(cx))).await.unwrap();
    (connection, server.join().unwrap())
}

/// Sends a request and reads its response.
pub(super) async fn exchange(connection: &mut Connection) -> Result<Received, Failed> {
    let target = Target::parse("http://127.0.0.1/full").unwrap();
    let headers = HeaderMap::new();
    let mut request = TransportRequest {
        method: &Method::GET,
        target: &target,
        headers: RequestHeaders { own: &headers, defaults: None, cookies: None },
        body: &mut Body::Empty,
        streamed: false,
        now: Instant::now(),
        version: None,
        deadline: Some(Instant::now() + Duration::from_secs(20)),
        is_distant: false,
        connect_timeout: None,
        read_timeout: None,
        retried: &Cell::new(0),
        waited: &Cell::new(Duration::ZERO),
    };
    connection.exchange(&mut request, true).await
}

/// Reads the head of a request.
pub(super) fn read_request(server: &mut Server) -> String {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        server.read_exact(&mut byte).unwrap();
        request.extend(byte);
    }
    String::from_utf8(request).unwrap()
}
