//! Parses the times of a scenario: `delay = 1..3`, `delay = "exp(2s)"`, `pacing = "10s"`.

use molotov_values::{
    delay::{self, DelayError},
    time,
};
use proc_macro2::Span;
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
            parse(&text).map_err(|why| error(&why))
        }
        _ => number_of(&expression, "delay", WRONG).map(Delay::Fixed),
    }
}

fn parse(text: &str) -> std::result::Result<Delay, String> {
    match delay::parse(text) {
        Ok(delay::Delay::Fixed(time)) => Ok(Delay::Fixed(Number::Known(time.as_secs_f64(), Span::call_site()))),
        Ok(delay::Delay::Between(shortest, longest)) => {
            Ok(Delay::Between(shortest.as_secs_f64(), longest.as_secs_f64()))
        }
        Ok(delay::Delay::Exponential(mean)) => Ok(Delay::Exponential(mean.as_secs_f64())),
        Err(DelayError::Reversed(right)) => Err(format!("`delay` has its shortest time first: `\"{right}\"`")),
        Err(DelayError::Malformed | DelayError::Time(_)) => Err(WRONG.to_owned()),
    }
}

/// Parses the value of `pacing`.
pub(crate) fn pacing(input: ParseStream<'_>) -> Result<Number> {
    const WRONG: &str =
        "`pacing` is the time from one start to the next: a number of seconds, or a text such as `\"10s\"`";
    let expression: Expr = input.parse()?;
    let pacing = match &expression {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => {
            let time = time::parse(text.value().trim()).map_err(|_| Error::new(text.span(), WRONG))?;
            Number::Known(time.as_secs_f64(), text.span())
        }
        other => number_of(other, "pacing", WRONG)?,
    };
    match pacing {
        Number::Known(0.0, _) => Err(Error::new(expression.span(), "`pacing` must be longer than 0: leave it out")),
        pacing => Ok(pacing),
    }
}
