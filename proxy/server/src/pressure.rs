//! Memory: how much of it is used, and what is given up, step by step, before the kernel takes all.

mod ladder;
mod meter;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::Duration;

use landbridge_core::Reason;
use tokio::time::MissedTickBehavior;

use self::ladder::Ladder;
pub use self::ladder::Level;
pub(crate) use self::meter::Meter;
use crate::registry::{Ending, Live};
use crate::shared::Shared;

/// How often memory is looked at.
const INTERVAL: Duration = Duration::from_millis(250);
/// The share of idle connections that one look closes, once it has come to that.
const SHED_SHARE: usize = 16;
/// How an idle connection is closed to save memory.
const SHED: Ending = Ending { reason: Reason::Shed, flush: None };

/// How short memory is now.
#[derive(Debug, Default)]
pub(crate) struct Pressure {
    level: AtomicU8,
    /// For the splice: no large buffers.
    lean: AtomicBool,
}

impl Pressure {
    pub(crate) fn level(&self) -> Level {
        Level::of(self.level.load(Ordering::Relaxed))
    }

    /// Whether nothing more is taken on.
    pub(crate) fn refuses(&self) -> bool {
        self.level() >= Level::Refusing
    }

    pub(crate) fn lean(&self) -> &AtomicBool {
        &self.lean
    }

    fn set(&self, level: Level) {
        self.level.store(level as u8, Ordering::Relaxed);
        self.lean.store(level >= Level::Lean, Ordering::Relaxed);
    }
}

/// Looks at memory and climbs the ladder up and down, until it is dropped.
pub(crate) async fn watch(shared: Arc<Shared>, meter: Meter) {
    let mut ladder = Ladder::default();
    let mut seen = HashMap::new();
    let mut failed = false;
    let mut tick = tokio::time::interval(INTERVAL);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let used = match meter.used() {
            Ok(used) => used,
            Err(error) => {
                if !std::mem::replace(&mut failed, true) {
                    tracing::warn!(%error, "cannot read how much memory is used; the last answer counts");
                }
                continue;
            }
        };
        failed = false;
        let before = shared.pressure.level();
        let level = ladder.step(used, meter.limit());
        if level != before {
            let (used_mib, limit_mib) = (used >> 20, meter.limit() >> 20);
            tracing::warn!(%level, %before, used_mib, limit_mib, "memory pressure");
            shared.pressure.set(level);
            shared.admission.handshakes.allow(if level >= Level::Careful {
                shared.capacity.handshakes.div_ceil(2)
            } else {
                shared.capacity.handshakes
            });
        }
        if level >= Level::Shedding {
            shed(&shared, &mut seen);
        } else {
            seen.clear();
        }
    }
}

/// Closes the newest of the connections that have moved nothing since the last look: they lose least.
fn shed(shared: &Shared, seen: &mut HashMap<u64, u64>) {
    let mut now = HashMap::with_capacity(seen.len());
    let mut idle = Vec::new();
    shared.registry.for_each(|live| {
        let moved = live.tally.received() + live.tally.sent();
        if live.is_spliced() && seen.get(&live.id) == Some(&moved) {
            idle.push(live.id);
        }
        now.insert(live.id, moved);
    });
    *seen = now;
    idle.sort_unstable();
    let newest = idle.split_off(idle.len() - idle.len().div_ceil(SHED_SHARE));
    let mut closed = 0;
    shared.registry.for_each(|live: &Live| {
        if newest.binary_search(&live.id).is_ok() {
            closed += usize::from(live.end(SHED));
        }
    });
    if closed > 0 {
        tracing::warn!(closed, "closed idle connections to save memory");
    }
}
