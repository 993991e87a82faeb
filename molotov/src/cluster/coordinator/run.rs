//! A run at the broker: its stream and its files, from their creation to their deletion.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use async_nats::{
    Subscriber,
    jetstream::{object_store, stream},
};
use bytes::Bytes;
use futures_util::StreamExt;

use super::{Settings, shared::Shared};
use crate::{
    cluster::{
        connection::Connection,
        protocol::{BEAT_PERIOD, Beat, RunId},
    },
    engine::Reports,
    format,
    run::Line,
};

/// How long the broker remembers the ids of messages, which agents may send again.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(10 * 60);
/// How often the connection to the broker is checked.
const BROKER_LOOK_PERIOD: Duration = Duration::from_millis(200);
/// How long the broker is away before a line says so.
const BROKER_PATIENCE: Duration = Duration::from_secs(1);
/// A run whose coordinator does not answer is deleted if no agent has sent anything for this long.
pub(super) const ABANDONED_AFTER: Duration = Duration::from_secs(60);
/// How long such a coordinator has to connect again.
const ABANDONED_GRACE: Duration = Duration::from_secs(2);

/// A run at the broker.
#[derive(Clone)]
pub(super) struct Run {
    pub(super) id: RunId,
    pub(super) connection: Connection,
}

impl Run {
    /// Connects to the broker, and names a new run.
    pub(super) async fn connect(settings: &Settings) -> Result<Run, String> {
        let connection = settings.broker.connect("molotov coordinator").await.map_err(|error| error.to_string())?;
        let id = RunId(std::iter::repeat_with(fastrand::alphanumeric).take(16).collect());
        Ok(Run { id, connection })
    }

    /// Creates the stream of the run, and the object store with its files. If that fails or ends early, the caller deletes the run.
    pub(super) async fn create(&self, settings: &Settings, shared: &Arc<Shared>) -> Result<(), String> {
        let run = self;
        let broker = &settings.broker;
        let subscribe = async |subject: String| {
            let subscribed = run.connection.client.subscribe(subject).await;
            subscribed.map_err(|error| format!("cannot receive messages from the broker {broker}: {error}"))
        };
        tokio::spawn(answer(run.clone(), subscribe(run.id.alive()).await?));
        tokio::spawn(hear(subscribe(run.id.agent_beats()).await?, shared.clone()));
        let config = stream::Config {
            name: run.id.stream(),
            description: Some("A run of molotov".to_owned()),
            subjects: vec![run.id.down_all(), run.id.up_all()],
            duplicate_window: DUPLICATE_WINDOW,
            ..stream::Config::default()
        };
        let created = run.connection.jetstream.create_stream(config).await;
        created.map_err(|error| format!("cannot create a stream at the broker {broker}: {error}"))?;
        let uploaded = run.upload(settings).await;
        uploaded.map_err(|error| format!("cannot store the files of the run at the broker {broker}: {error}"))
    }

    /// Stores the files of the run, by their hash.
    async fn upload(&self, settings: &Settings) -> Result<(), async_nats::Error> {
        let shipped = &settings.shipped;
        if shipped.files.is_none() && shipped.program.is_none() {
            return Ok(());
        }
        let config = object_store::Config { bucket: self.id.stream(), ..object_store::Config::default() };
        let store = self.connection.jetstream.create_object_store(config).await?;
        for (object, bytes) in shipped.files.iter().chain(&shipped.program) {
            store.put(object.hash.to_string().as_str(), &mut bytes.as_slice()).await?;
        }
        Ok(())
    }

    /// Deletes the run.
    pub(super) async fn delete(&self) {
        let name = self.id.stream();
        // They may not exist.
        let _ = self.connection.jetstream.delete_object_store(&name).await;
        if let Err(error) = self.connection.jetstream.delete_stream(&name).await {
            tracing::debug!(%error, name, "the stream of the run was not deleted");
        }
    }

    /// Deletes runs whose coordinators have gone, and whose agents have sent nothing for a while. Agents of a coordinator that is only cut
    /// off send measures.
    pub(super) async fn delete_abandoned(self, after: Duration) {
        // Of each run, the last time at which anything was stored.
        let mut runs: HashMap<String, SystemTime> = HashMap::new();
        let mut streams = self.connection.jetstream.streams();
        while let Some(Ok(info)) = streams.next().await {
            let Some(run) = info.config.name.trim_start_matches("OBJ_").strip_prefix("molotov-") else { continue };
            let stored = SystemTime::from(info.created).max(SystemTime::from(info.state.last_timestamp));
            runs.entry(run.to_owned()).and_modify(|last| *last = stored.max(*last)).or_insert(stored);
        }
        let mut silent = Vec::new();
        for (run, stored) in runs {
            let run = RunId(run);
            if stored.elapsed().is_ok_and(|age| age >= after) && self.has_gone(&run).await {
                silent.push(run);
            }
        }
        if silent.is_empty() {
            return;
        }
        tokio::time::sleep(ABANDONED_GRACE).await;
        for run in silent {
            if self.has_gone(&run).await {
                tracing::debug!(run = run.0, "deleting what an abandoned run has left");
                Run { id: run, connection: self.connection.clone() }.delete().await;
            }
        }
    }

