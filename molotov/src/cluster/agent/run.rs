//! The part of an agent in one run, from its assignment to its end.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};

use super::{
    orders::{self, Received},
    prepare::{self, Packages, Prepared, Stop},
    process::RunProcess,
    publisher::Publisher,
};
use crate::{
    cluster::{
        connection::Connection,
        protocol::{Assignment, BEAT_PERIOD, Beat, COORDINATOR_TIMEOUT, ClockReading, FromAgent, Order},
        trust::Trust,
    },
    engine::{
        Command,
        remote::{self, ToRun},
    },
    notice::{inform, note},
};

/// How often silence and deadlines are checked.
const LOOK_PERIOD: Duration = Duration::from_millis(100);
/// How long the coordinator is silent before a stream that does not exist means that the run has ended.
const ENDED_SILENCE: Duration = Duration::from_secs(3);
/// How long messages of a run that has ended are kept for a broker that cannot be reached.
const KEEP: Duration = Duration::from_secs(600);
/// How long the coordinator may take to receive that an agent is free, which it has asked for.
const FREE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long the last messages may take when the agent was asked to end.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(10);
/// How often an agent asks whether a silent coordinator is alive.
const ASK_PERIOD: Duration = Duration::from_secs(2);

/// How a part of a run ends by force.
#[derive(Debug, Clone, Copy)]
struct Deadlines {
    force: Instant,
    kill: Instant,
}

impl Deadlines {
    fn after(force: Duration, kill: Duration) -> Deadlines {
        let now = Instant::now();
        Deadlines { force: now + force, kill: now + kill }
    }
}

/// Why the agent goes on or ends after a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Free,
    /// A signal has asked the agent to end.
    Left,
    /// The third signal, which is this one, has ended it by force.
    Killed(i32),
}

/// Takes part in a run.
pub(super) async fn take_part(
    connection: &Connection,
    assignment: Assignment,
    trust: &Trust,
    program: Option<&Path>,
    signals: &mut mpsc::UnboundedReceiver<i32>,
) -> Outcome {
    let name = assignment.run.0.clone();
    let mut part = Part::new(connection.clone(), assignment, trust);
    let ended = part.run(program.map(Path::to_owned), signals).await;
    part.release();
    inform(&format!("Run {name}: {ended}"));
    match part.signals[..] {
        [] => Outcome::Free,
        [_] | [_, _] => Outcome::Left,
        [_, _, last, ..] => Outcome::Killed(last),
    }
}

struct Part {
    connection: Connection,
    assignment: Assignment,
    publisher: Publisher,
    orders: mpsc::UnboundedReceiver<Received>,
    beats: mpsc::UnboundedReceiver<()>,
    /// Tasks that end with the part.
    _tasks: JoinSet<()>,
    process: Option<RunProcess>,
    folder: Option<tempfile::TempDir>,
    packages: Packages,
    /// Stops an installation of packages.
    installing: Stop,
    /// Orders that arrived before the process was started.
    early: Vec<ToRun>,
    /// Whether the start of the run was passed to the process.
    has_begun: bool,
    /// Whether the process was interrupted before that.
    is_interrupted: bool,
    heard: Instant,
    deadlines: Option<Deadlines>,
    /// Whether the coordinator was silent for too long.
    is_abandoned: bool,
    /// When the coordinator has asked it to be free.
    dismissed: Option<Instant>,
    /// The signals that have asked the agent to end.
    signals: Vec<i32>,
    /// Since when everything is done except for messages that the broker has not acknowledged.
    ended: Option<(Instant, String)>,
}

