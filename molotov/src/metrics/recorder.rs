//! Records what the workers of one shard do, without locks. Recording a known name allocates nothing.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use foldhash::fast::FixedState;

use super::{
    Check, CheckSample, Counts, ErrorSample, Gauge, HTTP, OperationSample, Outcome, Snapshot, Stats, Status, Values,
    counter::{Counter, Pool},
    errors::{ErrorTable, MAX_ERRORS},
    names::{self, MAX_CUSTOM, MAX_NAMES, MAX_TAGS, Names, OTHER},
    probe::ThreadProbe,
    protocols::Protocols,
    snapshot::{MAX_STATUSES, Merge, merge_row},
    starts::{StartCounter, StartSample},
};
use crate::secrets;

/// The longest status, in bytes. Longer ones are cut.
const MAX_STATUS: usize = 100;

/// The limits of a recorder.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// The number of names of requests, and of steps, with their own rows. All others share `other`.
    pub(crate) names: usize,
    /// The number of groups of errors.
    pub(crate) errors: usize,
    /// The size of histogram buckets in use, in bytes, at which they are packed into the pending snapshot.
    pub(crate) buckets: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { names: MAX_NAMES, errors: MAX_ERRORS, buckets: 8 << 20 }
    }
}

impl Limits {
    /// Returns the defaults, with the memory divided among the shards.
    pub(crate) fn for_shards(shards: usize) -> Limits {
        let default = Limits::default();
        Limits { buckets: (default.buckets / shards.max(1)).max(128 << 10), ..default }
    }
}

/// The number of a scenario in one recorder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ScenarioId(usize);

/// The number of a stream of starts in one recorder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct StreamId(usize);

/// Records what the workers of one shard do. Clones share the recorder.
#[derive(Debug, Clone)]
pub(crate) struct Recorder(Rc<RefCell<State>>);

#[derive(Debug)]
struct State {
    scenarios: Table,
    /// Starts at a rate, by the name of their stream.
    starts: Vec<(Arc<str>, StartCounter)>,
    requests: Table,
    /// The rows of requests that are not HTTP.
    protocols: Protocols,
    /// The rows of requests within groups, by group.
    groups: HashMap<Arc<str>, Protocols, FixedState>,
    tags: Table,
    steps: Table,
    errors: ErrorTable,
    lag: Counter,
    /// `None` if another recorder watches the thread.
    probe: Option<ThreadProbe>,
    pool: Pool,
    limits: Limits,
    /// The number of records since the last fold. A bucket holds at most `u32::MAX`.
    recorded: u32,
    /// Measurements that were folded before they were taken.
    pending: Snapshot,
}

impl Recorder {
    /// Returns an empty recorder for the current thread.
    pub(crate) fn new(limits: Limits) -> Recorder {
        Recorder(Rc::new(RefCell::new(State {
            // Names of scenarios come from code, but names of requests may come from data.
            scenarios: Table::new(usize::MAX),
            starts: Vec::new(),
            requests: Table::new(limits.names),
            protocols: Protocols::new(limits.names.saturating_mul(2)),
            groups: HashMap::default(),
            tags: Table::new(MAX_TAGS),
            steps: Table::new(limits.names),
            errors: ErrorTable::new(limits.errors),
            lag: Counter::default(),
            probe: Some(ThreadProbe::start()),
            pool: Pool::new(limits.buckets),
            limits,
            recorded: 0,
            pending: Snapshot::default(),
        })))
    }

    /// Returns an empty recorder in which the numbers of scenarios and streams are the same. It does not watch the thread.
    pub(crate) fn with_the_same_names(&self) -> Recorder {
        let state = self.0.borrow();
        let other = Recorder::new(state.limits);
        other.0.borrow_mut().probe = None;
        (0..state.scenarios.rows.len()).for_each(|number| _ = other.scenario_id(state.scenarios.names.name(number)));
        state.starts.iter().for_each(|(name, _)| _ = other.stream_id(name));
        other
    }

