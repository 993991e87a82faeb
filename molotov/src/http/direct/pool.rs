//! The connections of one session that wait for their next request. No lock: a session stays on its thread.

use std::{
    cell::RefCell,
    rc::Rc,
    task::{Context, Waker},
    time::{Duration, Instant},
};

use super::{connection::Connection, http2};
use crate::http::{options::TransportOptions, permits::Permits, target::Origin};

/// After so long without use the kernel is asked before a request goes out that cannot be repeated.
const RESTED: Duration = Duration::from_millis(100);

/// Idle connections are looked through for closed and expired ones at most this often.
const SWEEP_INTERVAL: Duration = Duration::from_millis(100);

/// Origins to keep connections to; one more takes the place of the one that was used least recently.
const MAX_ORIGINS: usize = 1024;

pub(crate) struct Pool {
    pub(crate) options: Rc<TransportOptions>,
    pub(crate) permits: Permits,
    idle: RefCell<Idle>,
}

struct Idle {
    origins: Vec<IdleAt>,
    swept: Instant,
}

/// What is kept for one origin: never nothing for longer than the interval between sweeps.
struct IdleAt {
    origin: Rc<Origin>,
    /// Sorted by the time they were returned: the last one is taken first.
    http1: Vec<(Connection, Instant)>,
    http2: Option<Box<Http2>>,
}

struct Http2 {
    connection: http2::Connection,
    /// When the latest request was sent on it.
    used: Instant,
}

impl Pool {
    pub(crate) fn new(options: Rc<TransportOptions>) -> Rc<Self> {
        let permits = options.permits();
        let idle = RefCell::new(Idle { origins: Vec::new(), swept: Instant::now() });
        Rc::new(Self { options, permits, idle })
    }

    /// A connection that is still open, as far as can be known.
    pub(crate) fn take(
        &self,
        origin: &Rc<Origin>,
        now: Instant,
        repeatable: bool,
        cx: &mut Context<'_>,
    ) -> Option<Connection> {
        let mut idle = self.idle.borrow_mut();
        let kept = &mut idle.find(origin)?.http1;
        while let Some((mut connection, since)) = kept.pop() {
            if self.is_expired(since, now) {
                // Those below have been idle for longer.
                kept.clear();
                return None;
            }
            let rest = now.saturating_duration_since(since);
            let gone = connection.io.is_stale(cx) || (!repeatable && rest > RESTED && connection.io.is_closed());
            if !gone {
                return Some(connection);
            }
        }
        None
    }

    /// Keeps a connection for the next request, and closes those that have expired or were closed by their server.
    pub(crate) fn give(&self, origin: &Rc<Origin>, connection: Connection, now: Instant) {
        if !connection.is_clean() || !self.options.keep_alive {
            return;
        }
        let mut idle = self.idle.borrow_mut();
        let kept = &mut idle.find_or_insert(origin).http1;
        if kept.len() < self.options.pool_max_idle_per_host {
            if kept.capacity() == 0 {
                // Most workers have one connection, and there are many workers.
                kept.reserve_exact(1);
            }
            kept.push((connection, now));
        }
        self.sweep_if_due(&mut idle, now);
    }

    /// The HTTP/2 connection to an origin.
    pub(crate) fn http2(&self, origin: &Rc<Origin>, now: Instant) -> Option<http2::Connection> {
        let mut idle = self.idle.borrow_mut();
        let kept = &mut idle.find(origin)?.http2;
        kept.take_if(|http2| http2.connection.is_closed() || self.is_expired(http2.used, now));
        let http2 = kept.as_mut()?;
        http2.used = now;
        let connection = http2.connection.clone();
        self.sweep_if_due(&mut idle, now);
        Some(connection)
    }

    /// Keeps an HTTP/2 connection, and closes those to other origins that have expired.
    pub(crate) fn keep_http2(&self, origin: &Rc<Origin>, connection: http2::Connection, now: Instant) {
        let mut idle = self.idle.borrow_mut();
        idle.find_or_insert(origin).http2 = Some(Box::new(Http2 { connection, used: now }));
        self.sweep_if_due(&mut idle, now);
    }

    /// Does not send on the HTTP/2 connection to an origin again.
    pub(crate) fn drop_http2(&self, origin: &Rc<Origin>) {
        if let Some(at) = self.idle.borrow_mut().find(origin) {
            at.http2 = None;
        }
    }

    fn is_expired(&self, since: Instant, now: Instant) -> bool {
        self.options.pool_idle_timeout.is_some_and(|timeout| now.saturating_duration_since(since) > timeout)
    }

    /// Looks at every idle connection. A quiet one costs no system call: the runtime knows of those that are readable.
    fn sweep_if_due(&self, idle: &mut Idle, now: Instant) {
        if now.saturating_duration_since(idle.swept) < SWEEP_INTERVAL {
            return;
        }
        idle.swept = now;
        let mut cx = Context::from_waker(Waker::noop());
        idle.origins.retain_mut(|at| {
            at.http1
                .retain_mut(|(connection, since)| !self.is_expired(*since, now) && !connection.io.is_stale(&mut cx));
            at.http2.take_if(|http2| http2.connection.is_closed() || self.is_expired(http2.used, now));
            if at.http1.capacity() > 4 * at.http1.len().max(1) {
                at.http1.shrink_to(2 * at.http1.len());
            }
            !at.http1.is_empty() || at.http2.is_some()
        });
    }

    /// How many origins there is something to keep for.
    #[cfg(test)]
    pub(crate) fn origins(&self) -> usize {
        self.idle.borrow().origins.len()
    }
}

impl Idle {
    fn find(&mut self, origin: &Rc<Origin>) -> Option<&mut IdleAt> {
        self.origins.iter_mut().find(|at| Rc::ptr_eq(&at.origin, origin) || at.origin == *origin)
    }

    fn find_or_insert(&mut self, origin: &Rc<Origin>) -> &mut IdleAt {
        let known = self.origins.iter().position(|at| Rc::ptr_eq(&at.origin, origin) || at.origin == *origin);
        let index = known.unwrap_or_else(|| {
            if self.origins.len() >= MAX_ORIGINS {
                let oldest = (0..self.origins.len()).min_by_key(|index| self.origins[*index].used());
                self.origins.swap_remove(oldest.unwrap_or_default());
            } else if self.origins.is_empty() {
                self.origins.reserve_exact(1);
            }
            self.origins.push(IdleAt { origin: Rc::clone(origin), http1: Vec::new(), http2: None });
            self.origins.len() - 1
        });
        &mut self.origins[index]
    }
}

impl IdleAt {
    /// When a connection was last used; `None` while there is none.
    fn used(&self) -> Option<Instant> {
        let http1 = self.http1.last().map(|(_, since)| *since);
        http1.max(self.http2.as_ref().map(|http2| http2.used))
    }
}
