//! The live page: serves the page of the report during the run (`--web`).
//!
//! [`Web`] passes the calls of a screen on to another screen, and sends them as events to its own thread. There, `live_run` adds
//! them up to a summary of the run so far, `server` answers browsers, `cached` limits how often a page is rendered, and `stream`
//! sends new data. `write_timeout` closes the connections of browsers that read nothing.

mod cached;
mod host;
mod live_run;
mod page;
mod server;
mod stream;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;
mod write_timeout;

use std::{
    io::ErrorKind,
    net::{SocketAddr, TcpListener},
    sync::{Arc, atomic::AtomicU64},
    thread::{self, JoinHandle},
};

use tokio::sync::Notify;

use self::live_run::LiveRun;
use super::{RunLimits, Screen, background, screen_event::ScreenEvent};
use crate::{
    metrics::Snapshot,
    options::WebAddress,
    queue::{Receiver, Sender, queue},
    run::{Line, MemberLabel, Progress, Summary},
};

/// The socket of a live page that is not served yet. Browsers that connect wait until the run begins.
#[derive(Debug)]
pub(crate) struct WebListener {
    socket: TcpListener,
    address: SocketAddr,
}

impl WebListener {
    /// Listens at an address.
    ///
    /// # Errors
    ///
    /// Returns one sentence if the address cannot be used.
    pub(crate) fn bind(address: WebAddress) -> Result<WebListener, String> {
        let asked = address.socket_address();
        let listening = TcpListener::bind(asked).and_then(|socket| {
            // For the runtime of the thread.
            socket.set_nonblocking(true)?;
            Ok(WebListener { address: socket.local_addr()?, socket })
        });
        listening.map_err(|error| {
            let why = match error.kind() {
                ErrorKind::AddrInUse => "the port is in use; choose another one, or 0 for a free one".to_owned(),
                ErrorKind::AddrNotAvailable => "this machine does not have this address".to_owned(),
                ErrorKind::PermissionDenied => "permission denied; choose a port from 1024 on".to_owned(),
                _ => error.to_string(),
            };
            format!("cannot serve the live page at {asked}: {why}")
        })
    }

    /// Returns the URL of the page.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Returns whether only programs on the same machine can reach the page.
    pub(crate) fn is_loopback(&self) -> bool {
        self.address.ip().is_loopback()
    }

    /// Returns a screen that serves the page and calls another screen.
    pub(crate) fn over(self, screen: Box<dyn Screen>) -> Box<dyn Screen> {
        let (events, received) = queue();
        Box::new(Web { screen, waiting: Some((self, received)), thread: None, events, finished: Arc::default() })
    }
}

/// A screen that serves the live page and calls another screen.
struct Web {
    screen: Box<dyn Screen>,
    /// Taken by the thread, which starts after the last fork.
    waiting: Option<(WebListener, Receiver<ScreenEvent>)>,
    thread: Option<JoinHandle<()>>,
    events: Sender<ScreenEvent>,
    /// Wakes the thread at the end of the run.
    finished: Arc<Notify>,
}

impl Web {
    fn end(&self, event: ScreenEvent) {
        self.events.send(event);
        self.finished.notify_one();
    }
}

impl Screen for Web {
    fn line(&mut self, line: &Line) {
        self.screen.line(line);
    }

    fn lines(&mut self, lines: &[Line]) {
        self.screen.lines(lines);
    }

    fn progress(&mut self, progress: &Progress) {
        self.screen.progress(progress);
        self.events.send(ScreenEvent::Progress(*progress));
    }

    fn measures(&mut self, member: Option<&MemberLabel>, measures: &Snapshot) {
        self.screen.measures(member, measures);
        self.events.send(ScreenEvent::Measures(member.cloned(), Box::new(measures.clone())));
    }

    fn workers(&mut self, member: &MemberLabel, running: usize) {
        self.screen.workers(member, running);
        self.events.send(ScreenEvent::Workers(member.clone(), running));
    }

    fn before_fork(&mut self) {
        self.screen.before_fork();
    }

    fn in_child(&mut self) {
        self.screen.in_child();
        // Otherwise, the port would be in use until the child ends.
        self.waiting = None;
    }

    fn begin(&mut self, limits: &RunLimits) {
        self.screen.begin(limits);
        let Some((listener, received)) = self.waiting.take() else { return };
        let (url, finished) = (listener.url(), self.finished.clone());
        let run = LiveRun::new(received, limits.clone());
        let thread = thread::Builder::new().name("molotov-web".to_owned());
        self.screen.line(&match thread.spawn(move || server::run(listener, run, &finished)) {
            Ok(thread) => {
                self.thread = Some(thread);
                Line::info(format!("Live page: {url}"))
            }
            Err(error) => Line::warning(format!("there is no live page, because its thread cannot start: {error}")),
        });
    }

    fn finish(&mut self, summary: &Summary) {
        if self.thread.is_some() {
            self.end(ScreenEvent::Finish(Box::new(summary.clone())));
        }
        self.screen.finish(summary);
    }

    fn flush(&mut self, hurry: &mut dyn FnMut() -> bool) {
        self.screen.flush(hurry);
        if let Some(thread) = self.thread.take() {
            background::wait(&thread, &AtomicU64::default(), hurry);
        }
    }
}

/// After a panic, the thread ends without the last data.
impl Drop for Web {
    fn drop(&mut self) {
        self.end(ScreenEvent::End);
    }
}
