//! The spacing of starts at a rate, and what happens if no worker is free.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::{
    InvalidValue,
    value::{Value, ValueKind},
};

/// The spacing of starts at a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Arrivals {
    /// Starts have equal intervals.
    #[default]
    Even,
    /// Starts are a Poisson process: they are independent of each other, like those of many users.
    Poisson,
}

/// What happens if no worker is free at a planned start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum WhenBusy {
    /// The scenario starts as soon as a worker is free. The planned start counts for its response time.
    #[default]
    Wait,
    /// The start is dropped and counted.
    Drop,
}

/// Implements [`Value`] for an enum whose variants have names.
macro_rules! named {
    ($type:ty, $wrong:literal, { $($name:literal => $variant:path,)+ }) => {
        impl $type {
            /// Returns the name, as options are written.
            pub(crate) const fn name(self) -> &'static str {
                match self {
                    $( $variant => $name, )+
                }
            }
        }

        impl Value for $type {
            type One = $type;

            const KIND: ValueKind = ValueKind::Text;
            const CHOICES: &'static [&'static str] = &[$($name),+];

            fn read(text: &str) -> Result<$type, InvalidValue> {
                match text {
                    $( $name => Ok($variant), )+
                    _ => Err($wrong.into()),
                }
            }

            fn from_one(one: $type) -> $type {
                one
            }

            fn check(&self, check: fn(&$type) -> Result<(), InvalidValue>) -> Result<(), InvalidValue> {
                check(self)
            }

            fn json(&self) -> Json {
                self.name().into()
            }
        }
    };
}

named!(Arrivals, "write `even` or `poisson`", {
    "even" => Arrivals::Even,
    "poisson" => Arrivals::Poisson,
});
named!(WhenBusy, "write `wait` or `drop`", {
    "wait" => WhenBusy::Wait,
    "drop" => WhenBusy::Drop,
});

pub(super) use named;
