//! The result of a sizing, which replaces the totals at the end of a run.

use super::super::layout::{cut, harmless, left, right, width, wrap};
use crate::{
    format,
    run::{Capacity, LoadUnit, SearchEnd, SizingResult, SizingStep, Summary},
};

/// The widest head of a condition, in columns.
const MAX_HEAD: usize = 28;
/// The number of spaces before a column.
const GAP: usize = 2;

/// Formats the result of a sizing, in at most as many columns as `room` where possible.
pub(crate) fn sizing(sizing: &SizingResult, summary: &Summary, room: usize) -> String {
    let totals = &summary.totals;
    match sizing {
        SizingResult::Found { workers, ratio, minute } => format!(
            "Sizing is over!\n\nError Ratio {:.2} % obtained with {workers} workers.\n\nOVERALL: SUCCESSES: {} | FAILURES: \
             {}\nLAST MINUTE: SUCCESSES: {} | FAILURES: {}\n\n",
            ratio * 100.0,
            totals.successes,
            totals.failures,
            minute.ok,
            minute.failed,
        ),
        SizingResult::NotReached { workers } => {
            format!("Sizing was not finished. (failures stayed within the tolerance, with up to {workers} workers)\n")
        }
        SizingResult::Interrupted => "Sizing was not finished. (interrupted)\n".to_owned(),
        SizingResult::Capacity(capacity) => {
            let end = match &capacity.end {
                SearchEnd::Found => "Sizing is over!".to_owned(),
                SearchEnd::NeverMet => "Sizing is over: even the lowest load broke a threshold.".to_owned(),
                SearchEnd::Limited(why) => format!("Sizing is over. {why}"),
                SearchEnd::OutOfTime => "Sizing was not finished. (out of time; allow more with `-d`)".to_owned(),
                SearchEnd::Interrupted => "Sizing was not finished. (interrupted)".to_owned(),
            };
            let end = wrap(&end, room).join("\n");
            format!(
                "{end}\n\n{capacity}\n\n{}SUCCESSES: {} | FAILURES: {}\n",
                steps(capacity, room),
                totals.successes,
                totals.failures
            )
        }
    }
}

