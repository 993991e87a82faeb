//! Chooses the columns of a table.

use crate::report::layout::fitting_parts;

/// The number of spaces before a column.
const GAP: usize = 2;
/// The room for names that is kept in any case, in columns.
const LEAST_NAME: usize = 8;

/// A column that a table may have.
pub(super) struct Candidate {
    /// Columns with a low rank are the last to be left out.
    pub(super) rank: u8,
    /// The width that it usually needs. It decides whether the column is shown, so that tables of the same width have the same
    /// columns.
    pub(super) usual: usize,
    /// The width that it needs.
    pub(super) actual: usize,
}

/// The columns of a table.
pub(super) struct Fit {
    /// The width of the names.
    pub(super) names: usize,
    /// The indices of the columns, and their widths including the gap.
    pub(super) columns: Vec<(usize, usize)>,
}

/// Chooses the columns of a table of this width, given the width of the longest name.
pub(super) fn fit(room: usize, longest: usize, candidates: &[Candidate]) -> Fit {
    let usual = candidates.iter().map(|column| (column.rank, GAP + column.usual));
    let mut chosen = fitting_parts(room.saturating_sub(usual_names(room)), usual);
    // Very large numbers take the room of names, then that of the last columns.
    let least = longest.min(LEAST_NAME);
    let taken = |chosen: &[usize]| chosen.iter().map(|index| GAP + candidates[*index].actual).sum::<usize>();
    while taken(&chosen) + least > room {
        let last = chosen.iter().copied().max_by_key(|index| candidates[*index].rank);
        let Some(last) = last.filter(|_| chosen.len() > 1) else { break };
        chosen.retain(|index| *index != last);
    }
    let names = longest.min(room.saturating_sub(taken(&chosen)));
    Fit { names, columns: chosen.into_iter().map(|index| (index, GAP + candidates[index].actual)).collect() }
}

/// The room for names in a table of this width.
fn usual_names(room: usize) -> usize {
    if room < 80 { room * 27 / 100 } else { 21 + (room - 80) / 6 }
}
