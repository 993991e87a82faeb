//! The options of a [`LoadTest`]: a method for each option of the [table](crate::options) that makes sense in code.

use std::time::Duration;

use super::LoadTest;
use crate::options::{
    Arrivals, BaseUrl, InvalidValue, Options, Rate, Stage, Stages, Value, WebAddress, WhenBusy, option_table,
};

macro_rules! methods {
    ($(
        $(#[$doc:meta])+
        $name:ident: $type:ty = $default:expr, { $($description:tt)+ }
        { $($method:tt)+ }
    )+) => {
        impl LoadTest {
            $( method! { $name: $($method)+ } )+
        }
    };
}

macro_rules! method {
    ($name:ident: none: $reason:literal) => {};
    ($name:ident: fn $method:ident($($parameter:ident: $type:ty)?) = $value:expr, $doc:literal) => {
        #[doc = $doc]
        pub fn $method(self $(, $parameter: $type)?) -> LoadTest {
            self.with(Options { $name: Some(Value::from_one($value)), ..Options::default() })
        }
    };
    ($name:ident: try fn $method:ident($parameter:ident: $type:ty) = $value:expr, $doc:literal) => {
        #[doc = $doc]
        pub fn $method(mut self, $parameter: $type) -> LoadTest {
            match $value {
                Ok(value) => self.with(Options { $name: Some(Value::from_one(value)), ..Options::default() }),
                Err(error) => {
                    let error: InvalidValue = error.into();
                    self.invalid.get_or_insert(format!("{}: {error}", stringify!($method)));
                    self
                }
            }
        }
    };
}

option_table!(methods);