/// A table of the steps, which ends with an empty line; nothing if there were none.
fn steps(capacity: &Capacity, room: usize) -> String {
    let Some(first) = capacity.steps.first() else { return String::new() };
    let conditions = first.conditions.iter().map(|condition| cut(&harmless(&condition.expression), MAX_HEAD));
    let breaks = |number: usize| {
        capacity.steps.iter().any(|step| step.conditions.get(number).is_some_and(|condition| !condition.passed))
    };
    let names = first.rates.keys().map(|name| cut(&harmless(name), MAX_HEAD));
    let mut heads: Vec<String> = ["step", "load"].map(str::to_owned).into_iter().chain(names).collect();
    heads.extend(["time", "ended/s"].map(str::to_owned).into_iter().chain(conditions));
    // The columns before those of the conditions, and before those of the rates.
    const BEFORE_RATES: usize = 2;
    let mut fixed = 4 + first.rates.len();
    let row = |(index, step): (usize, &SizingStep)| -> Vec<String> {
        let values = step.conditions.iter().map(|condition| condition.actual.clone().unwrap_or_else(|| "–".to_owned()));
        let rates = step.rates.values().map(|rate| LoadUnit::Rate.format(*rate));
        let start = [(index + 1).to_string(), capacity.unit.format(step.load)].into_iter().chain(rates);
        start.chain([format::elapsed(step.time), format::rate(step.ended)]).chain(values).collect()
    };
    let mut rows: Vec<Vec<String>> = capacity.steps.iter().enumerate().map(row).collect();
    let widest = |column: usize, heads: &[String], rows: &[Vec<String>]| {
        rows.iter().map(|row| width(&row[column])).chain([width(&heads[column])]).max().unwrap_or(0)
    };
    let mut widths: Vec<usize> = (0..heads.len()).map(|column| widest(column, &heads, &rows)).collect();
    const OUTCOME: usize = 8;
    // The numbers of the conditions that have columns.
    let mut numbers: Vec<usize> = (0..first.conditions.len()).collect();
    while widths.iter().map(|width| width + GAP).sum::<usize>() + OUTCOME > room {
        // Conditions that all steps met explain nothing. The heads of the others are cut. Rates follow from the load.
        let is_last = widths.len() == fixed + 1;
        let met = (fixed..widths.len()).rev().find(|column| !is_last && !breaks(numbers[column - fixed]));
        let column = match met {
            Some(column) => {
                numbers.remove(column - fixed);
                column
            }
            None if fixed > 4 => {
                fixed -= 1;
                fixed - 4 + BEFORE_RATES
            }
            None => break,
        };
        widths.remove(column);
        heads.remove(column);
        rows.iter_mut().for_each(|row| _ = row.remove(column));
    }
    let line = |cells: &[String], outcome: &str| {
        let mut line = left(&cells[0], widths[0]);
        for (cell, columns) in cells.iter().zip(&widths).skip(1) {
            line.push_str(&" ".repeat(GAP));
            line.push_str(&right(cell, *columns));
        }
        format!("{line}  {outcome}\n")
    };
    let mut text = line(&heads, "outcome");
    for (row, step) in rows.iter().zip(&capacity.steps) {
        text.push_str(&line(row, step.verdict.name()));
    }
    text.push('\n');
    for condition in capacity.steps.last().into_iter().flat_map(|step| &step.conditions) {
        if let Some(reason) = &condition.reason {
            let line = format!("{}: {}.", harmless(&condition.expression), harmless(reason));
            text.push_str(&format!("{}\n\n", wrap(&line, room).join("\n")));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, time::Duration};

    use super::*;
    use crate::run::{StepVerdict, ThresholdResult};

    fn step(load: f64, actual: &str, verdict: StepVerdict) -> SizingStep {
        let condition = |expression: &str, actual: &str, passed: bool| ThresholdResult {
            expression: expression.to_owned(),
            actual: Some(actual.to_owned()),
            passed,
            ..ThresholdResult::default()
        };
        SizingStep {
            load,
            rates: BTreeMap::new(),
            time: Duration::from_millis(5_200),
            started: load,
            ended: load.min(200.0),
            conditions: vec![
                condition("failures <= 5%", "0.00 %", true),
                condition("p95(browse) < 200ms", actual, verdict == StepVerdict::Met),
            ],
            verdict,
        }
    }

    fn search(end: SearchEnd) -> Capacity {
        Capacity {
            unit: LoadUnit::Rate,
            met: Some(190.0),
            broken: Some(208.0),
            end,
            steps: vec![
                step(100.0, "52.1 ms", StepVerdict::Met),
                step(208.0, "1.3 s", StepVerdict::Broken),
                step(190.0, "61.0 ms", StepVerdict::Met),
            ],
        }
    }

    #[test]
    fn a_search_shows_its_interval_and_its_steps() {
        let capacity = SizingResult::Capacity(search(SearchEnd::Found));
        let text = sizing(&capacity, &Summary::default(), 100);
        assert_eq!(
            text,
            "Sizing is over!\n\n\
             Capacity: between 190/s and 208/s\n\n\
             step   load   time  ended/s  failures <= 5%  p95(browse) < 200ms  outcome\n\
             1     100/s  5.2 s    100.0          0.00 %              52.1 ms  met\n\
             2     208/s  5.2 s    200.0          0.00 %                1.3 s  broken\n\
             3     190/s  5.2 s    190.0          0.00 %              61.0 ms  met\n\n\
             SUCCESSES: 0 | FAILURES: 0\n"
        );
        let narrow = sizing(&capacity, &Summary::default(), 60);
        assert!(narrow.lines().all(|line| width(line) <= 60) && narrow.contains("p95(browse)"), "{narrow}");
        assert!(!narrow.contains("failures <="), "all steps met it: {narrow}");
    }

    #[test]
    fn steps_show_the_rates_of_scenarios_that_have_their_own() {
        let mut capacity = search(SearchEnd::Found);
        for step in &mut capacity.steps {
            step.rates = [("ads".to_owned(), step.load / 4.0), ("chat".to_owned(), 10.0)].into();
        }
        let capacity = SizingResult::Capacity(capacity);
        let text = sizing(&capacity, &Summary::default(), 100);
        let table = "step   load     ads  chat   time  ended/s  failures <= 5%  p95(browse) < 200ms  outcome\n\
                     1     100/s    25/s  10/s  5.2 s    100.0          0.00 %              52.1 ms  met\n\
                     2     208/s    52/s  10/s  5.2 s    200.0          0.00 %                1.3 s  broken\n\
                     3     190/s  47.5/s  10/s  5.2 s    190.0          0.00 %              61.0 ms  met\n";
        assert!(text.contains(table), "{text}");
        let narrow = sizing(&capacity, &Summary::default(), 60);
        assert!(narrow.contains("step   load   time  ended/s  p95(browse) < 200ms"), "{narrow}");
    }

    #[test]
    fn a_search_without_an_end_says_why() {
        let mut unbounded = search(SearchEnd::Limited("All workers were busy.".to_owned()));
        unbounded.broken = None;
        let text = sizing(&SizingResult::Capacity(unbounded), &Summary::default(), 80);
        assert!(text.starts_with("Sizing is over. All workers were busy.\n\nCapacity: at least 190/s\n\n"), "{text}");
        let mut nothing = search(SearchEnd::Interrupted);
        (nothing.met, nothing.broken, nothing.steps) = (None, None, Vec::new());
        let text = sizing(&SizingResult::Capacity(nothing), &Summary::default(), 80);
        assert_eq!(text, "Sizing was not finished. (interrupted)\n\nCapacity: unknown\n\nSUCCESSES: 0 | FAILURES: 0\n");
    }
}