    /// Whether nothing answers for the coordinator of a run.
    async fn has_gone(&self, run: &RunId) -> bool {
        let asked = self.connection.client.request(run.alive(), Bytes::new()).await;
        matches!(asked, Err(error) if error.kind() == async_nats::RequestErrorKind::NoResponders)
    }
}

/// Answers other coordinators that ask whether this one is alive.
async fn answer(run: Run, mut questions: Subscriber) {
    while let Some(question) = questions.next().await {
        if let Some(reply) = question.reply {
            let _ = run.connection.client.publish(reply, Bytes::new()).await;
        }
    }
}

/// Shows agents that the coordinator is alive.
pub(super) async fn beat(run: Run) {
    let mut ticks = tokio::time::interval(BEAT_PERIOD);
    for number in 0.. {
        ticks.tick().await;
        if let Ok(beat) = postcard::to_allocvec(&Beat { number }) {
            let _ = run.connection.client.publish(run.id.coordinator_beat(), beat.into()).await;
        }
    }
}

/// Notes which agents are alive.
async fn hear(mut beats: Subscriber, shared: Arc<Shared>) {
    while let Some(beat) = beats.next().await {
        if let Some(number) = beat.subject.rsplit('.').next().and_then(|number| number.parse().ok()) {
            let _ = shared.heard(number);
        }
    }
}

/// Notes and shows whether the broker can be reached.
pub(super) async fn watch_broker(run: Run, shared: Arc<Shared>, reports: Reports) {
    let mut is_up = run.connection.is_up();
    let mut ticks = tokio::time::interval(BROKER_LOOK_PERIOD);
    let (mut looked, mut has_shown) = (Instant::now(), false);
    loop {
        ticks.tick().await;
        let now = Instant::now();
        let mut state = shared.lock();
        // After a suspension of this process, agents are not the ones that were silent.
        if now.duration_since(looked) > BROKER_LOOK_PERIOD * 5 && state.broker.is_ok() {
            state.broker = Ok(now);
        }
        looked = now;
        let is_up = *is_up.borrow_and_update();
        match state.broker {
            Ok(_) if !is_up => state.broker = Err(now),
            Err(_) if is_up => {
                state.broker = Ok(now);
                if std::mem::take(&mut has_shown) {
                    reports.line(Line::info("The broker can be reached again"));
                }
            }
            Err(since) if !has_shown && since.elapsed() >= BROKER_PATIENCE => {
                has_shown = true;
                let since = match state.epoch {
                    Some(_) => format!(" since {}", format::elapsed(state.time(since))),
                    None => String::new(),
                };
                let text = format!("the broker cannot be reached{since}: agents continue, and keep what they measure");
                reports.line(Line::warning(text));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::{super::super::test_server::TestServer, *};

    /// Stores what a run has at the broker.
    async fn stored(connection: &Connection, name: &str) -> Run {
        let run = Run { id: RunId(name.to_owned()), connection: connection.clone() };
        let config =
            stream::Config { name: run.id.stream(), subjects: vec![run.id.up_all()], ..stream::Config::default() };
        connection.jetstream.create_stream(config).await.unwrap();
        let config = object_store::Config { bucket: run.id.stream(), ..object_store::Config::default() };
        let files = connection.jetstream.create_object_store(config).await.unwrap();
        files.put("file", &mut &b"text"[..]).await.unwrap();
        run
    }

    #[tokio::test]
    async fn only_runs_are_deleted_whose_coordinators_and_agents_are_silent() {
        let server = TestServer::start();
        let connection = server.connect().await;
        let led = stored(&connection, "led").await;
        tokio::spawn(answer(led.clone(), connection.client.subscribe(led.id.alive()).await.unwrap()));
        stored(&connection, "abandoned").await;
        let other = stream::Config { name: "other".to_owned(), ..stream::Config::default() };
        connection.jetstream.create_stream(other).await.unwrap();
        // Old enough, but its agents have just sent something.
        tokio::time::sleep(Duration::from_millis(600)).await;
        let cut_off = stored(&connection, "cut-off").await;
        connection.jetstream.publish(cut_off.id.up(0), Bytes::from_static(b"x")).await.unwrap().await.unwrap();
        led.delete_abandoned(Duration::from_millis(500)).await;
        let mut left: Vec<_> = connection.jetstream.stream_names().map(Result::unwrap).collect().await;
        left.sort_unstable();
        let expected = ["OBJ_molotov-cut-off", "OBJ_molotov-led", "molotov-cut-off", "molotov-led", "other"];
        assert_eq!(left, expected);
    }
}
