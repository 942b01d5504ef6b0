//! What all connections of one gateway share, and where the gateway is in its life.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use landbridge_core::Reason;
use landbridge_core::config::GatewayConfig;
use landbridge_splice::{Buffers, Pipes};
use tokio::sync::{Semaphore, watch};

use crate::admission::Admission;
use crate::capacity::Capacity;
use crate::drain::Stopping;
use crate::generation::Generation;
use crate::observer::Observer;
use crate::pressure::{Meter, Pressure};
use crate::registry::Registry;
use crate::resolve::Resolver;
use crate::sync::Current;

/// What all connections of one gateway share.
pub(crate) struct Shared {
    pub(crate) config: GatewayConfig,
    pub(crate) capacity: Capacity,
    /// Swapped once for every kind of change.
    pub(crate) current: Current<Generation>,
    /// The number of the generation that was swapped in last, open connections looked at.
    pub(crate) applied: watch::Sender<u64>,
    pub(crate) registry: Registry,
    pub(crate) resolver: Resolver,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) connections: Arc<Semaphore>,
    /// What limits there are beside the one on connections.
    pub(crate) admission: Admission,
    pub(crate) pressure: Pressure,
    /// What passthrough is spliced through.
    pub(crate) pipes: Pipes,
    /// What the large buffers of all connections come out of.
    pub(crate) buffers: Buffers,
    /// How memory is measured, where there is a limit.
    pub(crate) meter: Option<Meter>,
    pub(crate) counters: Counters,
    pub(crate) phase: AtomicU8,
    pub(crate) stopping: Stopping,
    /// How many workers have not stopped yet.
    pub(crate) workers: AtomicUsize,
    pub(crate) next_id: AtomicU64,
    /// The zero of the gateway's clock.
    pub(crate) epoch: Instant,
}

impl Shared {
    pub(crate) fn new(
        config: GatewayConfig,
        capacity: Capacity,
        first: Generation,
        observer: Arc<dyn Observer>,
    ) -> Self {
        Self {
            current: Current::from_pointee(first),
            applied: watch::Sender::new(1),
            registry: Registry::default(),
            resolver: Resolver::new(config.endpoints.clone()),
            observer,
            connections: Arc::new(Semaphore::new(capacity.connections)),
            admission: Admission::new(&capacity, &config.limits),
            pressure: Pressure::default(),
            pipes: Pipes::new(capacity.pipes),
            buffers: Buffers::of(capacity.buffers),
            meter: Meter::of(&config.limits),
            counters: Counters::default(),
            phase: AtomicU8::default(),
            stopping: Stopping::default(),
            workers: AtomicUsize::new(1),
            next_id: AtomicU64::new(1),
            epoch: Instant::now(),
            capacity,
            config,
        }
    }

    /// Moves on to `phase`; a gateway never goes back.
    pub(crate) fn enter(&self, phase: Phase) {
        self.phase.fetch_max(phase as u8, Ordering::Relaxed);
    }
}

/// Where a gateway is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// It is bound and does not accept yet.
    Starting,
    /// It accepts connections.
    Serving,
    /// It was asked to stop, and lets connections end.
    Draining,
    /// It is done.
    Stopped,
}

/// Plain counts, read by whoever exports them.
#[derive(Debug)]
pub(crate) struct Counters {
    pub(crate) accepted: AtomicU64,
    ended: Box<[AtomicU64]>,
}

impl Default for Counters {
    fn default() -> Self {
        let ended = Reason::ALL.iter().map(|_| AtomicU64::default()).collect();
        Self { accepted: AtomicU64::default(), ended }
    }
}

impl Counters {
    pub(crate) fn count(&self, reason: Reason) {
        if let Some(counter) = self.ended.get(reason as usize) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn ended(&self, reason: Reason) -> u64 {
        self.ended.get(reason as usize).map_or(0, |counter| counter.load(Ordering::Relaxed))
    }
}
