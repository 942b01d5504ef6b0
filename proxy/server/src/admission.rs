//! What a connection must be let past before anything is spent on it: limits and turns.

mod counts;
mod rate;
mod source;
mod turns;

use std::sync::Arc;
use std::time::Duration;

use landbridge_core::config::Limits;
use landbridge_core::{Caller, Identity, Reason};

use self::counts::{Count, Counts};
use self::rate::Rate;
pub(crate) use self::source::Source;
use self::turns::{Rule, Turn, Turns};
use crate::capacity::Capacity;
use crate::registry::Live;

/// Between distant clusters a handshake takes three to six tenths of a second, two round trips.
const SLOW_HANDSHAKE: Duration = Duration::from_secs(1);

/// The limits of one gateway, beside the one on connections as a whole.
pub(crate) struct Admission {
    /// How many connections there may be.
    connections: usize,
    /// New connections a second.
    rate: Option<Rate>,
    /// Connections at once from one source.
    pub(crate) sources: Counts<Source>,
    /// Connections at once of one identity.
    identities: Counts<Identity>,
    /// Connections at once to one service.
    services: Counts<Arc<str>>,
    /// Connections whose ClientHello is awaited. Such a connection costs little but its place, so nobody waits:
    /// who is silent longest makes room.
    hellos: Turns,
    /// Handshakes in flight.
    pub(crate) handshakes: Turns,
}

impl Admission {
    pub(crate) fn new(capacity: &Capacity, limits: &Limits) -> Self {
        Self {
            connections: capacity.connections,
            rate: limits.per_second.map(Rate::new),
            sources: Counts::new(limits.per_source, Reason::SourceLimit),
            identities: Counts::new(limits.per_identity, Reason::IdentityLimit),
            services: Counts::new(limits.per_service, Reason::ServiceLimit),
            hellos: Turns::new(Rule::default()),
            handshakes: Turns::new(Rule {
                most: capacity.handshakes,
                most_waiting: (capacity.connections / 4).max(1),
                slow: SLOW_HANDSHAKE,
            }),
        }
    }
    /// Whether a new connection comes too soon after others, `now` after the gateway's start.
    pub(crate) fn is_too_fast(&self, now: Duration) -> bool {
        self.rate.as_ref().is_some_and(|rate| !rate.allows(now))
    }

    /// Lets a connection wait for its ClientHello; `free` is how many more connections there may be.
    ///
    /// Silent connections take at most half of all places, and none of the last sixteenth, so that clients who do
    /// speak find one.
    pub(crate) fn await_hello(&self, live: &Arc<Live>, source: Source, free: usize) -> Turn<'_> {
        let most = if free < self.connections / 16 { 0 } else { (self.connections / 2).max(1) };
        self.hellos.displace(source, live, most)
    }

    /// Whether one more connection to `service` would be too many, before anything is known of who makes it.
    ///
    /// # Errors
    /// It would.
    pub(crate) fn check_service(&self, service: &Arc<str>) -> Result<(), Reason> {
        self.services.check(service)
    }

    /// Counts a connection of `caller` to `service` until the guards are dropped.
    ///
    /// # Errors
    /// The service or the identity has as many as it may have.
    pub(crate) fn hold(&self, service: &Arc<str>, caller: &Caller) -> Result<Held<'_>, Reason> {
        let identity = match caller {
            Caller::Verified(identity) => Some(self.identities.add(identity)?),
            Caller::Unseen(_) => None,
        };
        Ok(Held { _service: self.services.add(service)?, _identity: identity })
    }
}

/// A connection's share of what its source may have.
pub(crate) type Share<'a> = Count<'a, Source>;

/// The shares of limits that a connection has once it is known who makes it, and whom it is for.
pub(crate) struct Held<'a> {
    _service: Count<'a, Arc<str>>,
    _identity: Option<Count<'a, Identity>>,
}
