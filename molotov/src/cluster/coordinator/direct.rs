//! A run from its creation at the broker to its deletion.

use std::{
    sync::{Arc, mpsc},
    time::Duration,
};

use tokio::sync::{Notify, oneshot};

use super::{
    Settings, conduct,
    gather::Crew,
    run::{self, Run},
    shared::Shared,
};
use crate::{
    engine::{Gathered, Reports},
    run::Verdict,
};

/// How long agents may take to end, at the end of a run.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(6);

/// Directs a run until it is dismissed. Returns facts about it.
pub(super) async fn direct(
    settings: Settings,
    reports: Reports,
    shared: Arc<Shared>,
    gathered: mpsc::Sender<Result<Gathered, Verdict>>,
    stopped: Arc<Notify>,
    mut dismissed: oneshot::Receiver<()>,
) -> Vec<String> {
    let connected = tokio::select! {
        connected = Run::connect(&settings) => connected.map_err(Verdict::SystemFailed),
        () = stopped.notified() => Err(Verdict::Ended),
        _ = &mut dismissed => return Vec::new(),
    };
    let run = match connected {
        Ok(run) => run,
        Err(verdict) => {
            let _ = gathered.send(Err(verdict));
            return Vec::new();
        }
    };
    let created = tokio::select! {
        created = run.create(&settings, &shared) => created.map_err(Verdict::SystemFailed),
        () = stopped.notified() => Err(Verdict::Ended),
        _ = &mut dismissed => Err(Verdict::Ended),
    };
    if let Err(verdict) = created {
        run.delete().await;
        let _ = gathered.send(Err(verdict));
        return Vec::new();
    }
    tokio::spawn(run::watch_broker(run.clone(), shared.clone(), reports.clone()));
    tokio::spawn(run.clone().delete_abandoned(run::ABANDONED_AFTER));
    tokio::spawn(run::beat(run.clone()));
    let mut crew = Crew::new(run.clone(), settings, shared.clone(), reports);
    tokio::select! {
        Err(verdict) = conduct::conduct(&mut crew, &gathered, &stopped) => {
            let _ = gathered.send(Err(verdict));
            let _ = (&mut dismissed).await;
        }
        _ = &mut dismissed => {}
    }
    crew.dismiss();
    let _ = tokio::time::timeout(LEAVE_TIMEOUT, crew.until_all_ended()).await;
    run.delete().await;
    crew.notes()
}
