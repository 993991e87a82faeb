//! Parses the rate of a scenario: `"10/s"`.
//!
//! The SDK parses the same texts, in `options/rate.rs`. A crate of attributes cannot export functions, and an error that the
//! compiler reports for a constant would show more of the expansion than of the mistake.

/// The highest rate, in millionths of a start per hour.
const MAX: u128 = 1_000_000 * 3_600 * 1_000_000;

/// Returns a rate in millionths of a start per hour, or why the text is not one.
pub(crate) fn parse(text: &str) -> Result<u64, &'static str> {
    const WRONG: &str = "is a number and a unit of time: write `rate = \"10/s\"`, `\"30/m\"` or `\"2000/h\"`";
    let (number, unit) = text.split_once('/').ok_or(WRONG)?;
    let per_hour = match unit.trim() {
        "s" | "sec" | "second" => 3_600,
        "m" | "min" | "minute" => 60,
        "h" | "hou" | "hour" => 1,
        _ => return Err(WRONG),
    };
    match millionths(number.trim()).ok_or(WRONG)?.saturating_mul(per_hour) {
        0 => Err("must be higher than 0"),
        micros if micros > MAX => Err("is at most `\"1000000/s\"`"),
        micros => Ok(micros as u64),
    }
}

fn millionths(number: &str) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !are_digits(whole) || !are_digits(fraction) || whole.len() + fraction.len() == 0 || whole.len() > 20 {
        return None;
    }
    let fraction: String = fraction.chars().chain("000000".chars()).take(6).collect();
    Some(format!("0{whole}").parse::<u128>().ok()? * 1_000_000 + fraction.parse::<u128>().ok()?)
}
