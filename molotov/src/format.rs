//! Numbers for display: up to three significant digits, with a unit.

use std::time::{Duration, SystemTime};

/// `1,234`, or `12.3M` from ten million.
pub(crate) fn count(count: u64) -> String {
    if count < 10_000_000 {
        return thousands(count);
    }
    scaled(count as f64, 1000.0, &["", "k", "M", "G", "T", "P"])
}

/// A number per second: `0.25`, `41.5`, `411`, `12,345`, `123k`.
pub(crate) fn rate(rate: f64) -> String {
    match rate {
        rate if rate < 0.005 => "0".to_owned(),
        rate if rate < 9.995 => format!("{rate:.2}"),
        rate if rate < 999.95 => format!("{rate:.1}"),
        rate if rate < 99_999.5 => thousands(rate.round() as u64),
        rate => scaled(rate, 1000.0, &["", "k", "M", "G"]),
    }
}

/// A number without a unit: `0`, `-3.25`, `0.0012`, `1,234`, `12.3M`, `1.20e-7`.
pub(crate) fn value(value: f64) -> String {
    let sign = if value < 0.0 { "-" } else { "" };
    let number = value.abs();
    let decimals = |digits: usize| {
        let text = format!("{number:.digits$}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    let text = match number {
        0.0 => return "0".to_owned(),
        number if !(0.000_1..1e18).contains(&number) => format!("{number:.2e}"),
        number if number < 0.999_5 => decimals((-number.log10()).floor() as usize + 3),
        number if number < 9.995 => decimals(2),
        number if number < 99.95 => decimals(1),
        number => count(number.round() as u64),
    };
    format!("{sign}{text}")
}

/// `0 B`, `812 B`, `1.23 KB`, `45.6 MB`, by thousands.
pub(crate) fn bytes(bytes: u64) -> String {
    scaled(bytes as f64, 1000.0, &[" B", " KB", " MB", " GB", " TB", " PB"])
}

/// `0.12 %`, `5.1 %`, `100 %`. A share is `0 %` or `100 %` only if it is exactly that.
pub(crate) fn percent(part: u64, whole: u64) -> String {
    let percent = if whole == 0 { 0.0 } else { part as f64 / whole as f64 * 100.0 };
    match percent {
        _ if part == 0 => "0 %".to_owned(),
        _ if part == whole => "100 %".to_owned(),
        percent if percent < 0.01 => "<0.01 %".to_owned(),
        percent if percent < 0.995 => format!("{percent:.2} %"),
        percent => format!("{:.1} %", percent.min(99.9)),
    }
}

/// A latency with three digits: `812µs`, `12.3ms`, `1.23s`, `12m05s`.
pub(crate) fn latency(latency: Duration) -> String {
    let micros = latency.as_micros() as f64;
    match micros {
        micros if micros < 999.5 => format!("{micros:.0}µs"),
        micros if micros < 999_500.0 => format!("{}ms", three_digits(micros / 1e3)),
        micros if micros < 99_950_000.0 => format!("{}s", three_digits(micros / 1e6)),
        _ => clock(latency),
    }
}

/// The duration of a run: `812 ms`, `30.0 s`, `12m05s`, `2h03m05s`.
pub(crate) fn elapsed(elapsed: Duration) -> String {
    match elapsed.as_secs_f64() {
        seconds if seconds < 0.9995 => format!("{:.0} ms", seconds * 1e3),
        seconds if seconds < 99.95 => format!("{seconds:.1} s"),
        _ => clock(elapsed),
    }
}

/// The duration of a run and of its pauses: `30.0 s (12.5 s paused)`.
pub(crate) fn elapsed_and_paused(time: Duration, paused: Duration) -> String {
    match paused.is_zero() {
        true => elapsed(time),
        false => format!("{} ({} paused)", elapsed(time), elapsed(paused)),
    }
}

/// `1m40s`, `2h03m05s`, to the nearest second.
pub(crate) fn clock(duration: Duration) -> String {
    let seconds = (duration + Duration::from_millis(500)).as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m{:02}s", seconds / 3600, seconds / 60 % 60, seconds % 60),
    }
}

/// A noun with its number: `1 worker`, `2,000 workers`.
pub(crate) fn plural(number: u64, noun: &str) -> String {
    let ending = match number {
        1 => "",
        _ if noun.ends_with('s') => "es",
        _ => "s",
    };
    format!("{} {noun}{ending}", count(number))
}

fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The largest unit in which the number is at least 1.
fn scaled(mut number: f64, step: f64, units: &[&str]) -> String {
    let mut units = units.iter().peekable();
    let mut unit = *units.next().expect("at least one unit");
    let whole = number.fract() == 0.0;
    let mut first = true;
    while number >= step - 0.5 && units.peek().is_some() {
        number /= step;
        unit = units.next().expect("peeked");
        first = false;
    }
    if first && whole { format!("{number:.0}{unit}") } else { format!("{}{unit}", three_digits(number)) }
}

