//! The recording side of a histogram. Its counters are chunks from a pool, so recording allocates nothing once the pool is
//! large enough for the run.

use std::time::Duration;

use super::{
    Histogram,
    buckets::{CHUNKS, HALF, bucket_of},
    histogram::micros,
};

type Chunk = Box<[u32; HALF]>;

/// A pool of zeroed chunks.
#[derive(Debug)]
pub(super) struct Pool {
    free: Vec<Chunk>,
    lent: usize,
    limit: usize,
}

impl Pool {
    /// Returns a pool that is exhausted when chunks of about `bytes` are in use.
    pub(super) fn new(bytes: usize) -> Pool {
        Pool { free: Vec::new(), lent: 0, limit: (bytes / size_of::<[u32; HALF]>()).max(1) }
    }

    /// Returns whether the limit is reached, so that counters have to be packed.
    pub(super) fn exhausted(&self) -> bool {
        self.lent >= self.limit
    }

    fn lend(&mut self) -> Chunk {
        self.lent += 1;
        self.free.pop().unwrap_or_else(|| Box::new([0; HALF]))
    }

    fn give_back(&mut self, mut chunk: Chunk) {
        chunk.fill(0);
        self.lent -= 1;
        self.free.push(chunk);
    }

    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        (self.lent + self.free.len()) * size_of::<[u32; HALF]>() + self.free.capacity() * size_of::<Chunk>()
    }
}

/// Counts latencies until they are packed into a [`Histogram`].
#[derive(Debug)]
pub(super) struct Counter {
    chunks: [Option<Chunk>; CHUNKS],
    sum: u64,
    min: u64,
    max: u64,
}

impl Default for Counter {
    fn default() -> Self {
        Counter { chunks: [const { None }; CHUNKS], sum: 0, min: u64::MAX, max: 0 }
    }
}

impl Counter {
    /// Counts one latency. The caller packs before a bucket can reach `u32::MAX`.
    #[inline]
    pub(super) fn record(&mut self, pool: &mut Pool, latency: Duration) {
        let value = micros(latency);
        let bucket = bucket_of(value);
        let chunk = self.chunks[bucket / HALF].get_or_insert_with(|| pool.lend());
        chunk[bucket % HALF] += 1;
        self.sum = self.sum.saturating_add(value);
        self.min = self.min.min(value);
        self.max = self.max.max(value);
    }

    /// Returns the counts, empties the counter, and returns its chunks to the pool.
    pub(super) fn pack(&mut self, pool: &mut Pool) -> Histogram {
        let filled = self.chunks.iter().enumerate().filter_map(|(index, chunk)| Some((index, chunk.as_ref()?)));
        let buckets = filled.flat_map(|(index, chunk)| {
            let counts = chunk.iter().enumerate().filter(|(_, count)| **count > 0);
            counts.map(move |(bucket, count)| (index * HALF + bucket, u64::from(*count)))
        });
        let packed = Histogram::pack(buckets, self.sum, self.min, self.max);
        self.chunks.iter_mut().filter_map(Option::take).for_each(|chunk| pool.give_back(chunk));
        (self.sum, self.min, self.max) = (0, u64::MAX, 0);
        packed
    }
}
