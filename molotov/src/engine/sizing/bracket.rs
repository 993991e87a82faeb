//! The search for the highest load that meets all conditions: grow, bracket, bisect.

use crate::run::StepVerdict;

/// The search grows by this factor until a step breaks a condition.
const GROWTH: f64 = 2.0;
/// The ends of the interval are at most this factor apart.
const NARROW: f64 = 1.15;
/// If the steps between the ends were unclear, they may be this factor apart: 10 % above and below the middle.
const WIDE: f64 = 1.22;
/// The smallest factor between two loads that are worth a step each.
const DISTINCT: f64 = 1.03;
/// The load that the service bore is divided by this, and multiplied by that, to be tried.
const BELOW: f64 = 1.07;
const ABOVE: f64 = 1.06;
/// The search takes at most this many steps.
const MAX_STEPS: usize = 60;

/// The steps of a search so far, from which the next one follows.
#[derive(Debug)]
pub(super) struct Bracket {
    bounds: Bounds,
    loads: Vec<Load>,
    steps: usize,
    /// The load that the service bore when it was overloaded, and from how many scenarios it is known.
    guess: Option<(f64, f64)>,
}

/// Where the search begins, and which loads it may try.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) start: f64,
    pub(super) min: f64,
    pub(super) max: f64,
    /// Loads are multiples of this, or have three digits.
    pub(super) unit: Option<f64>,
}

/// A load that was tried, and how often it had each outcome.
#[derive(Debug, Clone, Copy)]
struct Load {
    load: f64,
    met: usize,
    broken: usize,
    unclear: usize,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Next {
    Try(f64),
    /// The interval is narrow enough.
    Found,
    /// Even the lowest load broke a condition.
    NeverMet,
    /// Even the highest load met all conditions.
    Unbroken,
}

impl Load {
    fn tries(&self) -> usize {
        self.met + self.broken + self.unclear
    }

    /// Whether all its steps met the conditions. Loads whose steps disagree are near the capacity.
    fn is_met(&self) -> bool {
        self.met == self.tries()
    }

    fn is_broken(&self) -> bool {
        self.broken == self.tries()
    }
}

impl Bracket {
    pub(super) fn new(bounds: Bounds) -> Bracket {
        Bracket { bounds, loads: Vec::new(), steps: 0, guess: None }
    }

    /// Adds the outcome of a step. `bore` is the load that the service bore when it was overloaded, and how many scenarios it ended.
    pub(super) fn add(&mut self, load: f64, verdict: StepVerdict, bore: Option<(f64, f64)>) {
        self.steps += 1;
        self.guess = bore.into_iter().chain(self.guess).max_by(|a, b| a.1.total_cmp(&b.1));
        let at = self.loads.partition_point(|other| other.load < load);
        if self.loads.get(at).is_none_or(|other| other.load > load) {
            self.loads.insert(at, Load { load, met: 0, broken: 0, unclear: 0 });
        }
        let entry = &mut self.loads[at];
        match verdict {
            StepVerdict::Met => entry.met += 1,
            StepVerdict::Broken => entry.broken += 1,
            StepVerdict::Unclear | StepVerdict::Limited => entry.unclear += 1,
        }
    }

    /// The highest load that met the conditions, below all that broke one.
    pub(super) fn met(&self) -> Option<f64> {
        self.loads.iter().take_while(|load| !load.is_broken()).filter(|load| load.is_met()).last().map(|load| load.load)
    }

    /// The lowest load that broke a condition, above all that met them.
    pub(super) fn broken(&self) -> Option<f64> {
        self.loads
            .iter()
            .rev()
            .take_while(|load| !load.is_met())
            .filter(|load| load.is_broken())
            .last()
            .map(|load| load.load)
    }

    /// Returns the next step, or why there is none.
    pub(super) fn next(&self) -> Next {
        let Bounds { start, min, max, .. } = self.bounds;
        if self.loads.is_empty() {
            return Next::Try(start);
        }
        let is_last = self.steps >= MAX_STEPS;
        match (self.met(), self.broken()) {
            (Some(_), Some(_)) if is_last => Next::Found,
            (Some(met), Some(broken)) => self.between(met, broken),
            (_, None) if is_last => Next::Unbroken,
            (None, _) if is_last => Next::NeverMet,
            (met, None) => {
                let highest = self.loads.last().map_or(start, |load| load.load);
                match met {
                    // Unclear steps do not end the growth.
                    _ if highest >= max => Next::Unbroken,
                    _ => Next::Try(self.rounded(highest * GROWTH).min(max)),
                }
            }
            (None, Some(_)) => {
                let lowest = self.loads.first().map_or(start, |load| load.load);
                if lowest <= min {
                    return Next::NeverMet;
                }
                let guess = self.guess.map(|(guess, _)| guess / BELOW).filter(|guess| *guess < lowest / GROWTH);
                Next::Try(self.rounded(guess.unwrap_or(lowest / GROWTH)).max(min))
            }
        }
    }

    /// The next step between the ends of the bracket.
    fn between(&self, met: f64, broken: f64) -> Next {
        let inside = self.loads.iter().filter(|load| load.load > met && load.load < broken);
        let has_unclear = inside.clone().next().is_some();
        let is_narrow = broken / met <= if has_unclear { WIDE } else { NARROW };
        if !is_narrow {
            let near = |guess: &f64| {
                let edges = self.loads.iter().all(|load| ratio(load.load, *guess) >= DISTINCT);
                edges && *guess > met && *guess < broken
            };
            let guesses = self.guess.iter().flat_map(|(guess, _)| [guess / BELOW, guess * ABOVE]);
            if let Some(guess) = guesses.map(|guess| self.rounded(guess)).find(near) {
                return Next::Try(guess);
            }
            let points: Vec<f64> = [met].into_iter().chain(inside.map(|load| load.load)).chain([broken]).collect();
            let widest = points.windows(2).max_by(|a, b| (a[1] / a[0]).total_cmp(&(b[1] / b[0])));
            if let Some([low, high]) = widest
                && high / low >= DISTINCT * DISTINCT
            {
                let middle = self.rounded((low * high).sqrt());
                if middle > *low && middle < *high {
                    return Next::Try(middle);
                }
            }
        }
        // A hiccup breaks a step of any load, so the ends need more than one.
        let single = |end: f64| self.loads.iter().any(|load| load.load == end && load.tries() == 1);
        if single(broken) {
            Next::Try(broken)
        } else if single(met) {
            Next::Try(met)
        } else {
            Next::Found
        }
    }

    fn rounded(&self, load: f64) -> f64 {
        let unit = self.bounds.unit.unwrap_or_else(|| 10_f64.powf(load.max(1e-9).log10().floor() - 2.0));
        let rounded = (load / unit).round() * unit;
        // Without the digits that the multiplication adds.
        (rounded * 1e9).round() / 1e9
    }
}

fn ratio(a: f64, b: f64) -> f64 {
    a.max(b) / a.min(b)
}
