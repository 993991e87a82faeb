//! Counts the rows that were handed out, in memory that forked processes share.
//!
//! The count is exact over threads and processes because all of them add to the same number. Machines share no memory, so each
//! takes a part of the numbers (`order.rs`).
#![allow(unsafe_code, reason = "shared memory is mapped and read through a pointer")]

use std::{
    io,
    ptr::{self, NonNull},
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};

/// How many rows were handed out, in this process and in all processes that are forked after the counter was made.
#[derive(Debug)]
pub(super) struct Counter {
    shared: NonNull<Shared>,
    made: Instant,
}

#[derive(Debug)]
struct Shared {
    taken: AtomicU64,
    /// Nanoseconds from `made` until the rows had run out; 0 if they have not.
    ran_out: AtomicU64,
}

// SAFETY: `Shared` contains only atomic numbers, and the mapping belongs to no thread.
unsafe impl Send for Counter {}
// SAFETY: As above.
unsafe impl Sync for Counter {}

impl Counter {
    /// # Errors
    ///
    /// Returns an error if the system refuses the memory.
    pub(super) fn new() -> io::Result<Counter> {
        let (protection, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED);
        // SAFETY: A new mapping at an address that the system chooses touches no other memory.
        let memory = unsafe { mmap_anonymous(ptr::null_mut(), size_of::<Shared>(), protection, flags) }?;
        let shared = NonNull::new(memory.cast()).ok_or_else(|| io::Error::other("the address is 0"))?;
        Ok(Counter { shared, made: Instant::now() })
    }

    fn shared(&self) -> &Shared {
        // SAFETY: The mapping is aligned to a page, as long as `Shared`, filled with zeros, and lives as long as `self`. This and
        // all other processes access it only as atomic numbers.
        unsafe { self.shared.as_ref() }
    }

    /// Returns the next number, from 0. No other call in any process returns it.
    pub(super) fn take(&self) -> u64 {
        self.shared().taken.fetch_add(1, Ordering::Relaxed)
    }

    /// Notes that there was no row for a worker.
    pub(super) fn run_out(&self) {
        let now = u64::try_from(self.made.elapsed().as_nanos()).unwrap_or(u64::MAX).max(1);
        let _ = self.shared().ran_out.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Returns when a worker first found no row.
    pub(super) fn ran_out_at(&self) -> Option<Instant> {
        match self.shared().ran_out.load(Ordering::Relaxed) {
            0 => None,
            nanos => Some(self.made + Duration::from_nanos(nanos)),
        }
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        // SAFETY: `new` made this mapping, with this length. No reference to it outlives `self`, and other processes have their own
        // mapping of the memory.
        let _ = unsafe { munmap(self.shared.as_ptr().cast(), size_of::<Shared>()) };
    }
}