    /// Notes a server that requests are sent to.
    pub(crate) fn target(&self, origin: &str) {
        let targets = &mut self.0.borrow_mut().pending.targets;
        if !targets.contains(origin) {
            targets.insert(secrets::mask(origin).into());
        }
    }

    /// Returns the number of a scenario.
    pub(crate) fn scenario_id(&self, name: &str) -> ScenarioId {
        ScenarioId(self.0.borrow_mut().scenarios.number(name))
    }

    /// Records the end of a scenario.
    pub(crate) fn scenario(&self, id: ScenarioId, outcome: Outcome, took: Duration) {
        let state = &mut *self.0.borrow_mut();
        state.scenarios.rows[id.0].record(&mut state.pool, outcome, took);
        state.fold_when_full();
    }

    /// Returns the number of a stream of starts.
    pub(crate) fn stream_id(&self, name: &str) -> StreamId {
        let starts = &mut self.0.borrow_mut().starts;
        StreamId(starts.iter().position(|(known, _)| **known == *name).unwrap_or_else(|| {
            starts.push((name.into(), StartCounter::default()));
            starts.len() - 1
        }))
    }

    /// Records a planned start.
    pub(crate) fn start(&self, id: StreamId, sample: StartSample) {
        let state = &mut *self.0.borrow_mut();
        state.starts[id.0].1.record(&mut state.pool, sample);
        state.fold_when_full();
    }

    /// Records the end of a scenario that started this long after its planned time. Its latency is the response time.
    pub(crate) fn planned_scenario(&self, id: ScenarioId, outcome: Outcome, lag: Duration, took: Duration) {
        let state = &mut *self.0.borrow_mut();
        let row = &mut state.scenarios.rows[id.0];
        row.record(&mut state.pool, outcome, lag.saturating_add(took));
        if outcome != Outcome::Interrupted {
            row.service.get_or_insert_default().record(&mut state.pool, took);
        }
        state.fold_when_full();
    }

    /// Records an operation of a protocol outside of groups.
    #[cfg(test)]
    pub(crate) fn operation(&self, protocol: &str, name: &str, sample: &OperationSample<'_>) {
        self.operation_in(None, protocol, name, sample);
    }

    /// Records an operation of a protocol. HTTP's names are the names of rows; the rows of all other protocols are named
    /// after the protocol and the operation: `LINE echo`. Within a group, the group comes first: `checkout / GET /cart`.
    pub(crate) fn operation_in(&self, group: Option<&str>, protocol: &str, name: &str, sample: &OperationSample<'_>) {
        let state = &mut *self.0.borrow_mut();
        let number = state.request_row(group, protocol, name);
        let row = &mut state.requests.rows[number];
        row.belongs_to(protocol);
        row.operation(&mut state.pool, sample);
        state.fold_when_full();
    }

    /// Records an operation in the row of one of its tags, besides its own row.
    pub(crate) fn tagged(&self, tag: &str, protocol: &str, sample: &OperationSample<'_>) {
        let state = &mut *self.0.borrow_mut();
        let number = state.tags.number(tag);
        let row = &mut state.tags.rows[number];
        row.belongs_to(protocol);
        row.operation(&mut state.pool, sample);
        state.fold_when_full();
    }

    /// Records the result of a check. A failure has the scenario, a message and the place.
    pub(crate) fn check(&self, name: &str, scenario: &str, failed: Option<FailedCheck<'_>>) {
        let check = match failed {
            None => Check { passed: 1, failed: 0, sample: None },
            Some((message, place)) => {
                // The first failure is enough, so that the others cost little.
                let is_first = self.0.borrow().pending.checks.get(name).is_none_or(|known| known.sample.is_none());
                // A script that is asked for the place may record other measures.
                let sample = || CheckSample::now(scenario, message, place());
                Check { passed: 0, failed: 1, sample: is_first.then(sample) }
            }
        };
        let pending = &mut self.0.borrow_mut().pending;
        let exceeded = record(&mut pending.checks, name, &check, MAX_NAMES);
        pending.names_exceeded |= exceeded;
    }

