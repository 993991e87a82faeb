//! Tests a coordinator with a real broker. The tests play the engine and the agents.

use std::time::{Duration, Instant};

use async_nats::Subscriber;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    super::{
        connection::Connection,
        protocol::{
            AgentId, Assignment, COORDINATOR_TIMEOUT, Candidate, FromAgent, OFFERS, Offer, Order, Sha256, Signed,
            ToAgent, VERSION, Work,
        },
        test_server::TestServer,
    },
    *,
};
use crate::{
    engine::{
        Command, Message,
        remote::{Failed, FromRun, Ready, ToRun},
    },
    load::Load,
    options::Args,
    queue::{self, Receiver},
    run::FixtureFailure,
};

/// A run that gathers agents.
struct Gathering {
    cluster: Cluster,
    messages: Receiver<Message>,
}

impl Gathering {
    fn start(server: &TestServer, agents: usize) -> Gathering {
        let settings = Settings {
            broker: Broker::parse(&server.url(), |_| None).unwrap(),
            agents,
            on_lost: OnLost::Stop,
            work: Work::Command { python: None },
            key: None,
            seed: 1,
            options: "{}".to_owned(),
            sets_up_once: false,
            shipped: Shipped::default(),
            join: "molotov --join nats://broker".to_owned(),
        };
        let mut cluster = Cluster::new(settings, None);
        let (sender, messages) = queue::queue();
        cluster.gather(Reports::new(sender)).unwrap();
        Gathering { cluster, messages }
    }

    /// Waits until a line has this text.
    async fn wait_for_line(&self, text: &str) {
        until(|| match self.messages.try_receive() {
            Ok(Message::Line(line)) => line.text.contains(text).then_some(()),
            _ => None,
        })
        .await;
    }

    /// Waits until the run cannot begin. Returns why.
    async fn verdict(&mut self) -> Verdict {
        until(|| self.cluster.gathered()).await.err().unwrap()
    }
}

/// An agent without a run process.
struct TestAgent {
    connection: Connection,
    id: AgentId,
    offers: Subscriber,
    requests: Subscriber,
}

impl TestAgent {
    async fn start(server: &TestServer, name: &str) -> TestAgent {
        let connection = server.connect().await;
        let id = AgentId(name.to_owned());
        let offers = connection.client.subscribe(OFFERS).await.unwrap();
        let requests = connection.client.subscribe(id.assign()).await.unwrap();
        TestAgent { connection, id, offers, requests }
    }

    /// Answers an offer, and the assignment that follows with `reply`. Returns the assignment.
    async fn take(&mut self, reply: Bytes) -> Assignment {
        let offer: Offer = decode(&self.offers.next().await.unwrap().payload);
        let candidate = Candidate {
            protocol: VERSION,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            agent: self.id.clone(),
            name: self.id.0.clone(),
            target: String::new(),
            program: Sha256([0; 32]),
            python: None,
            cores: 1,
            memory: 0,
            nonce: [7; 16],
            needs_signature: false,
        };
        self.connection.client.publish(offer.run.join(), encode(&candidate)).await.unwrap();
        let request = self.requests.next().await.unwrap();
        self.connection.client.publish(request.reply.unwrap(), reply).await.unwrap();
        opened(&request.payload)
    }

    /// Accepts an assignment.
    async fn join(&mut self) -> Assignment {
        self.take(encode(&Ok::<(), String>(()))).await
    }

    /// Waits for the first order that it has not read.
    async fn order(&self, assignment: &Assignment, sequence: u64) -> Order {
        let subject = assignment.run.down(assignment.number);
        let stream = self.connection.jetstream.get_stream(assignment.run.stream()).await.unwrap();
        loop {
            let Ok(message) = stream.get_last_raw_message_by_subject(&subject).await else { continue };
            let order: ToAgent = opened(&message.payload);
            if order.sequence == sequence {
                assert_eq!(order.agent, self.id);
                return order.message;
            }
        }
    }

    async fn send(&self, assignment: &Assignment, message: FromAgent) {
        let subject = assignment.run.up(assignment.number);
        self.connection.jetstream.publish(subject, encode(&message)).await.unwrap().await.unwrap();
    }

    /// The names of all streams at the broker.
    async fn streams(&self) -> Vec<String> {
        self.connection.jetstream.stream_names().try_collect().await.unwrap()
    }
}

