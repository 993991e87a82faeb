//! Confidence intervals of what a step measures.
//!
//! Latencies that follow each other are correlated: while a queue is long, all of them are. So a step is divided into batches, whose
//! differences show how much the measures vary.

/// The confidence of an interval is about 99 %. It is high because a step is judged several times.
const Z: f64 = 2.58;
/// The largest number of batches of a step.
const BATCHES: usize = 10;

/// A sum and what it is divided by, such as failures and scenarios, or seconds of latency and scenarios.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Quotient {
    pub(super) of: f64,
    pub(super) by: f64,
}

/// A measured value and its confidence interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Interval {
    pub(super) low: f64,
    pub(super) value: f64,
    pub(super) high: f64,
}

impl Quotient {
    pub(super) fn new(of: f64, by: f64) -> Quotient {
        Quotient { of, by }
    }

    fn sum<'a>(parts: impl IntoIterator<Item = &'a Quotient>) -> Quotient {
        parts.into_iter().fold(Quotient::default(), |sum, part| Quotient::new(sum.of + part.of, sum.by + part.by))
    }

    pub(super) fn value(self) -> f64 {
        if self.by > 0.0 { self.of / self.by } else { 0.0 }
    }
}

/// Returns the interval of a mean or a rate, from what consecutive blocks measured.
pub(super) fn mean(blocks: &[Quotient]) -> Option<Interval> {
    let batches = batches(blocks);
    let value = Quotient::sum(&batches).value();
    let half = student(batches.len())? * variance(&batches).sqrt();
    Some(Interval { low: value - half, value, high: value + half })
}

/// Returns the interval of a share, from what consecutive blocks measured: that of Wilson, for as many independent samples as vary
/// as much as the batches do.
pub(super) fn share(blocks: &[Quotient]) -> Option<Interval> {
    let sum = Quotient::sum(blocks);
    if sum.by <= 0.0 {
        return None;
    }
    let (share, independent) = (sum.value().clamp(0.0, 1.0), sum.value() * (1.0 - sum.value()) / sum.by);
    let batches = batches(blocks);
    let inflation = if independent > 0.0 { (variance(&batches) / independent).max(1.0) } else { 1.0 };
    let (samples, z) = (sum.by / inflation, if inflation > 1.0 { student(batches.len()).unwrap_or(Z) } else { Z });
    let square = z * z;
    let middle = (share + square / (2.0 * samples)) / (1.0 + square / samples);
    let half =
        z * (share * (1.0 - share) / samples + square / (4.0 * samples * samples)).sqrt() / (1.0 + square / samples);
    Some(Interval { low: middle - half, value: share, high: middle + half })
}

/// Divides blocks into at most [`BATCHES`] batches of the same length. The last blocks are left out if they do not fill a batch.
fn batches(blocks: &[Quotient]) -> Vec<Quotient> {
    let length = blocks.len().div_ceil(BATCHES).max(1);
    let batches = blocks.chunks_exact(length).map(Quotient::sum);
    batches.filter(|batch| batch.by > 0.0).collect()
}

/// The variance of the quotient of the sums.
fn variance(batches: &[Quotient]) -> f64 {
    let (count, sum) = (batches.len() as f64, Quotient::sum(batches));
    if batches.len() < 2 {
        return 0.0;
    }
    let value = sum.value();
    let squares: f64 = batches.iter().map(|batch| (batch.of - value * batch.by).powi(2)).sum();
    squares * count / (count - 1.0) / (sum.by * sum.by)
}

/// The factor of Student's distribution for as many batches; `None` if they are too few.
fn student(batches: usize) -> Option<f64> {
    (batches >= 4).then(|| {
        let freedom = batches as f64 - 1.0;
        // The first terms of the expansion of Cornish and Fisher.
        let (cube, fifth) = (Z.powi(3), Z.powi(5));
        Z + (cube + Z) / (4.0 * freedom) + (5.0 * fifth + 16.0 * cube + 3.0 * Z) / (96.0 * freedom * freedom)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(values: &[f64], by: f64) -> Vec<Quotient> {
        values.iter().map(|of| Quotient::new(*of, by)).collect()
    }

    #[test]
    fn student_factors_match_the_tables() {
        // Two-sided, 99 %.
        for (freedom, table) in [(5, 4.032), (6, 3.707), (9, 3.250), (29, 2.756)] {
            let factor = student(freedom + 1).unwrap_or_default();
            assert!((factor - table).abs() < 0.05 * table, "{factor} for {freedom}");
        }
    }

    #[test]
    fn the_interval_of_a_share_is_that_of_wilson() {
        // 10 of 200, at 99 %: 0.0228 to 0.1062.
        let interval = share(&blocks(&[1.0; 10], 20.0)).expect("it has samples");
        assert!((interval.low - 0.0228).abs() < 1e-4 && (interval.high - 0.1062).abs() < 1e-3, "{interval:?}");
        assert_eq!(share(&blocks(&[0.0; 3], 0.0)), None);
        let none = share(&blocks(&[0.0; 10], 100.0)).expect("it has samples");
        assert!(none.low.abs() < 1e-12 && none.high < 0.01, "{none:?}");
    }

    #[test]
    fn correlated_samples_widen_the_interval() {
        let spread = share(&blocks(&[5.0; 10], 100.0)).expect("it has samples");
        let mut clustered = [0.0; 10];
        clustered[9] = 50.0;
        let clustered = share(&blocks(&clustered, 100.0)).expect("it has samples");
        assert!(spread.value == clustered.value && spread.high < 0.08 && clustered.high > 0.2, "{clustered:?}");
    }

    /// The intervals of means of random samples hold the truth about as often as they should.
    #[test]
    fn intervals_hold_the_truth() {
        let mut rng = fastrand::Rng::with_seed(3);
        let missed = |interval: Interval, truth: f64| interval.low > truth || interval.high < truth;
        let (mut shares, mut means) = (0, 0);
        for _ in 0..1_000 {
            let measured: Vec<f64> = (0..20).map(|_| (0..20).filter(|_| rng.f64() < 0.1).count() as f64).collect();
            shares += usize::from(share(&blocks(&measured, 20.0)).is_some_and(|interval| missed(interval, 0.1)));
            let measured: Vec<f64> = (0..20).map(|_| (0..20).map(|_| rng.f64()).sum()).collect();
            means += usize::from(mean(&blocks(&measured, 20.0)).is_some_and(|interval| missed(interval, 0.5)));
        }
        assert!(shares <= 30 && means <= 30, "{shares} and {means} of 1,000 were missed");
    }
}
