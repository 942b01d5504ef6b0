//! Who is connected, and how they are: what administration and metrics tell.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use landbridge_control_client::wire::{Digest, Nack, Node, ReadyEndpoints, Refused, Status};
use landbridge_core::Identity;
use serde_json::{Value, json};

use crate::access::View;
use crate::store::Store;

/// Refused resources that are shown of one gateway; all are counted.
const SHOWN: usize = 100;
/// Services of one gateway of whose endpoints something is remembered.
const SERVICES: usize = 10_000;

/// Every gateway that is connected.
#[derive(Debug, Default)]
pub struct Roster {
    records: Mutex<BTreeMap<u64, Arc<Record>>>,
    last: AtomicU64,
    pub(crate) totals: Totals,
}

/// What is counted over all gateways, those that are gone included.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    pub(crate) streams: AtomicU64,
    pub(crate) acks: AtomicU64,
    pub(crate) nacks: AtomicU64,
    pub(crate) refused_streams: AtomicU64,
    pub(crate) sent_bytes: AtomicU64,
    pub(crate) received_bytes: AtomicU64,
}

/// One connected gateway.
#[derive(Debug)]
pub(crate) struct Record {
    who: Who,
    view: View,
    since: SystemTime,
    sent_bytes: AtomicU64,
    received_bytes: AtomicU64,
    state: Mutex<State>,
    roster: Arc<Roster>,
    number: u64,
}

/// What a stream is known by.
#[derive(Debug, Clone)]
pub(crate) struct Who {
    pub(crate) identity: Option<Identity>,
    pub(crate) peer: String,
}

/// How far a gateway is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Phase {
    /// It has not said who it is.
    #[default]
    Connecting,
    /// It is being told something.
    Updating,
    /// It was told everything.
    Told,
}

#[derive(Debug, Default)]
struct State {
    node: Node,
    phase: Phase,
    seq: Option<u64>,
    digest: Option<Digest>,
    last_ack: Option<SystemTime>,
    last_nack: Option<SystemTime>,
    refused: Vec<Refused>,
    refused_count: usize,
    /// Whether it has said since how it is.
    spoke_since: bool,
    /// Why nothing of the last update was applied.
    refused_update: Option<(String, String)>,
    draining: bool,
    active: u64,
    endpoints: BTreeMap<String, ReadyEndpoints>,
}

impl Roster {
    pub(crate) fn enter(self: &Arc<Self>, who: Who, view: View) -> Arc<Record> {
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        self.totals.streams.fetch_add(1, Ordering::Relaxed);
        let record = Arc::new(Record {
            who,
            view,
            since: SystemTime::now(),
            sent_bytes: AtomicU64::new(0),
            received_bytes: AtomicU64::new(0),
            state: Mutex::default(),
            roster: self.clone(),
            number,
        });
        self.lock().insert(number, record.clone());
        record
    }

    pub(crate) fn leave(&self, record: &Record) {
        self.lock().remove(&record.number);
    }

    /// How many gateways are connected.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether nobody is connected.
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Every gateway as JSON, in the order in which they came.
    pub fn told(&self, store: &Store) -> Value {
        let records = self.records();
        records.iter().map(|record| record.told(store)).collect()
    }

