//! The start of a run: `global_setup`, then the members, which are threads of this process or processes.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use super::Coordinator;
use crate::{
    engine::{
        Verdict,
        agents::{Agents, Gathered, Reports},
        clock::Clock,
        global_fixtures,
        listeners::RunListeners,
        processes,
        sizing::Sizing,
        split::Split,
        stop::Phase,
        threads::{self, StartedThreads, no_thread},
    },
    format,
    metrics::{MachineProbe, ProcessProbe},
    run::Line,
    ui::RunLimits,
    vars::Scope,
};

/// The time between two lines of progress without a terminal, unless `--console-update` is given.
const LOG_INTERVAL: Duration = Duration::from_secs(10);
/// The shortest one.
const MIN_LOG_INTERVAL: Duration = Duration::from_secs(1);
/// How often the run checks whether its agents are ready.
const GATHER_PERIOD: Duration = Duration::from_millis(20);
/// Longer than agents are waited for.
const FAR: Duration = Duration::from_secs(365 * 86_400);

impl Coordinator<'_> {
    /// Runs the `global_setup` fixtures. Returns `false` if one failed, which ends the run.
    pub(super) fn global_setup(&mut self) -> bool {
        let args = self.plan.args.clone();
        let set_up = global_fixtures::set_up_once(&self.plan, self.screen)
            .and_then(|variables| global_fixtures::set_up(&mut self.plan, variables, self.screen));
        if let Err(failure) = set_up {
            self.raise(Phase::Stopping);
            self.failed = Some(Verdict::FixtureFailed(failure));
            return false;
        }
        if self.plan.args != args {
            self.sizing = Sizing::of(&self.plan);
        }
        true
    }

    /// Opens the data files, which `global_setup` may have written. The run ends if one cannot be used.
    pub(super) fn open_data(&mut self) {
        if self.phase == Phase::Running
            && let Err(error) = self.plan.open_data()
        {
            self.system_failed(error.to_string());
        }
    }

    /// Stops the run for a reason outside of fixtures and scenarios.
    pub(super) fn system_failed(&mut self, why: String) {
        if self.failed.is_none() {
            self.screen.line(&Line::failure(why.clone()));
            self.failed = Some(Verdict::SystemFailed(why));
        }
        self.raise(Phase::Stopping);
    }

    /// Forks the processes of the run.
    pub(super) fn fork(&mut self) {
        self.drain();
        if self.phase != Phase::Running {
            return;
        }
        let forked = processes::join(&self.plan, &mut self.inbox, &mut self.members, self.screen);
        if let Err(why) = forked {
            self.system_failed(why);
        }
    }

    /// Starts the members and waits until they have ended.
    pub(super) fn work(&mut self, scope: &Arc<Scope>) {
        // What `global_setup` printed. After a Ctrl-C during `global_setup` there is nothing to start.
        self.drain();
        let workers = self.plan.args.workers;
        let plural = if workers == 1 { "" } else { "s" };
        self.screen.line(&Line::info(match self.plan.load.is_closed() {
            true => format!("Preparing {workers} worker{plural}..."),
            false => format!("Preparing for {}...", self.plan.load.describe(Duration::ZERO)),
        }));
        if self.phase != Phase::Running {
            self.members.release();
            return;
        }
        if let Some(notice) = self.unlimited() {
            self.screen.line(&Line::info(notice));
        }
        match RunListeners::start(&self.plan, scope.clone(), self.inbox.sender.clone()) {
            Ok(listeners) => self.listeners = listeners,
            Err(error) => self.warn_of_listeners(&error),
        }
        self.screen.begin(&self.limits());
        let Some(epoch) = self.gather() else { return };
        // The resources used by `global_setup` do not count.
        (self.probe, self.machine) = (ProcessProbe::start(), MachineProbe::start());
        self.clock = Arc::new(Clock::new(epoch));
        self.started = Some(SystemTime::now() + epoch.saturating_duration_since(Instant::now()));
        self.follow_warm_up();
        if self.agents.is_none() {
            self.least_workers = threads::per_process(&self.plan, Split::of(&self.plan, 0));
        }
        match self.members.is_empty() {
            true => self.work_here(scope),
            false => self.work_apart(),
        }
    }

    /// Waits for the agents of the run, if it has any. Returns when the workers start; `None` if they do not.
    fn gather(&mut self) -> Option<Instant> {
        let Some(mut agents) = self.agents.take() else { return Some(Instant::now()) };
        let gathered = self.gather_from(&mut *agents);
        self.agents = Some(agents);
        let gathered = match gathered? {
            Ok(gathered) => gathered,
            Err(Verdict::Ended) => return None,
            Err(verdict) => {
                if let Verdict::SystemFailed(why) = verdict {
                    self.system_failed(why);
                } else {
                    self.failed = Some(verdict);
                    self.raise(Phase::Stopping);
                }
                return None;
            }
        };
        self.plan.load = Arc::new(gathered.load);
        self.sizing = Sizing::of(&self.plan);
        self.least_workers = gathered.threads.max(1);
        gathered.members.into_iter().for_each(|(id, member)| self.members.join(id, member));
        Some(gathered.epoch)
    }

    /// Shows what the agents report until they are ready, or have ended after a stop; `None` if the run is forced to end before.
    fn gather_from(&mut self, agents: &mut dyn Agents) -> Option<Result<Gathered, Verdict>> {
        // It shows zero until the run begins.
        self.clock = Arc::new(Clock::new(Instant::now() + FAR));
        if let Err(why) = agents.gather(Reports::new(self.inbox.sender.clone())) {
            return Some(Err(Verdict::SystemFailed(why)));
        }
        let period = self.plan.args.console_update.max(GATHER_PERIOD);
        let (mut next_progress, mut next_look) = (Instant::now(), Instant::now());
        let mut is_stopping = false;
        loop {
            let now = Instant::now();
            if now >= next_progress {
                self.show_progress();
                next_progress = now + period;
            }
            if now >= next_look {
                if let Some(gathered) = agents.gathered() {
                    self.drain();
                    // A run that is stopped does not begin.
                    if gathered.is_err() || self.phase == Phase::Running {
                        return Some(gathered);
                    }
                }
                next_look = now + GATHER_PERIOD;
            }
            if let Ok(message) = self.inbox.receiver.receive_until(next_progress.min(next_look)) {
                self.handle(message);
            }
            match self.phase {
                Phase::Running => {}
                Phase::Stopping if !std::mem::replace(&mut is_stopping, true) => agents.stop(),
                Phase::Stopping => {}
                Phase::Forced => return None,
            }
        }
    }

    /// Warns that listeners do not receive the number of workers.
    fn warn_of_listeners(&mut self, error: &io::Error) {
        self.screen
            .line(&Line::warning(format!("listeners do not receive the number of workers: {}", no_thread(error))));
    }

    /// The notice about a run that only the default duration limits, which is rarely intended.
    fn unlimited(&self) -> Option<String> {
        let args = &self.plan.args;
        let limited = args.max_runs.is_some() || args.single_run || args.sizing || !args.stage.0.is_empty();
        (!limited && args.given.duration.is_none()).then(|| {
            let load = match self.plan.load.is_closed() {
                true => format::plural((args.workers * self.plan.copies()) as u64, "worker"),
                false => self.plan.load.describe(Duration::ZERO),
            };
            let limit = if self.plan.load.is_open() { "`-d TIME`" } else { "`-d TIME` or `-r N`" };
            format!("{load} for 24 hours, the default (Ctrl-C stops); limit the run with {limit}")
        })
    }

    /// When the run ends.
    fn limits(&self) -> RunLimits {
        let args = &self.plan.args;
        let workers = (args.workers * self.plan.copies()) as u64;
        let runs = if args.single_run { Some(self.plan.selection.weighted.len() as u64) } else { args.max_runs };
        let duration = self.plan.load.end().or_else(|| {
            // The last worker starts one step before the end of the ramp-up.
            let start = args.ramp_up.mul_f64(1.0 - 1.0 / args.workers.max(1) as f64);
            Some(args.duration + start)
        });
        let is_given = args.given.duration.is_some() || !args.stage.0.is_empty();
        RunLimits {
            duration: duration.filter(|_| is_given && args.max_runs.is_none()),
            // With stages, workers come and go.
            runs: runs.filter(|_| args.stage.0.is_empty()).map(|runs| runs.saturating_mul(workers)),
            info: self.plan.info.clone(),
            // Those of a search for the capacity apply to its steps.
            thresholds: match self.sizing.as_ref().is_some_and(Sizing::is_search) {
                true => Arc::default(),
                false => args.threshold.clone().into(),
            },
            load: self.plan.load.clone(),
            // A rate makes as many workers as it needs.
            workers: (!self.plan.load.is_open() || args.given.workers.is_some())
                .then(|| self.plan.load.expected_workers(args).saturating_mul(self.plan.copies())),
            verbose: args.verbose > 0,
            log_interval: args.given.console_update.map_or(LOG_INTERVAL, |given| given.max(MIN_LOG_INTERVAL)),
        }
    }

    fn work_here(&mut self, scope: &Arc<Scope>) {
        let (clock, members) = (self.clock.clone(), &mut self.members);
        let StartedThreads { commands, here, refused } =
            threads::start(&self.plan, scope, &self.inbox, clock, 0, members);
        match refused {
            Some(why) => self.system_failed(why),
            None => self.screen.line(&Line::info("OK")),
        }
        match here {
            None => self.watch(),
            // The shard needs this thread, so the coordinator runs on another.
            Some((event_loop, shard)) => {
                let ran = threads::run_here(
                    &*event_loop,
                    &commands,
                    || shard.run(|runtime, work| event_loop.run(runtime, work)),
                    &mut *self,
                    |run| run.watch(),
                    |run| {
                        run.drain();
                        run.gave_up || run.phase == Phase::Forced
                    },
                );
                if let Err(error) = ran {
                    self.members.release();
                    self.system_failed(no_thread(&error));
                }
            }
        }
    }

    fn work_apart(&mut self) {
        if let Err(error) = self.members.begin(&self.inbox.sender, self.clock.epoch()) {
            self.members.release();
            self.system_failed(no_thread(&error));
            return;
        }
        self.screen.line(&Line::info("OK"));
        match (&self.plan.selection.event_loop, &self.listeners) {
            // Listeners run in the event loop, which needs this thread.
            (Some(event_loop), Some(_)) => {
                let event_loop = event_loop.clone();
                let (done, ended) = tokio::sync::oneshot::channel::<()>();
                let ran = std::thread::scope(|scope| {
                    let thread = std::thread::Builder::new().name("molotov-run".to_owned());
                    let watcher = thread.spawn_scoped(scope, || {
                        self.watch();
                        drop(done);
                    });
                    watcher.map(|_| {
                        let mut runtime = tokio::runtime::Builder::new_current_thread();
                        runtime.enable_all();
                        event_loop.run(runtime, Box::pin(async move { drop(ended.await) }))
                    })
                });
                match ran {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => {
                        let text = format!("listeners did not receive the number of workers: {error}");
                        self.screen.line(&Line::warning(text));
                    }
                    // Listeners cannot run without a second thread.
                    Err(error) => {
                        self.warn_of_listeners(&error);
                        self.watch();
                    }
                }
            }
            _ => self.watch(),
        }
    }
}