    /// Adds to a counter.
    pub(crate) fn count(&self, name: &str, number: u64) {
        let pending = &mut self.0.borrow_mut().pending;
        let exceeded = record(&mut pending.counters, name, &number, MAX_CUSTOM);
        pending.names_exceeded |= exceeded;
    }

    /// Records a finite number.
    pub(crate) fn value(&self, name: &str, value: f64) {
        let pending = &mut self.0.borrow_mut().pending;
        if let Some(known) = pending.values.get_mut(name) {
            return known.record(value);
        }
        let exceeded = record(&mut pending.values, name, &Values::from_iter([value]), MAX_CUSTOM);
        pending.names_exceeded |= exceeded;
    }

    /// Sets a gauge to a finite number, at this time since the start of the run.
    pub(crate) fn gauge(&self, name: &str, value: f64, at: Duration) {
        let pending = &mut self.0.borrow_mut().pending;
        let exceeded = record(&mut pending.gauges, name, &Gauge::new(value, at), MAX_CUSTOM);
        pending.names_exceeded |= exceeded;
    }

    /// Adds bytes to the row of an operation, which transfers them after it was recorded.
    pub(crate) fn transferred(&self, group: Option<&str>, protocol: &str, name: &str, bytes_in: u64, bytes_out: u64) {
        let state = &mut *self.0.borrow_mut();
        let number = state.request_row(group, protocol, name);
        let row = &mut state.requests.rows[number];
        row.belongs_to(protocol);
        row.bytes_in += bytes_in;
        row.bytes_out += bytes_out;
    }

    /// Records a step of [`Context::measure`](crate::session::Context::measure).
    pub(crate) fn step(&self, name: &str, outcome: Outcome, took: Duration) {
        let state = &mut *self.0.borrow_mut();
        let number = state.steps.number(name);
        state.steps.rows[number].record(&mut state.pool, outcome, took);
        state.fold_when_full();
    }

    /// Records an error in a scenario or a fixture.
    pub(crate) fn error(&self, sample: ErrorSample<'_>) {
        self.0.borrow_mut().errors.add(sample);
    }

    /// Records how late the event loop handled a timer.
    pub(crate) fn lag(&self, late: Duration) {
        let state = &mut *self.0.borrow_mut();
        state.lag.record(&mut state.pool, late);
        state.fold_when_full();
    }

    /// Returns everything recorded since the last call.
    pub(crate) fn take(&self) -> Snapshot {
        let state = &mut *self.0.borrow_mut();
        state.fold();
        let mut snapshot = std::mem::take(&mut state.pending);
        state.errors.take_into(&mut snapshot.errors);
        if let Some(probe) = &mut state.probe {
            let longest_lag = snapshot.health.lag.max();
            snapshot.health.merge(&probe.sample(longest_lag));
        }
        snapshot
    }

    /// Returns the memory used for measurements, in bytes.
    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        let state = self.0.borrow();
        let rows = [&state.scenarios, &state.requests, &state.steps].map(|table| table.rows.capacity());
        state.pool.memory() + rows.iter().sum::<usize>() * size_of::<Row>() + state.pending.memory()
    }
}

impl State {
    /// Returns the number of the row of an operation.
    #[inline]
    fn request_row(&mut self, group: Option<&str>, protocol: &str, name: &str) -> usize {
        let State { requests, protocols, groups, limits, .. } = self;
        match (group, protocol) {
            (None, HTTP) => requests.number(name),
            (None, _) => protocols.row(protocol, name, |name| requests.number(name)),
            (Some(group), _) => {
                if !groups.contains_key(group) {
                    // The names of groups may come from data. Forgetting them costs time only.
                    if groups.len() >= limits.names {
                        groups.clear();
                    }
                    groups.insert(group.into(), Protocols::new(limits.names));
                }
                let prefix = if protocol == HTTP { "" } else { protocol };
                let rows = groups.get_mut(group).expect("inserted above");
                rows.row(prefix, name, |name| requests.number(&format!("{group}{SEPARATOR}{name}")))
            }
        }
    }