fn three_digits(number: f64) -> String {
    match number {
        number if number < 9.995 => format!("{number:.2}"),
        number if number < 99.95 => format!("{number:.1}"),
        number => format!("{number:.0}"),
    }
}

/// A moment as a date, to the second. A clock that is set before 1970 or after 9999 shows the nearest date in between.
pub(crate) fn seconds(at: SystemTime) -> humantime::Rfc3339Timestamp {
    humantime::format_rfc3339_seconds(in_range(at))
}

/// Like [`seconds`], to the millisecond.
pub(crate) fn millis(at: SystemTime) -> humantime::Rfc3339Timestamp {
    humantime::format_rfc3339_millis(in_range(at))
}

fn in_range(at: SystemTime) -> SystemTime {
    const LAST: Duration = Duration::from_secs(253_402_300_799);
    at.clamp(SystemTime::UNIX_EPOCH, SystemTime::UNIX_EPOCH + LAST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_three_digits() {
        let shown =
            [0.0, -0.0, 3.2, 3.0, -12.345_6, 99.96, 1_234.5, 123_456_789.0, 0.001_236_2, 0.5, 0.999_6, 1.2e-7, -2e18];
        let expected =
            ["0", "0", "3.2", "3", "-12.3", "100", "1,235", "123M", "0.00124", "0.5", "1", "1.20e-7", "-2.00e18"];
        assert_eq!(shown.map(value), expected);
    }

    #[test]
    fn clocks_before_1970_have_a_date() {
        let epoch = SystemTime::UNIX_EPOCH;
        assert_eq!(seconds(epoch - Duration::from_secs(1)).to_string(), "1970-01-01T00:00:00Z");
        assert_eq!(millis(epoch + Duration::from_millis(1_500)).to_string(), "1970-01-01T00:00:01.500Z");
        assert_eq!(seconds(epoch + Duration::from_secs(1 << 40)).to_string(), "9999-12-31T23:59:59Z");
    }

    #[test]
    fn counts_have_separators_or_a_unit() {
        let counts = [0, 999, 1000, 9_999_999, 10_000_000, 1_234_567_890].map(count);
        assert_eq!(counts, ["0", "999", "1,000", "9,999,999", "10.0M", "1.23G"]);
    }

    #[test]
    fn rates_have_three_digits() {
        let rates = [0.0, 0.001, 0.25, 9.99, 41.46, 411.5, 12_345.4, 99_999.0, 123_456.0].map(rate);
        assert_eq!(rates, ["0", "0", "0.25", "9.99", "41.5", "411.5", "12,345", "99,999", "123k"]);
    }

    #[test]
    fn sizes_have_decimal_units() {
        let sizes = [0, 999, 1000, 1234, 45_600_000, 999_999].map(bytes);
        assert_eq!(sizes, ["0 B", "999 B", "1.00 KB", "1.23 KB", "45.6 MB", "1.00 MB"]);
    }

    #[test]
    fn shares_are_rounded_to_0_or_100_percent_only_if_exact() {
        let shares = [(0, 0), (0, 9), (9, 9), (1, 100_000), (1, 300), (51, 1000), (99_999, 100_000)];
        let shares = shares.map(|(part, whole)| percent(part, whole));
        assert_eq!(shares, ["0 %", "0 %", "100 %", "<0.01 %", "0.33 %", "5.1 %", "99.9 %"]);
    }

    #[test]
    fn latencies_have_three_digits_and_a_unit() {
        let micros = [0, 7, 999, 1000, 12_345, 999_499, 999_500, 1_234_567, 61_000_000, 99_950_000, 3_600_000_000];
        let latencies = micros.map(|micros| latency(Duration::from_micros(micros)));
        assert_eq!(
            latencies,
            ["0µs", "7µs", "999µs", "1.00ms", "12.3ms", "999ms", "1.00s", "1.23s", "61.0s", "1m40s", "1h00m00s"]
        );
    }

    #[test]
    fn durations_and_plurals_follow_their_size() {
        let times = [0.0, 0.812, 30.04, 725.0, 7385.0].map(|seconds| elapsed(Duration::from_secs_f64(seconds)));
        assert_eq!(times, ["0 ms", "812 ms", "30.0 s", "12m05s", "2h03m05s"]);
        let nouns = [plural(1, "worker"), plural(2000, "worker"), plural(2, "process")];
        assert_eq!(nouns, ["1 worker", "2,000 workers", "2 processes"]);
    }
}
