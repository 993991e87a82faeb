//! Compact distributions, for long runs. Their buckets are at most 1 % wide, and take a tenth of the memory of three digits.
//!
//! Each bucket here is a run of neighbouring buckets of [`buckets`](super::buckets). Their counts follow a curve, so
//! each is written as its difference from the one before, in a Rice code whose parameter follows the differences.

use super::buckets::{CHUNKS, HALF};

/// The starts of buckets below `HALF`, where each value has its own fine bucket.
const LOW: [u16; count(0, HALF)] = starts(0);
/// The starts of buckets in each later chunk of `HALF`, in which values double.
const HIGH: [u16; count(HALF, 2 * HALF)] = starts(HALF);
/// The number of buckets.
const BUCKETS: usize = LOW.len() + (CHUNKS - 1) * HIGH.len();

/// A quotient this large is followed by all bits of the number.
const ESCAPE: u32 = 24;
/// The number of differences that the mean covers.
const MEMORY: u64 = 8;

/// Returns the first value after the bucket that starts at `value`, which is the longest one at most 1 % wide.
const fn next(value: usize) -> usize {
    if value < HALF { value + value / 100 + 1 } else { value + value / 100 }
}

const fn count(from: usize, to: usize) -> usize {
    let (mut value, mut count) = (from, 0);
    while value < to {
        value = next(value);
        count += 1;
    }
    count
}

const fn starts<const N: usize>(from: usize) -> [u16; N] {
    let (mut starts, mut value, mut n) = ([0; N], from, 0);
    while n < N {
        starts[n] = (value - from) as u16;
        value = next(value);
        n += 1;
    }
    starts
}

/// Returns the bucket that contains a fine bucket.
fn bucket_of(fine: usize) -> usize {
    let within = |starts: &[u16], at: usize| starts.partition_point(|start| usize::from(*start) <= at) - 1;
    match fine / HALF {
        0 => within(&LOW, fine),
        chunk => LOW.len() + (chunk - 1) * HIGH.len() + within(&HIGH, fine % HALF),
    }
}

/// Returns the last fine bucket of a bucket.
fn last_in(bucket: usize) -> usize {
    let end = |starts: &[u16], at: usize| starts.get(at + 1).map_or(HALF, |start| usize::from(*start)) - 1;
    match bucket.checked_sub(LOW.len()) {
        None => end(&LOW, bucket),
        Some(beyond) => (beyond / HIGH.len() + 1) * HALF + end(&HIGH, beyond % HIGH.len()),
    }
}

/// Packs fine buckets and their counts, given in rising order.
pub(super) fn pack(fine: impl Iterator<Item = (usize, u64)>) -> Vec<u8> {
    let (mut bits, mut expected) = (Writer::default(), Expected::default());
    let mut next = 0;
    let mut write = |bucket: usize, count: u64| {
        if bucket > next {
            bits.number(expected.code(0), expected.width());
            expected.learn(0);
            bits.gap((bucket - next) as u64);
        }
        bits.number(expected.code(count), expected.width());
        expected.learn(count);
        next = bucket + 1;
    };
    let mut open: Option<(usize, u64)> = None;
    for (fine, count) in fine.filter(|(_, count)| *count > 0) {
        let bucket = bucket_of(fine);
        match &mut open {
            Some((last, sum)) if *last == bucket => *sum = sum.saturating_add(count),
            _ => {
                if let Some((last, sum)) = open.replace((bucket, count)) {
                    write(last, sum);
                }
            }
        }
    }
    if let Some((last, sum)) = open {
        write(last, sum);
    }
    bits.finish()
}

/// Unpacks the output of [`pack`]: the last fine bucket of each filled bucket, and its count.
pub(super) struct Unpacker<'a> {
    bits: Reader<'a>,
    expected: Expected,
    next: usize,
}

impl Unpacker<'_> {
    pub(super) fn new(bytes: &[u8]) -> Unpacker<'_> {
        Unpacker { bits: Reader { bytes, at: 0 }, expected: Expected::default(), next: 0 }
    }
}

impl Iterator for Unpacker<'_> {
    type Item = (usize, u64);

    fn next(&mut self) -> Option<(usize, u64)> {
        loop {
            let count = self.expected.count(self.bits.number(self.expected.width())?);
            self.expected.learn(count);
            if count == 0 {
                self.next = self.next.checked_add(usize::try_from(self.bits.gap()?).ok()?)?;
                continue;
            }
            let bucket = self.next;
            if bucket >= BUCKETS {
                return None;
            }
            self.next += 1;
            return Some((last_in(bucket), count));
        }
    }
}

/// Predicts the next count from the one before and from earlier differences.
#[derive(Default)]
struct Expected {
    count: u64,
    /// The mean of the last differences, times `MEMORY`.
    spread: u64,
}

