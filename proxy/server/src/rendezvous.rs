//! Where a change and a connection meet: whichever comes second sees the other.
//!
//! A connection notes its standing and then looks what is in force; a change puts itself in force and then
//! visits every standing. All orders of these four steps are tried by `model.rs`.

use std::sync::Arc;

use landbridge_core::Reason;

// By their places, so that the model compiles this file with its own.
use super::registry::{Ending, Live, Registered, Registry, Standing};
use super::sync::Current;

/// How a connection ends whose caller may no longer be served: at once.
const REVOKED: Ending = Ending { reason: Reason::Revoked, flush: None };

/// Puts `next` in force, and then ends every open connection that may not stay under it; says how many.
pub(crate) fn change<G>(
    current: &Current<G>,
    registry: &Registry,
    next: &Arc<G>,
    may_stay: impl Fn(&G, &Standing) -> bool,
) -> usize {
    current.store(next.clone());
    let mut cut = 0;
    registry.for_each(|live| cut += usize::from(reconsider::<G>(next, live, &may_stay)));
    cut
}

/// Puts `next` in force, under which every connection may stay that may stay under what is in force now.
///
/// No connection is visited: one that stood before was visited by the change that last took something, and one that
/// stands from here on looks again by itself.
pub(crate) fn pass<G>(current: &Current<G>, next: &Arc<G>) {
    current.store(next.clone());
}

/// Makes a connection that began under `began` known by its standing, and then ends it if something else is
/// in force by now under which it may not stay.
pub(crate) fn stand<G>(
    current: &Current<G>,
    registered: &Registered<'_>,
    standing: Standing,
    began: &Arc<G>,
    may_stay: impl Fn(&G, &Standing) -> bool,
) {
    registered.stand(standing);
    look_again(current, &registered.live, began, may_stay);
}

pub(super) fn look_again<G>(
    current: &Current<G>,
    live: &Live,
    began: &Arc<G>,
    may_stay: impl Fn(&G, &Standing) -> bool,
) {
    let now = current.load();
    if !Arc::ptr_eq(&now, began) {
        reconsider::<G>(&now, live, &may_stay);
    }
}

/// True if it ended the connection.
fn reconsider<G>(now: &G, live: &Live, may_stay: &impl Fn(&G, &Standing) -> bool) -> bool {
    live.standing().is_some_and(|standing| !may_stay(now, standing)) && live.end(REVOKED)
}
