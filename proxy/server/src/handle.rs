//! What can be asked of a gateway while it runs.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use landbridge_core::Reason;

use crate::capacity::Capacity;
use crate::credentials::Credentials;
use crate::pressure::Level;
use crate::shared::{Phase, Shared};

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

    /// How short memory is now; always calm where there is no limit.
    pub fn memory_level(&self) -> Level {
        self.shared.pressure.level()
    }

    /// How many handshakes are in flight.
    pub fn handshakes(&self) -> usize {
        self.shared.admission.handshakes.in_flight()
    }

    /// The limits in force.
    pub fn capacity(&self) -> Capacity {
        self.shared.capacity
    }
}
