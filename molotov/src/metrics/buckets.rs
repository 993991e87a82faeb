//! The buckets of latencies: those of HdrHistogram(1 µs ..= 1 h, 3 digits).

/// The number of buckets of equal width. Each value below `2 * HALF` has its own bucket.
pub(super) const HALF: usize = 1024;
/// The number of chunks of `HALF` buckets, up to an hour.
pub(super) const CHUNKS: usize = 23;
/// The number of buckets.
pub(super) const BUCKETS: usize = CHUNKS * HALF;
/// The highest value that is not counted in the bucket of a lower one, in microseconds.
pub(super) const HIGHEST: u64 = 3_600_000_000;

/// Returns the bucket of a value in microseconds.
#[inline]
pub(super) fn bucket_of(value: u64) -> usize {
    let value = value.min(HIGHEST);
    if value < 2 * HALF as u64 {
        return value as usize;
    }
    let shift = value.ilog2() - HALF.ilog2();
    ((shift as usize) << HALF.ilog2()) + (value >> shift) as usize
}

/// Returns the highest value of a bucket, in microseconds.
pub(super) fn highest_in(bucket: usize) -> u64 {
    if bucket < 2 * HALF {
        return bucket as u64;
    }
    let shift = bucket / HALF - 1;
    (((bucket % HALF + HALF + 1) as u64) << shift) - 1
}