    /// How many gateways there are of each state.
    pub(crate) fn states(&self, store: &Store) -> BTreeMap<&'static str, u64> {
        let mut counts: BTreeMap<_, u64> = STATES.iter().map(|state| (*state, 0)).collect();
        for record in self.records() {
            let mut state = record.lock();
            state.forget_what_is_settled(&record.view, store);
            *counts.entry(state.word(&record.view, store)).or_default() += 1;
        }
        counts
    }

    fn records(&self) -> Vec<Arc<Record>> {
        self.lock().values().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Record>>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const STATES: [&str; 5] = ["connecting", "updating", "refusing", "synced", "differs"];

impl Record {
    pub(crate) fn who(&self) -> &Who {
        &self.who
    }

    pub(crate) fn hello(&self, node: Node) {
        self.lock().node = node;
    }

    pub(crate) fn phase(&self, phase: Phase) {
        self.lock().phase = phase;
    }

    /// Everything up to `seq` was told, or is none of its business.
    pub(crate) fn told_up_to(&self, seq: u64) {
        let mut state = self.lock();
        state.phase = Phase::Told;
        state.seq = Some(seq);
    }

    pub(crate) fn acknowledged(&self, seq: u64, digest: Digest) {
        self.roster.totals.acks.fetch_add(1, Ordering::Relaxed);
        let mut state = self.lock();
        (state.phase, state.seq, state.digest) = (Phase::Told, Some(seq), Some(digest));
        state.last_ack = Some(SystemTime::now());
        state.refused.clear();
        state.refused_count = 0;
        state.refused_update = None;
    }

    pub(crate) fn refused(&self, seq: u64, nack: &Nack) {
        self.roster.totals.nacks.fetch_add(1, Ordering::Relaxed);
        let mut state = self.lock();
        state.phase = Phase::Told;
        state.digest = Some(nack.digest);
        state.spoke_since = false;
        state.last_nack = Some(SystemTime::now());
        state.refused_update = nack.update.as_ref().map(|whole| (whole.code.clone(), whole.text.clone()));
        if nack.update.is_none() {
            state.seq = Some(seq);
            let more = usize::try_from(nack.more).unwrap_or(usize::MAX);
            state.refused_count = nack.refused.len().saturating_add(more);
            state.refused = nack.refused.iter().take(SHOWN).cloned().collect();
        }
    }

    pub(crate) fn status(&self, status: Status) {
        let mut state = self.lock();
        state.draining = status.draining;
        state.active = status.active;
        state.digest = Some(status.digest);
        state.spoke_since = true;
        for (service, ready) in status.endpoints {
            if state.endpoints.len() < SERVICES || state.endpoints.contains_key(&service) {
                state.endpoints.insert(service, ready);
            }
        }
    }

    pub(crate) fn sent(&self, bytes: usize) {
        let bytes = bytes as u64;
        self.sent_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.roster.totals.sent_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn received(&self, bytes: usize) {
        let bytes = bytes as u64;
        self.received_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.roster.totals.received_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    fn told(&self, store: &Store) -> Value {
        let mut state = self.lock();
        state.forget_what_is_settled(&self.view, store);
        let refused: Vec<Value> = state.refused.iter().map(|refused| json!(refused)).collect();
        let identity = self.who.identity.as_ref();
        let short = |ready: &ReadyEndpoints| ready.ready < ready.total;
        let short: BTreeMap<&String, &ReadyEndpoints> =
            state.endpoints.iter().filter(|(_, ready)| short(ready)).take(SHOWN).collect();
        json!({
            "identity": identity.map(|identity| identity.id.as_str()),
            "trust": identity.map(|identity| identity.trust.as_str()),
            "peer": self.who.peer,
            "cluster": self.view.cluster(),
            "node": state.node,
            "state": state.word(&self.view, store),
            "connected_since": time(self.since),
            "seq": state.seq.map(|seq| seq.to_string()),
            "digest": state.digest,
            "expected_digest": store.sums(&self.view).digest(),
            "last_ack": state.last_ack.map(time),
            "last_nack": state.last_nack.map(time),
            "refused": refused,
            "refused_count": state.refused_count,
            "refused_update": state.refused_update.as_ref().map(|(code, text)| json!({ "code": code, "text": text })),
            "draining": state.draining,
            "active_connections": state.active,
            "endpoints_not_ready": short,
            "sent_bytes": self.sent_bytes.load(Ordering::Relaxed),
            "received_bytes": self.received_bytes.load(Ordering::Relaxed),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whoever has in force all that is served refuses nothing any more: somebody confirmed there what was held back.
    fn forget_what_is_settled(&mut self, view: &View, store: &Store) {
        if self.spoke_since && self.phase == Phase::Told && self.digest == Some(store.sums(view).digest()) {
            self.refused.clear();
            self.refused_count = 0;
        }
    }

    fn word(&self, view: &View, store: &Store) -> &'static str {
        match self.phase {
            Phase::Connecting => "connecting",
            Phase::Updating => "updating",
            Phase::Told if self.refused_count > 0 || self.refused_update.is_some() => "refusing",
            Phase::Told if self.digest == Some(store.sums(view).digest()) => "synced",
            Phase::Told => "differs",
        }
    }
}

fn time(time: SystemTime) -> String {
    // What a clock before 1970 says is shown as its beginning.
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    humantime::format_rfc3339_millis(SystemTime::UNIX_EPOCH + since).to_string()
}
