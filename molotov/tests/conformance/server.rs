//! A server that misbehaves on demand, depending on the path. It records requests by path.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use crate::hostile;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// A server for one test.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    requests: HashMap<String, Vec<Received>>,
    connections: usize,
    uploads: Vec<Upload>,
}

/// How an upload ended after an early response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Upload {
    /// With its last chunk, after this many bytes.
    Complete(usize),
    CutShort,
}

/// A request that the server received.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) method: String,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Server {
    pub(crate) async fn start() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Server { address: listener.local_addr().unwrap(), state: Arc::default() };
        let serving = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let server = serving.clone();
                server.state.lock().unwrap().connections += 1;
                tokio::spawn(async move { server.plain(stream).await });
            }
        });
        server
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Returns the requests for a path, in order.
    pub(crate) fn received(&self, path: &str) -> Vec<Received> {
        self.state.lock().unwrap().requests.get(path).cloned().unwrap_or_default()
    }

    pub(crate) fn connections(&self) -> usize {
        self.state.lock().unwrap().connections
    }

    /// Waits for the end of the next upload with an early response.
    pub(crate) async fn upload(&self) -> Upload {
        for _ in 0..1000 {
            if let Some(upload) = self.state.lock().unwrap().uploads.pop() {
                return upload;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("no upload has ended");
    }

    async fn plain(self, mut stream: TcpStream) {
        stream.set_nodelay(true).unwrap();
        // The connection ends if the client closes it.
        if let Ok(Some(How::Reset)) = self.connection(&mut stream).await {
            let _ = stream.set_zero_linger();
        }
    }

    /// Serves one connection, and returns how to end it.
    pub(crate) async fn connection<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: &mut S,
    ) -> std::io::Result<Option<How>> {
        let mut buffer = Vec::new();
        loop {
            let Some((path, seen)) = request(stream, &mut buffer).await? else { return Ok(None) };
            let method = seen.method.clone();
            let nth = {
                let mut state = self.state.lock().unwrap();
                let seen_before = state.requests.entry(path.clone()).or_default();
                seen_before.push(seen);
                seen_before.len()
            };
            for step in script(&path, &method, nth, self.address) {
                match step {
                    Step::Send(bytes) => stream.write_all(&bytes).await?,
                    Step::ReadUpload { echo } => {
                        let upload = read_upload(stream, &mut buffer, echo).await.unwrap_or(Upload::CutShort);
                        self.state.lock().unwrap().uploads.push(upload);
                    }
                    Step::Repeat(bytes, times) => {
                        for _ in 0..times {
                            stream.write_all(&bytes).await?;
                        }
                    }
                    Step::Wait => tokio::time::sleep(Duration::from_millis(5)).await,
                    Step::Hang => {
                        while stream.read_buf(&mut buffer).await? > 0 {}
                        return Ok(None);
                    }
                    Step::Close => return stream.shutdown().await.map(|()| None),
                    Step::Reset => return Ok(Some(How::Reset)),
                }
            }
        }
    }
}

/// How a connection ends, if not normally.
pub(crate) enum How {
    Reset,
}

pub(crate) enum Step {
    Send(Vec<u8>),
    /// The same bytes this many times, or until the client closes the connection.
    Repeat(Vec<u8>, usize),
    /// Waits a moment, so that the rest arrives in another packet.
    Wait,
    /// Reads the chunks of the request, and returns each one if so set.
    ReadUpload {
        echo: bool,
    },
    /// Waits until the client closes the connection.
    Hang,
    Close,
    Reset,
}

/// Reads one request with its body.
pub(crate) async fn request<S: AsyncRead + Unpin>(
    stream: &mut S,
    buffer: &mut Vec<u8>,
) -> std::io::Result<Option<(String, Received)>> {
    let end = loop {
        if let Some(at) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    };
    let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
    buffer.drain(..end);
    let mut lines = head.split("\r\n");
    let mut first = lines.next().unwrap_or_default().split(' ');
    let (method, path) = (first.next().unwrap_or_default().to_owned(), first.next().unwrap_or_default().to_owned());
    let headers: HashMap<String, String> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let mut body = Vec::new();
    // These responses do not wait for the body.
    if ["/early-answer", "/answers-first", "/echo"].contains(&path.as_str()) {
        return Ok(Some((path, Received { method, headers, body })));
    }
    if let Some(length) = headers.get("content-length").and_then(|length| length.parse::<usize>().ok()) {
        while buffer.len() < length {
            if stream.read_buf(buffer).await? == 0 {
                return Ok(None);
            }
        }
        body = buffer.drain(..length).collect();
    } else if headers.contains_key("transfer-encoding") {
        loop {
            let line_end = loop {
                match buffer.windows(2).position(|window| window == b"\r\n") {
                    Some(at) => break at,
                    None if stream.read_buf(buffer).await? == 0 => return Ok(None),
                    None => {}
                }
            };
            let size = usize::from_str_radix(std::str::from_utf8(&buffer[..line_end]).unwrap(), 16).unwrap();
            while buffer.len() < line_end + 2 + size + 2 {
                if stream.read_buf(buffer).await? == 0 {
                    return Ok(None);
                }
            }
            body.extend_from_slice(&buffer[line_end + 2..line_end + 2 + size]);
            buffer.drain(..line_end + 2 + size + 2);
            if size == 0 {
                break;
            }
        }
    }
    Ok(Some((path, Received { method, headers, body })))
}

