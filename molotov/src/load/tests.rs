//! Plans and schedules, compared with simple computations of the same.

use std::time::Duration;

use proptest::prelude::*;

use super::{Levels, Load, Model, OpenModel, Part, Schedule, levels::DoubleArea, plan::MAX_OPEN_WORKERS};
use crate::options::{Args, Arrivals, Options, Rate, Stage, Stages, WhenBusy};

const PER_SECOND: u64 = 3_600_000_000;

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Pieces of up to two seconds and 50 starts per second, some of them without load or as jumps.
fn any_rate() -> impl Strategy<Value = Vec<(u64, u64, u64)>> {
    let level = prop_oneof![Just(0_u64), 0_u64..50];
    prop::collection::vec((prop_oneof![Just(0_u64), 1_u64..2_000], level.clone(), level), 1..6)
}

fn levels(pieces: &[(u64, u64, u64)], unit: u64) -> Levels {
    pieces.iter().fold(Levels::default(), |levels, (length, from, to)| levels.then(ms(*length), from * unit, to * unit))
}

fn model(rate: Levels, arrivals: Arrivals) -> OpenModel {
    OpenModel { rate, arrivals, when_busy: WhenBusy::Wait, workers: 10, seed: 42 }
}

fn all(model: &OpenModel, shard: usize, shards: usize) -> Vec<Duration> {
    let mut schedule = Schedule::new(model, Part { number: shard, of: shards });
    std::iter::from_fn(|| schedule.take()).map(|arrival| arrival.at).collect()
}

