//! What [`registry`](crate::registry) and [`rendezvous`](crate::rendezvous) are synchronised by.
//!
//! The two name it by its place beside them. `model.rs` compiles them a second time beside
//! another `sync`, whose every step a model checker sees.

pub(crate) use std::sync::{Mutex, MutexGuard, OnceLock};

pub(crate) use arc_swap::ArcSwap as Current;
pub(crate) use tokio::sync::Notify;

/// A power of two; connections are spread over the shards of the registry by their number, so that two
/// workers seldom meet at a lock.
pub(crate) const SHARDS: usize = 64;

/// The registry with the types that it really has.
#[cfg(test)]
mod tests {
    use std::time::Duration;

    use landbridge_core::outcome::Reason;

    use crate::registry::{Ending, Registry};

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