    #[inline]
    fn fold_when_full(&mut self) {
        self.recorded += 1;
        if self.pool.exhausted() || self.recorded == u32::MAX {
            self.fold();
        }
    }

    /// Packs all counters into the pending snapshot.
    #[cold]
    fn fold(&mut self) {
        let State { scenarios, starts, requests, steps, tags, lag, pool, pending, .. } = self;
        let mut delta = Snapshot {
            scenarios: scenarios.pack(pool),
            starts: (starts.iter_mut())
                .map(|(name, counter)| (Arc::clone(name), counter.pack(pool)))
                .filter(|(_, starts)| !starts.is_empty())
                .collect(),
            requests: requests.pack(pool),
            steps: steps.pack(pool),
            tags: tags.pack(pool),
            names_exceeded: [requests, steps, tags].iter().any(|table| table.names.exceeded()),
            ..Snapshot::default()
        };
        delta.health.lag = lag.pack(pool);
        pending.merge(&delta);
        self.recorded = 0;
    }
}

/// What was wrong, if a check says so, and a function that returns the place of the check, if known.
pub(crate) type FailedCheck<'a> = (Option<&'a str>, &'a dyn Fn() -> Option<String>);

/// The place of a check whose place is not known.
#[cfg(test)]
pub(crate) const NOWHERE: &dyn Fn() -> Option<String> = &|| None;

/// What stands between a group and the name of what it contains.
pub(crate) const SEPARATOR: &str = " / ";

/// Adds a measure to a row, and returns whether there were too many rows.
fn record<T: Merge>(rows: &mut BTreeMap<Arc<str>, T>, name: &str, measure: &T, limit: usize) -> bool {
    match rows.get_mut(name) {
        Some(known) => known.add(measure),
        None => return merge_row(rows, &names::shown(name), measure, limit),
    }
    false
}

/// Rows by name.
#[derive(Debug)]
struct Table {
    names: Names,
    rows: Vec<Row>,
}

impl Table {
    fn new(limit: usize) -> Table {
        Table { names: Names::new(limit), rows: Vec::new() }
    }

    #[inline]
    fn number(&mut self, name: &str) -> usize {
        let number = self.names.number(name);
        if number == self.rows.len() {
            self.rows.push(Row::default());
        }
        number
    }

    /// Returns the rows that are not empty.
    fn pack(&mut self, pool: &mut Pool) -> BTreeMap<Arc<str>, Stats> {
        let rows = self.rows.iter_mut().enumerate().filter(|(_, row)| row.is_used());
        rows.map(|(number, row)| (Arc::clone(self.names.name(number)), row.pack(pool))).collect()
    }
}

#[derive(Debug, Default)]
struct Row {
    /// The protocol of its operations, unless there are several.
    protocol: Option<Arc<str>>,
    /// Whether the last operation was HTTP.
    is_http: bool,
    has_several_protocols: bool,
    counts: Counts,
    latency: Counter,
    first_byte: Counter,
    /// Only of scenarios that start at a rate.
    service: Option<Box<Counter>>,
    /// Only of requests that had to wait.
    connect: Option<Box<Counter>>,
    bytes_in: u64,
    bytes_out: u64,
    retried: u64,
    statuses: Vec<StatusCount>,
}

#[derive(Debug)]
struct StatusCount {
    /// The code of an HTTP status, for comparisons.
    code: Option<u16>,
    text: Arc<str>,
    count: u64,
}

impl Row {
    /// Returns whether there is anything to pack.
    fn is_used(&self) -> bool {
        self.counts.total() > 0 || self.bytes_in > 0 || self.bytes_out > 0
    }

