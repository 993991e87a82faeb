//! Histograms of latencies with three significant digits, from a microsecond to an hour, which merge and serialise.
//!
//! Longer latencies count in the last bucket. The minimum, maximum, sum and count are exact.

use std::{
    iter::{Fuse, Peekable},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{
    buckets::{BUCKETS, bucket_of, highest_in},
    compact,
};

/// A distribution of latencies, in buckets that merge exactly.
///
/// ```
/// use std::time::Duration;
/// use molotov::metrics::Histogram;
///
/// let mut latencies: Histogram = (1..=100).map(Duration::from_millis).collect();
/// assert_eq!(latencies.count(), 100);
/// assert_eq!(latencies.max(), Duration::from_millis(100));
/// let p95 = latencies.percentile(95.0).as_secs_f64();
/// assert!((p95 - 0.095).abs() <= 0.0001);
/// latencies.merge(&latencies.clone());
/// assert_eq!(latencies.count(), 200);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Histogram {
    /// The filled buckets in rising order, each as a variable-length `count * 2 + gap`. If `gap` is 1, the variable-length
    /// number of empty buckets before it comes first. Neighbouring buckets take one or two bytes each.
    packed: Vec<u8>,
    /// Whether [`compact`] has packed the buckets instead.
    compact: bool,
    count: u64,
    /// In microseconds, like the next two.
    sum: u64,
    min: u64,
    max: u64,
}

impl Histogram {
    /// Returns the number of latencies.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Returns whether it contains no latency.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Returns the shortest latency, exact to the microsecond; zero if there is none.
    pub fn min(&self) -> Duration {
        Duration::from_micros(self.min)
    }

    /// Returns the longest latency, exact to the microsecond; zero if there is none.
    pub fn max(&self) -> Duration {
        Duration::from_micros(self.max)
    }

    /// Returns the exact mean; zero if there is no latency.
    pub fn mean(&self) -> Duration {
        Duration::from_micros(self.sum.checked_div(self.count).unwrap_or(0))
    }