async fn read_upload<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    buffer: &mut Vec<u8>,
    echo: bool,
) -> std::io::Result<Upload> {
    let mut size = 0;
    loop {
        let line_end = loop {
            match buffer.windows(2).position(|window| window == b"\r\n") {
                Some(at) => break at,
                None if stream.read_buf(buffer).await? == 0 => return Ok(Upload::CutShort),
                None => {}
            }
        };
        let length = usize::from_str_radix(std::str::from_utf8(&buffer[..line_end]).unwrap(), 16).unwrap();
        let chunk_end = line_end + 2 + length + 2;
        while buffer.len() < chunk_end {
            if stream.read_buf(buffer).await? == 0 {
                return Ok(Upload::CutShort);
            }
        }
        if echo {
            stream.write_all(&buffer[..chunk_end]).await?;
        }
        buffer.drain(..chunk_end);
        size += length;
        if length == 0 {
            return Ok(Upload::Complete(size));
        }
    }
}

pub(crate) fn send(text: impl AsRef<[u8]>) -> Step {
    Step::Send(text.as_ref().to_vec())
}

fn ok(headers: &str, body: &str) -> Step {
    send(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len()))
}

fn redirect(status: u16, location: &str) -> Vec<Step> {
    vec![send(format!("HTTP/1.1 {status} Go\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n"))]
}

/// Returns the steps for a path.
fn script(path: &str, method: &str, nth: usize, address: SocketAddr) -> Vec<Step> {
    let head_only = |headers: &str| send(format!("HTTP/1.1 200 OK\r\n{headers}\r\n"));
    match path {
        "/chunked" => vec![
            head_only("transfer-encoding: chunked\r\n"),
            send("5\r\nhel"),
            Step::Wait,
            send("lo\r\n6;a=\"b c\"\r\n world\r\n0\r\nx-trailer: 1\r\n\r\n"),
        ],
        "/no-length" => vec![head_only(""), send("until "), Step::Wait, send("the end"), Step::Close],
        "/half-body" => vec![head_only("content-length: 100\r\n"), send("half"), Step::Close],
        "/half-chunk" => vec![head_only("transfer-encoding: chunked\r\n"), send("64\r\nhalf"), Step::Close],
        "/no-answer" => vec![Step::Close],
        "/reset-before" => vec![Step::Reset],
        "/reset-in-body" => vec![head_only("content-length: 100\r\n"), send("half"), Step::Wait, Step::Reset],
        "/half-head" => vec![send("HTTP/1.1 200 OK\r\nconte"), Step::Close],
        "/slow-head" => {
            let mut steps = Vec::new();
            for byte in "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".bytes() {
                steps.extend([send([byte]), Step::Wait]);
            }
            steps
        }
        "/hang" => vec![Step::Hang],
        "/hang-in-body" => vec![head_only("content-length: 100\r\n"), send("half"), Step::Hang],
        "/huge-headers" => vec![ok(&format!("x: {}\r\n", "y".repeat(1000)).repeat(60), "ok")],
        "/endless-head" => vec![send("HTTP/1.1 200 OK\r\n"), send("x: y\r\n".repeat(100_000)), Step::Hang],
        "/1.0" => vec![send("HTTP/1.0 200 OK\r\n\r\nold"), Step::Close],
        "/1.0-kept" => vec![send("HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 3\r\n\r\nold")],
        "/100" => vec![send("HTTP/1.1 100 Continue\r\n\r\n"), ok("", "ok")],
        "/103" => vec![send("HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n"), Step::Wait, ok("", "ok")],
        "/204" => vec![send("HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n")],
        "/304" => vec![send("HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n")],
        "/head" if method == "HEAD" => vec![send("HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n")],
        "/closes-after" => vec![ok("", "ok"), Step::Close],
        "/says-close" => vec![ok("connection: close\r\n", "ok"), Step::Close],
        "/extra" => {
            vec![send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil")]
        }
        "/garbage" => vec![send("SSH-2.0-OpenSSH_9.2\r\n\r\n"), Step::Close],
        "/two-lengths" => {
            vec![send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok!"), Step::Close]
        }
        "/length-and-chunked" => {
            let head = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n";
            vec![send(head), send("2\r\nok\r\n0\r\n\r\n"), Step::Close]
        }
        "/bad-chunk" => vec![head_only("transfer-encoding: chunked\r\n"), send("zz\r\nok\r\n0\r\n\r\n"), Step::Close],
        "/negative-length" => vec![head_only("content-length: -1\r\n"), send("ok"), Step::Close],
        "/overflowing-length" => {
            vec![head_only("content-length: 99999999999999999999999\r\n"), send("ok"), Step::Close]
        }
        "/wrong-gzip" => vec![ok("content-encoding: gzip\r\n", "this is not gzip")],
        "/early-answer" => vec![
            send("HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno"),
            Step::Wait,
            Step::Wait,
            Step::Close,
        ],
        "/answers-first" => vec![ok("", "ok"), Step::ReadUpload { echo: false }],
        "/echo" => vec![head_only("transfer-encoding: chunked\r\n"), Step::ReadUpload { echo: true }],
        "/stale" if nth == 2 => vec![Step::Close],
        "/set-cookie" => vec![ok("set-cookie: a=1; Path=/\r\nset-cookie: b=2; Path=/elsewhere\r\n", "ok")],
        "/loop" => redirect(302, "/loop"),
        "/to-eve" => redirect(302, &format!("http://eve:s3cret@{address}/landed")),
        "/to-nowhere" => redirect(302, "http://["),
        "/no-location" => vec![send("HTTP/1.1 302 Found\r\ncontent-length: 2\r\n\r\nok")],
        "/relative/a" => redirect(302, "b?x=1"),
        "/cross" => redirect(307, &format!("http://localhost:{}/landed", address.port())),
        path => hostile::script(path).unwrap_or_else(|| {
            match path.strip_prefix("/redirect/").and_then(|status| status.parse().ok()) {
                Some(status) => redirect(status, "/landed"),
                None => vec![ok("", "ok")],
            }
        }),
    }
}