impl Part {
    fn new(connection: Connection, assignment: Assignment, trust: &Trust) -> Part {
        let (run, number) = (&assignment.run, assignment.number);
        let mut tasks = JoinSet::new();
        let (heard, beats) = mpsc::unbounded_channel();
        tasks.spawn(hear(connection.clone(), run.coordinator_beat(), heard));
        tasks.spawn(beat(connection.clone(), run.agent_beat(number)));
        tasks.spawn(answer_clock(connection.clone(), run.clock(number)));
        Part {
            publisher: Publisher::start(&connection, run, number, &assignment.agent),
            orders: orders::Reader::start(&connection, run, number, &assignment.agent, trust),
            connection,
            assignment,
            beats,
            _tasks: tasks,
            process: None,
            folder: None,
            packages: None,
            installing: Stop::default(),
            early: Vec::new(),
            has_begun: false,
            is_interrupted: false,
            heard: Instant::now(),
            deadlines: None,
            is_abandoned: false,
            dismissed: None,
            signals: Vec::new(),
            ended: None,
        }
    }

    /// Runs until the agent is free. Returns how the run has ended, for the console.
    async fn run(&mut self, program: Option<PathBuf>, signals: &mut mpsc::UnboundedReceiver<i32>) -> String {
        let (say, mut said) = mpsc::unbounded_channel();
        let (connection, assignment) = (self.connection.clone(), self.assignment.clone());
        let stop = self.installing.clone();
        let preparing =
            async move { prepare::prepare(&connection, &assignment, program.as_deref(), &say, &stop).await };
        let mut preparing = Some(Box::pin(preparing));
        let mut looks = interval(LOOK_PERIOD);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut asked: Option<Instant> = None;
        loop {
            tokio::select! {
                biased;
                Some(signal) = signals.recv() => {
                    if let Some(end) = self.signalled(signal) {
                        return end;
                    }
                    if preparing.take().is_some() {
                        self.end(None, "left before it began");
                    }
                }
                Some(()) = self.beats.recv() => self.heard = Instant::now(),
                Some(received) = self.orders.recv() => match received {
                    Received::Order(Order::Leave) => {
                        preparing = None;
                        self.end(None, "ended by the coordinator");
                        self.dismissed.get_or_insert_with(Instant::now);
                    }
                    Received::Order(Order::Run(message)) => {
                        let is_stop = matches!(message, ToRun::Command(Command::Stop | Command::Force));
                        self.pass_on(message);
                        if is_stop && !self.has_begun && preparing.take().is_some() {
                            self.end(None, "stopped before it began");
                        }
                    }
                    Received::Refused(why) => note(&why),
                    Received::NoStream if self.heard.elapsed() >= ENDED_SILENCE => {
                        let how = self.ended.take().map(|(_, how)| how);
                        return how.unwrap_or_else(|| "the coordinator has ended the run".to_owned());
                    }
                    Received::NoStream => {}
                },
                Some(text) = said.recv() => {
                    inform(&format!("Run {}: {text}", self.assignment.run.0));
                    self.publisher.send(FromAgent::Preparing(text));
                }
                prepared = async { preparing.as_mut().expect("checked").await }, if preparing.is_some() => {
                    preparing = None;
                    self.start(prepared);
                }
                message = receive(&mut self.process), if self.process.is_some() => match message {
                    Some(first) => self.collect(first),
                    None => self.wait_for_process().await,
                },
                _ = looks.tick() => {
                    if let Some(end) = self.look(preparing.is_some(), &mut asked).await {
                        return end;
                    }
                    if self.ended.is_some() {
                        preparing = None;
                    }
                }
            }
        }
    }

    /// Handles a signal: the first one stops the part, the second one forces it to stop, and the third one ends it. Returns how the run
    /// has ended, if it does not wait for anything.
    fn signalled(&mut self, signal: i32) -> Option<String> {
        self.signals.push(signal);
        match self.signals.len() {
            1 => {
                inform(&format!(
                    "Run {}: leaving; running scenarios finish, and a second signal cancels them",
                    self.assignment.run.0
                ));
                self.publisher.send(FromAgent::Leaving);
                self.command(Command::Stop);
                // Whoever sends SIGTERM often kills after 30 s.
                if signal != signal_hook::consts::SIGINT {
                    self.deadlines = Some(Deadlines::after(Duration::from_secs(15), Duration::from_secs(22)));
                }
                None
            }
            2 => {
                inform(&format!(
                    "Run {}: forced to stop; a third signal ends this agent at once",
                    self.assignment.run.0
                ));
                self.deadlines = Some(Deadlines::after(Duration::ZERO, Duration::from_secs(7)));
                None
            }
            _ => Some("ended by force".to_owned()),
        }
    }