    /// Returns the latency that `percent` (0 to 100) of all latencies do not exceed; zero if there is none.
    ///
    /// The result is exact to three significant digits. In the points of a [`Timeline`](crate::run::Timeline) it is at most 1 % too high.
    pub fn percentile(&self, percent: f64) -> Duration {
        if self.is_empty() {
            return Duration::ZERO;
        }
        let rank = (percent.clamp(0.0, 100.0) / 100.0 * self.count as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (bucket, count) in self.buckets() {
            seen = u64::saturating_add(seen, count);
            if seen >= rank {
                return Duration::from_micros(highest_in(bucket).max(self.min).min(self.max));
            }
        }
        self.max()
    }

    /// Returns the [percentile](Self::percentile) if there are enough latencies to estimate it, and `None` if not.
    ///
    /// From `n` latencies, a percentile of up to `100 * n / (n + 1)` can be estimated: the 95th from 19 latencies, the 99th from
    /// 99, the 99.9th from 999. Beyond that, only the maximum would be known (NIST/SEMATECH e-Handbook of Statistical Methods,
    /// 7.2.6.2). The 100th percentile is the maximum, which one latency has.
    ///
    /// ```
    /// use std::time::Duration;
    /// use molotov::metrics::Histogram;
    ///
    /// let latencies: Histogram = (1..=200).map(Duration::from_millis).collect();
    /// assert!(latencies.percentile_if_enough(99.0).is_some());
    /// assert!(latencies.percentile_if_enough(99.9).is_none());
    /// ```
    pub fn percentile_if_enough(&self, percent: f64) -> Option<Duration> {
        // A tolerance, because 99.9 / 100 is not exact.
        let is_enough = (self.count as f64 + 1.0) * (1.0 - percent / 100.0) >= 1.0 - 1e-9;
        (!self.is_empty() && (is_enough || percent >= 100.0)).then(|| self.percentile(percent))
    }

    /// Returns the filled buckets in rising order: the longest latency of each, and its count.
    pub fn iter(&self) -> impl Iterator<Item = (Duration, u64)> {
        self.buckets().map(|(bucket, count)| (Duration::from_micros(highest_in(bucket)), count))
    }

    /// Adds the latencies of `other`.
    pub fn merge(&mut self, other: &Histogram) {
        if other.is_empty() {
            return;
        }
        if self.is_empty() {
            self.clone_from(other);
            return;
        }
        let compact = self.compact || other.compact;
        let merged = Merged { ours: self.buckets().peekable(), theirs: other.buckets().peekable() };
        self.packed =
            if compact { compact::pack(merged) } else { pack(self.packed.len() + other.packed.len(), merged) };
        self.compact = compact;
        self.count = self.count.saturating_add(other.count);
        self.sum = self.sum.saturating_add(other.sum);
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    /// Adds the latencies of many histograms. This takes less time than to add each of them to a large one.
    pub(crate) fn merge_all<'a>(&mut self, others: impl IntoIterator<Item = &'a Histogram>) {
        let mut all = Histogram { min: u64::MAX, ..Histogram::default() };
        let mut buckets: Vec<(usize, u64)> = Vec::new();
        for other in others {
            if other.compact || other.is_empty() {
                self.merge(other);
                continue;
            }
            buckets.extend(other.buckets());
            all.count = all.count.saturating_add(other.count);
            all.sum = all.sum.saturating_add(other.sum);
            all.min = all.min.min(other.min);
            all.max = all.max.max(other.max);
        }
        buckets.sort_unstable_by_key(|(bucket, _)| *bucket);
        buckets.dedup_by(|(bucket, count), (before, sum)| {
            let is_same = bucket == before;
            if is_same {
                *sum = sum.saturating_add(*count);
            }
            is_same
        });
        all.packed = pack(0, buckets.into_iter());
        self.merge(&all);
    }

    /// Makes it about ten times smaller. From then on, percentiles are at most 1 % too high, including those of latencies that
    /// are merged later. The minimum, maximum, sum and count stay exact.
    pub(crate) fn make_compact(&mut self) {
        if !self.compact && !self.is_empty() {
            self.packed = compact::pack(self.buckets());
            self.compact = true;
        }
    }

    /// Returns its size in memory, in bytes.
    #[cfg(test)]
    pub(crate) fn memory(&self) -> usize {
        size_of::<Self>() + self.packed.capacity()
    }

    /// Returns the filled buckets in rising order.
    fn buckets(&self) -> Fuse<Buckets<'_>> {
        let buckets = match self.compact {
            false => Buckets::Fine(Unpacker { bytes: &self.packed, next: 0 }),
            true => Buckets::Compact(compact::Unpacker::new(&self.packed)),
        };
        buckets.fuse()
    }

    /// Returns the distribution of the given buckets and counts.
    pub(super) fn pack(buckets: impl Iterator<Item = (usize, u64)>, sum: u64, min: u64, max: u64) -> Histogram {
        let mut count = 0;
        let packed = pack(0, buckets.inspect(|(_, n)| count += n));
        if count == 0 {
            return Histogram::default();
        }
        Histogram { packed, compact: false, count, sum, min, max }
    }
}

impl FromIterator<Duration> for Histogram {
    fn from_iter<I: IntoIterator<Item = Duration>>(latencies: I) -> Histogram {
        let mut buckets = std::collections::BTreeMap::<usize, u64>::new();
        let (mut sum, mut min, mut max) = (0u64, u64::MAX, 0);
        for value in latencies.into_iter().map(micros) {
            *buckets.entry(bucket_of(value)).or_default() += 1;
            sum = sum.saturating_add(value);
            min = min.min(value);
            max = max.max(value);
        }
        Histogram::pack(buckets.into_iter(), sum, min, max)
    }
}

/// Returns a duration in whole microseconds.
#[inline]
pub(super) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Returns the buckets of two histograms, in rising order.
struct Merged<I: Iterator<Item = (usize, u64)>> {
    ours: Peekable<I>,
    theirs: Peekable<I>,
}

