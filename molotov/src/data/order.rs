//! The order in which rows are handed out.

use std::{
    fmt, io,
    str::FromStr,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use super::counter::Counter;
use crate::load::Part;

/// The order in which the rows of a file are handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// In the order of the file, each row once. Workers that need a row after the last one end.
    Queue,
    /// In the order of the file, and again from the first row after the last one.
    Circular,
    /// In a random order, each row once, then in another random order.
    Shuffle,
    /// A random row each time.
    Random,
}

impl Order {
    const ALL: [(&'static str, Order); 4] = [
        ("queue", Order::Queue),
        ("circular", Order::Circular),
        ("shuffle", Order::Shuffle),
        ("random", Order::Random),
    ];
}

impl FromStr for Order {
    type Err = String;

    fn from_str(name: &str) -> Result<Order, String> {
        let known = Order::ALL.iter().find(|(known, _)| *known == name);
        known
            .map(|(_, order)| *order)
            .ok_or_else(|| format!("`order` is \"queue\", \"circular\", \"shuffle\" or \"random\", not {name:?}"))
    }
}

/// The numbers of rows, in the order in which they are handed out. Forked processes share it.
pub(crate) struct Sequence {
    order: Order,
    rows: u32,
    seed: u64,
    /// The numbers that this machine takes.
    part: Part,
    counter: Counter,
    /// The orders of the last two passes of [`Order::Shuffle`]: while one ends, the next one begins.
    passes: [Mutex<Option<Pass>>; 2],
}

/// A pass through all rows in a random order.
struct Pass {
    number: u64,
    order: Vec<u32>,
}

impl Sequence {
    /// Returns the sequence of a file with this number of rows, which is not 0. Different parts of it have different numbers.
    ///
    /// # Errors
    ///
    /// Returns an error if the system has no memory to share.
    pub(crate) fn new(order: Order, rows: u32, seed: u64, part: Part) -> io::Result<Sequence> {
        Ok(Sequence { order, rows: rows.max(1), seed, part, counter: Counter::new()?, passes: Default::default() })
    }

    /// Takes the number of the next row; `None` after the last one of a queue.
    pub(crate) fn take(&self) -> Option<u32> {
        let taken = self.part.number as u64 + self.part.of as u64 * self.counter.take();
        let (pass, at) = (taken / u64::from(self.rows), (taken % u64::from(self.rows)) as u32);
        match self.order {
            Order::Queue if pass > 0 => {
                self.counter.run_out();
                None
            }
            Order::Queue | Order::Circular => Some(at),
            Order::Shuffle => Some(self.shuffled(pass, at)),
            Order::Random => Some(self.random(taken).u32(0..self.rows)),
        }
    }

    /// Returns when a worker first found no row.
    pub(super) fn ran_out_at(&self) -> Option<Instant> {
        self.counter.ran_out_at()
    }

    fn random(&self, number: u64) -> fastrand::Rng {
        // Seeds that differ by 1 would start with similar numbers.
        fastrand::Rng::with_seed(fastrand::Rng::with_seed(self.seed ^ number.rotate_left(32)).u64(..))
    }

    fn shuffled(&self, pass: u64, at: u32) -> u32 {
        let mut kept = self.passes[(pass % 2) as usize].lock().unwrap_or_else(PoisonError::into_inner);
        if kept.as_ref().is_none_or(|kept| kept.number != pass) {
            let mut order: Vec<u32> = (0..self.rows).collect();
            self.random(pass).shuffle(&mut order);
            *kept = Some(Pass { number: pass, order });
        }
        kept.as_ref().map_or(at, |pass| pass.order[at as usize])
    }
}

impl fmt::Debug for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sequence").field("order", &self.order).field("rows", &self.rows).finish_non_exhaustive()
    }
}
