//! Numbers that are unique in a run.

use std::sync::{
    Arc, LazyLock,
    atomic::{AtomicU64, Ordering},
};

use crate::options::WorkerId;

/// The numbers of one process. Those of other processes differ.
#[derive(Debug)]
pub(crate) struct Numbers {
    /// The number of the process, and how many there are.
    process: u64,
    processes: u64,
    /// How many numbers the process has given.
    given: AtomicU64,
}

impl Numbers {
    pub(crate) fn new(process: usize, processes: usize) -> Numbers {
        Numbers { process: process as u64, processes: processes.max(1) as u64, given: AtomicU64::new(0) }
    }

    /// Returns the numbers of contexts outside a run.
    pub(crate) fn outside() -> Arc<Numbers> {
        static OUTSIDE: LazyLock<Arc<Numbers>> = LazyLock::new(|| Arc::new(Numbers::new(0, 1)));
        OUTSIDE.clone()
    }

    /// Returns a number for the first time.
    pub(crate) fn unique(&self) -> u64 {
        self.given.fetch_add(1, Ordering::Relaxed) * self.processes + self.process
    }

    /// Returns the number of a worker among those of all processes.
    pub(crate) fn worker(&self, worker: WorkerId) -> usize {
        worker.0 * self.processes as usize + self.process as usize
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn processes_and_threads_share_no_number() {
        let processes = [0, 1, 2].map(|process| Arc::new(Numbers::new(process, 3)));
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
