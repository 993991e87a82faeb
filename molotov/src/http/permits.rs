//! Limits on concurrent requests: to one origin, and to all origins.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::target::Origin;

/// The number of origins at which unused ones are removed for the first time.
const FIRST_SWEEP: usize = 64;

/// Limits on concurrent requests. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Permits(Option<Rc<Limited>>);

/// Permission for a request. Dropping it releases it.
pub(crate) struct Permit {
    _at_origin: Option<OwnedSemaphorePermit>,
    _in_total: Option<OwnedSemaphorePermit>,
}

struct Limited {
    in_total: Option<Arc<Semaphore>>,
    per_origin: Option<usize>,
    origins: RefCell<Origins>,
}

struct Origins {
    semaphores: HashMap<Rc<Origin>, Arc<Semaphore>>,
    sweep_at: usize,
}

impl Permits {
    /// Limits the number of concurrent requests to each origin, and to all origins together.
    pub(crate) fn new(per_origin: Option<usize>, in_total: Option<usize>) -> Self {
        if per_origin.is_none() && in_total.is_none() {
            return Self(None);
        }
        let origins = Origins { semaphores: HashMap::new(), sweep_at: FIRST_SWEEP };
        Self(Some(Rc::new(Limited {
            in_total: in_total.map(|limit| Arc::new(Semaphore::new(limit.clamp(1, Semaphore::MAX_PERMITS)))),
            per_origin: per_origin.map(|limit| limit.clamp(1, Semaphore::MAX_PERMITS)),
            origins: RefCell::new(origins),
        })))
    }

    /// Returns whether there is a limit.
    pub(crate) fn is_limited(&self) -> bool {
        self.0.is_some()
    }

    /// Waits for a permit, to be held until the request ends, and adds the time to `waited`. Returns `None` if there is no limit.
    pub(crate) async fn acquire(&self, origin: &Rc<Origin>, waited: &Cell<Duration>) -> Option<Permit> {
        let limited = self.0.as_ref()?;
        // A request that waits for its origin holds no permit of the other limit.
        let at_origin = match limited.per_origin {
            Some(limit) => acquire(limited.semaphore(origin, limit), waited).await,
            None => None,
        };
        let in_total = match &limited.in_total {
            Some(semaphore) => acquire(Arc::clone(semaphore), waited).await,
            None => None,
        };
        Some(Permit { _at_origin: at_origin, _in_total: in_total })
    }
}

impl std::fmt::Debug for Permits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "Permits(limited)" } else { "Permits(unlimited)" })
    }
}

/// Acquires a permit. Reads the time only if it has to wait. Semaphores are never closed.
async fn acquire(semaphore: Arc<Semaphore>, waited: &Cell<Duration>) -> Option<OwnedSemaphorePermit> {
    if let Ok(permit) = Arc::clone(&semaphore).try_acquire_owned() {
        return Some(permit);
    }
    let since = Instant::now();
    let permit = semaphore.acquire_owned().await.ok();
    waited.set(waited.get() + since.elapsed());
    permit
}

impl Limited {
    fn semaphore(&self, origin: &Rc<Origin>, limit: usize) -> Arc<Semaphore> {
        let mut origins = self.origins.borrow_mut();
        if let Some(semaphore) = origins.semaphores.get(origin) {
            return Arc::clone(semaphore);
        }
        if origins.semaphores.len() >= origins.sweep_at {
            // Permits and pending requests have a reference to their semaphore.
            origins.semaphores.retain(|_, semaphore| Arc::strong_count(semaphore) > 1);
            origins.sweep_at = FIRST_SWEEP.max(2 * origins.semaphores.len());
        }
        let semaphore = Arc::new(Semaphore::new(limit));
        origins.semaphores.insert(Rc::clone(origin), Arc::clone(&semaphore));
        semaphore
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use futures_util::FutureExt;

    use super::*;

    fn origin(port: u16) -> Rc<Origin> {
        Rc::new(Origin { https: false, host: "host.test".into(), port })
    }

    #[test]
    fn only_unused_origins_are_removed() {
        let (permits, waited) = (Permits::new(Some(1), None), Cell::default());
        let used = origin(0);
        let held = permits.acquire(&used, &waited).now_or_never().unwrap();
        let mut waiting = Box::pin(permits.acquire(&used, &waited));
        assert!(waiting.as_mut().now_or_never().is_none());
        for port in 1..10_000 {
            permits.acquire(&origin(port), &waited).now_or_never().unwrap();
        }
        assert!(permits.0.as_ref().unwrap().origins.borrow().semaphores.len() <= FIRST_SWEEP);
        assert!(permits.acquire(&origin(0), &waited).now_or_never().is_none());
        assert!(waited.get().is_zero(), "no wait has ended");
        drop(held);
        assert!(waiting.now_or_never().unwrap().is_some());
        assert!(!waited.get().is_zero());
    }

    #[test]
    fn the_total_limit_counts_requests_to_all_origins() {
        let (permits, waited) = (Permits::new(Some(2), Some(3)), Cell::default());
        let take = |port| permits.acquire(&origin(port), &waited).now_or_never();
        let held = [take(1), take(1), take(2)];
        assert!(held.iter().all(Option::is_some));
        assert!(take(1).is_none() && take(2).is_none() && take(3).is_none());
        drop(held);
        assert!(take(3).is_some());
    }
}
