//! Where connections go: endpoints that outlive a change of configuration, and the choice among them.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

mod pool;

pub use pool::{Choice, Member, Pool};

/// What is known of one address of one service.
///
/// The same `Arc<Endpoint>` is carried from one generation of configuration to the next as long as the
/// service keeps the address, so that its count of connections and its failures survive the change.
#[derive(Debug)]
pub struct Endpoint {
    address: SocketAddr,
    active: AtomicU32,
    failures: AtomicU32,
    /// Milliseconds of the gateway's clock; before it, the endpoint is passed over.
    retry_at: AtomicU64,
}

/// After a first failure an endpoint is passed over for this long; each further one doubles it.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest time for which an endpoint is passed over.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

impl Endpoint {
    /// An endpoint of which nothing is known yet.
    pub fn new(address: SocketAddr) -> Self {
        Self { address, active: AtomicU32::new(0), failures: AtomicU32::new(0), retry_at: AtomicU64::new(0) }
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections it has now, those being made included.
    pub fn active(&self) -> u32 {
        self.active.load(Ordering::Relaxed)
    }

    /// Counts one connection until the guard is dropped.
    pub fn begin(self: &Arc<Self>) -> Active {
        self.active.fetch_add(1, Ordering::Relaxed);
        Active { endpoint: self.clone() }
    }

    /// Notes that connecting failed: the endpoint is passed over for 250 ms, doubling up to 10 s.
    ///
    /// `now` is the time since the gateway's start.
    pub fn failed(&self, now: Duration) {
        let before = self.failures.fetch_add(1, Ordering::Relaxed).min(16);
        let pause = FIRST_PAUSE.saturating_mul(1 << before).min(LONGEST_PAUSE);
        self.retry_at.store(millis(now + pause), Ordering::Relaxed);
    }

    /// Notes that connecting succeeded: failures are forgotten.
    pub fn connected(&self) {
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
            self.retry_at.store(0, Ordering::Relaxed);
        }
    }

    /// Whether it is worth trying at `now`.
    pub fn usable(&self, now: Duration) -> bool {
        millis(now) >= self.retry_at.load(Ordering::Relaxed)
    }
}

/// One connection in an endpoint's count; dropping it ends the count.
#[derive(Debug)]
pub struct Active {
    endpoint: Arc<Endpoint>,
}

impl Active {
    /// The endpoint that is counted.
    pub fn endpoint(&self) -> &Arc<Endpoint> {
        &self.endpoint
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        self.endpoint.active.fetch_sub(1, Ordering::Relaxed);
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// What the choice of an endpoint may depend on, beside the endpoints themselves.
#[derive(Debug, Clone, Copy)]
pub struct Asking {
    /// Time since the gateway's start.
    pub now: Duration,
    /// Entropy, fresh for each choice.
    pub random: u64,
    /// The client's address.
    pub source: IpAddr,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_endpoint_is_passed_over_for_longer_each_time_and_forgiven_at_once() {
        let endpoint = Endpoint::new(SocketAddr::from(([192, 0, 2, 1], 80)));
        let start = Duration::from_secs(100);
        assert!(endpoint.usable(start));
        endpoint.failed(start);
        assert!(!endpoint.usable(start + Duration::from_millis(249)));
        assert!(endpoint.usable(start + Duration::from_millis(250)));
        endpoint.failed(start);
        assert!(!endpoint.usable(start + Duration::from_millis(499)));
        for _ in 0..100 {
            endpoint.failed(start);
        }
        assert!(endpoint.usable(start + LONGEST_PAUSE));
        endpoint.failed(start);
        endpoint.connected();
        assert!(endpoint.usable(start));
    }

    #[test]
    fn a_connection_counts_until_its_guard_is_dropped() {
        let endpoint = Arc::new(Endpoint::new(SocketAddr::from(([192, 0, 2, 1], 80))));
        let guards = [endpoint.begin(), endpoint.begin()];
        assert_eq!(endpoint.active(), 2);
        drop(guards);
        assert_eq!(endpoint.active(), 0);
    }
}
