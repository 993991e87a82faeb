//! Picking at random by weight.

/// Weights, added up so that a pick is one binary search.
#[derive(Debug, Clone, PartialEq)]
pub struct WeightTable {
    cumulative: Vec<f64>,
}

impl WeightTable {
    /// A table of weights, all of them above 0 and finite; `None` when there is none.
    pub fn new(weights: impl IntoIterator<Item = f64>) -> Option<WeightTable> {
        let weights: Vec<f64> = weights.into_iter().collect();
        // Scaled by the largest one: the sum of huge weights stays finite.
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

    /// The index that a random number from `0.0` up to, not including, `1.0` picks.
    pub fn pick(&self, random: f64) -> usize {
        let last = self.cumulative.len() - 1;
        let wanted = random * self.cumulative[last];
        // Rounding may take `wanted` up to the sum itself.
        self.cumulative.partition_point(|sum| *sum <= wanted).min(last)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn edges_belong_to_the_next() {
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
