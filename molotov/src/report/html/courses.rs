//! The courses of names for the script of the page: what ended under each name over time, with distributions.
//!
//! Numbers are packed as unsigned base64 VLQ, which stays short inside JSON. A long run with many names has wider buckets and
//! longer bins, so that a page stays small.

use std::{collections::BTreeMap, sync::Arc};

use serde::Serialize;

use super::axis::Axis;
use crate::run::{CourseBin, Summary};

/// The longest courses of a page, in characters.
const MAX_SIZE: usize = 150_000;
/// The widths of buckets that are tried, as shares of the latency. The first are those of the timeline.
const WIDTHS: [f64; 6] = [0.01, 0.02, 0.05, 0.1, 0.2, 0.4];
/// The numbers of bins that are merged into one.
const FACTORS: [usize; 4] = [1, 2, 4, 8];

/// The courses of all rows of a page, and how exact they are.
#[derive(Debug, Default)]
pub(super) struct PageCourses {
    pub(super) axis: Axis,
    /// The highest latency of each bucket, in microseconds.
    pub(super) edges: Vec<u64>,
    /// How much too high a percentile can be, as a share of it.
    pub(super) width: f64,
    pub(super) scenarios: BTreeMap<Arc<str>, Course>,
    pub(super) requests: BTreeMap<Arc<str>, Course>,
    pub(super) steps: BTreeMap<Arc<str>, Course>,
}

/// What ended under a name in each bin.
#[derive(Debug, Default, Clone, Serialize)]
pub(super) struct Course {
    ok: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    failed: String,
    /// For each bin, the number of runs of filled buckets; for each run, the number of empty buckets before it, the number of its
    /// buckets, and their counts.
    latency: String,
}

/// The bins of a name: counts, and the filled buckets by their highest latency.
struct Bins {
    ok: Vec<u64>,
    failed: Vec<u64>,
    buckets: Vec<Vec<(u64, u64)>>,
}

impl PageCourses {
    pub(super) fn new(summary: &Summary, axis: &Axis) -> PageCourses {
        let courses = summary.timeline.courses();
        let kinds = [courses.scenarios(), courses.requests(), courses.steps()];
        let bins: [Vec<_>; 3] =
            kinds.map(|rows| rows.iter().map(|(name, bins)| (Arc::clone(name), read(bins, axis))).collect());
        let rows = bins.iter().flatten().flat_map(|(_, bins): &(_, Bins)| bins.buckets.iter().flatten());
        let mut uppers: Vec<u64> = rows.map(|(upper, _)| *upper).collect();
        uppers.sort_unstable();
        uppers.dedup();
        let mut levels = FACTORS.iter().flat_map(|factor| WIDTHS.map(|width| (*factor, width)));
        loop {
            // The last level is used however long it is.
            let Some((factor, width)) = levels.next() else { return PageCourses::default() };
            let packed = pack(&bins, &uppers, axis, factor, width);
            if packed.size() <= MAX_SIZE || levels.size_hint() == (0, Some(0)) {
                return packed;
            }
        }
    }

    fn size(&self) -> usize {
        let size = |course: &Course| course.ok.len() + course.failed.len() + course.latency.len();
        [&self.scenarios, &self.requests, &self.steps].into_iter().flat_map(BTreeMap::values).map(size).sum()
    }
}

/// Reads the bins of a name.
fn read(course: &[CourseBin], axis: &Axis) -> Bins {
    let count = axis.count;
    let mut bins = Bins { ok: vec![0; count], failed: vec![0; count], buckets: vec![Vec::new(); count] };
    for (index, bin) in course.iter().enumerate() {
        let Some(index) = axis.bin(index) else { break };
        bins.ok[index] += bin.ok;
        bins.failed[index] += bin.failed;
        let mut latency = bin.latency.clone();
        latency.make_compact();
        let buckets = latency.iter().map(|(upper, count)| (upper.as_micros() as u64, count));
        bins.buckets[index].extend(buckets);
    }
    bins
}

/// Packs the bins, merging `factor` of them, with buckets of this width.
fn pack(bins: &[Vec<(Arc<str>, Bins)>; 3], uppers: &[u64], axis: &Axis, factor: usize, width: f64) -> PageCourses {
    let (edges, index_of) = edges(uppers, width);
    let index_of = |upper: u64| index_of[uppers.partition_point(|other| *other < upper)];
    let pack = |rows: &[(Arc<str>, Bins)]| {
        rows.iter().map(|(name, bins)| (Arc::clone(name), course(bins, factor, index_of))).collect()
    };
    let [scenarios, requests, steps] = bins.each_ref().map(|rows| pack(rows));
    PageCourses { axis: axis.coarser(factor), edges, width, scenarios, requests, steps }
}

/// Merges neighbouring buckets that are together at most `width` wide. Returns the highest latency of each bucket, and the bucket
/// of each of `uppers`.
fn edges(uppers: &[u64], width: f64) -> (Vec<u64>, Vec<usize>) {
    let (mut edges, mut index_of): (Vec<u64>, Vec<usize>) = (Vec::new(), Vec::with_capacity(uppers.len()));
    let mut start = 0;
    for upper in uppers {
        let fits = width > WIDTHS[0] && *upper as f64 <= start as f64 * (1.0 + width);
        match edges.last_mut() {
            Some(last) if fits => *last = *upper,
            _ => {
                edges.push(*upper);
                // The lowest latency of a bucket is unknown, and at most its highest one.
                start = *upper;
            }
        }
        index_of.push(edges.len() - 1);
    }
    (edges, index_of)
}

