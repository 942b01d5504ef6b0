//! How many new connections a second are taken on.

use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// A bucket that holds one second's worth of connections and fills evenly.
#[derive(Debug)]
pub(crate) struct Rate {
    per_second: NonZeroU32,
    /// When the bucket would be empty, seen from the gateway's start: behind now by what may come at once.
    spent_until: Mutex<Duration>,
}

impl Rate {
    pub(crate) fn new(per_second: NonZeroU32) -> Self {
        Self { per_second, spent_until: Mutex::default() }
    }

    /// Whether one more connection may come in, `now` after the gateway's start.
    pub(crate) fn allows(&self, now: Duration) -> bool {
        const SECOND: Duration = Duration::from_secs(1);
        let each = SECOND / self.per_second.get();
        let mut spent = self.spent_until.lock().unwrap_or_else(PoisonError::into_inner);
        // A bucket that stood unused holds no more than a second's worth.
        let next = (*spent).max(now) + each;
        if next > now + SECOND {
            return false;
        }
        *spent = next;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_s_worth_may_come_at_once_and_then_as_many_as_time_brings() {
        let rate = Rate::new(NonZeroU32::new(10).unwrap());
        let at = Duration::from_millis;
        let burst = (0..100).filter(|_| rate.allows(at(5000))).count();
        assert_eq!(burst, 10);
        assert!(!rate.allows(at(5099)));
        assert!(rate.allows(at(5100)));
        assert!(!rate.allows(at(5100)));
        let idle = (0..100).filter(|_| rate.allows(at(60_000))).count();
        assert_eq!(idle, 10, "idle time is not saved up beyond a second");
    }
}
