//! How a run is split among machines, processes and threads.

use serde::{Deserialize, Serialize};

/// A part of numbered things, such as workers, planned starts or rows: those whose number is `number` modulo `of`.
///
/// Parts can be split further. The parts of a whole contain each number exactly once, even if each of them is split into a
/// different number of smaller parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Part {
    pub(crate) number: usize,
    /// The number of parts. It is not 0.
    pub(crate) of: usize,
}

impl Part {
    /// All numbers.
    pub(crate) const WHOLE: Part = Part { number: 0, of: 1 };

    /// Splits this part into `of` parts, and returns one of them.
    pub(crate) fn part(self, number: usize, of: usize) -> Part {
        Part { number: self.number + self.of * number, of: self.of * of.max(1) }
    }

    /// Returns number `index` of this part, from 0.
    pub(crate) fn nth(self, index: usize) -> usize {
        self.number.saturating_add(self.of.saturating_mul(index))
    }

    /// Returns how many numbers below `total` are in this part.
    pub(crate) fn count(self, total: usize) -> usize {
        total.saturating_sub(self.number).div_ceil(self.of)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn machines_with_different_processes_and_threads_have_each_number_once(
            machines in prop::collection::vec(prop::collection::vec(1..5_usize, 1..4), 1..5),
            total in 0..200_usize,
        ) {
            // All machines have the same number of processes, but each has its own number of threads.
            let processes = machines.iter().map(Vec::len).min().unwrap_or(1);
            let mut numbers = Vec::new();
            for (agent, threads) in machines.iter().enumerate() {
                for (process, threads) in threads.iter().take(processes).enumerate() {
                    let unit = Part { number: agent, of: machines.len() }.part(process, processes);
                    for thread in 0..*threads {
                        let part = unit.part(thread, *threads);
                        numbers.extend((0..part.count(total)).map(|index| part.nth(index)));
                    }
                }
            }
            numbers.sort_unstable();
            prop_assert_eq!(numbers, (0..total).collect::<Vec<_>>());
        }
    }
}
