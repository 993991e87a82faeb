//! The names of rows: bounded in number and length, and found without allocating.

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use foldhash::fast::FixedState;

use crate::secrets;

/// At most this many names of requests, and of steps, have their own rows. All others share [`OTHER`].
pub(crate) const MAX_NAMES: usize = 500;
/// At most this many tags have their own rows.
pub(crate) const MAX_TAGS: usize = 200;
/// At most this many counters, values and gauges of the scenarios' own have their own rows, each kind for itself.
pub(crate) const MAX_CUSTOM: usize = 100;
/// The row that names past the limit share.
pub(crate) const OTHER: &str = "other";
/// The longest name, in bytes. Longer ones are cut.
const MAX_NAME: usize = 512;

/// How many numbers are remembered by the address of their name.
const REMEMBERED: usize = 32;

/// Numbers names in the order in which they are first used.
#[derive(Debug)]
pub(super) struct Names {
    limit: usize,
    names: Vec<Arc<str>>,
    index: HashMap<Arc<str>, usize, FixedState>,
    other: Option<usize>,
    /// The last number of a name at an address with these lowest bits. Callers keep their names, so this usually is the number
    /// of the next name, which a comparison confirms. Hashing it would take longer.
    remembered: [usize; REMEMBERED],
}

impl Names {
    pub(super) fn new(limit: usize) -> Names {
        Names { limit, names: Vec::new(), index: HashMap::default(), other: None, remembered: [0; REMEMBERED] }
    }

    /// Returns the number of a name, or that of [`OTHER`] past the limit. Numbers start at 0 and have no gaps.
    #[inline]
    pub(super) fn number(&mut self, name: &str) -> usize {
        // Allocated names are at multiples of 16.
        let remembered = name.as_ptr().addr() / 16 % REMEMBERED;
        match self.names.get(self.remembered[remembered]) {
            Some(known) if **known == *name => self.remembered[remembered],
            _ => {
                let number = self.find(name);
                self.remembered[remembered] = number;
                number
            }
        }
    }

    fn find(&mut self, name: &str) -> usize {
        let name = &name[..name.floor_char_boundary(MAX_NAME)];
        match self.index.get(name) {
            Some(number) => *number,
            None => self.add(name),
        }
    }

    #[cold]
    fn add(&mut self, name: &str) -> usize {
        if let Cow::Owned(masked) = secrets::mask(name) {
            // Names that differ only in their secrets share a row.
            let number = self.find(&masked);
            if self.index.len() < self.limit.saturating_mul(2) {
                self.index.insert(name.into(), number);
            }
            return number;
        }
        if self.names.len() < self.limit {
            return self.push(name);
        }
        let other = match self.other.or_else(|| self.index.get(OTHER).copied()) {
            Some(other) => other,
            None => self.push(OTHER),
        };
        self.other = Some(other);
        other
    }

    fn push(&mut self, name: &str) -> usize {
        let name: Arc<str> = name.into();
        let number = self.names.len();
        self.names.push(Arc::clone(&name));
        self.index.insert(name, number);
        number
    }

    /// Returns the name with this number.
    pub(super) fn name(&self, number: usize) -> &Arc<str> {
        &self.names[number]
    }

    /// Returns whether any names share the row [`OTHER`].
    pub(super) fn exceeded(&self) -> bool {
        self.other.is_some()
    }
}

/// Returns a name as it is shown: cut to a bounded length, without secrets.
pub(super) fn shown(name: &str) -> Cow<'_, str> {
    secrets::mask(&name[..name.floor_char_boundary(MAX_NAME)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_past_the_limit_share_one_row() {
        let mut names = Names::new(2);
        assert_eq!([names.number("a"), names.number("b"), names.number("a")], [0, 1, 0]);
        assert!(!names.exceeded());
        assert_eq!([names.number("c"), names.number("d"), names.number("b")], [2, 2, 1]);
        assert!(names.exceeded());
        assert_eq!(&**names.name(2), OTHER);
    }

    #[test]
    fn names_that_were_at_the_same_address_have_their_own_numbers() {
        let (mut names, mut text) = (Names::new(100), String::with_capacity(16));
        for _ in 0..2 {
            for number in 0..100 {
                text.clear();
                text.push_str(&number.to_string());
                assert_eq!(names.number(&text), number);
            }
        }
    }

    #[test]
    fn a_users_name_other_shares_that_row() {
        let mut names = Names::new(1);
        assert_eq!([names.number(OTHER), names.number("b"), names.number("c")], [0, 0, 0]);
    }

    #[test]
    fn names_that_differ_only_in_secrets_share_a_row() {
        let mut names = Names::new(10);
        let numbers: Vec<_> = (0..50).map(|n| names.number(&format!("GET /x?token={n}"))).collect();
        assert!(numbers.iter().all(|number| *number == numbers[0]), "{numbers:?}");
        assert_eq!(&**names.name(numbers[0]), "GET /x?token=***");
        assert!(names.index.len() <= 20, "{}", names.index.len());
    }

    #[test]
    fn long_names_are_cut_between_characters() {
        let mut names = Names::new(10);
        let number = names.number(&"é".repeat(400));
        assert_eq!(&**names.name(number), "é".repeat(256).as_str());
        assert_eq!(names.number(&"é".repeat(300)), number);
    }
}
