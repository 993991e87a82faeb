//! The types of options, and how their values are parsed and written.

use std::{path::PathBuf, time::Duration};

use http::Method;
use serde_json::Value as Json;

use super::{BaseUrl, Cookie, Header, InvalidValue, Rate, ReportTarget, Threshold, WebAddress, duration};

/// The kind of the values of an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ValueKind {
    /// Given or not; in JSON `true` or `false`.
    Flag,
    /// Given any number of times; in JSON a number.
    Count,
    Number,
    /// In JSON, a number of seconds or a text.
    Time,
    Text,
    /// In JSON, a text or a number.
    Port,
    /// Any number of texts.
    List,
    /// Options of scenarios by name; in JSON only.
    Scenarios,
}

/// The type of an option.
pub(crate) trait Value: Clone {
    /// The type that a text is parsed to: the value, or an item of a list.
    type One;

    const KIND: ValueKind;

    /// The valid values, if there are few.
    const CHOICES: &'static [&'static str] = &[];

    /// Parses a value of the command line.
    ///
    /// # Errors
    ///
    /// If the text is not a valid value.
    fn read(text: &str) -> Result<Self::One, InvalidValue>;

    fn from_one(one: Self::One) -> Self;

    /// Adds a value that is given later.
    fn add(&mut self, later: Self) {
        *self = later;
    }

    /// The value of an option that is set to nothing: no number, or an empty list.
    fn nothing() -> Option<Self> {
        None
    }

    /// Checks the value, or each value of a list.
    ///
    /// # Errors
    ///
    /// The first error of `check`.
    fn check(&self, check: fn(&Self::One) -> Result<(), InvalidValue>) -> Result<(), InvalidValue>;

    fn json(&self) -> Json;
}

/// Implements [`Value`] for a type whose values are parsed from one text.
macro_rules! single {
    ($type:ty, $kind:ident, $read:expr, $json:expr) => {
        impl Value for $type {
            type One = $type;

            const KIND: ValueKind = ValueKind::$kind;

            fn read(text: &str) -> Result<$type, InvalidValue> {
                $read(text)
            }

            fn from_one(one: $type) -> $type {
                one
            }

            fn check(&self, check: fn(&$type) -> Result<(), InvalidValue>) -> Result<(), InvalidValue> {
                check(self)
            }

            fn json(&self) -> Json {
                $json(self)
            }
        }
    };
}

single!(bool, Flag, |text| Ok(text == "true"), |value: &bool| Json::from(*value));
single!(u8, Count, |text| Ok(whole(text)?.try_into().unwrap_or(u8::MAX)), |value: &u8| Json::from(*value));
single!(u64, Number, whole, |value: &u64| Json::from(*value));
single!(usize, Number, size, |value: &usize| Json::from(*value));
single!(f64, Number, number, |value: &f64| Json::from(*value));
single!(Duration, Time, duration::parse, |value: &Duration| Json::from(value.as_secs_f64()));
single!(String, Text, |text: &str| Ok(text.to_owned()), |value: &String| Json::from(value.as_str()));
single!(PathBuf, Text, |text: &str| Ok(text.into()), |value: &PathBuf| Json::from(value.to_string_lossy()));
single!(BaseUrl, Text, str::parse, |value: &BaseUrl| Json::from(value.as_str()));
single!(Header, Text, str::parse, |value: &Header| Json::from(value.to_string()));
single!(Cookie, Text, str::parse, |value: &Cookie| Json::from(value.to_string()));
single!(Method, Text, method, |value: &Method| Json::from(value.as_str()));
single!(Threshold, Text, |text: &str| Ok(text.parse()?), |value: &Threshold| Json::from(value.to_string()));
single!(Rate, Text, str::parse, |value: &Rate| Json::from(value.to_string()));
single!(ReportTarget, Text, str::parse, |value: &ReportTarget| Json::from(value.to_string()));
single!(WebAddress, Port, str::parse, |value: &WebAddress| Json::from(value.to_string()));

impl<T: Value> Value for Option<T> {
    type One = T::One;

