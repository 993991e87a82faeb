//! The planned starts of a shard, under a plan with a rate.

use std::time::Duration;

use super::{Levels, OpenModel, Part, levels::DoubleArea};
use crate::options::Arrivals;

/// Twice the area under a rate for one start: a millionth per hour, in nanoseconds.
const START: DoubleArea = 2 * 1_000_000 * 3_600 * 1_000_000_000;

/// A planned start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Arrival {
    /// Its position on the unit schedule, from which a plan computes its time.
    position: DoubleArea,
    /// When it is planned, on the run's clock.
    pub(crate) at: Duration,
}

/// The planned starts of a shard, in order.
///
/// The plan alone determines the time of start number `k`. All shards compute the same schedule, and each takes its part.
#[derive(Debug)]
pub(crate) struct Schedule {
    rate: Levels,
    /// The numbers of the starts that the shard takes.
    part: Part,
    spacing: Spacing,
    /// The next start of the part.
    next: Option<Arrival>,
}

/// The positions of all starts on a schedule with one start per unit of area.
#[derive(Debug)]
enum Spacing {
    /// Start `k` is at `k`.
    Even { number: u64 },
    /// The distances between starts are exponentially distributed. Every shard draws all of them.
    Poisson { rng: fastrand::Rng, position: f64 },
}

impl Schedule {
    pub(crate) fn new(model: &OpenModel, part: Part) -> Schedule {
        let spacing = match model.arrivals {
            Arrivals::Even => Spacing::Even { number: part.number as u64 },
            Arrivals::Poisson => {
                let mut spacing = Spacing::Poisson { rng: fastrand::Rng::with_seed(model.seed), position: 0.0 };
                spacing.skip(part.number as u64 + 1);
                spacing
            }
        };
        let mut schedule = Schedule { rate: model.rate.clone(), part, spacing, next: None };
        schedule.next = schedule.arrival(schedule.spacing.position());
        schedule
    }

    /// Returns the next start of the part; `None` if no more are planned.
    pub(crate) fn peek(&self) -> Option<Arrival> {
        self.next
    }

    /// Takes the next start of the part.
    pub(crate) fn take(&mut self) -> Option<Arrival> {
        let taken = self.next?;
        self.spacing.skip(self.part.of as u64);
        self.next = self.arrival(self.spacing.position());
        Some(taken)
    }

    /// Changes the plan. Starts that were not taken get new times.
    pub(crate) fn change(&mut self, rate: &Levels) {
        self.rate.clone_from(rate);
        self.next = self.arrival(self.spacing.position());
    }

    /// Returns when a start that was taken is planned after a change of the plan; `None` if it no longer is.
    pub(crate) fn again(&self, arrival: Arrival) -> Option<Arrival> {
        self.arrival(arrival.position)
    }

    /// Returns about how many starts of the part are planned between two times.
    pub(crate) fn starts_between(&self, from: Duration, to: Duration) -> usize {
        let starts = starts_before(&self.rate, to).saturating_sub(starts_before(&self.rate, from));
        usize::try_from(starts / self.part.of as u64).unwrap_or(usize::MAX)
    }

    fn arrival(&self, position: DoubleArea) -> Option<Arrival> {
        Some(Arrival { position, at: self.rate.time_above(position)? })
    }
}

impl Spacing {
    fn position(&self) -> DoubleArea {
        match self {
            Spacing::Even { number } => u128::from(*number).saturating_mul(START),
            Spacing::Poisson { position, .. } => (position * START as f64) as u128,
        }
    }

    /// Skips this many starts.
    fn skip(&mut self, starts: u64) {
        match self {
            Spacing::Even { number } => *number = number.saturating_add(starts),
            Spacing::Poisson { rng, position } => {
                for _ in 0..starts {
                    // The logarithm of 0 is not finite, and `f64` returns 0 but never 1.
                    *position -= (1.0 - rng.f64()).ln();
                }
            }
        }
    }
}

/// Returns how many starts an even plan has before a time.
pub(super) fn starts_before(rate: &Levels, time: Duration) -> u64 {
    u64::try_from(rate.double_area(time).div_ceil(START)).unwrap_or(u64::MAX)
}
