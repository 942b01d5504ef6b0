//! The connections that are open now: what revocation, drain and the admin API stand on.

use std::collections::{BinaryHeap, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use landbridge_certs::Svid;
use landbridge_core::Caller;
use landbridge_core::outcome::Reason;
use landbridge_splice::Tally;
use tokio::sync::Notify;

/// A power of two; connections are spread over the shards by their number, so that two workers seldom
/// meet at a lock.
const SHARDS: usize = 64;

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
    client: OnceLock<SocketAddr>,
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
            client: OnceLock::new(),
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
        #[expect(clippy::indexing_slicing, reason = "the index is below the number of shards")]
        lock(&self.shards[index])
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

impl Live {
    /// Notes who the client is. The first to say so is right: a load balancer, or else the socket.
    pub(crate) fn come_from(&self, client: SocketAddr) {
        let _ = self.client.set(client);
    }

    /// Who the client is; `None` as long as a load balancer has not said so.
    pub(crate) fn client(&self) -> Option<SocketAddr> {
        self.client.get().copied()
    }

    /// Notes by what right the connection is open, once that is known.
    pub(crate) fn stand(&self, standing: Standing) {
        // Only the connection's own task calls this, once.
        let _ = self.standing.set(standing);
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

#[cfg(test)]
mod tests {
    use super::*;

    const CUT: Ending = Ending { reason: Reason::Revoked, flush: None };

    #[tokio::test]
    async fn a_connection_is_counted_until_it_ends_and_can_be_ended_before_or_while_it_waits() {
        let registry = Registry::default();
        let first = registry.register(1);
        let second = registry.register(65); // the same shard
        assert_eq!(registry.len(), 2);
        first.live.end(CUT);
        assert_eq!(first.live.ended().await, CUT);

        let waiting = second.live.clone();
        let waiter = tokio::spawn(async move { waiting.ended().await });
        tokio::task::yield_now().await;
        let mut ended = 0;
        registry.for_each(|live| ended += usize::from(live.end(CUT)));
        assert_eq!(ended, 1, "the first one was ended before");
        assert_eq!(waiter.await.unwrap(), CUT);

        drop(first);
        assert_eq!(registry.len(), 1);
    }

    #[test]
    fn the_oldest_are_told_in_their_order_page_by_page() {
        let registry = Registry::default();
        let mut open: Vec<_> = (1..=100).map(|id| registry.register(id)).collect();
        let ids = |after, most| registry.oldest(after, most).iter().map(|live| live.id).collect::<Vec<_>>();
        assert_eq!(ids(0, 3), [1, 2, 3]);
        assert_eq!(ids(3, 3), [4, 5, 6]);
        assert_eq!(ids(98, 10), [99, 100]);
        assert!(ids(100, 10).is_empty() && ids(0, 0).is_empty());
        open.remove(1);
        assert_eq!(ids(0, 2), [1, 3]);
    }

    #[tokio::test]
    async fn the_first_to_end_a_connection_says_why() {
        let registry = Registry::default();
        let registered = registry.register(1);
        assert!(registered.live.end(CUT));
        assert!(!registered.live.end(Ending { reason: Reason::Drained, flush: Some(Duration::ZERO) }));
        assert_eq!(registered.live.ended().await, CUT);
    }
}
