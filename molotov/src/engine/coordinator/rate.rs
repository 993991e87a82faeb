//! The throughput that screens show.

use std::{collections::VecDeque, time::Duration};

/// The throughput of the last second, from samples of the total.
#[derive(Debug, Default)]
pub(super) struct Rate(VecDeque<(Duration, u64)>);

impl Rate {
    pub(super) fn over_the_last_second(&mut self, at: Duration, total: u64) -> f64 {
        while self.0.len() > 1 && self.0[1].0 + Duration::from_secs(1) <= at {
            self.0.pop_front();
        }
        let (since, before) = self.0.front().copied().unwrap_or_default();
        self.0.push_back((at, total));
        let time = at.saturating_sub(since).as_secs_f64();
        if time > 0.0 { (total - before) as f64 / time } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn covers_only_the_last_second() {
        let mut rate = Rate::default();
        let at = |millis| Duration::from_millis(millis);
        assert_eq!(rate.over_the_last_second(at(500), 50), 100.0);
        assert_eq!(rate.over_the_last_second(at(1000), 100), 100.0);
        rate.over_the_last_second(at(1500), 100);
        assert_eq!(rate.over_the_last_second(at(2500), 100), 0.0);
    }
}