impl<I: Iterator<Item = (usize, u64)>> Iterator for Merged<I> {
    type Item = (usize, u64);

    fn next(&mut self) -> Option<(usize, u64)> {
        match (self.ours.peek(), self.theirs.peek()) {
            (Some(a), Some(b)) if a.0 == b.0 => {
                let sum = (a.0, a.1.saturating_add(b.1));
                self.ours.next();
                self.theirs.next();
                Some(sum)
            }
            (Some(a), Some(b)) if a.0 < b.0 => self.ours.next(),
            (Some(_), None) => self.ours.next(),
            _ => self.theirs.next(),
        }
    }
}

/// Packs buckets given in rising order. `bytes` is the expected size.
fn pack(bytes: usize, buckets: impl Iterator<Item = (usize, u64)>) -> Vec<u8> {
    let mut packer = Packer::with_capacity(bytes);
    buckets.for_each(|(bucket, count)| packer.push(bucket, count));
    packer.finish()
}

/// The filled buckets of a histogram, in rising order.
enum Buckets<'a> {
    Fine(Unpacker<'a>),
    Compact(compact::Unpacker<'a>),
}

impl Iterator for Buckets<'_> {
    type Item = (usize, u64);

    fn next(&mut self) -> Option<(usize, u64)> {
        match self {
            Buckets::Fine(unpacker) => unpacker.next(),
            Buckets::Compact(unpacker) => unpacker.next(),
        }
    }
}

/// Writes buckets in rising order.
struct Packer {
    bytes: Vec<u8>,
    next: usize,
}

impl Packer {
    fn with_capacity(bytes: usize) -> Packer {
        Packer { bytes: Vec::with_capacity(bytes), next: 0 }
    }

    fn push(&mut self, bucket: usize, count: u64) {
        if count == 0 {
            return;
        }
        let gap = (bucket - self.next) as u64;
        self.number(u128::from(count) << 1 | u128::from(gap > 0));
        if gap > 0 {
            self.number(u128::from(gap));
        }
        self.next = bucket + 1;
    }

    fn number(&mut self, mut number: u128) {
        while number >= 0x80 {
            self.bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }

    /// Returns the bytes. Much spare capacity is released, since snapshots live long.
    fn finish(mut self) -> Vec<u8> {
        if self.bytes.capacity() > self.bytes.len() + self.bytes.len() / 8 {
            self.bytes.shrink_to_fit();
        }
        self.bytes
    }
}

/// Reads the output of a [`Packer`], and stops at anything else, since a snapshot may come from elsewhere.
struct Unpacker<'a> {
    bytes: &'a [u8],
    next: usize,
}

impl Unpacker<'_> {
    fn number(&mut self) -> Option<u128> {
        // Most numbers have one byte.
        if let [byte @ 0..0x80, rest @ ..] = self.bytes {
            self.bytes = rest;
            return Some(u128::from(*byte));
        }
        let (mut number, mut shift) = (0u128, 0);
        loop {
            let (&byte, rest) = self.bytes.split_first()?;
            self.bytes = rest;
            number |= u128::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
            shift += 7;
            if shift > 70 {
                return None;
            }
        }
    }
}

