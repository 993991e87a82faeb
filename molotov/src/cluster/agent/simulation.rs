//! Measures what a coordinator needs for many agents: one process plays all agents of a run of the real command.
//!
//! Each agent has its own connection, and uses the tasks of a real agent. Only its run process is simulated: it sends recorded
//! measures once a second. ARCHITECTURE.md has the results and the command.

use std::{
    fs,
    path::PathBuf,
    process::{Child, Command as Program, Stdio},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use tokio::sync::mpsc;

use super::{
    super::test_server::TestServer,
    candidate::Machine,
    orders::{self, Received},
    publisher::Publisher,
    *,
};
use crate::{
    cluster::protocol::{AgentId, FromAgent, Order},
    engine::{
        Command, EnvelopeWriter, MemberId, Update,
        remote::{self, FromRun, Ready, ToRun},
    },
    load::Load,
    metrics::{
        ErrorSample, HTTP, Limits, MachineProbe, OperationSample, Outcome, Recorder, Snapshot, StartSample, Status,
    },
    options::Args,
};

/// The number of names of requests.
const NAMES: usize = 50;
/// How many requests each agent sends in a second.
const REQUESTS: usize = 1_000;
/// How many seconds are recorded before the run. Each agent sends them again and again, from its own first one.
const RECORDED: usize = 200;
/// How many requests a scenario has.
const REQUESTS_OF_SCENARIO: usize = 10;
/// How long after a second a run process sends its measures.
const MEASURES_DELAY: Duration = Duration::from_millis(100);
/// How often the coordinator is looked at in a run.
const LOOKS: u32 = 10;
/// The unit of CPU times in `/proc`, which is the same on all platforms.
const TICKS: f64 = 100.0;

/// What all agents have sent.
#[derive(Debug, Default)]
struct Sent {
    requests: AtomicU64,
    /// The messages with the measures of a second.
    messages: AtomicU64,
    bytes: AtomicU64,
    largest: AtomicU64,
    /// All bytes between the agents and the broker, with the heads of messages and everything else.
    wire_out: AtomicU64,
    wire_in: AtomicU64,
}

/// The coordinator's process takes less than a fifth of a core for 100 agents, also at the end. Its memory does not grow, and it counts
/// everything.
///
/// `MOLOTOV_AGENTS` and `MOLOTOV_SECONDS` change the number of agents and the length of the run.
#[test]
#[ignore = "takes five minutes and needs a release build of the command"]
fn coordinator_has_room_for_a_hundred_agents() {
    let number = |name, default| std::env::var(name).map_or(default, |text| text.parse::<usize>().unwrap());
    let (agents, seconds) = (number("MOLOTOV_AGENTS", 100), number("MOLOTOV_SECONDS", 300));
    let server = TestServer::start();
    let sent = Arc::new(Sent::default());
    let playing = {
        let (url, sent) = (server.url(), sent.clone());
        std::thread::spawn(move || play(&url, agents, &sent))
    };
    let report = server.folder().join("report.json");
    let mut coordinator = Coordinator::start(&server, agents, seconds, &report);
    let (output, code) = coordinator.watch(&server, Duration::from_secs(seconds as u64) / LOOKS);
    assert_eq!(code, Some(0), "{output}");
    playing.join().unwrap();

    let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let (messages, bytes) = (load(&sent.messages), load(&sent.bytes));
    println!("measures: {messages} messages, {} bytes each, at most {}", bytes / messages, load(&sent.largest));
    let per_second = |bytes: u64| bytes / (agents * seconds) as u64;
    println!(
        "agent and broker: {} bytes a second up, {} down for each agent",
        per_second(load(&sent.wire_out)),
        per_second(load(&sent.wire_in))
    );

    assert!(output.contains(&format!("{agents} of {agents} agents, nothing missing.")), "{output}");
    let report: serde_json::Value = serde_json::from_slice(&fs::read(report).unwrap()).unwrap();
    let rows = report["requests"].as_array().unwrap();
    let counted: u64 = rows.iter().map(|row| row["count"].as_u64().unwrap()).sum();
    assert_eq!((rows.len(), counted), (NAMES, load(&sent.requests)));

    let steady = coordinator.steady();
    let bound = 0.2 * agents as f64 / 100.0;
    assert!(steady.cpu < bound && steady.last_cpu < bound, "{steady:?}");
    assert!(steady.growth < 1.05, "{steady:?}");
}

/// The real command, as the coordinator of a run.
struct Coordinator {
    process: Child,
    output: PathBuf,
    started: Instant,
    samples: Vec<Sample>,
}

/// The state of the coordinator and the broker at a time.
#[derive(Debug, Clone, Copy)]
struct Sample {
    at: Duration,
    /// CPU time so far, in seconds.
    cpu: f64,
    broker_cpu: f64,
    /// In KiB.
    memory: u64,
}

/// How the coordinator was doing after its start.
#[derive(Debug)]
struct Steady {
    /// In cores, on average.
    cpu: f64,
    /// In the last fifth of the run.
    last_cpu: f64,
    /// Its memory at the end, compared with that after two fifths of the run: in five minutes, courses have all of their 120 bins then.
    growth: f64,
}

impl Coordinator {
    fn start(server: &TestServer, agents: usize, seconds: usize, report: &Path) -> Coordinator {
        let target = std::env::current_exe().unwrap().ancestors().nth(3).unwrap().to_owned();
        let program = target.join("release/molotov");
        let output = server.folder().join("output");
        let file = fs::File::create(&output).unwrap();
        let rate = agents * REQUESTS / REQUESTS_OF_SCENARIO;
        let process = Program::new(&program)
            .args(["--console", "--cluster", &server.url(), "--agents", &agents.to_string()])
            .args(["--rate", &format!("{rate}/s"), "-d", &seconds.to_string(), "--report"])
            .arg(report)
            // No agent sends a request to it.
            .arg("http://127.0.0.1:9/")
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap_or_else(|error| panic!("build `{}` first: {error}", program.display()));
        Coordinator { process, output, started: Instant::now(), samples: Vec::new() }
    }

    /// Prints what the coordinator and the broker use in each period, until the coordinator ends. Returns its output and its exit code.
    fn watch(&mut self, server: &TestServer, period: Duration) -> (String, Option<i32>) {
        let mut next = Duration::ZERO;
        let code = loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                break status.code();
            }
            if self.started.elapsed() >= next {
                self.look(server.process_id());
                next += period;
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        (fs::read_to_string(&self.output).unwrap(), code)
    }

    fn look(&mut self, broker: u32) {
        let (cpu, memory) = usage(self.process.id());
        let (broker_cpu, broker_memory) = usage(broker);
        let sample = Sample { at: self.started.elapsed(), cpu, broker_cpu, memory };
        if let Some(before) = self.samples.last() {
            let time = (sample.at - before.at).as_secs_f64();
            println!(
                "{:>4.0} s: coordinator {:.1} % of a core, {} KiB; broker {:.1} % of a core, {} KiB",
                sample.at.as_secs_f64(),
                (cpu - before.cpu) / time * 100.0,
                memory,
                (broker_cpu - before.broker_cpu) / time * 100.0,
                broker_memory
            );
        }
        self.samples.push(sample);
    }

    fn steady(&self) -> Steady {
        // The last sample may be that of a report that is being written.
        let (first, last) = (self.samples[1], self.samples[LOOKS as usize]);
        let (early, late) = (self.samples[LOOKS as usize * 2 / 5], self.samples[LOOKS as usize - 2]);
        let cpu = |from: Sample, to: Sample| (to.cpu - from.cpu) / (to.at - from.at).as_secs_f64();
        Steady { cpu: cpu(first, last), last_cpu: cpu(late, last), growth: last.memory as f64 / early.memory as f64 }
    }
}

impl Drop for Coordinator {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Returns the CPU time of a process so far, in seconds, and its resident memory, in KiB.
fn usage(process: u32) -> (f64, u64) {
    let Ok(stat) = fs::read_to_string(format!("/proc/{process}/stat")) else { return (0.0, 0) };
    // The name of the program may have spaces.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: f64 = fields[11..13].iter().map(|field| field.parse::<f64>().unwrap()).sum();
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let memory = memory.and_then(|text| text.trim().trim_end_matches(" kB").parse().ok()).unwrap_or_default();
    (ticks / TICKS, memory)
}

/// Plays agents until their run has ended.
fn play(url: &str, agents: usize, sent: &Arc<Sent>) {
    let broker = Broker::parse(url, |_| None).unwrap();
    let machine = Machine::new(None).unwrap();
    let recorded = record();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let members = tokio::task::LocalSet::new();
    for number in 0..agents {
        let mut machine = machine.clone();
        machine.agent = AgentId(format!("simulated{number}"));
        machine.name = format!("load-{number:05}");
        let (broker, recorded, sent) = (broker.clone(), recorded.clone(), sent.clone());
        members.spawn_local(async move { take_part(&broker, machine, recorded, &sent).await });
    }
    runtime.block_on(members);
}

/// Waits for a run, and takes part in it until the coordinator sends the agent away.
async fn take_part(broker: &Broker, machine: Machine, recorded: Rc<[Snapshot]>, sent: &Sent) {
    let trust = Trust::new([]).unwrap();
    let connection = broker.connect("molotov agent").await.unwrap();
    let state = Arc::new(State { machine, trust: trust.clone(), current: Mutex::default() });
    let (sender, mut assignments) = mpsc::unbounded_channel();
    tokio::spawn(answer_offers(connection.clone(), state.clone()));
    tokio::spawn(accept_assignments(connection.clone(), state, sender));
    let assignment: Assignment = assignments.recv().await.unwrap();

    let (run, number, agent) = (&assignment.run, assignment.number, &assignment.agent);
    let (heard, mut beats) = mpsc::unbounded_channel();
    tokio::spawn(run::hear(connection.clone(), run.coordinator_beat(), heard));
    tokio::spawn(run::beat(connection.clone(), run.agent_beat(number)));
    tokio::spawn(run::answer_clock(connection.clone(), run.clock(number)));
    let mut publisher = Publisher::start(&connection, run, number, agent);
    let mut orders = orders::Reader::start(&connection, run, number, agent, &trust);

    let mut args = Args::from_json(&assignment.task.options).unwrap();
    // All agents follow the same plan.
    args.seed.get_or_insert(assignment.task.seed);
    let load = Load::new(&args, &[], true, None);
    let mut process = RunProcess::new(assignment.task.member, load.end().unwrap(), recorded);
    let mut wake: Option<Instant> = None;
    loop {
        let woken = async { tokio::time::sleep_until(wake.expect("checked").into()).await };
        tokio::select! {
            Some(received) = orders.recv() => match received {
                Received::Order(Order::Run(ToRun::SetUp { .. })) => {
                    let ready = FromRun::Ready(Ready { load: load.clone(), threads: 2 });
                    publisher.send(FromAgent::Run(vec![postcard::to_allocvec(&ready).unwrap()]));
                }
                Received::Order(Order::Run(ToRun::Begin { at })) => wake = Some(process.begin(at)),
                Received::Order(Order::Run(ToRun::Command(Command::Stop | Command::Force))) => match wake {
                    Some(_) => process.stop(),
                    // The run has not begun.
                    None => publisher.send(FromAgent::Ended { problem: None }),
                },
                Received::Order(Order::Leave) => break,
                Received::Order(_) => {}
                Received::Refused(why) => panic!("{why}"),
                Received::NoStream => break,
            },
            Some(()) = beats.recv() => {}
            () = woken, if wake.is_some() => {
                let (updates, next) = process.work(sent);
                publish(&mut publisher, updates, sent);
                if next.is_none() {
                    publisher.send(FromAgent::Ended { problem: None });
                }
                wake = next;
            }
        }
    }
    let statistics = connection.client.statistics();
    sent.wire_out.fetch_add(statistics.out_bytes.load(Ordering::Relaxed), Ordering::Relaxed);
    sent.wire_in.fetch_add(statistics.in_bytes.load(Ordering::Relaxed), Ordering::Relaxed);
}

/// Publishes the updates of a second in one message.
fn publish(publisher: &mut Publisher, updates: Vec<Vec<u8>>, sent: &Sent) {
    let message = FromAgent::Run(updates);
    let size = postcard::to_allocvec(&message).unwrap().len() as u64;
    sent.messages.fetch_add(1, Ordering::Relaxed);
    sent.bytes.fetch_add(size, Ordering::Relaxed);
    sent.largest.fetch_max(size, Ordering::Relaxed);
    publisher.send(message);
}

/// Sends measures as a run process does.
struct RunProcess {
    number: usize,
    envelopes: EnvelopeWriter,
    recorded: Rc<[Snapshot]>,
    machine: MachineProbe,
    epoch: Instant,
    length: Duration,
    seconds: u32,
    is_stopped: bool,
}

impl RunProcess {
    fn new(member: MemberId, length: Duration, recorded: Rc<[Snapshot]>) -> RunProcess {
        RunProcess {
            number: member.0 as usize,
            envelopes: EnvelopeWriter::new(member),
            recorded,
            machine: MachineProbe::start(),
            epoch: Instant::now(),
            length,
            seconds: 0,
            is_stopped: false,
        }
    }

    /// Notes the start of the run. Returns when to send the first measures.
    fn begin(&mut self, at: Duration) -> Instant {
        self.epoch = Instant::now() + at.saturating_sub(remote::monotonic());
        self.next()
    }

    fn stop(&mut self) {
        self.is_stopped = true;
    }

    fn next(&self) -> Instant {
        self.epoch + Duration::from_secs(u64::from(self.seconds) + 1) + MEASURES_DELAY
    }

    /// Returns the encoded updates of the next second, and when to send those after them.
    fn work(&mut self, sent: &Sent) -> (Vec<Vec<u8>>, Option<Instant>) {
        let index = (self.number * 7 + self.seconds as usize) % self.recorded.len();
        self.seconds += 1;
        let until = Duration::from_secs(u64::from(self.seconds));
        let is_last = until >= self.length || self.is_stopped;
        let mut snapshot = Snapshot { until, ..self.recorded[index].clone() };
        snapshot.health.merge(&self.machine.sample());
        sent.requests.fetch_add(REQUESTS as u64, Ordering::Relaxed);
        let mut updates = Vec::new();
        if self.seconds == 1 {
            updates.push(Update::Began { first: Duration::from_micros(200), last: Duration::from_micros(400) });
        }
        updates.push(Update::Workers { running: if is_last { 0 } else { 40 }, most: 40 });
        updates.push(Update::Measures(Box::new(snapshot)));
        updates.push(Update::Reported(until));
        if is_last {
            updates.push(Update::Done { elapsed: until, paused: Duration::ZERO });
        }
        let mut seal = |update| FromRun::Update(self.envelopes.seal(until, update));
        let encoded = updates.into_iter().map(|update| postcard::to_allocvec(&seal(update)).unwrap()).collect();
        (encoded, (!is_last).then(|| self.next()))
    }
}

/// Records seconds of an agent.
fn record() -> Rc<[Snapshot]> {
    let recorder = Recorder::new(Limits::for_shards(2));
    let mut random = fastrand::Rng::with_seed(1);
    let names: Vec<String> = (0..NAMES).map(|number| format!("GET /api/v1/resources/{number}/items")).collect();
    let second = |_| {
        record_second(&recorder, &mut random, &names);
        recorder.take()
    };
    (0..RECORDED).map(second).collect()
}

fn record_second(recorder: &Recorder, random: &mut fastrand::Rng, names: &[String]) {
    let (scenario, stream) = (recorder.scenario_id("request"), recorder.stream_id(""));
    for number in 0..REQUESTS {
        let name = random.usize(..NAMES);
        // Most latencies are near that of their name, and some are much longer.
        let total = Duration::from_secs_f64(0.002 * (1.0 + name as f64 / 5.0) * (random.f64() * 2.5).exp());
        let is_ok = random.usize(..100) > 0;
        let (outcome, status) = if is_ok { (Outcome::Ok, 200) } else { (Outcome::Failed, 503) };
        let sample = OperationSample {
            outcome,
            status: Some(Status::Code(status)),
            connect: (random.usize(..20) == 0).then_some(total / 10),
            first_byte: Some(total * 9 / 10),
            total,
            bytes_in: 1_800,
            bytes_out: 350,
            retried: 0,
        };
        recorder.operation_in(None, HTTP, &names[name], &sample);
        if !is_ok {
            recorder.error(ErrorSample {
                kind: "StatusError",
                message: "the server answered with status 503 Service Unavailable",
                place: Some("scenarios.py:42"),
                scenario: "request",
                detail: None,
                at: SystemTime::now(),
            });
        }
        if number % REQUESTS_OF_SCENARIO == 0 {
            let lag = Duration::from_micros(random.u64(50..2_000));
            recorder.start(stream, StartSample::Started { lag, waited_for: None });
            recorder.planned_scenario(scenario, outcome, lag, total * REQUESTS_OF_SCENARIO as u32);
        }
    }
}
