//! What can be asked of a gateway while it runs.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use landbridge_core::config::Node;
use landbridge_core::endpoint::Member;
use landbridge_core::service::Mode;
use landbridge_core::{Caller, Identity, Reason, Snapshot};

use crate::capacity::Capacity;
use crate::credentials::Credentials;
use crate::drain::{self, Draining};
use crate::pressure::Level;
use crate::registry::Live;
use crate::shared::{Phase, Shared};

/// How many endpoints of a service are in which state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EndpointCounts {
    /// Those that connections go to.
    pub usable: usize,
    /// Those that failed a moment ago and are passed over.
    pub failing: usize,
}

/// A service, and how its endpoints are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceState {
    /// The name of the service.
    pub name: Arc<str>,
    /// Whether its TLS ends at the gateway.
    pub mode: Mode,
    /// How its endpoints are.
    pub endpoints: EndpointCounts,
}

/// A connection that is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenConnection {
    /// Its number; a later connection has a higher one.
    pub id: u64,
    /// Where the client is; `None` as long as a load balancer has not said so.
    pub client: Option<SocketAddr>,
    /// The service that it was let in to; `None` until it was.
    pub service: Option<Arc<str>>,
    /// Who the client has proven to be; `None` before that, and where its TLS is passed through.
    pub identity: Option<Identity>,
    /// How long ago it was accepted.
    pub age: Duration,
    /// Bytes of payload from the client.
    pub received: u64,
    /// Bytes of payload to the client.
    pub sent: u64,
    /// How far it has come.
    pub stage: Stage,
}

/// How far a connection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It has not been let in yet.
    Handshake,
    /// It was let in, and is being connected to an endpoint.
    Connecting,
    /// Bytes flow.
    Open,
    /// Somebody outside ended it: what was accepted may still be delivered.
    Ending,
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

    /// How long ago the gateway was made, on a clock that never goes back.
    pub fn uptime(&self) -> Duration {
        self.shared.epoch.elapsed()
    }

    /// Resolves once these services are in force: once every connection that begins is decided by them, and those that
    /// were open have been looked at.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn serves(&self, services: &Arc<Snapshot>) {
        let mut applied = self.shared.applied.subscribe();
        // The sender lives as long as `self`.
        let _ended = applied.wait_for(|_| Arc::ptr_eq(&self.shared.current.load().services, services)).await;
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
            visit(service, EndpointCounts::of(endpoints, now));
        }
    }

    /// The services in force whose names come after `after`, `most` of them, in the order of their names.
    pub fn services(&self, after: &str, most: usize) -> Vec<ServiceState> {
        let now = self.shared.epoch.elapsed();
        let current = self.shared.current.load_full();
        let mut chosen: Vec<_> =
            current.services.services().filter(|service| *service.name > *after).collect();
        if most < chosen.len() {
            chosen.select_nth_unstable_by(most, |one, other| one.name.cmp(&other.name));
            chosen.truncate(most);
        }
        chosen.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        let state = |endpoints: Option<&[Member]>| EndpointCounts::of(endpoints.unwrap_or(&[]), now);
        chosen
            .into_iter()
            .map(|service| ServiceState {
                name: service.name.clone(),
                mode: service.mode,
                endpoints: state(current.table.endpoints_of(&service.name)),
            })
            .collect()
    }

    /// The oldest open connections whose numbers are above `after`, `most` of them, in their order.
    pub fn connections(&self, after: u64, most: usize) -> Vec<OpenConnection> {
        self.shared.registry.oldest(after, most).iter().map(|live| OpenConnection::of(live)).collect()
    }

    /// How far the drain has come; `None` before one began.
    pub fn draining(&self) -> Option<Draining> {
        drain::progress(&self.shared)
    }

    /// Ends the gateway at once, whether it drains or serves: nothing more is accepted, and all that is open is
    /// reset without delivering what was accepted. The workers' futures end soon after, and every connection is
    /// told of to the observer.
    pub fn end_now(&self) {
        self.shared.stopping.now.cancel();
    }

    /// Where the gateway stands.
    pub fn node(&self) -> &Node {
        &self.shared.config.node
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

impl EndpointCounts {
    fn of(endpoints: &[Member], now: Duration) -> Self {
        let usable = endpoints.iter().filter(|member| member.endpoint.usable(now)).count();
        Self { usable, failing: endpoints.len() - usable }
    }
}

impl OpenConnection {
    fn of(live: &Live) -> Self {
        let standing = live.standing();
        Self {
            id: live.id,
            client: live.client(),
            service: standing.map(|standing| standing.service.clone()),
            identity: standing.and_then(|standing| match &standing.caller {
                Caller::Verified(identity) => Some(identity.clone()),
                Caller::Unseen(_) => None,
            }),
            age: live.started.elapsed(),
            received: live.tally.received(),
            sent: live.tally.sent(),
            stage: match standing {
                _ if live.ending().is_some() => Stage::Ending,
                _ if live.is_spliced() => Stage::Open,
                Some(_) => Stage::Connecting,
                None => Stage::Handshake,
            },
        }
    }
}
