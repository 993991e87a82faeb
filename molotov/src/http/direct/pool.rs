//! The connections of one session that wait for their next request. No lock: a session stays on its thread.

use std::{cell::RefCell, rc::Rc, sync::Arc, task::Context, time::Duration, time::Instant};

use tokio::sync::Semaphore;

use super::{connection::Connection, http2};
use crate::http::{target::Origin, wire::WireOptions};

/// After so long without use the kernel is asked before a request goes out that cannot be repeated.
const RESTED: Duration = Duration::from_millis(100);

pub(crate) struct Pool {
    pub(crate) options: Rc<WireOptions>,
    lanes: RefCell<Vec<Lane>>,
}

/// What is kept for one origin.
struct Lane {
    origin: Rc<Origin>,
    /// The last one given back is taken first.
    idle: Vec<(Connection, Instant)>,
    permits: Option<Arc<Semaphore>>,
    http2: Option<http2::Client>,
}

impl Pool {
    pub(crate) fn new(options: Rc<WireOptions>) -> Rc<Self> {
        Rc::new(Self { options, lanes: RefCell::default() })
    }

    fn lane<R>(&self, origin: &Rc<Origin>, with: impl FnOnce(&mut Lane) -> R) -> R {
        let mut lanes = self.lanes.borrow_mut();
        let known = lanes.iter().position(|lane| Rc::ptr_eq(&lane.origin, origin) || lane.origin == *origin);
        let at = known.unwrap_or_else(|| {
            let permits = self.options.max_connections.map(|most| Arc::new(Semaphore::new(most.max(1))));
            lanes.push(Lane { origin: Rc::clone(origin), idle: Vec::new(), permits, http2: None });
            lanes.len() - 1
        });
        with(&mut lanes[at])
    }

    /// A connection that is still open, as far as can be known.
    pub(crate) fn take(
        &self,
        origin: &Rc<Origin>,
        now: Instant,
        repeatable: bool,
        cx: &mut Context<'_>,
    ) -> Option<Connection> {
        let limit = self.options.pool_idle_timeout;
        self.lane(origin, |lane| {
            while let Some((mut connection, since)) = lane.idle.pop() {
                let rest = now.saturating_duration_since(since);
                if limit.is_some_and(|limit| rest > limit) {
                    // Those below have rested longer.
                    lane.idle.clear();
                    return None;
                }
                let gone = connection.io.is_stale(cx) || (!repeatable && rest > RESTED && connection.io.is_closed());
                if !gone {
                    return Some(connection);
                }
            }
            None
        })
    }

    /// Keeps a connection for the next request.
    pub(crate) fn give(&self, origin: &Rc<Origin>, connection: Connection, now: Instant) {
        if connection.is_clean() && self.options.keep_alive {
            self.lane(origin, |lane| lane.idle.push((connection, now)));
        }
    }

    pub(crate) fn permits(&self, origin: &Rc<Origin>) -> Option<Arc<Semaphore>> {
        self.options.max_connections?;
        self.lane(origin, |lane| lane.permits.clone())
    }

    /// The HTTP/2 connection to an origin.
    pub(crate) fn http2(&self, origin: &Rc<Origin>) -> Option<http2::Client> {
        self.lane(origin, |lane| {
            lane.http2.take_if(|client| client.is_closed());
            lane.http2.clone()
        })
    }

    pub(crate) fn set_http2(&self, origin: &Rc<Origin>, client: Option<http2::Client>) {
        self.lane(origin, |lane| lane.http2 = client);
    }
}
