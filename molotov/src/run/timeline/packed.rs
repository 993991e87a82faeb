//! Complete points, packed. A second at full speed takes 400 bytes instead of 4,000.

use super::point::Point;

/// The initial capacity: an hour of seconds.
const POINTS: usize = 3_600;
/// The size of a point at full speed, in bytes.
const POINT: usize = 512;

/// Points, serialized by `postcard` one after the other, with [compact](crate::metrics::Histogram) latencies.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct PackedPoints {
    bytes: Vec<u8>,
    /// The end of each point in `bytes`.
    ends: Vec<u32>,
}

impl PackedPoints {
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    pub(super) fn push(&mut self, point: Point) {
        if self.len() == 1 && self.bytes.capacity() < POINTS * POINT {
            // Written here, so that the resident memory of a run does not grow with its timeline. It would take a millisecond of a
            // run with a single point.
            let mut bytes = std::hint::black_box(vec![!0; POINTS * POINT]);
            bytes.clear();
            bytes.append(&mut self.bytes);
            self.bytes = bytes;
            self.ends.reserve_exact(POINTS);
        }
        self.bytes.extend(packed(point));
        self.ends.push(self.bytes.len() as u32);
    }

    pub(super) fn pop(&mut self) -> Option<Point> {
        let last = self.iter().next_back()?;
        self.ends.pop();
        self.bytes.truncate(self.ends.last().map_or(0, |end| *end as usize));
        Some(last)
    }

    /// Changes a point to add late measures.
    pub(super) fn change(&mut self, index: usize, change: impl FnOnce(&mut Point)) {
        let mut point = self.get(index);
        change(&mut point);
        let (place, packed) = (self.place(index), packed(point));
        let longer = packed.len() as i64 - place.len() as i64;
        self.bytes.splice(place, packed);
        for end in &mut self.ends[index..] {
            *end = (i64::from(*end) + longer) as u32;
        }
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = Point> + ExactSizeIterator {
        (0..self.len()).map(|index| self.get(index))
    }

    fn get(&self, index: usize) -> Point {
        // Only `push` and `change` write these bytes.
        postcard::from_bytes(&self.bytes[self.place(index)]).unwrap_or_default()
    }

    fn place(&self, index: usize) -> std::ops::Range<usize> {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        start..self.ends[index] as usize
    }
}

impl FromIterator<Point> for PackedPoints {
    fn from_iter<I: IntoIterator<Item = Point>>(points: I) -> PackedPoints {
        let mut completed = PackedPoints::default();
        points.into_iter().for_each(|point| completed.push(point));
        completed
    }
}

fn packed(mut point: Point) -> Vec<u8> {
    point.make_compact();
    // Serializing numbers and bytes does not fail.
    postcard::to_stdvec(&point).unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::time::Duration;

    use super::*;

    fn point(number: u64) -> Point {
        let latency = (1..number * 10).map(|n| Duration::from_micros(n * n)).collect();
        Point { at: Duration::from_secs(number), successes: number, latency, ..Point::default() }
    }

    fn compact(number: u64) -> Point {
        let mut point = point(number);
        point.latency.make_compact();
        point
    }

    #[test]
    fn returns_points_in_order_after_changes() {
        let mut completed: PackedPoints = (1..=50).map(point).collect();
        assert!(completed.iter().eq((1..=50).map(compact)));
        for index in [0, 30, 49] {
            let before = completed.iter().nth(index).unwrap();
            completed.change(index, |late| late.latency.merge(&[Duration::from_secs(9); 3].into_iter().collect()));
            let after = completed.iter().nth(index).unwrap();
            assert_eq!(after.latency.count(), before.latency.count() + 3);
            assert_eq!((after.latency.max(), after.successes), (Duration::from_secs(9), before.successes));
        }
        assert!(completed.iter().map(|point| point.successes).eq(1..=50));
        assert_eq!(completed.pop().unwrap().successes, 50);
        assert_eq!(completed.pop(), Some(compact(49)));
        completed.push(point(7));
        assert_eq!((completed.len(), completed.iter().next_back()), (49, Some(compact(7))));
    }
}
