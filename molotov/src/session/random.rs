//! The random numbers of a worker, which `--seed` makes repeatable.

use crate::options::WorkerId;

/// Returns the generator of a worker. Different seeds, processes and workers have unrelated sequences, and so do workers with the
/// same slot.
pub(super) fn seeded(seed: u64, process: usize, worker: WorkerId, predecessors: u32) -> fastrand::Rng {
    let mut state = 0_u64;
    // The first worker of a slot has the sequence without this part.
    let later = (predecessors > 0).then_some(u64::from(predecessors));
    for part in [seed, process as u64, worker.0 as u64].into_iter().chain(later) {
        // Mix with the finaliser of SplitMix64 after each part: the plain sums of two workers may be equal.
        state = state.wrapping_add(part).wrapping_add(0x9e37_79b9_7f4a_7c15);
        state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        state ^= state >> 31;
    }
    fastrand::Rng::with_seed(state)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_and_workers_differ() {
        let numbers = |seed, process, worker, predecessors| {
            let mut rng = seeded(seed, process, WorkerId(worker), predecessors);
            [rng.u64(..), rng.u64(..), rng.u64(..)]
        };
        assert_eq!(numbers(7, 0, 3, 1), numbers(7, 0, 3, 1));
        let first = [numbers(7, 0, 0, 0), numbers(7, 0, 1, 0), numbers(7, 1, 0, 0), numbers(8, 0, 0, 0)];
        let later = [numbers(7, 0, 0, 1), numbers(7, 0, 0, 2), numbers(7, 0, 1, 1)];
        let all = [&first[..], &later].concat();
        for (i, one) in all.iter().enumerate() {
            assert!(!all[..i].contains(one), "generator {i} repeats an earlier one");
        }
    }
}
