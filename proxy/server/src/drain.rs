//! How a gateway stops.

use std::time::Duration;

use landbridge_core::config::Timeouts;

/// How to stop: what the future that ends [`Bound::serve`](crate::Bound::serve) resolves to.
///
/// From that moment readiness fails. For `lag`, connections are still accepted while load balancers
/// notice. Streams then end by themselves until `deadline`, counted from the same moment, and what is
/// left is cut by a reset; its last share (see [`flush`](Self::flush)) is for delivering what was
/// accepted.
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

impl Drain {
    /// Stops at once: nothing more is accepted, and what is open is cut.
    pub const NOW: Self = Self { lag: Duration::ZERO, deadline: Some(Duration::ZERO) };

    /// The share of the deadline that is kept for delivering what was accepted from streams that are
    /// cut: a tenth, at most one second.
    pub fn flush(&self) -> Duration {
        self.deadline.map_or(Duration::ZERO, |deadline| (deadline / 10).min(Duration::from_secs(1)))
    }

    /// How long streams may go on before they are cut.
    pub(crate) fn patience(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.saturating_sub(self.flush()))
    }
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
