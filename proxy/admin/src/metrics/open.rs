//! Connections that were let in and have not ended: so that their bytes count while they run.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use landbridge::Traffic;
use landbridge::service::Mode;

use super::edges::{Edge, Ended};
use super::library::Histogram;

/// Connections are spread over the shards by their number, so that two workers seldom meet at a lock.
const SHARDS: usize = 64;

/// The open connections, by number. Every connection that begins here also ends here: the gateway tells
/// of both exactly once.
pub(crate) struct Open {
    shards: Box<[Shard]>,
    connect: Histogram,
}

type Shard = Mutex<HashMap<u64, Meter>>;

/// How many connections of each mode are open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct OpenCounts {
    pub(crate) terminate: u64,
    pub(crate) passthrough: u64,
}

/// What has been counted of one connection, and what of it can be counted.
pub(crate) struct Meter {
    pub(crate) edge: Arc<Edge>,
    pub(crate) mode: Mode,
    pub(crate) traffic: Traffic,
    counted: Counted,
}

#[derive(Default)]
struct Counted {
    received: u64,
    sent: u64,
    connect: bool,
}

impl Open {
    pub(crate) fn new(connect: Histogram) -> Self {
        Self { shards: (0..SHARDS).map(|_| Shard::default()).collect(), connect }
    }

    pub(crate) fn begin(&self, connection: u64, meter: Meter) {
        self.shard(connection).insert(connection, meter);
    }

    /// Takes a connection out; `None` if it was never let in.
    pub(crate) fn end(&self, connection: u64) -> Option<Meter> {
        let mut meter = self.shard(connection).remove(&connection)?;
        meter.count_connect(&self.connect);
        Some(meter)
    }

    /// Counts what open connections did since the last time, and the connections themselves.
    pub(crate) fn count(&self) -> OpenCounts {
        let mut counts = OpenCounts::default();
        for shard in &self.shards {
            for meter in lock(shard).values_mut() {
                match meter.mode {
                    Mode::Terminate => counts.terminate += 1,
                    Mode::Passthrough => counts.passthrough += 1,
                }
                let (received, sent) = (meter.traffic.received(), meter.traffic.sent());
                let edge = meter.edge.clone();
                meter.count(&edge.fine, received, sent);
                meter.count_connect(&self.connect);
            }
        }
        counts
    }

    fn shard(&self, connection: u64) -> MutexGuard<'_, HashMap<u64, Meter>> {
        let index = usize::try_from(connection % SHARDS as u64).unwrap_or(0);
        #[expect(clippy::indexing_slicing, reason = "the index is below the number of shards")]
        lock(&self.shards[index])
    }
}

/// A panic while a shard was locked leaves the map whole: single inserts and removals.
fn lock(shard: &Shard) -> MutexGuard<'_, HashMap<u64, Meter>> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Meter {
    pub(crate) fn new(edge: Arc<Edge>, mode: Mode, traffic: Traffic) -> Self {
        Self { edge, mode, traffic, counted: Counted::default() }
    }

    /// Counts what came since the last time, given what there is in all.
    pub(crate) fn count(&mut self, counters: &Ended, received: u64, sent: u64) {
        counters.received.add(received.saturating_sub(self.counted.received));
        counters.sent.add(sent.saturating_sub(self.counted.sent));
        self.counted.received = received;
        self.counted.sent = sent;
    }

    fn count_connect(&mut self, histogram: &Histogram) {
        let taken: Option<Duration> = self.traffic.connect().filter(|_| !self.counted.connect);
        if let Some(taken) = taken {
            histogram.observe(taken);
            self.counted.connect = true;
        }
    }
}
