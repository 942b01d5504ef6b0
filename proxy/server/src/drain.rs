//! How a gateway stops, and how far it has come.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use landbridge_core::Reason;
use landbridge_core::config::Timeouts;
use tokio_util::sync::CancellationToken;

use crate::shared::Shared;

/// The longest time that cuts are spread over.
const LONGEST_SPREAD: Duration = Duration::from_secs(10);
/// The longest time that is kept for delivering what was accepted.
const LONGEST_FLUSH: Duration = Duration::from_secs(1);

/// How to stop: what the future that ends [`Bound::serve`](crate::Bound::serve) resolves to.
///
/// From that moment readiness fails. For `lag`, connections are still accepted while load balancers
/// notice. Streams then end by themselves until `deadline`, counted from the same moment, and what is
/// left is cut by a reset: not all in one instant, but spread over a share of the deadline (see
/// [`spread`](Self::spread)). Its last share (see [`flush`](Self::flush)) is for delivering what was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drain {
    /// How long connections are still accepted.
    pub lag: Duration,
    /// How long all of it may take; `None` waits for the last stream.
    pub deadline: Option<Duration>,
}

/// What became of the connections when a gateway stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Drained {
    /// How many were open when stopping began.
    pub open: usize,
    /// How many of them, and of those accepted in the lag, were cut at the deadline.
    pub cut: usize,
}

/// How far a gateway has come that drains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draining {
    /// How long connections are still accepted.
    pub lag_left: Duration,
    /// How long until the deadline; `None` where there is none.
    pub deadline_left: Option<Duration>,
    /// How many connections were open when it began.
    pub open_at_start: u64,
    /// How many are open now.
    pub open: u64,
    /// How many have ended by themselves, or were refused, since it began.
    pub ended: u64,
    /// How many were cut.
    pub cut: u64,
}

impl Drain {
    /// Stops at once: nothing more is accepted, and what is open is cut.
    pub const NOW: Self = Self { lag: Duration::ZERO, deadline: Some(Duration::ZERO) };

    /// The share of the deadline that is kept for delivering what was accepted from streams that are
    /// cut: a tenth, at most one second.
    pub fn flush(&self) -> Duration {
        self.deadline.map_or(Duration::ZERO, |deadline| (deadline / 10).min(LONGEST_FLUSH))
    }

    /// The share of the deadline, before that of [`flush`](Self::flush), over which cuts are spread at random,
    /// so that the clients do not all come back in one instant: a tenth, at most ten seconds.
    pub fn spread(&self) -> Duration {
        self.deadline.map_or(Duration::ZERO, |deadline| (deadline / 10).min(LONGEST_SPREAD))
    }

    /// How long every stream may go on; the first is cut then.
    pub(crate) fn patience(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.saturating_sub(self.flush() + self.spread()))
    }

    /// How long this connection may go on before it is cut: the same for everybody who asks with the same salt.
    pub(crate) fn cut_at(&self, salt: u64, connection: u64) -> Option<Duration> {
        let share = scatter(salt ^ connection);
        let nanos = (self.spread().as_nanos() * u128::from(share)) >> 64;
        // Below the spread, which is ten seconds at most.
        let into = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        self.patience().map(|patience| patience + into)
    }
}

/// Spreads neighbouring numbers over all of them (the finalizer of splitmix64).
fn scatter(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

impl From<&Timeouts> for Drain {
    fn from(timeouts: &Timeouts) -> Self {
        Self { lag: timeouts.drain_lag, deadline: timeouts.drain }
    }
}

impl std::ops::Add for Drained {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { open: self.open + other.open, cut: self.cut + other.cut }
    }
}

/// What a gateway knows of its own stopping; its workers share it.
#[derive(Debug)]
pub(crate) struct Stopping {
    began: OnceLock<Began>,
    /// Somebody lost patience: everything is to end at once.
    pub(crate) now: CancellationToken,
    /// How many of those that were cut some worker has told of.
    told: AtomicU64,
    /// Makes the order of cuts different from gateway to gateway.
    pub(crate) salt: u64,
}

/// The moment when the first worker was told to stop.
#[derive(Debug)]
struct Began {
    at: Instant,
    drain: Drain,
    open: u64,
    accepted: u64,
}

