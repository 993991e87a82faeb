//! The names of the members of a run.

use std::{cmp::Ordering, fmt, sync::Arc};

use serde::{Deserialize, Serialize};

/// The name of a member of a run in tables and messages.
///
/// Processes come first, by process ID. Agents are in the order of their names, whose numbers count as numbers: `load-2` is before
/// `load-10`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum MemberLabel {
    /// One of several processes of this machine, by its process ID.
    Process(u32),
    /// An agent on another machine, by its name.
    Agent(Arc<str>),
}

impl MemberLabel {
    /// Returns its kind in reports: `process` or `agent`.
    pub fn kind(&self) -> &'static str {
        match self {
            MemberLabel::Process(_) => "process",
            MemberLabel::Agent(_) => "agent",
        }
    }

    /// Returns its name without its kind: the process ID, or the name of the agent.
    pub fn name(&self) -> String {
        match self {
            MemberLabel::Process(pid) => pid.to_string(),
            MemberLabel::Agent(name) => name.to_string(),
        }
    }

    /// Returns whether it is an agent.
    pub fn is_agent(&self) -> bool {
        matches!(self, MemberLabel::Agent(_))
    }
}

/// `process 4711`, or `agent load-2`.
impl fmt::Display for MemberLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MemberLabel::Process(pid) => write!(f, "process {pid}"),
            MemberLabel::Agent(name) => write!(f, "agent {name}"),
        }
    }
}

impl Ord for MemberLabel {
    fn cmp(&self, other: &MemberLabel) -> Ordering {
        match (self, other) {
            (MemberLabel::Process(one), MemberLabel::Process(other)) => one.cmp(other),
            (MemberLabel::Agent(one), MemberLabel::Agent(other)) => by_number(one, other),
            (MemberLabel::Process(_), MemberLabel::Agent(_)) => Ordering::Less,
            (MemberLabel::Agent(_), MemberLabel::Process(_)) => Ordering::Greater,
        }
    }
}

impl PartialOrd for MemberLabel {
    fn partial_cmp(&self, other: &MemberLabel) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Compares two names. Numbers in them are compared by value.
fn by_number(one: &str, other: &str) -> Ordering {
    let parts = |text: &str| -> Vec<(String, Option<u128>)> {
        let mut parts: Vec<(String, Option<u128>)> = Vec::new();
        for character in text.chars() {
            let is_digit = character.is_ascii_digit();
            match parts.last_mut() {
                Some((part, _)) if part.ends_with(|last: char| last.is_ascii_digit()) == is_digit => {
                    part.push(character);
                }
                _ => parts.push((character.to_string(), None)),
            }
        }
        // A part that is not a number, or a very long one, is compared as text.
        parts.iter_mut().for_each(|(part, number)| *number = part.parse().ok());
        parts
    };
    for ((one, one_number), (other, other_number)) in parts(one).into_iter().zip(parts(other)) {
        let order = match (one_number, other_number) {
            (Some(one), Some(other)) => one.cmp(&other),
            _ => one.cmp(&other),
        };
        if order.is_ne() {
            return order;
        }
    }
    // The rest is longer in one of them, or differs in leading zeros only.
    one.len().cmp(&other.len()).then_with(|| one.cmp(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_names_are_compared_by_value() {
        let agent = |name: &str| MemberLabel::Agent(name.into());
        let ordered = [
            MemberLabel::Process(9),
            MemberLabel::Process(4711),
            agent("a"),
            agent("load"),
            agent("load-2"),
            agent("load-2-b"),
            agent("load-10"),
            agent("load-010"),
            agent("web"),
        ];
        for (index, one) in ordered.iter().enumerate() {
            for (other_index, other) in ordered.iter().enumerate() {
                assert_eq!(one.cmp(other), index.cmp(&other_index), "{one} and {other}");
            }
        }
    }
}
