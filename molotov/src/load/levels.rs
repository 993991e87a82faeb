//! A quantity over time, in straight pieces.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A part of [`Levels`] in which the quantity changes evenly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Piece {
    from: u64,
    to: u64,
    length: Duration,
}

/// A quantity over time: straight pieces, one after the other, with jumps between them. It is 0 after the last piece.
///
/// The quantity is a number of workers, or a rate in millionths of a start per hour. At a jump, the later value counts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Levels(Vec<Piece>);

/// Twice the area under [`Levels`], in units times nanoseconds. It is exact at the ends of pieces.
pub(crate) type DoubleArea = u128;

impl Levels {
    /// Returns a constant quantity.
    pub(crate) fn constant(level: u64, length: Duration) -> Levels {
        Levels::default().then(length, level, level)
    }

    /// Adds a piece at the end. Pieces without a length only matter as jumps, which pieces with a length make anyway.
    #[must_use]
    pub(crate) fn then(mut self, length: Duration, from: u64, to: u64) -> Levels {
        if !length.is_zero() {
            self.0.push(Piece { from, to, length });
        }
        self
    }

    /// Returns when the last piece ends.
    pub(crate) fn end(&self) -> Duration {
        self.0.iter().fold(Duration::ZERO, |sum, piece| sum.saturating_add(piece.length))
    }

    /// Returns the highest value.
    pub(crate) fn max(&self) -> u64 {
        self.0.iter().map(|piece| piece.from.max(piece.to)).max().unwrap_or(0)
    }

    /// Returns the highest value after a time.
    pub(crate) fn max_after(&self, time: Duration) -> u64 {
        self.changed_after(time, |level| level.round() as u64)
            .pieces_from(time)
            .map(|(_, piece)| piece.from.max(piece.to))
            .max()
            .unwrap_or(0)
    }

    /// Returns the pieces in order: the start and the end of each, and the values there.
    pub(crate) fn lines(&self) -> impl Iterator<Item = ([Duration; 2], [u64; 2])> {
        self.pieces().map(|(start, piece)| ([start, start.saturating_add(piece.length)], [piece.from, piece.to]))
    }

    /// Returns the pieces, each with its start.
    fn pieces(&self) -> impl Iterator<Item = (Duration, &Piece)> {
        self.0.iter().scan(Duration::ZERO, |start, piece| {
            let this = *start;
            *start = start.saturating_add(piece.length);
            Some((this, piece))
        })
    }

    /// Returns the value at a time.
    pub(crate) fn at(&self, time: Duration) -> f64 {
        self.pieces()
            .find(|(start, piece)| time < start.saturating_add(piece.length))
            .map_or(0.0, |(start, piece)| piece.at(time.saturating_sub(start)))
    }

    /// Returns the first time from `from` on at which the value is above `level`.
    pub(crate) fn rise_above(&self, level: u64, from: Duration) -> Option<Duration> {
        self.pieces_from(from).find_map(|(start, piece)| {
            let earliest = from.max(start);
            if piece.is_above(level, earliest - start) {
                return Some(earliest);
            }
            (piece.to > level).then(|| start + piece.crossing(level))
        })
    }

    /// Returns the first time from `from` on at which the value is not above `level`.
    pub(crate) fn fall_to(&self, level: u64, from: Duration) -> Duration {
        let fall = self.pieces_from(from).find_map(|(start, piece)| {
            let earliest = from.max(start);
            if !piece.is_above(level, earliest - start) {
                return Some(earliest);
            }
            // The end belongs to the next piece.
            (piece.to <= level)
                .then(|| piece.crossing(level))
                .filter(|time| *time < piece.length)
                .map(|time| start + time)
        });
        fall.unwrap_or_else(|| self.end().max(from))
    }

    fn pieces_from(&self, from: Duration) -> impl Iterator<Item = (Duration, &Piece)> {
        self.pieces().filter(move |(start, piece)| start.saturating_add(piece.length) > from)
    }