fn course(bins: &Bins, factor: usize, index_of: impl Fn(u64) -> usize) -> Course {
    let sums = |counts: &[u64]| counts.chunks(factor).map(|counts| counts.iter().sum()).collect::<Vec<u64>>();
    let counts = |counts: &[u64]| packed(&sums(counts));
    let mut latency = String::new();
    let filled = bins.buckets.iter().rposition(|buckets| !buckets.is_empty()).map_or(0, |last| last + 1);
    for merged in bins.buckets[..filled].chunks(factor) {
        let mut buckets: Vec<_> = merged.iter().flatten().map(|(upper, count)| (index_of(*upper), *count)).collect();
        // A bin may contain the buckets of several.
        buckets.sort_unstable();
        buckets.dedup_by(|next, kept| {
            next.0 == kept.0 && {
                kept.1 += next.1;
                true
            }
        });
        distribution(&mut latency, &buckets);
    }
    Course { ok: counts(&bins.ok), failed: counts(&bins.failed), latency }
}

/// Packs counts, without the zeros at the end.
pub(super) fn packed(counts: &[u64]) -> String {
    let mut text = String::new();
    let filled = counts.iter().rposition(|count| *count > 0).map_or(0, |last| last + 1);
    counts[..filled].iter().for_each(|count| number(&mut text, *count));
    text
}

/// Writes the filled buckets of a bin.
fn distribution(text: &mut String, buckets: &[(usize, u64)]) {
    let mut runs: Vec<(usize, Vec<u64>)> = Vec::new();
    for (bucket, count) in buckets {
        match runs.last_mut() {
            Some((start, counts)) if *start + counts.len() == *bucket => counts.push(*count),
            _ => runs.push((*bucket, vec![*count])),
        }
    }
    number(text, runs.len() as u64);
    let mut next = 0;
    for (start, counts) in runs {
        number(text, (start - next) as u64);
        number(text, counts.len() as u64);
        counts.iter().for_each(|count| number(text, *count));
        next = start + counts.len();
    }
}

/// Writes a number as unsigned base64 VLQ: five bits a character, the lowest first.
fn number(text: &mut String, mut number: u64) {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    loop {
        let (digit, rest) = ((number & 31) as usize, number >> 5);
        text.push(DIGITS[digit | if rest > 0 { 32 } else { 0 }] as char);
        if rest == 0 {
            return;
        }
        number = rest;
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Reads numbers, as the script does.
    pub(in crate::report::html) fn numbers(text: &str) -> Vec<u64> {
        let (mut numbers, mut number, mut shift) = (Vec::new(), 0, 0);
        for byte in text.bytes() {
            let digit = match byte {
                b'A'..=b'Z' => byte - b'A',
                b'a'..=b'z' => byte - b'a' + 26,
                b'0'..=b'9' => byte - b'0' + 52,
                b'-' => 62,
                _ => 63,
            };
            number |= u64::from(digit & 31) << shift;
            shift += 5;
            if digit < 32 {
                numbers.push(std::mem::take(&mut number));
                shift = 0;
            }
        }
        numbers
    }

    #[test]
    fn numbers_of_every_size_are_packed() {
        let all = [0, 1, 31, 32, 1_023, 1_024, u64::from(u32::MAX), 1 << 52];
        let mut text = String::new();
        all.iter().for_each(|value| number(&mut text, *value));
        assert_eq!(numbers(&text), all);
        assert!(text.starts_with("ABfgB"), "{text}");
    }

    #[test]
    fn wide_buckets_keep_their_width() {
        let uppers: Vec<u64> = (1..=4_000).collect();
        assert_eq!(edges(&uppers, 0.01).0, uppers, "the buckets of the timeline stay");
        let (edges, index_of) = edges(&uppers, 0.1);
        for (upper, index) in uppers.iter().zip(index_of) {
            assert!(edges[index] >= *upper && edges[index] as f64 <= *upper as f64 * 1.1, "{upper}: {}", edges[index]);
        }
        assert!(edges.len() < 80, "{}", edges.len());
    }

    #[test]
    fn bins_past_the_last_one_of_the_axis_belong_to_it() {
        let bin = |millis: u64| CourseBin {
            latency: [std::time::Duration::from_millis(millis)].into_iter().collect(),
            ..CourseBin::default()
        };
        let mut axis = Axis { period: 1.0, count: 1, end: 1.4, factor: 1, limit: None };
        let bins = read(&[bin(9), bin(3), bin(9)], &axis);
        let order = |upper: u64| (upper / 1_000) as usize;
        let [first, second] = [bins.buckets[0][1].0, bins.buckets[0][0].0].map(order);
        let counts = numbers(&course(&bins, 1, order).latency);
        assert_eq!(counts, [2, first as u64, 1, 1, (second - first - 1) as u64, 1, 2]);
        axis.limit = Some(1);
        assert_eq!(read(&[bin(9), bin(3)], &axis).buckets[0].len(), 1, "the second bin is not over");
    }

    #[test]
    fn distributions_are_runs_of_filled_buckets() {
        let mut text = String::new();
        distribution(&mut text, &[(3, 7), (4, 40), (9, 1)]);
        distribution(&mut text, &[]);
        assert_eq!(numbers(&text), [2, 3, 2, 7, 40, 4, 1, 1, 0]);
    }
}