/// The starts per second at a time, and the number of starts before it, in floating-point numbers.
fn simple(pieces: &[(u64, u64, u64)], time: f64) -> (f64, f64) {
    let (mut start, mut area) = (0.0, 0.0);
    for (length, from, to) in pieces {
        let (length, from, to) = (*length as f64 / 1e3, *from as f64, *to as f64);
        let part = (time - start).clamp(0.0, length);
        let level = if length > 0.0 { from + (to - from) * part / length } else { from };
        area += (from + level) / 2.0 * part;
        if time < start + length {
            return (level, area);
        }
        start += length;
    }
    (0.0, area)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Start `k` happens when the area under the rate is `k`, and there are as many starts as the whole area says.
    #[test]
    fn even_starts_follow_the_area(pieces in any_rate()) {
        let open = model(levels(&pieces, PER_SECOND), Arrivals::Even);
        let starts = all(&open, 0, 1);
        let (_, whole) = simple(&pieces, 1e9);
        prop_assert!((starts.len() as f64 - whole).abs() < 1.0 + 1e-6, "{} of {whole}", starts.len());
        for (k, at) in starts.iter().enumerate() {
            let (level, area) = simple(&pieces, at.as_secs_f64());
            prop_assert!((area - k as f64).abs() < 1e-3, "start {k} at {at:?} with an area of {area}");
            prop_assert!(level > 0.0 || area > 0.0 || simple(&pieces, at.as_secs_f64() + 1e-3).1 > area);
        }
        prop_assert!(starts.is_sorted());
    }

    /// Each start belongs to exactly one shard, and has the same time in all divisions.
    #[test]
    fn shards_share_one_schedule(pieces in any_rate(), shards in 1_usize..8, poisson: bool) {
        let arrivals = if poisson { Arrivals::Poisson } else { Arrivals::Even };
        let open = model(levels(&pieces, PER_SECOND), arrivals);
        let mut union: Vec<Duration> = (0..shards).flat_map(|shard| all(&open, shard, shards)).collect();
        union.sort();
        prop_assert_eq!(union, all(&open, 0, 1));
    }

    /// A change of the plan leaves the starts before it where they were.
    #[test]
    fn changes_keep_earlier_starts(pieces in any_rate(), at in 0_u64..4_000, factor in 0.0_f64..3.0, poisson: bool) {
        let arrivals = if poisson { Arrivals::Poisson } else { Arrivals::Even };
        let before = model(levels(&pieces, PER_SECOND), arrivals);
        let mut schedule = Schedule::new(&before, Part::WHOLE);
        let mut starts: Vec<Duration> = Vec::new();
        while schedule.peek().is_some_and(|next| next.at < ms(at)) {
            starts.extend(schedule.take().map(|arrival| arrival.at));
        }
        let changed = before.rate.scaled_after(ms(at), factor);
        schedule.change(&changed);
        starts.extend(std::iter::from_fn(|| schedule.take()).map(|arrival| arrival.at));
        let fresh = all(&OpenModel { rate: changed, ..before.clone() }, 0, 1);
        prop_assert_eq!(starts.len(), fresh.len());
        for (start, fresh) in starts.iter().zip(&fresh) {
            prop_assert!(start.abs_diff(*fresh) < Duration::from_micros(10), "{start:?} is {fresh:?} in a new schedule");
        }
        let early = |starts: &[Duration]| starts.iter().take_while(|start| **start < ms(at)).copied().collect::<Vec<_>>();
        let (early, old) = (early(&starts), early(&all(&before, 0, 1)));
        prop_assert_eq!(early.len(), old.len());
        for (new, old) in early.iter().zip(&old) {
            prop_assert!(new.abs_diff(*old) < Duration::from_micros(10), "{new:?} was {old:?}");
        }
    }

    /// A constant replaces what follows a time, up to the same end.
    #[test]
    fn constants_replace_what_follows(pieces in any_rate(), at in 0_u64..4_000, level in 0_u64..50) {
        let before = levels(&pieces, PER_SECOND);
        let changed = before.constant_after(ms(at), level * PER_SECOND);
        prop_assert_eq!(changed.end(), before.end());
        let end = before.end().max(ms(at));
        let rest = (end - ms(at)).as_nanos() * 2 * u128::from(level * PER_SECOND);
        let area = before.double_area(ms(at)) + rest;
        // Where a piece is divided, its value is rounded.
        prop_assert!(changed.double_area(end).abs_diff(area) <= end.as_nanos() * 2, "{changed:?}");
        prop_assert_eq!(changed.at(ms(at)), if ms(at) < before.end() { (level * PER_SECOND) as f64 } else { 0.0 });
    }

    /// A worker runs exactly while the planned number of workers is above its number.
    #[test]
    fn workers_run_while_the_level_is_above_their_number(pieces in any_rate(), number in 0_u64..50) {
        let plan = levels(&pieces, 1);
        let is_above = |time: f64| {
            let (level, _) = simple(&pieces, time);
            level > number as f64
        };
        let (mut from, end) = (Duration::ZERO, plan.end());
        let mut edges = vec![];
        while let Some(start) = plan.rise_above(number, from) {
            let stop = plan.fall_to(number, start);
            prop_assert!(start >= from && stop > start && stop <= end, "{start:?} to {stop:?} of {end:?}");
            edges.push((start.as_secs_f64(), stop.as_secs_f64()));
            from = stop;
        }
        for tick in 0..end.as_millis() as u64 {
            let time = tick as f64 / 1e3 + 0.000_5;
            let near_an_edge = edges.iter().any(|(start, stop)| (time - start).abs() < 1e-3 || (time - stop).abs() < 1e-3);
            let runs = edges.iter().any(|(start, stop)| (*start..*stop).contains(&time));
            prop_assert!(near_an_edge || runs == is_above(time), "at {time}: {runs} with {edges:?}");
        }
    }
}

/// With a fixed seed, the gaps of a Poisson process pass the test of Kolmogorov and Smirnov for an exponential distribution.
#[test]
fn poisson_gaps_are_exponentially_distributed() {
    let rate = Levels::constant(100 * PER_SECOND, Duration::from_secs(200));
    let starts = all(&model(rate, Arrivals::Poisson), 0, 1);
    let mut gaps: Vec<f64> = starts.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64()).collect();
    gaps.sort_by(f64::total_cmp);
    let count = gaps.len() as f64;
    assert!((count - 20_000.0).abs() < 4.0 * 20_000_f64.sqrt(), "{count}");
    let distance = gaps.iter().enumerate().map(|(index, gap)| {
        let expected = 1.0 - (-100.0 * gap).exp();
        (expected - index as f64 / count).abs().max((expected - (index as f64 + 1.0) / count).abs())
    });
    let distance = distance.fold(0.0, f64::max);
    // The critical value at 1 %.
    assert!(distance < 1.63 / count.sqrt(), "{distance}");
    let even = all(&model(Levels::constant(100 * PER_SECOND, Duration::from_secs(200)), Arrivals::Even), 0, 1);
    assert_eq!(even.len(), 20_000);
    assert_eq!(even[19_999], ms(199_990));
}

