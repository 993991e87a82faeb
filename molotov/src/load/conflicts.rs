//! Options of the load that contradict each other or the scenarios of the run.
//!
//! The command line, a `molotov.json`, code and scripts all end here. An error is one sentence that names the options as they were
//! written, and says what to do.

use std::time::Duration;

use crate::options::{Args, Level, Rate, Stage, Stages};

/// Checks the options of a load against each other.
///
/// # Errors
///
/// If a run with these options would not do what they say.
pub(crate) fn check_options(args: &Args) -> Result<(), String> {
    check_stages(args)?;
    let at_a_rate = args.rate.map(|_| "rate").or(args.stage.are_of_a_rate().then_some("stage"));
    if let Some(by) = at_a_rate {
        check_rate(args, by)?;
    }
    if args.searches_capacity() && at_a_rate.is_none() {
        let limits = [("max_runs", args.max_runs.is_some()), ("single_run", args.single_run)];
        if let Some((limit, _)) = limits.into_iter().find(|(_, is_given)| *is_given) {
            let (sizing, threshold, limit) = (args.name("sizing"), args.name("threshold"), args.name(limit));
            return Err(format!(
                "{sizing} with {threshold} runs scenarios until it has found the capacity: leave out {limit}"
            ));
        }
    }
    if args.has_stages() {
        let stage = args.name("stage");
        if args.given.duration.is_some() {
            let duration = args.name("duration");
            return Err(format!("{stage} already says how long the run lasts: leave out {duration}"));
        }
        if args.sizing && !args.stage.are_of_a_rate() {
            let sizing = args.name("sizing");
            return Err(format!("{sizing} itself decides how many workers run: leave out {stage}"));
        }
        if args.has_ramp_up() {
            let ramp_up = args.name("ramp_up");
            return Err(format!("{stage} already says how the load changes: leave out {ramp_up}"));
        }
    }
    let length = args.length();
    if args.warm_up >= length && !args.warm_up.is_zero() {
        let (warm_up, time) = (args.name("warm_up"), seconds(args.warm_up));
        let length = seconds(length);
        return Err(format!(
            "nothing would be left to measure after the {time} of {warm_up}, since the run lasts {length}: shorten the \
             warm-up or lengthen the run"
        ));
    }
    Ok(())
}

/// Checks the stages: those of several `--stage`, and against `--rate` and `--workers`, with which the first one begins.
fn check_stages(args: &Args) -> Result<(), String> {
    let Stages(stages) = &args.stage;
    let Some(first) = stages.first() else { return Ok(()) };
    let stage = args.name("stage");
    args.stage.check_levels().map_err(|error| format!("{stage}: {error}"))?;
    if args.rate.is_some() && !args.stage.are_of_a_rate() {
        let rate = args.name("rate");
        return Err(format!(
            "`{first}` in {stage} is a number of workers, but {rate} starts scenarios at a rate: write a rate in both, as \
             in `{}s:500/s`, or leave out {rate}",
            first.time.as_secs_f64()
        ));
    }
    if args.stage.length().is_zero() {
        return Err(format!("the stages in {stage} last 0 s together: give one of them a time, as in `30s:200`"));
    }
    let is_zero = |stage: &Stage| matches!(stage.to, Level::Workers(0)) || stage.to == Level::Rate(Rate::ZERO);
    let begins_at_zero = match args.stage.are_of_a_rate() {
        true => args.rate.is_none(),
        false => args.given.workers.is_none(),
    };
    if begins_at_zero && stages.iter().all(is_zero) {
        return Err(format!(
            "nothing would ever start, since all stages in {stage} go to 0: write a higher level in one"
        ));
    }
    Ok(())
}

