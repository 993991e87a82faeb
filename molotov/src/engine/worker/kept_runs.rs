//! The runs of the scenarios that a worker ran last, so that the next run of one of them allocates nothing.

use crate::registry::Runs;

/// The most memory of runs that a worker keeps, in bytes, besides those of the scenario that it ran last. There may be many
/// workers, each with many scenarios.
const MAX_KEPT: usize = 4096;

/// The runs of scenarios, the oldest first.
#[derive(Default)]
pub(super) struct KeptRuns<'a>(Vec<(usize, Runs<'a>)>);

impl<'a> KeptRuns<'a> {
    /// Returns the runs of the scenario with this index, made by `make` if they were not kept.
    #[inline]
    pub(super) fn get(&mut self, index: usize, make: impl FnOnce() -> Runs<'a>) -> &mut Runs<'a> {
        let at = match self.0.iter().position(|(known, _)| *known == index) {
            Some(at) => at,
            None => self.add(index, make()),
        };
        &mut self.0[at].1
    }

    fn add(&mut self, index: usize, runs: Runs<'a>) -> usize {
        let mut size = runs.size() + self.0.iter().map(|(_, kept)| kept.size()).sum::<usize>();
        while size > MAX_KEPT && !self.0.is_empty() {
            let (_, dropped) = self.0.remove(0);
            size -= dropped.size();
        }
        self.0.reserve_exact(1);
        self.0.push((index, runs));
        self.0.len() - 1
    }

    /// Drops the runs of a scenario, whose last run was cancelled or panicked.
    pub(super) fn drop(&mut self, index: usize) {
        self.0.retain(|(known, _)| *known != index);
    }
}
