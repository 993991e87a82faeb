//! Whether the load generator was the bottleneck, and which of its members.

use std::{cmp::Reverse, fmt};

use super::{MemberSummary, Summary};
use crate::metrics::{Bottleneck, Snapshot};

/// At most this many members are named.
const MAX_NAMES: usize = 3;

/// What in the load generator limited a run or distorted its measurements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GeneratorLimit {
    pub(crate) bottleneck: Bottleneck,
    /// The members that were the bottleneck, such as ` on agent load-2`; empty if all were.
    pub(crate) place: String,
    /// What was wrong and what to do about it, without a subject.
    pub(crate) reason: String,
}

/// One sentence.
///
/// ```text
/// The load generator was the bottleneck on agent load-2: its threads were busy 97 % of the time; use more threads, processes or
/// machines, or fewer workers.
/// ```
impl fmt::Display for GeneratorLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "The load generator was the bottleneck{}: {}.", self.place, self.reason)
    }
}

impl GeneratorLimit {
    /// Judges the measures of a run and those of its members.
    ///
    /// Agents are judged one by one, because the average over many machines hides one that is too slow. Processes share a machine,
    /// so they are named only if their own threads were the bottleneck and those of the others were not.
    pub(crate) fn of(measures: &Snapshot, members: &[MemberSummary]) -> Option<GeneratorLimit> {
        let has_agents = members.iter().any(|member| member.label.is_agent());
        if !has_agents && let Some(found) = measures.bottleneck().filter(|found| is_of_machine(*found)) {
            return GeneratorLimit::of_all(found, measures);
        }
        let mut slow: Vec<_> = members.iter().filter_map(|member| Some((member.bottleneck()?, member))).collect();
        // The worst one first.
        slow.sort_by_key(|(bottleneck, member)| {
            let severity = [member.health.cpu(), member.health.lag.percentile(95.0).as_secs_f64()];
            (*bottleneck, Reverse(severity.map(|value| (value * 1e6) as u64)))
        });
        let Some((bottleneck, worst)) = slow.first().copied() else {
            return if has_agents { None } else { GeneratorLimit::of_all(measures.bottleneck()?, measures) };
        };
        if !has_agents && slow.len() == members.len() && measures.bottleneck().is_some() {
            return GeneratorLimit::of_all(measures.bottleneck()?, measures);
        }
        let reason = worst.reason()?;
        let on = if has_agents { "on" } else { "in" };
        let (place, reason) = match slow.len() {
            1 => (format!(" {on} {}", worst.label), reason),
            count => {
                let kinds = if has_agents { "agents" } else { "processes" };
                let of = if count == members.len() { "all ".to_owned() } else { format!("{count} of ") };
                let names: Vec<_> = slow.iter().take(MAX_NAMES).map(|(_, member)| member.label.name()).collect();
                let more = count - names.len();
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                let place = format!(" {on} {of}{} {kinds} ({}{more})", members.len(), names.join(", "));
                (place, format!("{on} {}, {reason}", worst.label.name()))
            }
        };
        Some(GeneratorLimit { bottleneck, place, reason })
    }

    fn of_all(bottleneck: Bottleneck, measures: &Snapshot) -> Option<GeneratorLimit> {
        Some(GeneratorLimit { bottleneck, place: String::new(), reason: measures.bottleneck_reason()? })
    }
}

/// Whether all processes of a machine share it.
fn is_of_machine(bottleneck: Bottleneck) -> bool {
    match bottleneck {
        Bottleneck::Quota | Bottleneck::Steal | Bottleneck::Machine => true,
        Bottleneck::OpenFiles | Bottleneck::Cpu | Bottleneck::CpuWait | Bottleneck::Lag => false,
    }
}

impl Summary {
    /// Returns what in the load generator limited the run or distorted its measurements, if anything did.
    pub(crate) fn generator_limit(&self) -> Option<GeneratorLimit> {
        GeneratorLimit::of(&self.snapshot, &self.members)
    }
}