    /// Checks silence and deadlines. Returns how the run has ended, if the agent is free.
    async fn look(&mut self, is_preparing: bool, asked: &mut Option<Instant>) -> Option<String> {
        let now = Instant::now();
        if let Some(deadlines) = &mut self.deadlines {
            if now >= deadlines.kill
                && let Some(process) = &self.process
            {
                process.kill();
            } else if now >= deadlines.force && self.process.is_some() {
                deadlines.force = deadlines.kill;
                self.command(Command::Force);
            }
        }
        let silence = self.heard.elapsed();
        if silence >= COORDINATOR_TIMEOUT && !self.is_abandoned {
            self.is_abandoned = true;
            let name = &self.assignment.run.0;
            note(&format!("run {name}: the coordinator is silent for {} s, so this agent stops", silence.as_secs()));
            self.command(Command::Stop);
            self.deadlines = Some(Deadlines::after(Duration::from_secs(2), Duration::from_secs(8)));
            if is_preparing {
                self.end(None, "the coordinator has gone");
            }
        }
        let Some((since, how)) = &self.ended else { return None };
        let is_free = !self.signals.is_empty() || self.dismissed.is_some() || !self.is_abandoned;
        // The coordinator deletes the stream when it has waited long enough.
        let is_late = self.dismissed.is_some_and(|dismissed| dismissed.elapsed() >= FREE_TIMEOUT);
        if self.publisher.is_drained() && is_free || is_late {
            return Some(how.clone());
        }
        let limit = if self.signals.is_empty() { KEEP } else { LEAVE_TIMEOUT };
        if since.elapsed() >= limit {
            return Some(format!("{how}; the last messages were not sent, because the broker could not be reached"));
        }
        // The coordinator may have gone, or this machine was cut off.
        if silence >= COORDINATOR_TIMEOUT
            && *self.connection.is_up().borrow()
            && asked.is_none_or(|asked| asked.elapsed() >= ASK_PERIOD)
        {
            *asked = Some(now);
            if self.coordinator_has_gone().await {
                self.delete().await;
                return Some("the coordinator has gone".to_owned());
            }
        } else if self.is_abandoned && silence < BEAT_PERIOD * 3 && self.publisher.is_drained() {
            return Some(how.clone());
        }
        None
    }

    /// Whether nothing answers for the coordinator, although the broker can be reached.
    async fn coordinator_has_gone(&self) -> bool {
        let request = self.connection.client.request(self.assignment.run.alive(), bytes::Bytes::new());
        match tokio::time::timeout(ASK_PERIOD, request).await {
            Ok(Err(error)) => error.kind() == async_nats::RequestErrorKind::NoResponders,
            _ => false,
        }
    }

    /// Deletes what the run has left at the broker. Other agents may do the same.
    async fn delete(&self) {
        let (jetstream, name) = (&self.connection.jetstream, self.assignment.run.stream());
        let delete = async {
            let _ = jetstream.delete_object_store(&name).await;
            let _ = jetstream.delete_stream(&name).await;
        };
        let _ = tokio::time::timeout(LEAVE_TIMEOUT, delete).await;
    }

    fn command(&mut self, command: Command) {
        self.pass_on(ToRun::Command(command));
    }

    fn pass_on(&mut self, message: ToRun) {
        self.has_begun |= matches!(message, ToRun::Begin { .. });
        match &self.process {
            Some(process) => {
                process.send(&message);
                match message {
                    _ if self.has_begun => {}
                    // As a second Ctrl-C on one machine.
                    ToRun::Command(Command::Force) => process.kill(),
                    ToRun::Command(Command::Stop) if !self.is_interrupted => {
                        self.is_interrupted = true;
                        process.interrupt();
                    }
                    _ => {}
                }
            }
            None if self.ended.is_none() => self.early.push(message),
            None => {}
        }
    }

