//! Parses rates such as `500/s`, `30/m` and `0.5/h`.

/// One start per hour. Rates have a resolution of a millionth of it.
pub const PER_HOUR: u64 = 1_000_000;
/// The highest rate: a million starts per second, more than any machine can start.
pub const MAX: u64 = 1_000_000 * 3_600 * PER_HOUR;
/// The units of time: the letter, the number of seconds, and the name.
pub const UNITS: [(&str, u64, &str); 3] = [("s", 1, "second"), ("m", 60, "minute"), ("h", 3_600, "hour")];

/// Why a text is not a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateError {
    /// It is not a number and a unit of time.
    Malformed,
    /// It is below 0.
    Negative,
    /// It is above [`MAX`].
    TooHigh,
}

/// Parses a rate, and returns it in millionths of a start per hour.
///
/// # Errors
///
/// Returns an error if the text is not a rate, or the rate is negative or above [`MAX`].
pub fn parse(text: &str) -> Result<u64, RateError> {
    let (number, unit) = text.split_once('/').ok_or(RateError::Malformed)?;
    let (number, unit) = (number.trim(), unit.trim());
    let known = UNITS.into_iter().find(|(letter, _, name)| unit == *letter || unit == *name || unit == &name[..3]);
    let (_, seconds, _) = known.ok_or(RateError::Malformed)?;
    if number.strip_prefix('-').is_some_and(|rest| rest.parse::<f64>().is_ok()) {
        return Err(RateError::Negative);
    }
    let micros = millionths(number).ok_or(RateError::Malformed)?.saturating_mul(u128::from(3_600 / seconds));
    match u64::try_from(micros) {
        Ok(micros) if micros <= MAX => Ok(micros),
        _ => Err(RateError::TooHigh),
    }
}

/// Parses a decimal number, and returns it in millionths, without a rounding error of floating-point numbers.
fn millionths(number: &str) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !are_digits(whole) || !are_digits(fraction) || whole.len() + fraction.len() == 0 || whole.len() > 20 {
        return None;
    }
    let fraction: String = fraction.chars().chain("000000".chars()).take(6).collect();
    Some(format!("0{whole}").parse::<u128>().ok()? * 1_000_000 + fraction.parse::<u128>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_units_and_fractions_exactly() {
        for (text, micros) in [
            ("500/s", 500 * 3_600 * PER_HOUR),
            ("30/min", 1_800 * PER_HOUR),
            ("1800/hour", 1_800 * PER_HOUR),
            // 100/60 per second would be rounded.
            ("100/m", 6_000 * PER_HOUR),
            (" 0.1 / s ", 360 * PER_HOUR),
            ("0/s", 0),
            ("1000000/s", MAX),
        ] {
            assert_eq!(parse(text), Ok(micros), "{text}");
        }
    }

    #[test]
    fn refuses_invalid_rates() {
        for text in ["", "500", "/s", "x/s", "5/d", "1e3/s", "5//s", ".", "-/s"] {
            assert_eq!(parse(text), Err(RateError::Malformed), "{text:?}");
        }
        assert_eq!(parse("-5/s"), Err(RateError::Negative));
        for text in ["1000001/s", "99999999999999999999/s"] {
            assert_eq!(parse(text), Err(RateError::TooHigh), "{text}");
        }
    }
}
