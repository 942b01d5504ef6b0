//! What can be asked of a gateway while it runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use landbridge_core::Reason;

use crate::capacity::Capacity;
use crate::credentials::Credentials;
use crate::gateway::Shared;

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

/// How many endpoints of a service are in which state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EndpointCounts {
    /// Those that connections go to.
    pub usable: usize,
    /// Those that failed a moment ago and are passed over.
    pub failing: usize,
}

/// A cheap handle to a running gateway.
#[derive(Clone)]
pub struct Handle {
    pub(crate) shared: Arc<Shared>,
}

impl Handle {
    /// Where the gateway is in its life.
    pub fn phase(&self) -> Phase {
        match self.shared.phase.load(Ordering::Relaxed) {
            0 => Phase::Starting,
            1 => Phase::Serving,
            2 => Phase::Draining,
            _ => Phase::Stopped,
        }
    }

    /// How many connections are open, those in their handshake included.
    pub fn active(&self) -> usize {
        self.shared.registry.len()
    }

    /// The number of the configuration in force; it counts changes of every kind.
    pub fn generation(&self) -> u64 {
        self.shared.current.load().number
    }

    /// How many connections ended or were refused for this reason.
    pub fn count(&self, reason: Reason) -> u64 {
        self.shared.counters.ended(reason)
    }

    /// How many connections were accepted.
    pub fn accepted(&self) -> u64 {
        self.shared.counters.accepted.load(Ordering::Relaxed)
    }

    /// The certificates in force, and whom the gateway believes.
    pub fn credentials(&self) -> Arc<Credentials> {
        self.shared.current.load().credentials.clone()
    }

    /// Visits every service in force with the state of its endpoints, in no particular order.
    pub fn for_each_service(&self, mut visit: impl FnMut(&Arc<str>, EndpointCounts)) {
        let now = self.shared.epoch.elapsed();
        let current = self.shared.current.load_full();
        for (service, endpoints) in current.table.endpoints() {
            let usable = endpoints.iter().filter(|endpoint| endpoint.usable(now)).count();
            visit(service, EndpointCounts { usable, failing: endpoints.len() - usable });
        }
    }

    /// The limits in force.
    pub fn capacity(&self) -> Capacity {
        self.shared.capacity
    }
}

impl Shared {
    /// Moves on to `phase`; a gateway never goes back.
    pub(crate) fn enter(&self, phase: Phase) {
        self.phase.fetch_max(phase as u8, Ordering::Relaxed);
    }
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

    fn ended(&self, reason: Reason) -> u64 {
        self.ended.get(reason as usize).map_or(0, |counter| counter.load(Ordering::Relaxed))
    }
}
