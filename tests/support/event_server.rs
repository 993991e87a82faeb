//! A server of server-sent events, which contain the time at which they were written.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use rustix::time::{ClockId, clock_gettime};

/// Serves streams of events until the process ends. The data of each event is JSON: its `number` and `at`, the time in seconds on
/// the monotonic clock at which it was written. The path has the form `/END/COUNT/MS`: after COUNT events, one every MS
/// milliseconds, the response ends:
///
/// - `/whole/...`: normally
/// - `/cut/...`: the server closes the connection within the body
/// - `/endless/...`: never; the server sends comments until the client closes the connection
#[derive(Debug)]
pub struct EventServer {
    /// `http://127.0.0.1:PORT`.
    pub url: String,
}

impl EventServer {
    /// Starts a server on its own thread.
    ///
    /// # Panics
    ///
    /// Panics if no port is free.
    #[expect(clippy::new_without_default, reason = "it opens a port")]
    pub fn new() -> EventServer {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                thread::spawn(move || serve(connection));
            }
        });
        EventServer { url }
    }
}

/// Answers requests until the connection ends.
fn serve(mut connection: TcpStream) -> Option<()> {
    connection.set_nodelay(true).ok()?;
    let mut reader = BufReader::new(connection.try_clone().ok()?);
    loop {
        let mut request = String::new();
        reader.read_line(&mut request).ok().filter(|read| *read > 0)?;
        let mut line = String::new();
        while reader.read_line(&mut line).ok()? > 2 {
            line.clear();
        }
        let mut path = request.split(' ').nth(1)?.split('/').skip(1);
        let (end, count, gap) = (path.next()?, path.next()?.parse().ok()?, path.next()?.parse().ok()?);
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
        connection.write_all(head.as_bytes()).ok()?;
        let start = Instant::now();
        for number in 0..count {
            let due = start + Duration::from_millis(gap) * (number + 1);
            thread::sleep(due.saturating_duration_since(Instant::now()));
            let event = format!("id: {number}\ndata: {{\"number\": {number}, \"at\": {:.7}}}\n\n", monotonic());
            connection.write_all(chunk(&event).as_bytes()).ok()?;
        }
        match end {
            "whole" => connection.write_all(b"0\r\n\r\n").ok()?,
            "cut" => return None,
            _ => loop {
                connection.write_all(chunk(": nothing\n\n").as_bytes()).ok()?;
                thread::sleep(Duration::from_millis(10));
            },
        }
    }
}

fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

/// The time on the clock that Python's `time.perf_counter()` reads, in seconds.
fn monotonic() -> f64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as f64 + now.tv_nsec as f64 / 1e9
}
