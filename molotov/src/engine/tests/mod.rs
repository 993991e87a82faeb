//! Runs of scenarios that make no requests.

mod custom;
mod failures;
mod limits;
mod progress;
mod rates;
mod scenarios;
mod start_lag;
mod stopping;
mod warm_up;
#[cfg(feature = "websocket")]
mod websocket;
mod workers;

use std::{
    rc::Rc,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::future::LocalBoxFuture;
use proptest::prelude::*;

use super::{Control, Plan, Summary, Verdict, run};
use crate::{
    Failure,
    options::{Args, Delay, Options, Stage, Stages},
    registry::{GlobalTeardown, Need, Origin, Registry, Runs, Scenario, Setup, SetupSession, Slots, Teardown},
    run::{Line, Progress},
    session::{Context, SessionOptions},
    ui::{RunLimits, Screen},
};

/// Records the lines that it is given.
#[derive(Default, Clone)]
struct RecordingScreen(Arc<Mutex<Vec<Line>>>);

impl Screen for RecordingScreen {
    fn line(&mut self, line: &Line) {
        self.0.lock().unwrap().push(line.clone());
    }

    fn progress(&mut self, _: &Progress) {}

    fn finish(&mut self, _: &Summary) {}
}

impl RecordingScreen {
    fn has(&self, text: &str) -> bool {
        self.0.lock().unwrap().iter().any(|line| line.text.contains(text))
    }
}

/// Counts teardowns.
struct CountingTeardown(Arc<AtomicU64>, Origin);

impl Teardown for CountingTeardown {
    fn origin(&self) -> &Origin {
        &self.1
    }

    fn run(&self, _: &Context) -> crate::Result {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

type Body = Box<dyn for<'a> Fn(&'a Slots) -> LocalBoxFuture<'a, Result<(), Failure>> + Send + Sync>;

struct TestScenario {
    name: String,
    weight: f64,
    delay: Duration,
    body: Body,
    needs: fn() -> Vec<Need>,
    origin: Origin,
}

impl Scenario for TestScenario {
    fn name(&self) -> &str {
        &self.name
    }

    fn weight(&self) -> f64 {
        self.weight
    }

    fn delay(&self) -> Delay {
        self.delay.into()
    }

    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn needs(&self) -> Vec<Need> {
        (self.needs)()
    }

    fn runs<'a>(&'a self, slots: &'a Slots) -> Runs<'a> {
        Runs::of(slots, move || (self.body)(slots))
    }
}

fn scenario(name: &str, weight: f64, body: Body) -> TestScenario {
    let origin = Origin {
        function: "scripted".into(),
        module: module_path!().into(),
        file: file!().into(),
        line: line!(),
        extension: None,
    };
    TestScenario { name: name.to_owned(), weight, delay: Duration::ZERO, body, needs: Vec::new, origin }
}

fn counting(counter: &Arc<AtomicU64>) -> Body {
    let counter = counter.clone();
    Box::new(move |_| {
        counter.fetch_add(1, Ordering::Relaxed);
        Box::pin(async { Ok(()) })
    })
}

fn plan(args: Args, scenarios: impl IntoIterator<Item = TestScenario>) -> Plan {
    let mut registry = Registry::new();
    scenarios.into_iter().for_each(|scenario| registry.add_scenario(scenario));
    Plan::new(args, &registry).unwrap()
}

fn execute(plan: Plan) -> (Summary, RecordingScreen) {
    let mut screen = RecordingScreen::default();
    let (_control, inbox) = Control::new();
    let summary = run(&plan, &mut screen, inbox);
    (summary, screen)
}

/// Waits until a condition holds.
#[track_caller]
fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < Duration::from_secs(30), "timed out waiting until {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}
