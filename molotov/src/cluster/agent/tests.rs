//! Tests an agent with a real broker. The tests play the coordinator, and scripts play the run process.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, thread::JoinHandle, time::Duration};

use async_nats::jetstream::{consumer::pull, object_store, stream};
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::sync::mpsc;

use super::{super::test_server::TestServer, publisher::Publisher, *};
use crate::{
    cluster::coordinator::read_agents,
    cluster::protocol::{
        AgentId, Candidate, ClockReading, FromAgent, Object, Order, RunId, Sha256, Signed, ToAgent, VERSION, Work,
    },
    engine::{
        Command,
        remote::{self, ToRun},
    },
};

/// A run process: sends back what it receives. It ends after a message that is a stop. Its `global_setup` hangs until it is interrupted.
const ECHO: &str = r#"#!/usr/bin/env python3
import os, signal, sys, time
def receive():
    length = sys.stdin.buffer.read(4)
    return sys.stdin.buffer.read(int.from_bytes(length, "little")) if length else None
def send(message):
    data = len(message).to_bytes(4, "little") + message
    while data:
        data = data[os.write(0, data):]
task = receive()
send(b"files " + " ".join(sorted(os.listdir("."))).encode() + b" " + os.environ.get("GREETING", "").encode())
while True:
    message = receive()
    if message is None or message == STOP:
        break
    if message[0] == SET_UP:
        try:
            send(b"setting up")
            time.sleep(60)
        except KeyboardInterrupt:
            send(b"interrupted")
        continue
    if message[0] == BEGIN:
        continue
    if message == FORCE:
        os.abort()
    send(message)
send(b"last")
"#;

/// An agent on its own thread.
struct TestAgent {
    thread: Option<JoinHandle<Result<Outcome, ConnectionError>>>,
    signals: mpsc::UnboundedSender<i32>,
    _folder: tempfile::TempDir,
}

impl TestAgent {
    fn start(server: &TestServer, name: &str, trust: &[String]) -> TestAgent {
        let folder = tempfile::tempdir().unwrap();
        let program: PathBuf = folder.path().join("program");
        let encoded = |command| format!("{:?}", postcard::to_allocvec(&ToRun::Command(command)).unwrap());
        let kind = |message: &ToRun| postcard::to_allocvec(message).unwrap()[0].to_string();
        let text = ECHO
            .replace("SET_UP", &kind(&ToRun::SetUp { variables: Default::default() }))
            .replace("BEGIN", &kind(&ToRun::Begin { at: Duration::ZERO }))
            .replace("STOP", &format!("bytes({})", encoded(Command::Stop)))
            .replace("FORCE", &format!("bytes({})", encoded(Command::Force)));
        fs::write(&program, text).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let broker = Broker::parse(&server.url(), |_| None).unwrap();
        let trust = Trust::new(trust.iter().map(String::as_str)).unwrap();
        let machine = Machine::new(Some(name.to_owned())).unwrap();
        let (signals, receiver) = mpsc::unbounded_channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let ended = runtime.block_on(serve(&broker, trust, machine, Some(&program), receiver));
            runtime.shutdown_background();
            ended
        });
        TestAgent { thread: Some(thread), signals, _folder: folder }
    }

    /// Sends SIGTERM, and waits for the end.
    fn leave(mut self) {
        self.signals.send(15).unwrap();
        self.thread.take().unwrap().join().unwrap().unwrap();
    }
}

impl Drop for TestAgent {
    fn drop(&mut self) {
        // A second one ends the agent in any case.
        let _ = (self.signals.send(15), self.signals.send(15), self.signals.send(15));
    }
}

/// A coordinator.
struct Coordinator {
    connection: Connection,
    run: RunId,
    agent: Option<Candidate>,
    sequence: u64,
    beats: tokio::task::JoinHandle<()>,
}