    const KIND: ValueKind = T::KIND;
    const CHOICES: &'static [&'static str] = T::CHOICES;

    fn read(text: &str) -> Result<T::One, InvalidValue> {
        T::read(text)
    }

    fn from_one(one: T::One) -> Option<T> {
        Some(T::from_one(one))
    }

    fn nothing() -> Option<Option<T>> {
        Some(None)
    }

    fn check(&self, check: fn(&T::One) -> Result<(), InvalidValue>) -> Result<(), InvalidValue> {
        self.as_ref().map_or(Ok(()), |value| value.check(check))
    }

    fn json(&self) -> Json {
        self.as_ref().map_or(Json::Null, Value::json)
    }
}

impl<T: Value<One = T>> Value for Vec<T> {
    type One = T;

    const KIND: ValueKind = ValueKind::List;
    const CHOICES: &'static [&'static str] = T::CHOICES;

    fn read(text: &str) -> Result<T, InvalidValue> {
        T::read(text)
    }

    fn from_one(one: T) -> Vec<T> {
        vec![one]
    }

    fn add(&mut self, later: Vec<T>) {
        self.extend(later);
    }

    fn nothing() -> Option<Vec<T>> {
        Some(Vec::new())
    }

    fn check(&self, check: fn(&T) -> Result<(), InvalidValue>) -> Result<(), InvalidValue> {
        self.iter().try_for_each(check)
    }

    fn json(&self) -> Json {
        self.iter().map(Value::json).collect()
    }
}

/// Parses a whole number, from 0.
fn whole(text: &str) -> Result<u64, InvalidValue> {
    text.parse().map_err(|_| match text.strip_prefix('-') {
        Some(rest) if !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()) => {
            "the number cannot be negative".into()
        }
        _ if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("the number is too large; the largest is {}", u64::MAX).into()
        }
        _ => "write a whole number".into(),
    })
}

/// Parses a method. The standard ones may be in lower case.
fn method(text: &str) -> Result<Method, InvalidValue> {
    let upper = text.to_ascii_uppercase();
    let standard = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];
    let text = if standard.contains(&&*upper) { &upper } else { text };
    match Method::from_bytes(text.as_bytes()) {
        Ok(Method::CONNECT) => Err("a CONNECT request opens a tunnel, which is not supported".into()),
        Ok(method) => Ok(method),
        Err(_) => Err("write a method: `POST`".into()),
    }
}

fn size(text: &str) -> Result<usize, InvalidValue> {
    whole(text)?.try_into().map_err(|_| format!("the maximum is {}", usize::MAX).into())
}

/// Refuses numbers that are not from 1 to `max`.
pub(super) fn at_most(number: usize, max: usize) -> Result<(), InvalidValue> {
    match number {
        0 => Err("the minimum is 1".into()),
        number if number > max => Err(format!("the maximum is {max}").into()),
        _ => Ok(()),
    }
}

/// Refuses a time of 0.
pub(super) fn positive(time: Duration) -> Result<(), InvalidValue> {
    if time.is_zero() { Err("the time must be longer than 0".into()) } else { Ok(()) }
}

/// Refuses a rate of 0.
pub(super) fn positive_rate(rate: Rate) -> Result<(), InvalidValue> {
    if rate.micros_per_hour() == 0 { Err("the rate must be higher than 0".into()) } else { Ok(()) }
}

fn number(text: &str) -> Result<f64, InvalidValue> {
    text.parse().ok().filter(|number: &f64| number.is_finite()).ok_or_else(|| "write a number".into())
}

/// Parses a share in percent, from 0 to below 100, with or without the sign.
pub(super) fn percent(text: &str) -> Result<f64, InvalidValue> {
    match text.trim_end_matches('%').trim_end().parse::<f64>() {
        Ok(number) if (0.0..100.0).contains(&number) => Ok(number),
        Ok(number) if number.is_finite() => Err("write a number from 0 to below 100".into()),
        _ => Err("write a percentage".into()),
    }
}
