//! A coordinator plays with the run of this process over a pair of sockets.

use std::{
    collections::{BTreeMap, HashSet},
    os::unix::net::UnixStream,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use super::*;
use crate::{
    Failure,
    engine::{
        control::Control,
        envelope::EnvelopeReader,
        link::{Reader, Writer},
        message::Message,
        plan::Plan,
        update::{Command, MemberId, Update},
    },
    load::Part,
    metrics::Snapshot,
    options::{Args, Options, WorkerId},
    registry::{GlobalSetup, Origin, Registry},
    run::Line,
    vars::{get_shared_var, set_shared_var, set_var},
};

/// The coordinator's end of a link.
struct Coordinator {
    reader: Reader,
    writer: Writer,
    incoming: EnvelopeReader,
}

impl Coordinator {
    fn receive(&mut self) -> Option<FromRun> {
        self.reader.receive().unwrap()
    }

    /// Returns all updates until the process closes the link. Finishes it when it is idle.
    fn updates(&mut self) -> Vec<Update> {
        let mut updates = self.updates_until_idle();
        updates.extend(self.finish());
        updates
    }

    /// Ends a process that is idle or has ended. Returns the remaining updates.
    fn finish(&mut self) -> Vec<Update> {
        // Fails if the process has ended.
        let _ = self.writer.send(&ToRun::Command(Command::Finish));
        let mut updates = Vec::new();
        while let Some(message) = self.receive() {
            updates.extend(self.open(message));
        }
        updates
    }

    /// Returns all updates until the process is idle or closes the link.
    fn updates_until_idle(&mut self) -> Vec<Update> {
        let mut updates = Vec::new();
        while !updates.iter().any(|update| matches!(update, Update::Idle(true)))
            && let Some(message) = self.receive()
        {
            updates.extend(self.open(message));
        }
        updates
    }

    fn open(&mut self, message: FromRun) -> Vec<Update> {
        let FromRun::Update(envelope) = message else { panic!("{message:?}") };
        self.incoming.open(envelope).collect()
    }

    fn set_up(&mut self) -> Ready {
        self.set_up_with(BTreeMap::new())
    }

    fn set_up_with(&mut self, variables: BTreeMap<String, String>) -> Ready {
        self.writer.send(&ToRun::SetUp { variables }).unwrap();
        loop {
            match self.receive() {
                Some(FromRun::Ready(ready)) => return ready,
                Some(FromRun::Line(_)) => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

/// Starts the part of a machine on another thread.
fn machine(args: Args, registry: Registry, part: Part) -> (Coordinator, thread::JoinHandle<()>) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let plan = Plan::of_machine(args, &registry, part, 7).unwrap();
    let process = thread::spawn(move || {
        let (_control, inbox) = Control::new();
        if let Some(prepared) = prepare(plan, MemberId(3), Link::new(theirs).unwrap(), inbox) {
            prepared.run();
        }
    });
    let (reader, writer) = (Reader::new(ours.try_clone().unwrap()), Writer::new(ours));
    (Coordinator { reader, writer, incoming: EnvelopeReader::new(MemberId(3)) }, process)
}

fn args(workers: usize) -> Args {
    let given = Options { workers: Some(workers), max_runs: Some(Some(2)), ..Options::default() };
    given.resolve()
}

fn measured(updates: &[Update]) -> Snapshot {
    let mut sum = Snapshot::default();
    for update in updates {
        if let Update::Measures(measures) = update {
            sum.merge(measures);
        }
    }
    sum
}

#[test]
fn machines_run_each_worker_once_and_report_everything() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let begin = monotonic() + Duration::from_millis(300);
    let mut machines = Vec::new();
    for (number, threads) in [(0, 1), (1, 3)] {
        let mut registry = Registry::new();
        let seen = seen.clone();
        registry.add_scenario_fn("browse", async move |WorkerId(worker): WorkerId| {
            seen.lock().unwrap().push((worker, monotonic()));
            Ok::<_, Failure>(())
        });
        let args = Args { threads: Some(threads), ..args(5) };
        let (mut coordinator, process) = machine(args, registry, Part { number, of: 2 });
        let ready = coordinator.set_up();
        assert_eq!(ready.threads, if number == 0 { 1 } else { 2 }, "every thread has a worker");
        assert_eq!(ready.load.workers_at(Duration::ZERO), 5.0, "the load is that of the whole run");
        machines.push((coordinator, process));
    }
    for (coordinator, _) in &mut machines {
        coordinator.writer.send(&ToRun::Begin { at: begin }).unwrap();
    }
    let mut runs = Vec::new();
    for (mut coordinator, process) in machines {
        let updates = coordinator.updates();
        process.join().unwrap();
        runs.push(measured(&updates).totals().ok);
        let began: Vec<_> = updates
            .iter()
            .filter_map(|update| if let Update::Began { last, .. } = update { Some(last) } else { None })
            .collect();
        assert!(!began.is_empty());
        assert!(matches!(updates.last(), Some(Update::Done { .. })), "{:?}", updates.last());
    }
    assert_eq!(runs, [6, 4], "three and two workers with two runs each");
    let seen = seen.lock().unwrap();
    let mut counts = BTreeMap::new();
    for (worker, at) in &*seen {
        assert!(*at >= begin, "no worker starts before the run");
        *counts.entry(*worker).or_insert(0) += 1;
    }
    assert_eq!(counts, (0..5).map(|worker| (worker, 2)).collect());
}

#[test]
fn a_stop_before_the_start_ends_the_part() {
    let ran = Arc::new(Mutex::new(HashSet::new()));
    let mut registry = Registry::new();
    let seen = ran.clone();
    registry.add_scenario_fn("browse", async move |WorkerId(worker): WorkerId| {
        seen.lock().unwrap().insert(worker);
        Ok::<_, Failure>(())
    });
    let (mut coordinator, process) = machine(args(2), registry, Part { number: 0, of: 1 });
    coordinator.set_up();
    coordinator.writer.send(&ToRun::Begin { at: monotonic() + Duration::from_secs(600) }).unwrap();
    coordinator.writer.send(&ToRun::Command(Command::Stop)).unwrap();
    let updates = coordinator.updates();
    process.join().unwrap();
    assert!(matches!(updates.last(), Some(Update::Done { .. })), "{updates:?}");
    assert!(ran.lock().unwrap().is_empty());
}

#[test]
fn a_part_without_a_begin_ends() {
    let mut registry = Registry::new();
    registry.add_scenario_fn("browse", async || Ok::<_, Failure>(()));
    let (mut coordinator, process) = machine(args(2), registry, Part { number: 0, of: 1 });
    coordinator.set_up();
    coordinator.writer.send(&ToRun::Command(Command::Stop)).unwrap();
    assert_eq!(coordinator.updates().len(), 0);
    process.join().unwrap();
}

/// A fixture that runs once for all machines.
struct Once(Origin, fn() -> crate::Result);

impl Once {
    fn new(run: fn() -> crate::Result) -> Once {
        let origin = Origin {
            function: "create".into(),
            module: "shop".into(),
            file: "main.rs".into(),
            line: 1,
            extension: None,
        };
        Once(origin, run)
    }
}

impl GlobalSetup for Once {
    fn origin(&self) -> &Origin {
        &self.0
    }

    fn runs_once(&self) -> bool {
        true
    }

    fn run(&self, _: &mut Args) -> crate::Result {
        (self.1)()
    }
}

#[test]
fn variables_of_a_fixture_that_ran_once_reach_all_machines() {
    let registry = || {
        let mut registry = Registry::new();
        registry.add_global_setup(Once::new(|| {
            set_shared_var("users", &["Ada", "Grace"]);
            Ok(())
        }));
        registry.add_scenario_fn("browse", async || {
            let users: Option<Vec<String>> = get_shared_var("users");
            match users.as_deref() {
                Some([first, _]) if first == "Ada" => Ok(()),
                _ => Err(Failure::msg(format!("{users:?}"))),
            }
        });
        registry
    };
    let mut machines = [0, 1].map(|number| machine(args(4), registry(), Part { number, of: 2 }));
    let first = &mut machines[0].0;
    first.writer.send(&ToRun::SetUpOnce).unwrap();
    let Some(FromRun::SetUpOnce { variables }) = first.receive() else { panic!("the fixture has not run") };
    assert_eq!(variables["users"], r#"["Ada","Grace"]"#);
    for (coordinator, _) in &mut machines {
        coordinator.set_up_with(variables.clone());
        coordinator.writer.send(&ToRun::Begin { at: monotonic() }).unwrap();
    }
    for (mut coordinator, process) in machines {
        let counts = measured(&coordinator.updates()).totals();
        process.join().unwrap();
        assert_eq!((counts.ok, counts.failed), (4, 0));
    }
}

#[test]
fn a_variable_that_would_stay_on_one_machine_fails_the_fixture() {
    let mut registry = Registry::new();
    registry.add_global_setup(Once::new(|| {
        set_var("token", 3);
        Ok(())
    }));
    registry.add_scenario_fn("browse", async || Ok::<_, Failure>(()));
    let (mut coordinator, process) = machine(args(1), registry, Part { number: 0, of: 1 });
    coordinator.writer.send(&ToRun::SetUpOnce).unwrap();
    let failed = loop {
        match coordinator.receive() {
            Some(FromRun::Line(_)) => {}
            Some(FromRun::Failed(Failed::Fixture(failure))) => break failure,
            other => panic!("{other:?}"),
        }
    };
    process.join().unwrap();
    assert_eq!(failed.fixture, "global_setup");
    assert!(failed.message.contains("use `molotov::set_shared_var`"), "{}", failed.message);
}

#[test]
fn a_machine_without_workers_ends_with_nothing_measured() {
    let rate = Options { rate: Some(Some("100/s".parse().unwrap())), ..Options::default() };
    let duration = Options { duration: Some(Duration::from_millis(300)), ..Options::default() };
    let limited = Options { workers: Some(1), ..Options::default() };
    let open = limited.clone().over(rate).over(duration).resolve();
    for (args, runs) in [(args(1), 2), (open, 30)] {
        let machines = [0, 1].map(|number| {
            let mut registry = Registry::new();
            registry.add_scenario_fn("browse", async || Ok::<_, Failure>(()));
            let (mut coordinator, process) = machine(args.clone(), registry, Part { number, of: 2 });
            coordinator.set_up();
            coordinator.writer.send(&ToRun::Begin { at: monotonic() }).unwrap();
            (coordinator, process)
        });
        let counts = machines.map(|(mut coordinator, process)| {
            let updates = coordinator.updates();
            process.join().unwrap();
            assert!(matches!(updates.last(), Some(Update::Done { .. })), "{updates:?}");
            measured(&updates).totals().total()
        });
        assert_eq!(counts, [runs, 0], "the only worker runs everything");
    }
}

#[test]
fn a_machine_without_workers_takes_some_when_the_load_is_raised() {
    let mut registry = Registry::new();
    registry.add_scenario_fn("browse", async || Ok::<_, Failure>(()));
    let (mut coordinator, process) = machine(args(2), registry, Part { number: 2, of: 3 });
    let load = coordinator.set_up().load;
    let begin = monotonic();
    coordinator.writer.send(&ToRun::Begin { at: begin }).unwrap();
    let updates = coordinator.updates_until_idle();
    assert!(matches!(updates.last(), Some(Update::Idle(true))), "{updates:?}");
    let raised = load.changed(Duration::ZERO, true, 1);
    assert_eq!(raised.workers_at(Duration::ZERO), 3.0);
    coordinator.writer.send(&ToRun::Command(Command::Load(Arc::new(raised)))).unwrap();
    let mut updates = coordinator.updates_until_idle();
    let idle = monotonic() - begin;
    updates.extend(coordinator.finish());
    process.join().unwrap();
    assert!(updates.iter().any(|update| matches!(update, Update::Idle(false))), "{updates:?}");
    assert_eq!(measured(&updates).totals().ok, 2);
    let Some(Update::Done { elapsed, .. }) = updates.last() else { panic!("{updates:?}") };
    assert!(*elapsed <= idle, "its work was done when it became idle: {elapsed:?} and {idle:?}");
}

#[test]
fn lines_of_a_machine_whose_run_does_not_begin_reach_the_coordinator() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut registry = Registry::new();
    registry.add_scenario_fn("browse", async || Ok::<_, Failure>(()));
    let plan = Plan::of_machine(args(2), &registry, Part { number: 0, of: 1 }, 7).unwrap();
    let link = Link::new(theirs).unwrap();
    let show = link.lines();
    show(Line::print("from `global_setup`"));
    let process = thread::spawn(move || {
        let (_control, inbox) = Control::new();
        inbox.sender.send(Message::Line(Line::print("from `global_teardown`")));
        prepare(plan, MemberId(3), link, inbox).unwrap().run();
    });
    let (reader, writer) = (Reader::new(ours.try_clone().unwrap()), Writer::new(ours));
    let mut coordinator = Coordinator { reader, writer, incoming: EnvelopeReader::new(MemberId(3)) };
    coordinator.writer.send(&ToRun::SetUp { variables: BTreeMap::new() }).unwrap();
    coordinator.writer.send(&ToRun::Command(Command::Stop)).unwrap();
    let mut lines = Vec::new();
    while let Some(message) = coordinator.receive() {
        if let FromRun::Line(line) = message {
            lines.push(line.text.to_string());
        }
    }
    process.join().unwrap();
    assert_eq!(lines, ["from `global_setup`", "from `global_teardown`"]);
    show(Line::print("after the end"));
}