impl Expected {
    /// Returns the difference of a count, which is small if the count is as expected. It wraps, so that every count has one.
    fn code(&self, count: u64) -> u64 {
        let difference = count.wrapping_sub(self.count).cast_signed();
        ((difference << 1) ^ (difference >> 63)).cast_unsigned()
    }

    /// Returns the count with this difference.
    fn count(&self, code: u64) -> u64 {
        let difference = (code >> 1) ^ (code & 1).wrapping_neg();
        self.count.wrapping_add(difference)
    }

    /// Returns the number of low bits that a difference is expected to fill.
    fn width(&self) -> u32 {
        (self.spread / MEMORY).checked_ilog2().unwrap_or(0)
    }

    fn learn(&mut self, count: u64) {
        self.spread += self.code(count).min(1 << 40);
        self.spread -= self.spread / MEMORY;
        self.count = count;
    }
}

/// Writes bits, the lowest first.
#[derive(Default)]
struct Writer {
    bytes: Vec<u8>,
    /// The number of free bits in the last byte.
    free: u32,
}

impl Writer {
    fn bits(&mut self, mut value: u64, mut count: u32) {
        while count > 0 {
            if self.free == 0 {
                self.bytes.push(0);
                self.free = 8;
            }
            let taken = count.min(self.free);
            let low = (value & ((1 << taken) - 1)) as u8;
            if let Some(last) = self.bytes.last_mut() {
                *last |= low << (8 - self.free);
            }
            value >>= taken;
            count -= taken;
            self.free -= taken;
        }
    }

    /// Writes `count` ones and a zero.
    fn ones(&mut self, count: u32) {
        self.bits((1 << count) - 1, count + 1);
    }

    fn number(&mut self, number: u64, width: u32) {
        match u32::try_from(number >> width) {
            Ok(quotient) if quotient < ESCAPE => {
                self.ones(quotient);
                self.bits(number, width);
            }
            _ => {
                self.ones(ESCAPE);
                self.bits(number, 64);
            }
        }
    }

    /// At least 1.
    fn gap(&mut self, gap: u64) {
        let width = gap.ilog2();
        self.ones(width);
        self.bits(gap, width);
    }

    /// Returns the bytes. The last one is filled up with ones, which no number ends with.
    fn finish(mut self) -> Vec<u8> {
        self.bits(u64::MAX, self.free);
        self.bytes.shrink_to_fit();
        self.bytes
    }
}

/// Reads the output of a [`Writer`], and stops at anything else.
struct Reader<'a> {
    bytes: &'a [u8],
    /// Returns the next bit.
    at: usize,
}

impl Reader<'_> {
    fn bit(&mut self) -> Option<u64> {
        let byte = self.bytes.get(self.at / 8)?;
        let bit = byte >> (self.at % 8) & 1;
        self.at += 1;
        Some(u64::from(bit))
    }

    fn bits(&mut self, count: u32) -> Option<u64> {
        (0..count).try_fold(0, |value, place| Some(value | self.bit()? << place))
    }

    /// Returns the number of ones before the next zero, at most `most`.
    fn ones(&mut self, most: u32) -> Option<u32> {
        let mut count = 0;
        while self.bit()? == 1 {
            count += 1;
            if count > most {
                return None;
            }
        }
        Some(count)
    }

    fn number(&mut self, width: u32) -> Option<u64> {
        match self.ones(ESCAPE)? {
            ESCAPE => self.bits(64),
            quotient => Some(u64::from(quotient) << width | self.bits(width)?),
        }
    }

    fn gap(&mut self) -> Option<u64> {
        let width = self.ones(63)?;
        Some(1 << width | self.bits(width)?)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::buckets::highest_in, *};

    /// Every fine bucket belongs to one bucket, whose highest value is at most 1 % above its lowest.
    #[test]
    fn buckets_are_at_most_one_percent_wide() {
        let mut first = 0;
        for bucket in 0..BUCKETS {
            let last = last_in(bucket);
            assert!((first..=last).all(|fine| bucket_of(fine) == bucket), "{bucket}: {first} to {last}");
            let lowest = if first == 0 { 0 } else { highest_in(first - 1) + 1 };
            assert!(highest_in(last) * 100 <= lowest * 101, "{bucket}: {lowest} to {}", highest_in(last));
            first = last + 1;
        }
        assert_eq!(first, CHUNKS * HALF);
    }

    #[test]
    fn any_count_is_packed() {
        let counts = [1, u64::MAX, 1, 1 << 63, 3, u64::MAX - 1, 2];
        let buckets: Vec<_> = counts.into_iter().enumerate().map(|(n, count)| (last_in(n * n * n), count)).collect();
        let packed = pack(buckets.iter().copied());
        assert_eq!(Unpacker::new(&packed).collect::<Vec<_>>(), buckets);
    }
}
