//! Parses the times of a scenario: `delay = 1..3`, `delay = "exp(2s)"`, `pacing = "10s"`.
//!
//! The SDK parses the same texts, in `options/delay.rs`; see `rate.rs` for the reason.

use syn::{Error, Expr, ExprLit, ExprRange, Lit, Result, parse::ParseStream, spanned::Spanned};

use crate::attribute::{Number, number_of};

/// A delay, in seconds.
pub(crate) enum Delay {
    Fixed(Number),
    Between(f64, f64),
    Exponential(f64),
}

const WRONG: &str = "`delay` is a number of seconds, a range (`1..3`), or a text such as `\"500ms\"`, `\"1s..3s\"` or \
                     `\"exp(2s)\"`";

/// Parses the value of `delay`.
pub(crate) fn delay(input: ParseStream<'_>) -> Result<Delay> {
    let expression: Expr = input.parse()?;
    let error = |why: &str| Error::new(expression.span(), why);
    match &expression {
        Expr::Range(ExprRange { start: Some(start), end: Some(end), .. }) => {
            match (number_of(start, "delay", WRONG)?, number_of(end, "delay", WRONG)?) {
                (Number::Known(start, _), Number::Known(end, _)) if start <= end => Ok(Delay::Between(start, end)),
                (Number::Known(..), Number::Known(..)) => Err(error("`delay` has its shortest time first: `1..3`")),
                _ => Err(error("`delay` is a range of literals: write `delay = 1..3`")),
            }
        }
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => {
            let text = text.value();
            if text.trim().parse::<f64>().is_ok() {
                return Err(error(&format!("{WRONG}: write `delay = {}` without quotes", text.trim())));
            }
            parse(text.trim()).map_err(error)
        }
        _ => number_of(&expression, "delay", WRONG).map(Delay::Fixed),
    }
}

fn parse(text: &str) -> std::result::Result<Delay, &'static str> {
    if let Some(mean) = text.strip_prefix("exp(").and_then(|rest| rest.strip_suffix(')')) {
        return seconds(mean).map(Delay::Exponential).ok_or(WRONG);
    }
    if let Some((shortest, longest)) = text.split_once("..") {
        let longest = longest.trim_start_matches('=');
        return match (seconds(shortest), seconds(longest)) {
            (Some(shortest), Some(longest)) if shortest <= longest => Ok(Delay::Between(shortest, longest)),
            (Some(_), Some(_)) => Err("`delay` has its shortest time first: `\"1s..3s\"`"),
            _ => Err(WRONG),
        };
    }
    let seconds = seconds(text).ok_or(WRONG)?;
    Ok(Delay::Fixed(Number::Known(seconds, proc_macro2::Span::call_site())))
}

/// Parses the value of `pacing`.
pub(crate) fn pacing(input: ParseStream<'_>) -> Result<Number> {
    const WRONG: &str =
        "`pacing` is the time from one start to the next: a number of seconds, or a text such as `\"10s\"`";
    let expression: Expr = input.parse()?;
    let pacing = match &expression {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => {
            let seconds = seconds(&text.value()).ok_or_else(|| Error::new(text.span(), WRONG))?;
            Number::Known(seconds, text.span())
        }
        other => number_of(other, "pacing", WRONG)?,
    };
    match pacing {
        Number::Known(0.0, _) => Err(Error::new(expression.span(), "`pacing` must be longer than 0: leave it out")),
        pacing => Ok(pacing),
    }
}

/// Parses a time with units that descend: `90s`, `1m30s`, `250ms`; a number without a unit is in seconds.
fn seconds(text: &str) -> Option<f64> {
    let mut rest = text.trim();
    if rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return rest.parse().ok();
    }
    let (mut seconds, mut smallest) = (0.0, f64::INFINITY);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let unit = match &rest[..letters] {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3_600.0,
            _ => return None,
        };
        if unit >= smallest {
            return None;
        }
        (smallest, seconds) = (unit, seconds + number * unit);
        rest = rest[letters..].trim_start();
    }
    smallest.is_finite().then_some(seconds)
}
