//! Random picks by weight.

/// Cumulative weights, so that a pick is a binary search.
#[derive(Debug, Clone, PartialEq)]
pub struct WeightTable {
    cumulative: Vec<f64>,
}

impl WeightTable {
    /// Returns a table of weights, which must be finite and above 0, or `None` if there are no weights.
    pub fn new(weights: impl IntoIterator<Item = f64>) -> Option<WeightTable> {
        let weights: Vec<f64> = weights.into_iter().collect();
        // Scaled by the largest one, so that the sum of huge weights is finite.
        let largest = weights.iter().copied().fold(0.0, f64::max);
        let mut sum = 0.0;
        let cumulative: Vec<f64> = weights
            .iter()
            .map(|weight| {
                sum += weight / largest;
                sum
            })
            .collect();
        (!cumulative.is_empty()).then_some(WeightTable { cumulative })
    }

    /// Returns the index for a random number in `0.0..1.0`.
    pub fn pick(&self, random: f64) -> usize {
        let last = self.cumulative.len() - 1;
        let wanted = random * self.cumulative[last];
        // Rounding can make `wanted` equal to the sum.
        self.cumulative.partition_point(|sum| *sum <= wanted).min(last)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_number_on_an_edge_picks_the_next_index() {
        let table = WeightTable::new([1.0, 3.0]).unwrap();
        assert_eq!([0.0, 0.249, 0.25, 0.999_999].map(|random| table.pick(random)), [0, 0, 1, 1]);
        assert_eq!(table.pick(1.0), 1);
        assert_eq!(WeightTable::new([]), None);
        assert_eq!(WeightTable::new([f64::MAX, f64::MAX]).unwrap().pick(0.6), 1);
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 64,
            rng_seed: prop::test_runner::RngSeed::Fixed(11),
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn picks_follow_the_weights(weights in prop::collection::vec(0.3_f64..98.7, 1..12), seed: u64) {
            const PICKS: u32 = 20_000;
            let table = WeightTable::new(weights.iter().copied()).unwrap();
            let mut rng = fastrand::Rng::with_seed(seed);
            let mut counts = vec![0_u32; weights.len()];
            for _ in 0..PICKS {
                counts[table.pick(rng.f64())] += 1;
            }
            let sum: f64 = weights.iter().sum();
            let chi_square: f64 = weights.iter().zip(&counts).map(|(weight, count)| {
                let expected = weight / sum * f64::from(PICKS);
                (f64::from(*count) - expected).powi(2) / expected
            }).sum();
            // Far above the 99.999 % quantile for up to 11 degrees of freedom (about 43).
            prop_assert!(chi_square < 50.0, "chi square {chi_square} for {weights:?}: {counts:?}");
        }
    }
}