/// Checks options that only workers in a loop have. `by` is the option because of which scenarios start at a rate.
fn check_rate(args: &Args, by: &str) -> Result<(), String> {
    let by = args.name(by);
    if args.single_run {
        let single_run = args.name("single_run");
        return Err(format!("{single_run} runs each scenario once, and {by} again and again: leave out one of them"));
    }
    if args.max_runs.is_some() {
        let max_runs = args.name("max_runs");
        let advice = match args.has_stages() {
            true => format!("leave it out, since {} already says how long the run lasts", args.name("stage")),
            false => format!("limit the run with {}", args.name("duration")),
        };
        return Err(format!(
            "{max_runs} counts the scenarios of each worker, but {by} shares one plan among all workers: {advice}"
        ));
    }
    if !args.delay.is_zero() {
        let delay = args.name("delay");
        return Err(format!("{by} says when scenarios start, so {delay} has no effect: leave it out"));
    }
    if args.has_stages() {
        return Ok(());
    }
    if args.duration.is_zero() {
        let duration = args.name("duration");
        return Err(format!("{by} starts nothing in a run of 0 s: set {duration} to a longer time"));
    }
    if let Some(rate) = args.rate.filter(|_| args.has_ramp_up()) {
        let ramp_up = args.name("ramp_up");
        let rest = if args.given.duration.is_some() { args.duration } else { Duration::from_secs(60) };
        let stages = [args.ramp_up, rest].map(|time| Stage { time, to: Level::Rate(rate) }.to_string());
        return Err(format!(
            "{ramp_up} is for workers, but {by} starts scenarios at a rate: write {} instead of both, as in `{}`",
            args.name("stage"),
            stages.join(",")
        ));
    }
    Ok(())
}

/// Checks the options of a load against the scenarios of the run. `own` are those with their own rates, and `others` is whether
/// there are more.
///
/// # Errors
///
/// If a run of these scenarios would not do what the options say.
pub(crate) fn check_scenarios(args: &Args, own: &[(String, Rate)], others: bool) -> Result<(), String> {
    let given = &args.given;
    let Some((scenario, rate)) = own.first() else {
        let at_a_rate = args.rate.is_some() || args.stage.are_of_a_rate();
        let unused = [("arrivals", given.arrivals.is_some()), ("when_busy", given.when_busy.is_some())];
        return match unused.into_iter().find(|(_, is_given)| *is_given && !at_a_rate && !args.single_run) {
            Some((unused, _)) => Err(format!(
                "{} is about starts at a rate, but all scenarios run in a loop: set {} too, or leave it out",
                args.name(unused),
                args.name("rate")
            )),
            None => Ok(()),
        };
    };
    if !others {
        let unused = [
            ("rate", args.rate.is_some()),
            ("stage", args.has_stages()),
            ("max_runs", given.max_runs.is_some() && args.max_runs.is_some()),
            ("delay", !args.delay.is_zero()),
            ("ramp_up", args.has_ramp_up()),
        ];
        if let Some((unused, _)) = unused.into_iter().find(|(_, is_given)| *is_given) {
            return Err(format!(
                "{} is for scenarios without their own rate, and there are none: leave it out",
                args.name(unused)
            ));
        }
    }
    if args.max_runs.is_some() && given.duration.is_none() {
        return Err(format!(
            "the scenario `{scenario}` starts at {rate} until the run ends: say when, with {}",
            args.name("duration")
        ));
    }
    if args.length().is_zero() {
        return Err(format!(
            "the scenario `{scenario}` starts at {rate}, and never in a run of 0 s: set {} to a longer time",
            args.name("duration")
        ));
    }
    Ok(())
}

fn seconds(time: Duration) -> String {
    format!("{} s", time.as_secs_f64())
}

impl Args {
    fn has_stages(&self) -> bool {
        !self.stage.0.is_empty()
    }

    fn has_ramp_up(&self) -> bool {
        // A sizing has one as its default.
        self.given.ramp_up.is_some() && !self.ramp_up.is_zero()
    }

    /// How long the run lasts, if workers end it at no other time.
    fn length(&self) -> Duration {
        if self.has_stages() {
            return self.stage.length();
        }
        match self.rate {
            Some(_) => self.duration,
            None => self.duration.saturating_add(self.ramp_up),
        }
    }
}

#[cfg(test)]
mod tests;