impl Iterator for Unpacker<'_> {
    type Item = (usize, u64);

    fn next(&mut self) -> Option<(usize, u64)> {
        let token = self.number()?;
        if token & 1 == 1 {
            self.next = self.next.checked_add(usize::try_from(self.number()?).ok()?)?;
        }
        let bucket = self.next;
        if bucket >= BUCKETS {
            return None;
        }
        self.next += 1;
        Some((bucket, u64::try_from(token >> 1).ok()?))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::{super::buckets::HIGHEST, *};

    fn reference(values: &[u64]) -> hdrhistogram::Histogram<u64> {
        let mut reference = hdrhistogram::Histogram::new_with_bounds(1, HIGHEST, 3).unwrap();
        values.iter().for_each(|value| reference.saturating_record(*value));
        reference
    }

    fn ours(values: &[u64]) -> Histogram {
        values.iter().copied().map(Duration::from_micros).collect()
    }

    /// Latencies of all magnitudes, some above an hour.
    fn latencies() -> impl Strategy<Value = Vec<u64>> {
        let latency = (0u32..34, 0u64..1 << 34).prop_map(|(bits, value)| value & ((1 << bits) - 1));
        proptest::collection::vec(latency, 1..400)
    }

    #[test]
    fn percentiles_need_enough_latencies() {
        for (percent, fewest) in
            [(0.0, 1), (50.0, 1), (75.0, 3), (90.0, 9), (95.0, 19), (99.0, 99), (99.9, 999), (100.0, 1)]
        {
            let of = |count: u64| ours(&(1..=count).collect::<Vec<_>>()).percentile_if_enough(percent);
            assert_eq!(of(fewest - 1), None, "p{percent} of {}", fewest - 1);
            assert!(of(fewest).is_some() && of(10 * fewest).is_some(), "p{percent} of {fewest}");
        }
    }

    proptest! {
        #[test]
        fn percentiles_are_those_of_hdrhistogram(values in latencies(), percents in proptest::collection::vec(0.0f64..=100.0, 8)) {
            let (ours, reference) = (ours(&values), reference(&values));
            prop_assert_eq!(ours.count(), reference.len());
            prop_assert_eq!(ours.max().as_micros() as u64, *values.iter().max().unwrap());
            prop_assert_eq!(ours.min().as_micros() as u64, *values.iter().min().unwrap());
            for percent in percents.into_iter().chain([50.0, 90.0, 95.0, 99.0, 99.9, 100.0]) {
                let theirs = reference.value_at_percentile(percent);
                let ours_at = ours.percentile(percent).as_micros() as u64;
                // Both name the same bucket; ours never exceeds the longest latency.
                prop_assert_eq!(bucket_of(ours_at), bucket_of(theirs.min(HIGHEST)), "p{}", percent);
                prop_assert!(ours_at <= theirs || theirs >= HIGHEST);
            }
        }

        #[test]
        fn merged_is_recorded_together(a in latencies(), b in latencies(), c in latencies()) {
            let together = ours(&[a.clone(), b.clone(), c.clone()].concat());
            let mut left = ours(&a);
            left.merge(&ours(&b));
            left.merge(&ours(&c));
            prop_assert_eq!(&left, &together);
            let mut right = ours(&c);
            right.merge(&ours(&b));
            right.merge(&ours(&a));
            prop_assert_eq!(&right, &together);
            let mut all = Histogram::default();
            all.merge_all([&ours(&a), &Histogram::default(), &ours(&b), &ours(&c)]);
            prop_assert_eq!(&all, &together);
            let mut compact = ours(&b);
            compact.make_compact();
            all = ours(&a);
            all.merge_all([&compact, &ours(&c)]);
            let mut together = compact;
            together.merge(&ours(&[a, c].concat()));
            prop_assert_eq!(&all, &together);
        }

        /// Making histograms compact at any time loses no count, keeps the minimum, maximum and mean exact, and makes percentiles
        /// at most 1 % too high.
        #[test]
        fn compact_percentiles_are_at_most_one_percent_too_high(
            parts in proptest::collection::vec((latencies(), proptest::bool::ANY), 1..4),
            percents in proptest::collection::vec(0.0f64..=100.0, 8),
        ) {
            let mut compact = Histogram::default();
            for (values, first) in &parts {
                let mut part = ours(values);
                if *first {
                    part.make_compact();
                }
                compact.merge(&part);
            }
            compact.make_compact();
            let mut values = parts.into_iter().flat_map(|(values, _)| values).collect::<Vec<_>>();
            values.sort_unstable();
            let exact = ours(&values);
            prop_assert_eq!((compact.count(), compact.mean()), (exact.count(), exact.mean()));
            prop_assert_eq!((compact.min(), compact.max()), (exact.min(), exact.max()));
            prop_assert_eq!(compact.iter().map(|(_, count)| count).sum::<u64>(), exact.count());
            for percent in percents.into_iter().chain([0.0, 50.0, 95.0, 99.0, 100.0]) {
                let rank = (percent / 100.0 * values.len() as f64).ceil().max(1.0) as usize;
                let (real, at) = (values[rank - 1], compact.percentile(percent).as_micros() as u64);
                // Values above an hour count in the last bucket.
                prop_assert!(real.min(HIGHEST) <= at && (real > HIGHEST || at * 100 <= real * 101), "p{percent}: {at} for {real}");
            }
            let mut again = compact.clone();
            again.make_compact();
            prop_assert_eq!(again, compact);
        }

        #[test]
        fn serialises_and_deserialises(values in latencies()) {
            let mut histogram = ours(&values);
            if values.len() % 2 == 0 {
                histogram.make_compact();
            }
            let text = serde_json::to_string(&histogram).unwrap();
            prop_assert_eq!(serde_json::from_str::<Histogram>(&text).unwrap(), histogram);
        }

        #[test]
        fn any_bytes_from_elsewhere_are_read_without_harm(packed: Vec<u8>, compact: bool, count: u64, min: u64, max: u64) {
            let histogram = Histogram { packed, compact, count, sum: u64::MAX, min, max };
            prop_assert!(histogram.percentile(50.0) <= histogram.max());
            let mut other = ours(&[3]);
            other.merge(&histogram);
            other.merge(&histogram);
            prop_assert!(other.percentile(100.0) <= other.max());
        }
    }

    #[test]
    fn every_bucket_is_hdrhistograms() {
        let reference = reference(&[1]);
        for bucket in 0..BUCKETS {
            let highest = highest_in(bucket);
            if highest > HIGHEST {
                break;
            }
            assert_eq!(bucket_of(highest), bucket);
            assert_eq!(reference.highest_equivalent(highest), highest);
            let lowest = reference.lowest_equivalent(highest);
            assert_eq!(bucket_of(lowest), bucket);
            assert!(lowest == 0 || bucket_of(lowest - 1) == bucket - 1);
        }
        assert!(bucket_of(u64::MAX) < BUCKETS);
    }

    #[test]
    fn three_digits_hold() {
        let one = ours(&[123_456_789]);
        assert_eq!(one.percentile(50.0), one.max(), "a single value is exact");
        let two = ours(&[123_456_789, 200_000_000]);
        let median = two.percentile(50.0).as_micros() as f64;
        assert!((median / 123_456_789.0 - 1.0).abs() < 0.001);
    }

    /// 50,000 latencies around 2 ms: one second of a run at full speed.
    #[test]
    fn compact_is_ten_times_smaller() {
        let mut random = 1_u64;
        let mut uniform = || {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 11) as f64 / (1_u64 << 53) as f64
        };
        let values: Vec<_> = (0..50_000).map(|_| (2_000.0 * (-uniform().ln()).powf(0.7)) as u64 + 60).collect();
        let fine = ours(&values);
        let mut compact = fine.clone();
        compact.make_compact();
        let (before, after) = (fine.packed.len(), compact.packed.len());
        assert!(after * 9 < before && after < 450, "{before} bytes became {after}");
        assert_eq!(compact.packed.capacity(), after);
    }

    #[test]
    fn nothing_recorded_is_all_zero() {
        let nothing = Histogram::default();
        assert_eq!((nothing.mean(), nothing.min(), nothing.max()), Default::default());
        assert_eq!(nothing.percentile(99.0), Duration::ZERO);
        let mut some = ours(&[7]);
        some.merge(&nothing);
        assert_eq!(some, ours(&[7]));
    }

    #[test]
    fn beyond_an_hour_the_maximum_stays_true() {
        let day = ours(&[1, 86_400_000_000]);
        assert_eq!(day.max(), Duration::from_secs(86_400));
        assert_eq!(day.mean(), Duration::from_micros(43_200_000_000));
    }
}