/// Waits until a condition holds, for ten seconds at most. Meanwhile, the connections of the test work.
async fn until<T>(condition: impl FnMut() -> Option<T>) -> T {
    within(Duration::from_secs(10), condition).await
}

async fn within<T>(limit: Duration, mut condition: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(met) = condition() {
            return met;
        }
        assert!(start.elapsed() < limit, "the condition was not met within {limit:?}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn encode(message: &impl Serialize) -> Bytes {
    postcard::to_allocvec(message).unwrap().into()
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> T {
    postcard::from_bytes(bytes).unwrap()
}

fn opened<T: DeserializeOwned>(bytes: &[u8]) -> T {
    decode(&decode::<Signed>(bytes).payload)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn an_agent_whose_answer_was_lost_is_freed_and_can_join_again() {
    let server = TestServer::start();
    let run = Gathering::start(&server, 2);
    runtime().block_on(async {
        let mut agent = TestAgent::start(&server, "one").await;
        let lost = agent.take(Bytes::from_static(b"\xff")).await;
        assert!(matches!(agent.order(&lost, 0).await, Order::Leave));
        run.wait_for_line("the agent one does not take part: its answer cannot be read").await;
        // The coordinator does not read what it sends.
        agent.send(&lost, FromAgent::Refused("it believed that it takes part".to_owned())).await;
        let again = agent.join().await;
        assert_eq!(again.task.part, lost.task.part);
        assert_ne!(again.number, lost.number, "the order to leave is not for this assignment");
        run.wait_for_line("The agent one (1 core) takes part: 1 of 2").await;
    });
}

#[test]
fn a_run_that_is_dismissed_while_it_gathers_ends_at_once_and_leaves_nothing() {
    let server = TestServer::start();
    let mut run = Gathering::start(&server, 3);
    let runtime = runtime();
    let (agent, joined) = runtime.block_on(async {
        let mut agent = TestAgent::start(&server, "one").await;
        let joined = agent.join().await;
        run.wait_for_line("1 of 3").await;
        (agent, joined)
    });
    let start = Instant::now();
    let dismissed = thread::spawn(move || run.cluster.dismiss());
    let notes = runtime.block_on(async {
        assert!(matches!(agent.order(&joined, 0).await, Order::Leave));
        agent.send(&joined, FromAgent::Ended { problem: None }).await;
        let notes = tokio::task::spawn_blocking(|| dismissed.join().unwrap()).await.unwrap();
        assert_eq!(agent.streams().await, [""; 0]);
        notes
    });
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    assert_eq!(notes, [""; 0]);
}

#[test]
fn says_how_many_agents_are_missing_and_how_to_start_them() {
    let server = TestServer::start();
    let run = Gathering::start(&server, 2);
    runtime().block_on(async {
        let mut agent = TestAgent::start(&server, "one").await;
        let joined = agent.join().await;
        let (client, beat) = (agent.connection.client.clone(), joined.run.agent_beat(joined.number));
        // An agent that is silent for 4.5 s is gone before the line is shown.
        tokio::spawn(async move {
            while client.publish(beat.clone(), Bytes::new()).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        });
        run.wait_for_line("1 of 2 agents has joined; start more on other machines: molotov --join nats://broker").await;
    });
}

#[test]
fn a_stop_before_the_run_begins_lets_agents_tear_down() {
    let interrupted =
        FixtureFailure { fixture: "global_setup".into(), message: "interrupted".to_owned(), exit: Some(130) };
    for failure in [None, Some(interrupted)] {
        let server = TestServer::start();
        let mut run = Gathering::start(&server, 1);
        runtime().block_on(async {
            let mut agent = TestAgent::start(&server, "one").await;
            let joined = agent.join().await;
            assert!(matches!(agent.order(&joined, 0).await, Order::Run(ToRun::SetUp { .. })));
            run.cluster.stop();
            assert!(matches!(agent.order(&joined, 1).await, Order::Run(ToRun::Command(Command::Stop))));
            assert!(run.cluster.gathered().is_none(), "the agent has not ended");
            if let Some(failure) = failure.clone() {
                let failed = FromRun::Failed(Failed::Fixture(failure));
                agent.send(&joined, FromAgent::Run(vec![encode(&failed).to_vec()])).await;
            }
            agent.send(&joined, FromAgent::Ended { problem: None }).await;
            let verdict = run.verdict().await;
            match (&failure, verdict) {
                (None, Verdict::Ended) => {}
                (Some(_), Verdict::FixtureFailed(failed)) => {
                    assert_eq!((failed.message.as_str(), failed.exit), ("on the agent one: interrupted", Some(130)));
                }
                (_, other) => panic!("{other:?}"),
            }
            run.cluster.dismiss();
        });
    }
}

/// Returns why a run has not begun whose broker goes for good while agents set up.
fn verdict_without_broker(is_stopped: bool) -> Verdict {
    let mut server = TestServer::start();
    let mut run = Gathering::start(&server, 1);
    runtime().block_on(async {
        let mut agent = TestAgent::start(&server, "one").await;
        let joined = agent.join().await;
        assert!(matches!(agent.order(&joined, 0).await, Order::Run(ToRun::SetUp { .. })));
        server.stop();
        if is_stopped {
            run.cluster.stop();
        }
        let limit = COORDINATOR_TIMEOUT + Duration::from_secs(5);
        within(limit, || run.cluster.gathered()).await.err().unwrap()
    })
}

#[test]
fn a_run_fails_if_its_broker_goes_for_good_before_it_begins() {
    let verdict = verdict_without_broker(false);
    let Verdict::SystemFailed(why) = verdict else { panic!("{verdict:?}") };
    assert_eq!(why, "the broker has been away for 20.0 s, so the agents have stopped before the run began");
}

#[test]
fn a_run_that_is_stopped_does_not_wait_for_a_broker_that_has_gone_for_good() {
    let verdict = verdict_without_broker(true);
    assert!(matches!(verdict, Verdict::Ended), "{verdict:?}");
}

#[test]
fn the_other_agents_tear_down_if_a_fixture_fails_on_one() {
    let server = TestServer::start();
    let mut run = Gathering::start(&server, 2);
    runtime().block_on(async {
        let (mut one, mut two) = (TestAgent::start(&server, "one").await, TestAgent::start(&server, "two").await);
        let joined = [one.join().await, two.join().await];
        assert!(matches!(one.order(&joined[0], 0).await, Order::Run(ToRun::SetUp { .. })));
        let failure = FixtureFailure { fixture: "global_setup".into(), message: "no account".to_owned(), exit: None };
        let failed = FromRun::Failed(Failed::Fixture(failure));
        one.send(&joined[0], FromAgent::Run(vec![encode(&failed).to_vec()])).await;
        assert!(matches!(two.order(&joined[1], 1).await, Order::Run(ToRun::Command(Command::Stop))));
        one.send(&joined[0], FromAgent::Ended { problem: None }).await;
        two.send(&joined[1], FromAgent::Ended { problem: None }).await;
        let verdict = run.verdict().await;
        let Verdict::FixtureFailed(failed) = verdict else { panic!("{verdict:?}") };
        assert_eq!(failed.message, "on the agent one: no account");
        run.cluster.dismiss();
    });
}

#[test]
fn agents_with_different_plans_end_the_run_before_it_begins() {
    for (changed, loads) in [
        (Args { workers: 7, ..Args::default() }, " (7 workers instead of 1 worker)"),
        (Args { duration: Duration::from_secs(3), ..Args::default() }, ""),
    ] {
        let server = TestServer::start();
        let mut run = Gathering::start(&server, 2);
        runtime().block_on(async {
            let mut agents = Vec::new();
            for name in ["one", "two"] {
                let mut agent = TestAgent::start(&server, name).await;
                let joined = agent.join().await;
                agents.push((agent, joined));
            }
            for ((agent, joined), args) in agents.iter().zip([&Args::default(), &changed]) {
                assert!(matches!(agent.order(joined, 0).await, Order::Run(ToRun::SetUp { .. })));
                let ready = FromRun::Ready(Ready { load: Load::new(args, &[], true, None), threads: 1 });
                agent.send(joined, FromAgent::Run(vec![encode(&ready).to_vec()])).await;
            }
            for (agent, joined) in &agents {
                assert!(matches!(agent.order(joined, 1).await, Order::Run(ToRun::Command(Command::Stop))));
                agent.send(joined, FromAgent::Ended { problem: None }).await;
            }
            let verdict = run.verdict().await;
            let Verdict::SystemFailed(why) = verdict else { panic!("{verdict:?}") };
            let expected = format!("the agent two has another plan of the load than the agent one{loads}; ");
            assert!(why.starts_with(&expected), "{why}");
            run.cluster.dismiss();
        });
    }
}
