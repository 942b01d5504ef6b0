//! How long to wait before the next attempt to reach a server.

use std::time::Duration;

/// Exponential back-off with full jitter: 100 ms to 30 s.
///
/// Each wait is a random part of a bound that doubles with every failure, so that a thousand gateways
/// which lost the same server do not come back together. A connection that held for a minute starts the
/// bound anew; a shorter one does not, so that a server which accepts and drops is left in peace.
#[derive(Debug, Clone, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The bound of the first wait.
    pub const FIRST: Duration = Duration::from_millis(100);
    /// The largest bound of a wait.
    pub const LONGEST: Duration = Duration::from_secs(30);
    /// How long a connection must hold for its failures to be forgotten.
    pub const HEALTHY: Duration = Duration::from_secs(60);

    /// The next wait; `random` is any number, fresh each time.
    pub fn next_wait(&mut self, random: u32) -> Duration {
        let bound = Self::FIRST.saturating_mul(1 << self.failures.min(16)).min(Self::LONGEST);
        self.failures = self.failures.saturating_add(1);
        bound.mul_f64(f64::from(random) / f64::from(u32::MAX))
    }

    /// Notes that a connection ended after it had held for `held`.
    pub fn connection_ended(&mut self, held: Duration) {
        if held >= Self::HEALTHY {
            self.failures = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_doubles_up_to_half_a_minute_and_a_wait_is_any_part_of_it() {
        let mut backoff = Backoff::default();
        let bounds: Vec<Duration> = (0..10).map(|_| backoff.next_wait(u32::MAX)).collect();
        assert_eq!(bounds[..3], [100, 200, 400].map(Duration::from_millis));
        assert_eq!(bounds[9], Backoff::LONGEST);
        assert_eq!(backoff.next_wait(0), Duration::ZERO);
    }

    #[test]
    fn only_a_healthy_minute_is_a_reason_to_start_anew() {
        let mut backoff = Backoff::default();
        backoff.next_wait(0);
        backoff.connection_ended(Duration::from_secs(59));
        assert_eq!(backoff.next_wait(u32::MAX), Duration::from_millis(200));
        backoff.connection_ended(Duration::from_secs(60));
        assert_eq!(backoff.next_wait(u32::MAX), Backoff::FIRST);
    }
}