impl Default for Stopping {
    fn default() -> Self {
        Self {
            began: OnceLock::new(),
            now: CancellationToken::new(),
            told: AtomicU64::new(0),
            salt: RandomState::new().hash_one(0),
        }
    }
}

/// Notes that stopping begins; the first worker that does so is right.
pub(crate) fn begin(shared: &Shared, drain: Drain) {
    shared.stopping.began.get_or_init(|| Began {
        at: Instant::now(),
        drain,
        open: shared.registry.len() as u64,
        accepted: shared.counters.accepted.load(Ordering::Relaxed),
    });
}

/// How far the drain has come; `None` before it began.
pub(crate) fn progress(shared: &Shared) -> Option<Draining> {
    let began = shared.stopping.began.get()?;
    let since = began.at.elapsed();
    let cut = shared.counters.ended(Reason::Drained);
    let open = shared.registry.len() as u64;
    let later = shared.counters.accepted.load(Ordering::Relaxed).saturating_sub(began.accepted);
    Some(Draining {
        lag_left: began.drain.lag.min(began.drain.deadline.unwrap_or(Duration::MAX)).saturating_sub(since),
        deadline_left: began.drain.deadline.map(|deadline| deadline.saturating_sub(since)),
        open_at_start: began.open,
        open,
        ended: (began.open + later).saturating_sub(open + cut),
        cut,
    })
}

/// How many were cut that no worker has told of yet: those whose outcome says so, hence as many as the log and the
/// metrics say, and the `left` ones of this worker, whose outcomes come when its runtime is dropped.
pub(crate) fn newly_cut(shared: &Shared, left: usize) -> usize {
    let cut = shared.counters.ended(Reason::Drained);
    let told = shared.stopping.told.fetch_max(cut, Ordering::Relaxed);
    // Told of now, so that another worker that finds their outcomes does not tell of them again.
    shared.stopping.told.fetch_add(left as u64, Ordering::Relaxed);
    usize::try_from(cut.saturating_sub(told)).unwrap_or(usize::MAX) + left
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lasting(deadline: Duration) -> Drain {
        Drain { lag: Duration::ZERO, deadline: Some(deadline) }
    }

    #[test]
    fn cuts_are_spread_over_a_tenth_and_leave_the_flush_its_share() {
        let drain = lasting(Duration::from_secs(25));
        assert_eq!((drain.flush(), drain.spread()), (Duration::from_secs(1), Duration::from_millis(2500)));
        assert_eq!(drain.patience(), Some(Duration::from_millis(21_500)));
        let salt = 7;
        let mut tenths = [0; 10];
        for connection in 0..10_000 {
            let at = drain.cut_at(salt, connection).unwrap();
            assert!(at >= Duration::from_millis(21_500) && at < Duration::from_secs(24), "{at:?}");
            tenths[usize::try_from((at.as_millis() - 21_500) / 250).unwrap()] += 1;
        }
        assert!(tenths.iter().all(|count| (800..1200).contains(count)), "{tenths:?}");
    }

    #[test]
    fn whoever_asks_gets_the_same_answer_and_another_gateway_another_one() {
        let drain = lasting(Duration::from_secs(25));
        assert_eq!(drain.cut_at(1, 9), drain.cut_at(1, 9));
        let order = |salt| {
            let mut ids: Vec<u64> = (0..100).collect();
            ids.sort_by_key(|id| drain.cut_at(salt, *id));
            ids
        };
        assert_ne!(order(1), order(2));
    }

    #[test]
    fn a_short_deadline_cuts_nearly_at_once_a_long_one_over_ten_seconds_and_none_never() {
        assert_eq!(Drain::NOW.cut_at(3, 4), Some(Duration::ZERO));
        let short = lasting(Duration::from_millis(100));
        assert!(short.cut_at(3, 4).unwrap() <= Duration::from_millis(90));
        let long = lasting(Duration::from_secs(3600));
        assert_eq!((long.spread(), long.flush()), (LONGEST_SPREAD, LONGEST_FLUSH));
        assert_eq!(long.patience(), Some(Duration::from_secs(3589)));
        assert_eq!(Drain { lag: Duration::ZERO, deadline: None }.cut_at(3, 4), None);
    }
}