#[test]
fn counts_are_exact_at_the_ends_of_pieces() {
    // 100 starts per minute are no whole number of starts per nanosecond.
    let rate: Rate = "100/m".parse().unwrap_or(Rate::per_second(0.0));
    let minute = Levels::constant(rate.micros_per_hour(), Duration::from_secs(60));
    assert_eq!(all(&model(minute, Arrivals::Even), 0, 1).len(), 100);
    let day = Levels::constant(20_000 * PER_SECOND, Duration::from_secs(86_400));
    let area: DoubleArea = day.double_area(Duration::from_secs(86_400));
    assert_eq!(area, 2 * 20_000 * 3_600_000_000 * 86_400 * 1_000_000_000);
    let mut schedule = Schedule::new(&model(day, Arrivals::Even), Part { number: 1_727_999_999, of: 1_728_000_000 });
    let last = schedule.take().map(|arrival| arrival.at);
    assert_eq!(last, Some(Duration::from_secs(86_400) - Duration::from_micros(50)));
    assert!(schedule.take().is_none());
}

#[test]
fn mean_rate_is_the_area_by_its_time() {
    let rising = model(levels(&[(10_000, 0, 100), (10_000, 100, 100)], PER_SECOND), Arrivals::Even);
    let mean = |from, to| rising.mean_rate(ms(from), ms(to));
    assert_eq!([mean(0, 10_000), mean(0, 20_000), mean(10_000, 13_217), mean(7, 7)], [50.0, 75.0, 100.0, 0.0]);
}

#[test]
fn rates_of_scenarios_last_as_long_as_the_stages() {
    let own = [("chat".to_owned(), Rate::per_second(10))];
    let args =
        Args { stage: Stages(vec![Stage::workers(ms(2_000), 3), Stage::workers(ms(1_000), 0)]), ..Args::default() };
    let load = Load::new(&args, &own, true, None);
    assert_eq!((load.end(), load.starts_before(ms(9_000))), (Some(ms(3_000)), 30));
    let args = Args { duration: ms(5_000), ..Args::default() };
    assert_eq!(Load::new(&args, &own, true, None).starts_before(ms(9_000)), 50);
}

#[test]
fn streams_with_the_same_rate_start_at_their_own_times() {
    let args =
        Args { arrivals: Arrivals::Poisson, seed: Some(1), duration: Duration::from_secs(10), ..Args::default() };
    let rate = Rate::per_second(10.0);
    let load = Load::new(&args, &[("a".to_owned(), rate), ("b".to_owned(), rate)], false, None);
    let [a, b] = [0, 1].map(|number| match &load.streams[number].model {
        Model::Open(open) => all(open, 0, 1),
        Model::Closed(_) => unreachable!("both have a rate"),
    });
    assert!(a.len() > 50 && b.len() > 50 && a[..50] != b[..50]);
}

#[test]
fn every_thread_has_a_worker_of_each_stream() {
    let workers = |model: &Model| match model {
        Model::Open(open) => open.workers,
        Model::Closed(closed) => usize::try_from(closed.workers.max()).unwrap(),
    };
    let threads = |args: &Args, own: &[(String, Rate)], is_search| {
        Load::new(args, own, true, None).most_threads(is_search, workers)
    };
    let with_workers =
        |args: Args, workers| Args { workers, given: Options { workers: Some(workers), ..Options::default() }, ..args };
    let [closed, open] = [None, Some(Rate::per_second(10))].map(|rate| Args { rate, ..Args::default() });
    assert_eq!(threads(&with_workers(closed.clone(), 3), &[], false), 3);
    assert_eq!(threads(&with_workers(open.clone(), 2), &[], false), 2);
    assert_eq!(threads(&open, &[], false), MAX_OPEN_WORKERS);
    let stages = Stages(vec![Stage::workers(ms(1_000), 4), Stage::workers(ms(1_000), 1)]);
    assert_eq!(threads(&Args { stage: stages, ..Args::default() }, &[], false), 4, "the most at any time");
    let chat = [("chat".to_owned(), Rate::per_second(10))];
    assert_eq!(threads(&closed, &chat, false), 1, "one worker of a closed loop, and many at a rate");
    assert_eq!(threads(&closed, &[], true), usize::MAX, "a search adds workers");
    assert_eq!(threads(&with_workers(open, 2), &[], true), 2, "but not to a rate");
}