    /// Starts the process of a run that is prepared.
    fn start(&mut self, prepared: Result<Prepared, String>) {
        let started = prepared.and_then(|Prepared { command, folder, packages }| {
            self.folder = Some(folder);
            self.packages = packages;
            RunProcess::start(command, &self.assignment.task)
                .map_err(|error| format!("cannot start the process of the run: {error}"))
        });
        match started {
            Ok(process) => {
                self.early.drain(..).for_each(|message| process.send(&message));
                self.process = Some(process);
            }
            Err(why) => {
                self.publisher.send(FromAgent::Refused(why.clone()));
                self.end(Some(why.clone()), &format!("refused: {why}"));
            }
        }
    }

    /// Sends a message of the process, and those that arrived with it.
    fn collect(&mut self, first: Vec<u8>) {
        let mut batch = vec![first];
        let process = self.process.as_mut();
        batch.extend(process.into_iter().flat_map(|process| std::iter::from_fn(|| process.try_receive())));
        self.publisher.send(FromAgent::Run(batch));
    }

    /// Waits for the end of a process that has closed its link.
    async fn wait_for_process(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        let start = Instant::now();
        let mut is_killed = false;
        let status = loop {
            if let Some(status) = process.ended() {
                break status;
            }
            if start.elapsed() >= Duration::from_secs(2) && !std::mem::replace(&mut is_killed, true) {
                process.kill();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        let problem = match status.success() || is_killed {
            true => None,
            false if self.deadlines.is_some_and(|deadlines| deadlines.kill <= Instant::now()) => {
                Some("the process of the run did not end in time, so it was killed".to_owned())
            }
            false => Some(format!("the process of the run has ended with {status}")),
        };
        let how = problem.clone().unwrap_or_else(|| "ended".to_owned());
        self.end(problem, &how);
    }

    /// Ends what belongs to the run on this machine.
    fn release(&mut self) {
        self.installing.stop();
        self.process = None;
        self.folder = None;
        self.packages = None;
    }

    /// Notes that nothing remains to do, except for messages that wait for the broker.
    fn end(&mut self, problem: Option<String>, how: &str) {
        self.release();
        if self.ended.is_none() {
            self.publisher.send(FromAgent::Ended { problem });
            self.ended = Some((Instant::now(), how.to_owned()));
        }
    }
}

async fn receive(process: &mut Option<RunProcess>) -> Option<Vec<u8>> {
    match process {
        Some(process) => process.receive().await,
        None => std::future::pending().await,
    }
}

/// Receives the beats of the coordinator.
pub(super) async fn hear(connection: Connection, subject: String, heard: mpsc::UnboundedSender<()>) {
    use futures_util::StreamExt;

    let Ok(mut beats) = connection.client.subscribe(subject).await else { return };
    while beats.next().await.is_some() {
        if heard.send(()).is_err() {
            return;
        }
    }
}

/// Shows the coordinator that this agent is alive.
pub(super) async fn beat(connection: Connection, subject: String) {
    let mut ticks = interval(BEAT_PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for number in 0.. {
        ticks.tick().await;
        // The client would keep beats for a broker that is away, and send all at once later.
        if *connection.is_up().borrow()
            && let Ok(beat) = postcard::to_allocvec(&Beat { number })
        {
            let _ = connection.client.publish(subject.clone(), beat.into()).await;
        }
    }
}

/// Answers the questions of the coordinator for the clock of this machine.
pub(super) async fn answer_clock(connection: Connection, subject: String) {
    use futures_util::StreamExt;

    let Ok(mut questions) = connection.client.subscribe(subject).await else { return };
    while let Some(question) = questions.next().await {
        let reading = ClockReading { monotonic: remote::monotonic() };
        if let (Some(reply), Ok(reading)) = (question.reply, postcard::to_allocvec(&reading)) {
            let _ = connection.client.publish(reply, reading.into()).await;
        }
    }
}
