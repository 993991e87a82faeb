//! Statuses that a request expects.

use std::{
    ops::{RangeFrom, RangeInclusive},
    rc::Rc,
};

use http::StatusCode;

/// The statuses that are successes: by default those below 400.
///
/// Everything that names statuses converts to it: `404`, `[200, 429]`, `200..=299`, and a [`StatusCode`].
///
/// ```
/// use molotov::{prelude::*, session::Expected};
///
/// assert!(Expected::default().contains(StatusCode::FOUND));
/// assert!(!Expected::default().contains(StatusCode::NOT_FOUND));
/// assert!(Expected::from([200, 404]).contains(StatusCode::NOT_FOUND));
/// assert!(!Expected::from(404).contains(StatusCode::OK));
/// assert!(Expected::any().contains(StatusCode::BAD_GATEWAY));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Expected(Kind);

#[derive(Debug, Clone, PartialEq, Eq, Default)]
enum Kind {
    #[default]
    BelowErrors,
    Any,
    Ranges(Rc<[(u16, u16)]>),
}

impl Expected {
    /// Returns all statuses.
    #[must_use]
    pub fn any() -> Expected {
        Expected(Kind::Any)
    }

    /// Returns whether a status is expected.
    #[inline]
    pub fn contains(&self, status: StatusCode) -> bool {
        let code = status.as_u16();
        match &self.0 {
            Kind::BelowErrors => code < 400,
            Kind::Any => true,
            Kind::Ranges(ranges) => ranges.iter().any(|(first, last)| (*first..=*last).contains(&code)),
        }
    }
}

impl From<u16> for Expected {
    fn from(code: u16) -> Expected {
        Expected::from([code])
    }
}

impl From<StatusCode> for Expected {
    fn from(status: StatusCode) -> Expected {
        Expected::from(status.as_u16())
    }
}

impl<const N: usize> From<[u16; N]> for Expected {
    fn from(codes: [u16; N]) -> Expected {
        Expected(Kind::Ranges(codes.map(|code| (code, code)).into()))
    }
}

impl<const N: usize> From<[StatusCode; N]> for Expected {
    fn from(statuses: [StatusCode; N]) -> Expected {
        Expected::from(statuses.map(|status| status.as_u16()))
    }
}

impl From<&[u16]> for Expected {
    fn from(codes: &[u16]) -> Expected {
        Expected(Kind::Ranges(codes.iter().map(|code| (*code, *code)).collect()))
    }
}

impl From<RangeInclusive<u16>> for Expected {
    fn from(codes: RangeInclusive<u16>) -> Expected {
        Expected(Kind::Ranges([(*codes.start(), *codes.end())].into()))
    }
}

impl From<RangeFrom<u16>> for Expected {
    fn from(codes: RangeFrom<u16>) -> Expected {
        Expected::from(codes.start..=u16::MAX)
    }
}
