//! Numbers that are unique in a run.

use std::sync::{
    Arc, LazyLock,
    atomic::{AtomicU64, Ordering},
};

use crate::{load::Part, options::WorkerId};

/// The numbers of one process. Those of other processes differ.
#[derive(Debug)]
pub(crate) struct Numbers {
    /// The process among those of all machines.
    process: Part,
    /// Whether the numbers of workers are unique over all processes.
    has_unique_workers: bool,
    /// How many numbers the process has given.
    given: AtomicU64,
}

impl Numbers {
    pub(crate) fn new(process: Part, has_unique_workers: bool) -> Numbers {
        Numbers { process, has_unique_workers, given: AtomicU64::new(0) }
    }

    /// Returns the numbers of contexts outside a run.
    pub(crate) fn outside() -> Arc<Numbers> {
        static OUTSIDE: LazyLock<Arc<Numbers>> = LazyLock::new(|| Arc::new(Numbers::new(Part::WHOLE, false)));
        OUTSIDE.clone()
    }

    /// Returns a number for the first time.
    pub(crate) fn unique(&self) -> u64 {
        self.given.fetch_add(1, Ordering::Relaxed) * self.process.of as u64 + self.process.number as u64
    }

    /// Returns the number of a worker among those of all processes.
    pub(crate) fn worker(&self, worker: WorkerId) -> usize {
        if self.has_unique_workers { worker.0 } else { self.process.nth(worker.0) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn processes_and_threads_share_no_number() {
        let processes = [0, 1, 2].map(|process| Arc::new(Numbers::new(Part::WHOLE.part(process, 3), false)));
        let threads: Vec<_> = (processes.iter().chain(&processes).cloned())
            .map(|numbers| std::thread::spawn(move || (0..1_000).map(|_| numbers.unique()).collect::<Vec<_>>()))
            .collect();
        let given: Vec<u64> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        assert_eq!(given.iter().collect::<HashSet<_>>().len(), 6_000);
        let workers: HashSet<_> =
            processes.iter().flat_map(|numbers| (0..10).map(|worker| numbers.worker(WorkerId(worker)))).collect();
        assert_eq!(workers, (0..30).collect());
    }
}
