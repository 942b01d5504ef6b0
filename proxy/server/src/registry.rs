//! The connections that are open now: what revocation, drain and the admin API stand on.

use std::collections::{BinaryHeap, HashMap};
use std::net::SocketAddr;
// No part of what the model checks.
use std::sync::OnceLock as Noted;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use landbridge_certs::Svid;
use landbridge_core::Caller;
use landbridge_core::outcome::Reason;
use landbridge_splice::Tally;

// By its place, so that the model compiles this file with its own.
use super::sync::{Mutex, MutexGuard, Notify, OnceLock, SHARDS};

/// Every open connection, in shards. A shard is locked when a connection begins, is identified and
/// ends; never while bytes move.
#[derive(Debug)]
pub(crate) struct Registry {
    shards: Box<[Shard]>,
}

type Shard = Mutex<HashMap<u64, Arc<Live>>>;

/// One open connection.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) id: u64,
    pub(crate) tally: Tally,
    pub(crate) started: Instant,
    /// Who the client is, once that is known; behind a load balancer its word counts.
    client: Noted<SocketAddr>,
    standing: OnceLock<Standing>,
    ending: OnceLock<Ending>,
    wake: Notify,
    /// How long it took to connect, once bytes flow.
    spliced: OnceLock<Duration>,
}

/// By what right a connection is open.
#[derive(Debug)]
pub(crate) struct Standing {
    pub(crate) caller: Caller,
    /// What the caller's certificate was, where the gateway saw it.
    pub(crate) svid: Option<Svid>,
    /// The name that was asked for.
    pub(crate) sni: Arc<str>,
    /// The service that it leads to.
    pub(crate) service: Arc<str>,
}

/// Why somebody outside a connection ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ending {
    pub(crate) reason: Reason,
    /// How long what was accepted may still be delivered; `None` cuts at once.
    pub(crate) flush: Option<Duration>,
}

impl Default for Registry {
    fn default() -> Self {
        Self { shards: (0..SHARDS).map(|_| Shard::default()).collect() }
    }
}

impl Registry {
    /// Adds a connection until the guard is dropped.
    pub(crate) fn register(&self, id: u64) -> Registered<'_> {
        let live = Arc::new(Live {
            id,
            tally: Tally::default(),
            started: Instant::now(),
            client: Noted::new(),
            standing: OnceLock::new(),
            ending: OnceLock::new(),
            wake: Notify::new(),
            spliced: OnceLock::new(),
        });
        self.shard(id).insert(id, live.clone());
        Registered { registry: self, live }
    }

    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    /// Visits every open connection, one shard at a time.
    pub(crate) fn for_each(&self, mut visit: impl FnMut(&Live)) {
        for shard in &self.shards {
            lock(shard).values().for_each(|live| visit(live));
        }
    }

    /// The oldest connections beyond the number `after`, `most` of them, in their order.
    ///
    /// It takes as much memory as it returns, however many are open.
    pub(crate) fn oldest(&self, after: u64, most: usize) -> Vec<Arc<Live>> {
        let mut chosen = BinaryHeap::new();
        self.for_each(|live| {
            if live.id > after {
                chosen.push(live.id);
                if chosen.len() > most {
                    chosen.pop();
                }
            }
        });
        // One that has ended in between is gone.
        chosen.into_sorted_vec().into_iter().filter_map(|id| self.shard(id).get(&id).cloned()).collect()
    }

    fn shard(&self, id: u64) -> MutexGuard<'_, HashMap<u64, Arc<Live>>> {
        let index = usize::try_from(id % SHARDS as u64).unwrap_or(0);
        let shard = self.shards.get(index);
        lock(shard.unwrap_or_else(|| unreachable!("the index is below the number of shards")))
    }
}

/// A panic while a shard was locked leaves the map whole: single inserts and removals.
fn lock(shard: &Shard) -> MutexGuard<'_, HashMap<u64, Arc<Live>>> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A connection's place in the registry; dropping it removes the connection.
pub(crate) struct Registered<'a> {
    registry: &'a Registry,
    pub(crate) live: Arc<Live>,
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        self.registry.shard(self.live.id).remove(&self.live.id);
    }
}

impl Registered<'_> {
    /// Notes by what right the connection is open, once that is known.
    ///
    /// Under the lock of its shard: a visit that came before did not see it, but what was stored before
    /// that visit can be read from here on. The note and the read alone would not promise that.
    pub(crate) fn stand(&self, standing: Standing) {
        let _shard = self.registry.shard(self.live.id);
        // Only the connection's own task calls this, once.
        let _ = self.live.standing.set(standing);
    }
}

impl Live {
    /// Notes who the client is. The first to say so is right: a load balancer, or else the socket.
    pub(crate) fn come_from(&self, client: SocketAddr) {
        let _ = self.client.set(client);
    }

    /// Who the client is; `None` as long as a load balancer has not said so.
    pub(crate) fn client(&self) -> Option<SocketAddr> {
        self.client.get().copied()
    }

    /// By what right the connection is open; `None` until its caller is known.
    pub(crate) fn standing(&self) -> Option<&Standing> {
        self.standing.get()
    }

    /// Notes that bytes flow now, on a connection to an endpoint that took this long to make.
    pub(crate) fn begin_splice(&self, connect: Duration) {
        // Only the connection's own task calls this, once.
        let _ = self.spliced.set(connect);
    }

    /// How long it took to connect to an endpoint, once that is done.
    pub(crate) fn connect(&self) -> Option<Duration> {
        self.spliced.get().copied()
    }

    /// Whether bytes flow.
    pub(crate) fn is_spliced(&self) -> bool {
        self.spliced.get().is_some()
    }

    /// How somebody outside ended the connection, if anybody did.
    pub(crate) fn ending(&self) -> Option<Ending> {
        self.ending.get().copied()
    }

    /// Ends the connection from outside; the first to do so says why, and is told that it was.
    pub(crate) fn end(&self, ending: Ending) -> bool {
        let first = self.ending.set(ending).is_ok();
        if first {
            self.wake.notify_waiters();
        }
        first
    }

    /// Waits until somebody ends the connection from outside.
    ///
    /// # Cancel safety
    /// Nothing is lost: the ending stays.
    pub(crate) async fn ended(&self) -> Ending {
        loop {
            let woken = self.wake.notified();
            if let Some(ending) = self.ending.get() {
                return *ending;
            }
            woken.await;
        }
    }
}
