//! One resource in the log: what it is, and what it was lately.

use std::collections::VecDeque;
use std::sync::Arc;

use hyper::body::Bytes;
use landbridge_control_client::wire::{Kind, Version};

use super::{Deltas, Item};
use crate::access::View;
use crate::resource::{Entry, Key, removal};

/// Earlier versions that are remembered of a resource.
const EARLIER: usize = 4;

/// A resource, and what it was lately.
#[derive(Debug, Default)]
pub(super) struct Slot {
    /// The number of its last change.
    seq: u64,
    now: Option<Arc<Entry>>,
    /// What it was before, oldest first.
    earlier: VecDeque<Earlier>,
    /// Whether it was something before all of these.
    forgotten: bool,
    /// What changed since earlier versions, as far as somebody needed it.
    deltas: Vec<(Version, Option<Bytes>)>,
}

#[derive(Debug)]
struct Earlier {
    from: u64,
    until: u64,
    entry: Arc<Entry>,
}

impl Slot {
    pub(super) fn seq(&self) -> u64 {
        self.seq
    }

    pub(super) fn now(&self) -> Option<&Arc<Entry>> {
        self.now.as_ref()
    }

    /// Whether it is this already.
    pub(super) fn is(&self, entry: &Entry) -> bool {
        let same = |now: &Arc<Entry>| now.version() == entry.version() && now.audience() == entry.audience();
        self.now.as_ref().is_some_and(same)
    }

    /// Notes what it is from `seq` on. Returns the number below which it can't be said any more who was shown it.
    pub(super) fn change(&mut self, seq: u64, entry: Option<Arc<Entry>>) -> Option<u64> {
        let from = std::mem::replace(&mut self.seq, seq);
        if let Some(was) = std::mem::replace(&mut self.now, entry) {
            self.earlier.push_back(Earlier { from, until: seq, entry: was });
        }
        self.deltas.clear();
        if self.earlier.len() <= EARLIER {
            return None;
        }
        self.forgotten = true;
        let dropped = self.earlier.pop_front()?;
        let oldest = self.earlier.front()?;
        (dropped.entry.audience() != oldest.entry.audience()).then_some(dropped.until)
    }

    /// What somebody is sent of it who was told everything up to `cursor`; `None` if nothing.
    pub(super) fn since(&mut self, cursor: u64, key: &Key, view: &View, deltas: Deltas) -> Option<Item> {
        let shown = |entry: &Entry| view.sees(key, entry.audience());
        let had = self.earlier.iter().find(|was| was.from <= cursor && cursor < was.until);
        let unknown = self.forgotten && self.earlier.front().is_some_and(|oldest| cursor < oldest.from);
        let had = had.map(|was| was.entry.clone()).filter(|was| shown(was));
        let Some(now) = self.now.clone().filter(|now| shown(now)) else {
            let may_have = unknown && self.earlier.iter().any(|was| shown(&was.entry));
            return (had.is_some() || may_have).then(|| Item::Removed(removal(key)));
        };
        match had {
            Some(had) if had.version() == now.version() => None,
            Some(had) if key.kind == Kind::Endpoints && deltas == Deltas::Taken => {
                Some(self.delta(&had, &now).map_or(Item::Whole(now), Item::Delta))
            }
            _ => Some(Item::Whole(now)),
        }
    }

    /// The line that leads from one version to the other, made once for all.
    fn delta(&mut self, had: &Entry, now: &Entry) -> Option<Bytes> {
        if let Some((_, known)) = self.deltas.iter().find(|(base, _)| *base == had.version()) {
            return known.clone();
        }
        let line = now.delta(had);
        self.deltas.push((had.version(), line.clone()));
        line
    }
}
