//! What a gateway tells its owner about each connection.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use landbridge_core::{Outcome, Service};

use crate::registry::Live;

/// Hears of each connection once, when it ended or was refused; and before that, if it likes, of each
/// that was let in.
///
/// It is called on the connection's own thread, so it must not block: count, or hand the outcome to a
/// bounded queue. A closure `Fn(&Outcome)` is an observer.
pub trait Observer: Send + Sync + 'static {
    /// One connection ended or was refused. Connections that close without sending a byte, as load
    /// balancers probe, are counted and not told.
    fn connection(&self, outcome: &Outcome);

    /// One connection was let in, and is about to be connected to an endpoint.
    ///
    /// [`connection`](Self::connection) follows for each, once, with the same id. Does nothing by default.
    fn opened(&self, opened: &Opened<'_>) {
        let _ = opened;
    }
}

impl<F: Fn(&Outcome) + Send + Sync + 'static> Observer for F {
    fn connection(&self, outcome: &Outcome) {
        self(outcome);
    }
}

/// A connection that was let in.
#[derive(Debug)]
pub struct Opened<'a> {
    /// What is known of it so far; how it ends is not.
    pub so_far: &'a Outcome,
    /// The service that it was let in to.
    pub service: &'a Arc<Service>,
    /// What it carries, to be read while it runs.
    pub traffic: Traffic,
}

/// What one connection has carried so far. Cheap to clone; it outlives the connection.
#[derive(Clone)]
pub struct Traffic {
    live: Arc<Live>,
}

impl Traffic {
    pub(crate) fn of(live: Arc<Live>) -> Self {
        Self { live }
    }

    /// Bytes of payload from the client, so far.
    pub fn received(&self) -> u64 {
        self.live.tally.received()
    }

    /// Bytes of payload to the client, so far.
    pub fn sent(&self) -> u64 {
        self.live.tally.sent()
    }

    /// How long it took to connect to an endpoint; `None` before that.
    pub fn connect(&self) -> Option<Duration> {
        self.live.connect()
    }
}

impl fmt::Debug for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Traffic").field("received", &self.received()).field("sent", &self.sent()).finish()
    }
}
