//! The idle connections of a session. There is no lock, because a session stays on its thread.

use std::{
    cell::RefCell,
    rc::Rc,
    task::{Context, Waker},
    time::{Duration, Instant},
};

use super::{connection::Connection, http2};
use crate::http::{options::TransportOptions, permits::Permits, target::Origin};

/// How long a connection may be idle before a system call checks it for requests that cannot be sent again.
const RECHECK_AFTER: Duration = Duration::from_millis(100);

/// The minimum interval between searches for closed and expired connections.
const SWEEP_INTERVAL: Duration = Duration::from_millis(100);

/// The maximum number of origins. The least recently used one is evicted.
const MAX_ORIGINS: usize = 1024;

pub(crate) struct Pool {
    pub(crate) options: Rc<TransportOptions>,
    pub(crate) permits: Permits,
    idle: RefCell<Idle>,
}

struct Idle {
    origins: Vec<IdleAt>,
    /// When the next search for closed and expired connections is due.
    sweep_at: Instant,
}

/// The idle connections to one origin. The next sweep removes it if there are none.
struct IdleAt {
    origin: Rc<Origin>,
    /// In the order of their return. The last one is taken first.
    http1: Vec<(Box<Connection>, Instant)>,
    http2: Option<Box<Http2>>,
}

struct Http2 {
    connection: http2::Connection,
    /// When the last request was sent.
    used: Instant,
}

impl Pool {
    pub(crate) fn new(options: Rc<TransportOptions>) -> Rc<Self> {
        let permits = options.permits();
        let idle = RefCell::new(Idle { origins: Vec::new(), sweep_at: Instant::now() + SWEEP_INTERVAL });
        Rc::new(Self { options, permits, idle })
    }

    /// Takes an HTTP/1.1 connection that is open, as far as is known. Takes none if there is an HTTP/2 connection and
    /// `prefers_http2` is set.
    pub(crate) fn take(
        &self,
        origin: &Rc<Origin>,
        now: Instant,
        repeatable: bool,
        prefers_http2: bool,
    ) -> Option<Box<Connection>> {
        let mut cx = Context::from_waker(Waker::noop());
        let mut idle = self.idle.borrow_mut();
        let at = idle.find(origin)?;
        if prefers_http2 && at.http2.is_some() {
            return None;
        }
        let kept = &mut at.http1;
        while let Some((mut connection, since)) = kept.pop() {
            let idle_for = now.saturating_duration_since(since);
            if self.options.pool_idle_timeout.is_some_and(|timeout| idle_for > timeout) {
                // The remaining ones have been idle for longer.
                kept.clear();
                return None;
            }
            let gone = connection.io.is_stale(&mut cx)
                || (!repeatable && idle_for > RECHECK_AFTER && connection.io.is_closed());
            if !gone {
                return Some(connection);
            }
        }
        None
    }

    /// Returns a connection to the pool, and drops those that have expired or were closed by their server.
    pub(crate) fn put(&self, origin: &Rc<Origin>, connection: Box<Connection>, now: Instant) {
        if !connection.is_clean() || !self.options.keep_alive {
            return;
        }
        let mut idle = self.idle.borrow_mut();
        let kept = &mut idle.find_or_insert(origin).http1;
        if kept.len() < self.options.pool_max_idle_per_host {
            if kept.capacity() == 0 {
                // There may be many workers, and most have one connection.
                kept.reserve_exact(1);
            }
            kept.push((connection, now));
        }
        self.sweep_if_due(&mut idle, now);
    }

    /// Returns the HTTP/2 connection to an origin.
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

    /// Adds an HTTP/2 connection, and drops expired ones to other origins.
    pub(crate) fn keep_http2(&self, origin: &Rc<Origin>, connection: http2::Connection, now: Instant) {
        let mut idle = self.idle.borrow_mut();
        idle.find_or_insert(origin).http2 = Some(Box::new(Http2 { connection, used: now }));
        self.sweep_if_due(&mut idle, now);
    }

    /// Removes the HTTP/2 connection to an origin.
    pub(crate) fn drop_http2(&self, origin: &Rc<Origin>) {
        if let Some(at) = self.idle.borrow_mut().find(origin) {
            at.http2 = None;
        }
    }

    fn is_expired(&self, since: Instant, now: Instant) -> bool {
        self.options.pool_idle_timeout.is_some_and(|timeout| now.saturating_duration_since(since) > timeout)
    }

    /// Checks every idle connection. This needs no system call unless the runtime knows that a connection is readable.
    fn sweep_if_due(&self, idle: &mut Idle, now: Instant) {
        if now < idle.sweep_at {
            return;
        }
        idle.sweep_at = now + SWEEP_INTERVAL;
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

    /// Returns the number of origins.
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
    /// Returns when a connection was last used, or `None` if there are none.
    fn used(&self) -> Option<Instant> {
        let http1 = self.http1.last().map(|(_, since)| *since);
        http1.max(self.http2.as_ref().map(|http2| http2.used))
    }
}