    #[inline]
    fn record(&mut self, pool: &mut Pool, outcome: Outcome, took: Duration) {
        self.counts.add(outcome);
        if outcome != Outcome::Interrupted {
            self.latency.record(pool, took);
        }
    }

    /// Records an operation.
    #[inline]
    fn operation(&mut self, pool: &mut Pool, sample: &OperationSample<'_>) {
        self.record(pool, sample.outcome, sample.total);
        if let (Some(first_byte), true) = (sample.first_byte, sample.outcome != Outcome::Interrupted) {
            self.first_byte.record(pool, first_byte);
        }
        if let (Some(connect), true) = (sample.connect, sample.outcome != Outcome::Interrupted) {
            self.connect.get_or_insert_default().record(pool, connect);
        }
        self.bytes_in += sample.bytes_in;
        self.bytes_out += sample.bytes_out;
        self.retried += u64::from(sample.retried);
        if let Some(status) = sample.status {
            self.status(status);
        }
    }

    /// Notes the protocol of an operation that is recorded here.
    #[inline]
    fn belongs_to(&mut self, protocol: &str) {
        // Compares constants for HTTP.
        let known = if protocol == HTTP { self.is_http } else { self.protocol.as_deref() == Some(protocol) };
        if !known {
            self.change_protocol(protocol);
        }
    }

    #[cold]
    fn change_protocol(&mut self, protocol: &str) {
        self.has_several_protocols |= self.protocol.take().is_some();
        if !self.has_several_protocols {
            self.protocol = Some(protocol.into());
        }
        self.is_http = protocol == HTTP;
    }

    #[inline]
    fn status(&mut self, status: Status<'_>) {
        let known = match status {
            Status::Code(code) => self.statuses.iter_mut().find(|known| known.code == Some(code)),
            Status::Text(text) => self.statuses.iter_mut().find(|known| known.code.is_none() && *known.text == *text),
        };
        match known {
            Some(known) => known.count += 1,
            None => self.add_status(status),
        }
    }

    /// Counts a status for the first time. Statuses that differ only in their secrets, or only after [`MAX_STATUS`] bytes,
    /// are one.
    #[cold]
    fn add_status(&mut self, status: Status<'_>) {
        let text = match status {
            Status::Code(code) => {
                return self.statuses.push(StatusCount { code: Some(code), text: code.to_string().into(), count: 1 });
            }
            Status::Text(text) => secrets::mask(text),
        };
        let text = &text[..text.floor_char_boundary(MAX_STATUS)];
        let find = |statuses: &[StatusCount], text: &str| {
            statuses.iter().position(|known| known.code.is_none() && *known.text == *text)
        };
        let text = match find(&self.statuses, text) {
            None if self.statuses.len() >= MAX_STATUSES => OTHER,
            _ => text,
        };
        match find(&self.statuses, text) {
            Some(at) => self.statuses[at].count += 1,
            None => self.statuses.push(StatusCount { code: None, text: text.into(), count: 1 }),
        }
    }

    fn pack(&mut self, pool: &mut Pool) -> Stats {
        let mut statuses = BTreeMap::new();
        for status in self.statuses.iter_mut().filter(|status| status.count > 0) {
            *statuses.entry(Arc::clone(&status.text)).or_default() += std::mem::take(&mut status.count);
        }
        Stats {
            protocol: self.protocol.clone(),
            counts: std::mem::take(&mut self.counts),
            latency: self.latency.pack(pool),
            service: self.service.as_mut().map(|service| service.pack(pool)).unwrap_or_default(),
            first_byte: self.first_byte.pack(pool),
            connect: self.connect.as_mut().map(|connect| connect.pack(pool)).unwrap_or_default(),
            bytes_in: std::mem::take(&mut self.bytes_in),
            bytes_out: std::mem::take(&mut self.bytes_out),
            retried: std::mem::take(&mut self.retried),
            statuses,
        }
    }
}