    /// Returns twice the area up to a time.
    pub(crate) fn double_area(&self, time: Duration) -> DoubleArea {
        self.pieces()
            .map(|(start, piece)| piece.double_area(time.saturating_sub(start).min(piece.length)))
            .fold(0, u128::saturating_add)
    }

    /// Returns the first time at which twice the area is above `area`; `None` if it never is.
    pub(crate) fn time_above(&self, area: DoubleArea) -> Option<Duration> {
        let mut before = 0_u128;
        for (start, piece) in self.pieces() {
            let after = before.saturating_add(piece.double_area(piece.length));
            if area < after {
                return Some(start + piece.time_of(area - before));
            }
            before = after;
        }
        None
    }

    /// Multiplies the values after a time by `factor`, and rounds them.
    #[must_use]
    pub(crate) fn scaled_after(&self, time: Duration, factor: f64) -> Levels {
        self.changed_after(time, |level| (level * factor).round().max(0.0) as u64)
    }

    /// Replaces the values after a time by a constant. The end stays.
    #[must_use]
    pub(crate) fn constant_after(&self, time: Duration, level: u64) -> Levels {
        let mut changed = Levels::default();
        for (start, piece) in self.pieces() {
            let before = time.saturating_sub(start).min(piece.length);
            changed = changed.then(before, piece.from, piece.at(before).round() as u64);
        }
        changed.then(self.end().saturating_sub(time), level, level)
    }

    fn changed_after(&self, time: Duration, change: impl Fn(f64) -> u64) -> Levels {
        let mut changed = Levels::default();
        for (start, piece) in self.pieces() {
            let before = time.saturating_sub(start).min(piece.length);
            let middle = piece.at(before);
            changed = changed.then(before, piece.from, middle.round() as u64);
            changed = changed.then(piece.length - before, change(middle), change(piece.to as f64));
        }
        changed
    }
}

impl Piece {
    /// The value after this time of the piece.
    fn at(&self, time: Duration) -> f64 {
        let (from, to) = (self.from as f64, self.to as f64);
        if self.from == self.to { from } else { from + (to - from) * (time.as_secs_f64() / self.length.as_secs_f64()) }
    }

    /// Whether the value is above `level` from this time of the piece on. At a crossing, the direction of the piece decides.
    fn is_above(&self, level: u64, time: Duration) -> bool {
        match (self.from > level, self.to > level) {
            (above, to) if above == to => above,
            (false, _) => time >= self.crossing(level),
            (true, _) => time < self.crossing(level),
        }
    }

    /// When the piece, which is not constant, crosses a level between its ends.
    fn crossing(&self, level: u64) -> Duration {
        let (from, to, level) = (self.from as f64, self.to as f64, level as f64);
        self.length.mul_f64(((level - from) / (to - from)).clamp(0.0, 1.0))
    }

    /// Twice the area up to this time of the piece.
    fn double_area(&self, time: Duration) -> DoubleArea {
        let (time, length) = (time.as_nanos(), self.length.as_nanos());
        if self.from == self.to {
            return (2 * u128::from(self.from)).saturating_mul(time);
        }
        let change = u128::from(self.from.abs_diff(self.to)) * time;
        // `change * time / length`, without an intermediate overflow.
        let change = (change / length).saturating_mul(time) + (change % length) * time / length;
        let steady = (2 * u128::from(self.from)).saturating_mul(time);
        if self.to >= self.from { steady.saturating_add(change) } else { steady.saturating_sub(change) }
    }

    /// The time of the piece at which twice its area reaches `area`.
    fn time_of(&self, area: DoubleArea) -> Duration {
        let (from, area) = (self.from as f64, area as f64);
        if area == 0.0 {
            return Duration::ZERO;
        }
        let slope = (self.to as f64 - from) / self.length.as_nanos() as f64;
        let root = (from * from + slope * area).max(0.0).sqrt();
        let nanos = (area / (from + root)).min(self.length.as_nanos() as f64);
        Duration::from_nanos(nanos.round() as u64)
    }
}
