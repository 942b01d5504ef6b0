//! What a gateway tells its owner about each connection.

use landbridge_core::Outcome;

/// Hears of each connection once, when it ended or was refused.
///
/// It is called on the connection's own thread, so it must not block: count, or hand the outcome to a
/// bounded queue. A closure `Fn(&Outcome)` is an observer.
pub trait Observer: Send + Sync + 'static {
    /// One connection ended or was refused. Connections that close without sending a byte, as load
    /// balancers probe, are counted and not told.
    fn connection(&self, outcome: &Outcome);
}

impl<F: Fn(&Outcome) + Send + Sync + 'static> Observer for F {
    fn connection(&self, outcome: &Outcome) {
        self(outcome);
    }
}
