//! How many requests a session may have under way at one server at the same time.

use std::{cell::RefCell, collections::HashMap, rc::Rc, sync::Arc};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::target::Origin;

/// Origins are first looked through for unused ones at this number.
const FIRST_SWEEP: usize = 64;

/// The limit per origin; without one it costs nothing.
pub(crate) struct Permits(Option<Box<Limited>>);

struct Limited {
    limit: usize,
    origins: RefCell<Origins>,
}

struct Origins {
    semaphores: HashMap<Rc<Origin>, Arc<Semaphore>>,
    sweep_at: usize,
}

impl Permits {
    pub(crate) fn new(limit: Option<usize>) -> Self {
        Self(limit.map(|limit| {
            let origins = Origins { semaphores: HashMap::new(), sweep_at: FIRST_SWEEP };
            Box::new(Limited { limit: limit.max(1), origins: RefCell::new(origins) })
        }))
    }

    /// Waits for a permit, to be held until the request is over; `None` without a limit.
    pub(crate) async fn acquire(&self, origin: &Rc<Origin>) -> Option<OwnedSemaphorePermit> {
        let semaphore = self.0.as_ref()?.semaphore(origin);
        // Nobody closes it.
        semaphore.acquire_owned().await.ok()
    }
}

impl Limited {
    fn semaphore(&self, origin: &Rc<Origin>) -> Arc<Semaphore> {
        let mut origins = self.origins.borrow_mut();
        if let Some(semaphore) = origins.semaphores.get(origin) {
            return Arc::clone(semaphore);
        }
        if origins.semaphores.len() >= origins.sweep_at {
            // Permits and those who wait for one share their semaphore.
            origins.semaphores.retain(|_, semaphore| Arc::strong_count(semaphore) > 1);
            origins.sweep_at = FIRST_SWEEP.max(2 * origins.semaphores.len());
        }
        let semaphore = Arc::new(Semaphore::new(self.limit));
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
    fn unused_origins_are_forgotten_and_used_ones_are_not() {
        let permits = Permits::new(Some(1));
        let used = origin(0);
        let held = permits.acquire(&used).now_or_never().unwrap();
        let mut waiting = Box::pin(permits.acquire(&used));
        assert!(waiting.as_mut().now_or_never().is_none());
        for port in 1..10_000 {
            permits.acquire(&origin(port)).now_or_never().unwrap();
        }
        assert!(permits.0.as_ref().unwrap().origins.borrow().semaphores.len() <= FIRST_SWEEP);
        assert!(permits.acquire(&origin(0)).now_or_never().is_none());
        drop(held);
        assert!(waiting.now_or_never().unwrap().is_some());
    }
}
