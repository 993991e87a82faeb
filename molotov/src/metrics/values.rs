//! Values of the user's own: counters, gauges and distributions of numbers.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

/// The ratio of the bounds of a bucket. The middle of a bucket is within 0.5 % of all its values.
const GROWTH: f64 = 1.01;
/// Numbers closer to 0 than this count as 0.
const SMALLEST: f64 = 1e-12;
/// Numbers further from 0 than this count in the last bucket.
const LARGEST: f64 = 1e18;

/// A distribution of numbers, in buckets that merge exactly.
///
/// Percentiles are within 0.5 % of the number that was recorded, if its absolute value is between 10⁻¹² and 10¹⁸. Count, sum,
/// minimum and maximum are exact.
///
/// ```
/// use molotov::metrics::Values;
///
/// let mut baskets: Values = (1..=100).map(f64::from).collect();
/// assert_eq!((baskets.count(), baskets.min(), baskets.max()), (100, 1.0, 100.0));
/// assert_eq!(baskets.mean(), 50.5);
/// assert!((baskets.percentile(95.0) - 95.0).abs() < 0.5);
/// baskets.merge(&baskets.clone());
/// assert_eq!(baskets.count(), 200);
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Values {
    /// Counts by bucket, in the order of the numbers: negative ones have negative buckets.
    buckets: BTreeMap<i32, u64>,
    count: u64,
    sum: f64,
    min: f64,
    max: f64,
}

impl Values {
    /// Returns how many numbers it contains.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Returns whether it contains no number.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Returns the sum; 0 if there is no number.
    pub fn sum(&self) -> f64 {
        self.sum
    }

    /// Returns the mean; 0 if there is no number.
    pub fn mean(&self) -> f64 {
        if self.is_empty() { 0.0 } else { self.sum / self.count as f64 }
    }

    /// Returns the smallest number; 0 if there is none.
    pub fn min(&self) -> f64 {
        self.min
    }

    /// Returns the largest number; 0 if there is none.
    pub fn max(&self) -> f64 {
        self.max
    }

    /// Returns the number that `percent` (0 to 100) of all numbers do not exceed; 0 if there is none.
    pub fn percentile(&self, percent: f64) -> f64 {
        let rank = (percent.clamp(0.0, 100.0) / 100.0 * self.count as f64).ceil().max(1.0) as u64;
        // The ends are known exactly.
        if rank == 1 {
            return self.min;
        }
        if rank >= self.count {
            return self.max;
        }
        let mut seen = 0;
        for (bucket, count) in &self.buckets {
            seen += count;
            if seen >= rank {
                return middle_of(*bucket).clamp(self.min, self.max);
            }
        }
        self.max
    }

    /// Returns the [percentile](Self::percentile) if there are enough numbers to estimate it, and `None` if not; see
    /// [`Histogram::percentile_if_enough`](super::Histogram::percentile_if_enough).
    pub fn percentile_if_enough(&self, percent: f64) -> Option<f64> {
        let is_enough = (self.count as f64 + 1.0) * (1.0 - percent / 100.0) >= 1.0 - 1e-9;
        (!self.is_empty() && (is_enough || percent >= 100.0)).then(|| self.percentile(percent))
    }

    /// Returns the filled buckets in rising order: the number in the middle of each, and its count.
    pub fn iter(&self) -> impl Iterator<Item = (f64, u64)> {
        self.buckets.iter().map(|(bucket, count)| (middle_of(*bucket), *count))
    }

    /// Adds a finite number.
    pub(crate) fn record(&mut self, value: f64) {
        debug_assert!(value.is_finite());
        *self.buckets.entry(bucket_of(value)).or_default() += 1;
        self.min = if self.is_empty() { value } else { self.min.min(value) };
        self.max = if self.is_empty() { value } else { self.max.max(value) };
        self.count += 1;
        self.sum += value;
    }

    /// Adds the numbers of `other`.
    pub fn merge(&mut self, other: &Values) {
        if other.is_empty() {
            return;
        }
        if self.is_empty() {
            self.clone_from(other);
            return;
        }
        for (bucket, count) in &other.buckets {
            *self.buckets.entry(*bucket).or_default() += count;
        }
        self.count += other.count;
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }
}

/// Numbers that are not finite are left out.
impl FromIterator<f64> for Values {
    fn from_iter<I: IntoIterator<Item = f64>>(numbers: I) -> Values {
        let mut values = Values::default();
        numbers.into_iter().filter(|number| number.is_finite()).for_each(|number| values.record(number));
        values
    }
}

/// The bucket of a number: 0 for 0, and the same distance from it for a number and its negative.
fn bucket_of(value: f64) -> i32 {
    let distance = value.abs();
    if distance < SMALLEST {
        return 0;
    }
    let bucket = ((distance.min(LARGEST) / SMALLEST).ln() / GROWTH.ln()).floor() as i32 + 1;
    if value < 0.0 { -bucket } else { bucket }
}

fn middle_of(bucket: i32) -> f64 {
    match bucket {
        0 => 0.0,
        _ => SMALLEST * GROWTH.powf(f64::from(bucket.abs()) - 0.5) * f64::from(bucket.signum()),
    }
}

/// A number that changes in both directions, such as the length of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Gauge {
    /// The last value.
    pub last: f64,
    /// The lowest value.
    pub min: f64,
    /// The highest value.
    pub max: f64,
    /// When it got its last value, as the time since the start of the run.
    pub at: Duration,
}

impl Gauge {
    /// Returns a gauge with a single value.
    pub(crate) fn new(value: f64, at: Duration) -> Gauge {
        Gauge { last: value, min: value, max: value, at }
    }

    /// Adds the values of `other`. The later one has the last value.
    pub fn merge(&mut self, other: &Gauge) {
        if other.at >= self.at {
            (self.last, self.at) = (other.last, other.at);
        }
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn negative_numbers_come_first() {
        let values: Values = [-3.0, 0.0, 2.0, -1.0, f64::NAN].into_iter().collect();
        assert_eq!((values.count(), values.min(), values.max(), values.sum()), (4, -3.0, 2.0, -2.0));
        assert_eq!(values.percentile(0.0), -3.0);
        assert_eq!(values.percentile(75.0), 0.0);
        assert_eq!(values.percentile(100.0), 2.0);
        assert_eq!(Values::default().percentile(50.0), 0.0);
    }

    #[test]
    fn the_later_value_of_a_gauge_is_the_last() {
        let mut gauge = Gauge::new(3.0, Duration::from_secs(2));
        gauge.merge(&Gauge::new(9.0, Duration::from_secs(1)));
        assert_eq!((gauge.last, gauge.min, gauge.max), (3.0, 3.0, 9.0));
        gauge.merge(&Gauge::new(1.0, Duration::from_secs(3)));
        assert_eq!((gauge.last, gauge.min, gauge.max), (1.0, 1.0, 9.0));
    }

    proptest! {
        #[test]
        fn percentiles_are_exact_to_half_a_percent(
            mut numbers in prop::collection::vec(-1e9_f64..1e9, 1..200),
            split in 0_usize..200,
            percent in 0.0_f64..=100.0,
        ) {
            let split = split.min(numbers.len());
            let mut values: Values = numbers[..split].iter().copied().collect();
            values.merge(&numbers[split..].iter().copied().collect());
            numbers.sort_by(f64::total_cmp);
            let rank = ((percent / 100.0 * numbers.len() as f64).ceil() as usize).max(1);
            let exact = numbers[rank - 1];
            prop_assert!((values.percentile(percent) - exact).abs() <= exact.abs() * 0.00501, "{exact}");
        }
    }
}
