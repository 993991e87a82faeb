//! Finds the rows of operations that are not HTTP, without building a row's name for each operation.

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use foldhash::fast::FixedState;

/// At most this many protocols are remembered. More work too, but each of their operations allocates.
const MAX_PROTOCOLS: usize = 64;

/// The row of each operation, by protocol and name.
#[derive(Debug)]
pub(super) struct Protocols {
    /// At most this many names are remembered for each protocol.
    limit: usize,
    // A load test uses a few protocols: scanning is faster than hashing.
    known: Vec<Protocol>,
}

#[derive(Debug)]
struct Protocol {
    name: Arc<str>,
    rows: HashMap<Box<str>, usize, FixedState>,
}

impl Protocols {
    pub(super) fn new(limit: usize) -> Protocols {
        Protocols { limit, known: Vec::new() }
    }

    /// Returns the row of an operation. `find` looks for the row of a name that is not remembered.
    #[inline]
    pub(super) fn row(&mut self, protocol: &str, name: &str, find: impl FnOnce(&str) -> usize) -> usize {
        let known = self.known.iter().find(|known| *known.name == *protocol);
        match known.and_then(|known| known.rows.get(name)) {
            Some(row) => *row,
            None => self.add(protocol, name, find),
        }
    }

    #[cold]
    fn add(&mut self, protocol: &str, name: &str, find: impl FnOnce(&str) -> usize) -> usize {
        let row = find(&row_name(protocol, name));
        let at = match self.known.iter().position(|known| *known.name == *protocol) {
            Some(at) => at,
            None if self.known.len() == MAX_PROTOCOLS => return row,
            None => {
                self.known.push(Protocol { name: protocol.into(), rows: HashMap::default() });
                self.known.len() - 1
            }
        };
        let rows = &mut self.known[at].rows;
        if rows.len() < self.limit {
            rows.insert(name.into(), row);
        }
        row
    }
}

/// The name of an operation's row: `LINE echo`, as `GET /cart` is the name of an HTTP request's.
fn row_name<'a>(protocol: &str, name: &'a str) -> Cow<'a, str> {
    match protocol {
        "" => Cow::Borrowed(name),
        _ => Cow::Owned(format!("{protocol} {name}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_by_protocol_and_name() {
        let mut protocols = Protocols::new(10);
        assert_eq!(
            protocols.row("LINE", "echo", |name| [("LINE echo", 3)].iter().find(|row| row.0 == name).unwrap().1),
            3
        );
        assert_eq!(protocols.row("LINE", "echo", |name| panic!("looks for {name} again")), 3);
        assert_eq!(protocols.row("SQL", "echo", |name| usize::from(name == "SQL echo")), 1);
        assert_eq!(protocols.row("", "echo", |name| 40 + name.len()), 44);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut protocols = Protocols::new(2);
        for round in 0..3 {
            for name in ["a", "b", "c"] {
                let mut searched = false;
                protocols.row("LINE", name, |_| {
                    searched = true;
                    7
                });
                assert_eq!(searched, round == 0 || name == "c", "round {round}, {name}");
            }
        }
        (0..200).for_each(|n| assert_eq!(protocols.row(&n.to_string(), "x", |_| n), n));
        assert_eq!(protocols.known.len(), MAX_PROTOCOLS);
    }
}
