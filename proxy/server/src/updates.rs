//! Following changes: each becomes one new generation, compiled off the data path and swapped once.

use std::future::pending;
use std::sync::Arc;

use landbridge_core::Reason;
use landbridge_core::service::Mode;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::task::AbortOnDropHandle;

use crate::generation::{Desired, Generation};
use crate::registry::{Ending, Live};
use crate::resolve;
use crate::shared::Shared;

/// How a connection ends whose caller may no longer be served: at once.
const REVOKED: Ending = Ending { reason: Reason::Revoked, flush: None };

/// Applies every change of `state` and of the endpoints' names until it is dropped.
///
/// A change is applied at once, with the addresses that are known; names are resolved beside it, and what
/// they lead to is a change of its own.
///
/// # Cancel safety
/// A generation is swapped whole or not at all.
pub(crate) async fn follow(shared: Arc<Shared>, mut state: watch::Receiver<Desired>) {
    let start = Instant::now() + resolve::INTERVAL;
    let mut tick = interval_at(start, resolve::INTERVAL);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut fed = true;
    let mut stale = false;
    let mut resolving: Option<AbortOnDropHandle<bool>> = None;
    loop {
        let apply_now = tokio::select! {
            changed = state.changed(), if fed => {
                fed = changed.is_ok();
                stale |= fed;
                fed
            }
            _ = tick.tick() => {
                stale = true;
                false
            }
            moved = resolved(&mut resolving) => moved,
        };
        let desired = state.borrow_and_update().clone();
        let hosts = desired.services.hosts();
        if apply_now {
            apply(&shared, desired).await;
        }
        if stale && resolving.is_none() && !hosts.is_empty() {
            stale = false;
            let shared = shared.clone();
            let refresh = async move { shared.resolver.refresh(hosts).await };
            resolving = Some(AbortOnDropHandle::new(tokio::spawn(refresh)));
        }
    }
}

/// Waits for the look-ups that are under way, if any; true if an answer changed.
async fn resolved(resolving: &mut Option<AbortOnDropHandle<bool>>) -> bool {
    match resolving {
        Some(running) => {
            let moved = running.await.unwrap_or(false);
            *resolving = None;
            moved
        }
        None => pending().await,
    }
}

/// Compiles and swaps; on an error the last good generation keeps serving.
pub(crate) async fn apply(shared: &Arc<Shared>, desired: Desired) {
    let current = shared.current.load_full();
    let answers = shared.resolver.answers();
    let compiled = spawn_blocking(move || current.next(&desired, &answers)).await;
    match compiled {
        Ok(Ok(next)) => {
            let (number, names) = (next.number, next.table.len());
            shared.current.store(Arc::new(next));
            tracing::info!(generation = number, names, "configuration applied");
            let current = shared.current.load_full();
            shared.registry.for_each(|live| reconsider_against(&current, live));
        }
        Ok(Err(error)) => tracing::error!(%error, "configuration refused; the last good one keeps serving"),
        Err(error) => {
            tracing::error!(%error, "configuration could not be compiled; the last good one keeps serving");
        }
    }
}

/// Ends a connection that began with generation `began` if a later one would not let it in.
///
/// Called once a connection can be found in the registry: a change before that moment is seen here, one
/// after it finds the connection there.
pub(crate) fn reconsider(shared: &Shared, live: &Live, began: u64) {
    let current = shared.current.load();
    if current.number != began {
        reconsider_against(&current, live);
    }
}

/// A caller whose trust entry, anchor or grant is gone is cut, and one who was never identified where
/// identity is demanded now. A service that is gone, or passed through now, cuts nobody: its streams end
/// by themselves.
fn reconsider_against(current: &Generation, live: &Live) {
    let Some(standing) = live.standing() else { return };
    let believed =
        standing.svid.as_ref().is_none_or(|svid| current.credentials.trust().still_vouches_for(svid).is_ok());
    let granted = current.table.find(&standing.sni).is_none_or(|route| {
        route.service.mode == Mode::Passthrough || route.policy().check(&standing.caller).is_ok()
    });
    if !believed || !granted {
        live.end(REVOKED);
    }
}