impl Coordinator {
    async fn open(server: &TestServer, name: &str) -> Coordinator {
        let connection = server.connect().await;
        let run = RunId(name.to_owned());
        let config =
            stream::Config { name: run.stream(), subjects: vec![run.down(0), run.up(0)], ..stream::Config::default() };
        connection.jetstream.create_stream(config).await.unwrap();
        let (client, subject) = (connection.client.clone(), run.coordinator_beat());
        let beats = tokio::spawn(async move {
            loop {
                client.publish(subject.clone(), Bytes::from_static(&[0])).await.unwrap();
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        });
        Coordinator { connection, run, agent: None, sequence: 0, beats }
    }

    /// Publishes offers until an agent answers.
    async fn candidate(&self) -> Candidate {
        let mut candidates = self.connection.client.subscribe(self.run.join()).await.unwrap();
        let offer = Offer {
            protocol: VERSION,
            version: "0".to_owned(),
            run: self.run.clone(),
            work: Work::Command { python: None },
            since: 0,
        };
        let offer = Bytes::from(postcard::to_allocvec(&offer).unwrap());
        loop {
            self.connection.client.publish(OFFERS, offer.clone()).await.unwrap();
            match tokio::time::timeout(Duration::from_millis(100), candidates.next()).await {
                Ok(message) => return postcard::from_bytes(&message.unwrap().payload).unwrap(),
                Err(_) => continue,
            }
        }
    }

    fn assignment(&self, candidate: &Candidate, files: Option<Object>) -> Assignment {
        Assignment {
            run: self.run.clone(),
            number: 0,
            agent: candidate.agent.clone(),
            nonce: candidate.nonce,
            name: candidate.name.clone(),
            work: Work::Command { python: None },
            task: postcard::from_bytes(&postcard::to_allocvec(&(0_u32, (0_usize, 1_usize), 0_u64, "{}")).unwrap())
                .unwrap(),
            files,
            directory: String::new(),
            program: None,
            requirements: None,
            env: vec![("GREETING".to_owned(), "hello".to_owned())],
        }
    }

    async fn assign(&mut self, assignment: &Assignment) -> Result<(), String> {
        let signed = Signed { payload: postcard::to_allocvec(assignment).unwrap(), signature: None };
        let request = postcard::to_allocvec(&signed).unwrap();
        let reply = self.connection.client.request(assignment.agent.assign(), request.into()).await.unwrap();
        postcard::from_bytes(&reply.payload).unwrap()
    }

    /// Takes the next free agent into the run, and begins it.
    async fn take_agent(&mut self) {
        self.take_agent_without_begin().await;
        self.begin().await;
    }

    async fn take_agent_without_begin(&mut self) {
        let candidate = self.candidate().await;
        let assignment = self.assignment(&candidate, None);
        self.assign(&assignment).await.unwrap();
        self.agent = Some(candidate);
    }

    async fn begin(&mut self) {
        self.order(Order::Run(ToRun::Begin { at: Duration::ZERO })).await;
    }

    async fn order(&mut self, message: Order) {
        let agent = self.agent.as_ref().unwrap().agent.clone();
        let order = ToAgent { run: self.run.clone(), agent, sequence: self.sequence, message };
        let signed = Signed { payload: postcard::to_allocvec(&order).unwrap(), signature: None };
        let payload = postcard::to_allocvec(&signed).unwrap();
        self.connection.jetstream.publish(self.run.down(0), payload.into()).await.unwrap().await.unwrap();
        self.sequence += 1;
    }

    async fn command(&mut self, command: Command) {
        self.order(Order::Run(ToRun::Command(command))).await;
    }

    /// Reads what the agent sends until it has ended. Messages of the run process are shown as text.
    async fn received(&self) -> Vec<String> {
        let stream = self.connection.jetstream.get_stream(self.run.stream()).await.unwrap();
        let config = pull::Config { filter_subject: self.run.up(0), ..pull::Config::default() };
        let mut messages = stream.create_consumer(config).await.unwrap().messages().await.unwrap();
        let mut texts = Vec::new();
        loop {
            let message = messages.next().await.unwrap().unwrap();
            match postcard::from_bytes(&message.payload).unwrap() {
                FromAgent::Run(batch) => {
                    texts.extend(batch.iter().map(|bytes| match postcard::from_bytes(bytes) {
                        Ok(ToRun::Command(command)) => format!("{command:?}"),
                        _ => String::from_utf8_lossy(bytes).into_owned(),
                    }));
                }
                FromAgent::Ended { problem } => {
                    texts.push(format!("ended: {problem:?}"));
                    return texts;
                }
                other => texts.push(format!("{other:?}")),
            }
        }
    }

    async fn close(self) {
        self.beats.abort();
        self.connection.jetstream.delete_stream(self.run.stream()).await.unwrap();
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn takes_part_in_one_run_after_the_other() {
    let server = TestServer::start();
    let agent = TestAgent::start(&server, "one", &[]);
    runtime().block_on(async {
        for run in ["first", "second"] {
            let mut coordinator = Coordinator::open(&server, run).await;
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join("data.txt"), "data").unwrap();
            let archive = crate::cluster::archive::pack(crate::cluster::archive::Contents {
                directory: folder.path(),
                folders: &[folder.path().to_owned()],
                named: &[],
                left_out: &[],
            })
            .unwrap();
            let config = object_store::Config { bucket: coordinator.run.stream(), ..object_store::Config::default() };
            let store = coordinator.connection.jetstream.create_object_store(config).await.unwrap();
            store.put(archive.hash.to_string().as_str(), &mut archive.bytes.as_slice()).await.unwrap();
            let files = Object { hash: archive.hash, size: archive.bytes.len() as u64 };
            let candidate = coordinator.candidate().await;
            assert_eq!(
                (candidate.protocol, candidate.name.as_str(), candidate.needs_signature),
                (VERSION, "one", false)
            );
            assert!(candidate.cores > 0 && candidate.memory > 1 << 20 && candidate.program != Sha256([0; 32]));
            let assignment = coordinator.assignment(&candidate, Some(files));
            coordinator.assign(&assignment).await.unwrap();
            coordinator.agent = Some(candidate);
            coordinator.begin().await;

            let (before, clock) = (remote::monotonic(), coordinator.run.clock(0));
            let reply = loop {
                match coordinator.connection.client.request(clock.clone(), Bytes::new()).await {
                    Ok(reply) => break reply,
                    Err(error) => assert_eq!(error.kind(), async_nats::RequestErrorKind::NoResponders),
                }
            };
            let reading: ClockReading = postcard::from_bytes(&reply.payload).unwrap();
            assert!(before < reading.monotonic && reading.monotonic < remote::monotonic());

            for stream in 0..50 {
                coordinator.command(Command::EndStream(stream)).await;
            }
            coordinator.command(Command::Stop).await;
            let mut expected = vec!["files data.txt hello".to_owned()];
            expected.extend((0..50).map(|stream| format!("EndStream({stream})")));
            expected.extend(["last".to_owned(), "ended: None".to_owned()]);
            assert_eq!(coordinator.received().await, expected);
            coordinator.close().await;
        }
    });
    agent.leave();
}

#[test]
fn messages_arrive_once_and_in_order_although_the_broker_restarts() {
    let mut server = TestServer::start();
    let _agent = TestAgent::start(&server, "one", &[]);
    let runtime = runtime();
    let mut coordinator = runtime.block_on(Coordinator::open(&server, "run"));
    runtime.block_on(coordinator.take_agent());
    runtime.block_on(async {
        for stream in 0..300 {
            coordinator.command(Command::EndStream(stream)).await;
        }
        coordinator.command(Command::Stop).await;
    });
    server.stop();
    let server = server.start_again();
    let received = runtime.block_on(async {
        // A request over the old connection would not be answered.
        coordinator.connection = server.connect().await;
        coordinator.received().await
    });
    let mut expected = vec!["files  hello".to_owned()];
    expected.extend((0..300).map(|stream| format!("EndStream({stream})")));
    expected.extend(["last".to_owned(), "ended: None".to_owned()]);
    assert_eq!(received, expected);
}

#[test]
fn messages_larger_than_the_broker_accepts_arrive_whole() {
    let server = TestServer::start();
    runtime().block_on(async {
        let coordinator = Coordinator::open(&server, "large").await;
        let mut received = read_agents(&coordinator.connection, &coordinator.run);
        let largest = coordinator.connection.client.max_payload();
        let agent = AgentId("a".to_owned());
        let mut publisher = Publisher::start(&coordinator.connection, &coordinator.run, 0, &agent);
        let large = (0..largest * 3).map(|n| (n % 251) as u8).collect::<Vec<_>>();
        for message in [&b"before"[..], &large, b"after"] {
            publisher.send(FromAgent::Run(vec![message.to_vec()]));
        }
        let mut messages = Vec::new();
        while messages.len() < 3 {
            let next = tokio::time::timeout(Duration::from_secs(10), received.recv()).await;
            let Ok(Some((0, FromAgent::Run(batch)))) = next else { panic!("{next:?} after {}", messages.len()) };
            messages.extend(batch);
        }
        assert_eq!(messages.iter().map(Vec::len).collect::<Vec<_>>(), [6, largest * 3, 5]);
        assert!(messages[1] == large, "the content is the same");
        coordinator.close().await;
    });
}

#[test]
fn an_agent_takes_part_in_one_run_at_a_time() {
    let server = TestServer::start();
    let _agents = [TestAgent::start(&server, "one", &[]), TestAgent::start(&server, "two", &[])];
    runtime().block_on(async {
        let mut first = Coordinator::open(&server, "first").await;
        let mut second = Coordinator::open(&server, "second").await;
        let candidate = first.candidate().await;
        let assignment = first.assignment(&candidate, None);
        let other = second.assignment(&candidate, None);
        first.assign(&assignment).await.unwrap();
        first.agent = Some(candidate.clone());
        first.begin().await;
        assert_eq!(second.assign(&other).await.unwrap_err(), "it takes part in another run");
        second.take_agent().await;
        assert_ne!(second.agent.as_ref().unwrap().agent, candidate.agent);
        for coordinator in [&mut first, &mut second] {
            coordinator.command(Command::Stop).await;
            assert_eq!(coordinator.received().await, ["files  hello", "last", "ended: None"]);
        }
        // An assignment is accepted once.
        let mut third = Coordinator::open(&server, "third").await;
        while third.candidate().await.agent != candidate.agent {}
        let refused = third.assign(&third.assignment(&candidate, None)).await.unwrap_err();
        assert_eq!(refused, "the assignment is an old one or for another agent");
    });
}

#[test]
fn reports_a_process_that_has_crashed() {
    let server = TestServer::start();
    let _agent = TestAgent::start(&server, "one", &[]);
    runtime().block_on(async {
        let mut coordinator = Coordinator::open(&server, "run").await;
        coordinator.take_agent().await;
        coordinator.command(Command::Force).await;
        let received = coordinator.received().await;
        assert_eq!(received[0], "files  hello");
        assert!(received[1].contains("the process of the run has ended with signal: 6 (SIGABRT)"), "{received:?}");
    });
}

#[test]
fn a_stop_interrupts_a_global_setup() {
    let server = TestServer::start();
    let _agent = TestAgent::start(&server, "one", &[]);
    runtime().block_on(async {
        let mut coordinator = Coordinator::open(&server, "run").await;
        coordinator.take_agent_without_begin().await;
        coordinator.order(Order::Run(ToRun::SetUp { variables: Default::default() })).await;
        let mut received = read_agents(&coordinator.connection, &coordinator.run);
        loop {
            let Some((0, FromAgent::Run(batch))) = received.recv().await else { panic!("no message") };
            if batch.iter().any(|message| message == b"setting up") {
                break;
            }
        }
        drop(received);
        // Only the first stop interrupts.
        coordinator.command(Command::Stop).await;
        coordinator.command(Command::Stop).await;
        let received = coordinator.received().await;
        assert_eq!(received[received.len() - 3..], ["interrupted", "last", "ended: None"]);
    });
}

#[test]
fn reports_that_it_is_free_when_the_coordinator_does_not_need_it() {
    let server = TestServer::start();
    let _agent = TestAgent::start(&server, "one", &[]);
    runtime().block_on(async {
        let mut coordinator = Coordinator::open(&server, "run").await;
        coordinator.take_agent().await;
        coordinator.order(Order::Leave).await;
        assert_eq!(coordinator.received().await.last().unwrap(), "ended: None");
        // It is free, although the run goes on.
        let next = Coordinator::open(&server, "next").await;
        assert_eq!(next.candidate().await.agent, coordinator.agent.unwrap().agent);
    });
}

#[test]
fn leaves_with_the_last_messages_when_a_signal_arrives() {
    let server = TestServer::start();
    let agent = TestAgent::start(&server, "one", &[]);
    let runtime = runtime();
    runtime.block_on(async {
        let mut coordinator = Coordinator::open(&server, "run").await;
        coordinator.take_agent().await;
        coordinator.command(Command::EndStream(1)).await;
        // The process has answered.
        let stream = coordinator.connection.jetstream.get_stream(coordinator.run.stream()).await.unwrap();
        while stream.get_last_raw_message_by_subject(&coordinator.run.up(0)).await.is_err() {}
        tokio::task::spawn_blocking(move || agent.leave()).await.unwrap();
        let received = coordinator.received().await;
        assert!(received.contains(&"Leaving".to_owned()), "{received:?}");
        assert_eq!(received.last().unwrap(), "ended: None");
        assert_eq!(received[received.len() - 2], "last");
    });
}

#[test]
fn runs_only_what_a_trusted_key_has_signed() {
    let server = TestServer::start();
    let key = nkeys::KeyPair::new_user().public_key();
    let _agent = TestAgent::start(&server, "one", &[key]);
    runtime().block_on(async {
        let mut coordinator = Coordinator::open(&server, "run").await;
        let candidate = coordinator.candidate().await;
        assert!(candidate.needs_signature);
        let assignment = coordinator.assignment(&candidate, None);
        let refused = coordinator.assign(&assignment).await.unwrap_err();
        assert!(refused.starts_with("the run is not signed"), "{refused}");
    });
}
