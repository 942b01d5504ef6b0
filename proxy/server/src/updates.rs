//! Following changes: each becomes one new generation, compiled off the data path and swapped once.

use std::future::pending;
use std::sync::Arc;

use landbridge_core::service::Mode;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::task::AbortOnDropHandle;

use crate::error::Error;
use crate::generation::{Desired, Generation};
use crate::registry::Standing;
use crate::rendezvous;
use crate::resolve;
use crate::shared::Shared;

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
    let mut known = state.borrow().services.clone();
    let mut resolving: Option<AbortOnDropHandle<bool>> = None;
    loop {
        let apply_now = tokio::select! {
            changed = state.changed(), if fed => {
                fed = changed.is_ok();
                fed
            }
            _ = tick.tick() => {
                stale = true;
                false
            }
            moved = resolved(&mut resolving) => moved,
        };
        let desired = state.borrow_and_update().clone();
        let services = desired.services.clone();
        stale |= !services.has_hosts_of(&known);
        known = services.clone();
        if apply_now {
            apply(&shared, desired).await;
        }
        if stale && resolving.is_none() && !services.is_without_hosts() {
            stale = false;
            let shared = shared.clone();
            let refresh = async move { shared.resolver.refresh(services.hosts()).await };
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
    let former = current.credentials.trust().clone();
    let compiled = spawn_blocking(move || {
        let next = current.next(&desired, &answers)?;
        let rejudges = next.rejudges(&current);
        Ok::<_, Error>((next, rejudges))
    });
    match compiled.await {
        Ok(Ok((next, rejudges))) => {
            let (number, names) = (next.number, next.table.len());
            let replaced = !Arc::ptr_eq(&former, next.credentials.trust());
            let began = Instant::now();
            let next = Arc::new(next);
            let cut = if rejudges {
                rendezvous::change(&shared.current, &shared.registry, &next, may_stay)
            } else {
                rendezvous::pass(&shared.current, &next);
                0
            };
            let swept_us = began.elapsed().as_micros();
            shared.applied.send_replace(number);
            if replaced {
                // Connections that began with it keep it, and have no more to ask of it.
                former.forget();
            }
            tracing::info!(generation = number, names, cut, swept_us, "configuration applied");
        }
        Ok(Err(error)) => tracing::error!(%error, "configuration refused; the last good one keeps serving"),
        Err(error) => {
            tracing::error!(%error, "configuration could not be compiled; the last good one keeps serving");
        }
    }
}

/// Whether a connection may stay open under `current`.
///
/// A caller whose trust entry, anchor or grant is gone may not, nor one who was never identified where
/// identity is demanded now. A service that is gone, or passed through now, cuts nobody: its streams end
/// by themselves.
pub(crate) fn may_stay(current: &Generation, standing: &Standing) -> bool {
    let believed =
        standing.svid.as_ref().is_none_or(|svid| current.credentials.trust().still_vouches_for(svid).is_ok());
    let granted = current.table.find(&standing.sni).is_none_or(|route| {
        route.service.mode == Mode::Passthrough || route.policy().check(&standing.caller).is_ok()
    });
    believed && granted
}
