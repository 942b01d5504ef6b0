//! Everything that there is to tell, and what changed when.
//!
//! Each resource that is, or lately was, has one place in the log: that of its last change. So what changed since a
//! number is found in as many steps as there are changes, however often each changed, and a reader who is slow costs
//! nothing but its number.

mod slot;
mod sums;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use hyper::body::Bytes;
use tokio::sync::watch;

use self::slot::Slot;
pub(crate) use self::sums::Sums;
use crate::access::View;
use crate::resource::{Entry, Key, removal};

/// Removals that are remembered; who missed more compares digests.
const REMOVALS: usize = 16 * 1024;

/// Resources, and the log of their changes. Sources write into it, gateways are told of it.
pub struct Store {
    state: Mutex<State>,
    seq: watch::Sender<u64>,
    /// Unlike that of any other process, so that no number of this log is taken for one of another.
    epoch: String,
    /// How many epochs were begun.
    epochs: AtomicU64,
}

/// One change that a source makes.
#[derive(Debug)]
pub enum Edit {
    /// A resource is this now.
    Put(Entry),
    /// There is no such resource any more.
    Remove(Key),
}

/// What a gateway is sent of one resource.
#[derive(Debug, Clone)]
pub(crate) enum Item {
    /// All of it.
    Whole(Arc<Entry>),
    /// What changed in it since the gateway was told last.
    Delta(Bytes),
    /// That it is gone.
    Removed(Bytes),
}

#[derive(Default)]
struct State {
    seq: u64,
    /// Who stands below it has missed something that isn't remembered any more.
    floor: u64,
    slots: HashMap<Key, Slot>,
    /// Each key once, by the number of its last change.
    log: BTreeMap<u64, Key>,
    /// Of these, the resources that are gone.
    gone: BTreeMap<u64, Key>,
    /// What there is for each view, as of the number in it.
    sums: HashMap<Arc<[usize]>, Arc<Sums>>,
}

impl Default for Store {
    fn default() -> Self {
        let random = RandomState::new().hash_one(std::process::id());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        Self {
            state: Mutex::default(),
            seq: watch::Sender::new(0),
            epoch: format!("{now:x}-{random:016x}"),
            epochs: AtomicU64::new(0),
        }
    }
}

impl Store {
    /// Makes changes, which are told together. Returns how many were any.
    pub fn apply(&self, edits: impl IntoIterator<Item = Edit>) -> usize {
        let mut state = self.lock();
        let before = state.seq;
        for edit in edits {
            match edit {
                Edit::Put(entry) => state.put(entry),
                Edit::Remove(key) => state.remove(&key),
            }
        }
        self.told(state, before)
    }

    /// Makes these all that there is. Returns how many changes that were.
    pub fn replace(&self, entries: impl IntoIterator<Item = Entry>) -> usize {
        let mut state = self.lock();
        let before = state.seq;
        let mut left: std::collections::HashSet<Key> =
            state.slots.iter().filter(|(_, slot)| slot.now().is_some()).map(|(key, _)| key.clone()).collect();
        for entry in entries {
            left.remove(entry.key());
            state.put(entry);
        }
        for key in left {
            state.remove(&key);
        }
        self.told(state, before)
    }

    fn told(&self, state: MutexGuard<'_, State>, before: u64) -> usize {
        let seq = state.seq;
        drop(state);
        if seq != before {
            self.seq.send_replace(seq);
        }
        usize::try_from(seq - before).unwrap_or(usize::MAX)
    }

    /// How many resources there are.
    pub fn len(&self) -> usize {
        let state = self.lock();
        state.slots.len() - state.gone.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of the last change.
    pub fn seq(&self) -> u64 {
        *self.seq.borrow()
    }

    /// The number of the last change, and a way to wait for the next.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.seq.subscribe()
    }

    /// A name for this log that no gateway has heard and left, for whoever has this view.
    pub(crate) fn begin_epoch(&self, view: &View) -> String {
        let number = self.epochs.fetch_add(1, Ordering::Relaxed);
        format!("{}.{number}.{view}", self.epoch)
    }

    /// Whether an epoch is one of this log, begun for the same view.
    pub(crate) fn knows(&self, epoch: &str, view: &View) -> bool {
        let rest = epoch.strip_prefix(&self.epoch).and_then(|rest| rest.strip_prefix('.'));
        rest.and_then(|rest| rest.split_once('.')).is_some_and(|(_, of)| *of == view.to_string())
    }

    /// What changed after `cursor` for this view, and the number of the last change; `None` if not all of that is
    /// remembered, or the number is none of this log.
    pub(crate) fn since(&self, cursor: u64, view: &View, deltas: Deltas) -> Option<(u64, Vec<(Key, Item)>)> {
        let mut state = self.lock();
        let State { seq, floor, slots, log, .. } = &mut *state;
        if cursor < *floor || cursor > *seq {
            return None;
        }
        let changed = log.range(cursor.saturating_add(1)..);
        let items = changed.filter_map(|(_, key)| {
            let item = slots.get_mut(key)?.since(cursor, key, view, deltas)?;
            Some((key.clone(), item))
        });
        let items = items.collect();
        Some((*seq, items))
    }

    /// What a view is shown now of one resource.
    pub(crate) fn now(&self, key: &Key, view: &View) -> Item {
        let state = self.lock();
        let entry = state.slots.get(key).and_then(Slot::now);
        match entry.filter(|entry| view.sees(key, entry.audience())) {
            Some(entry) => Item::Whole(entry.clone()),
            None => Item::Removed(removal(key)),
        }
    }

    /// Everything that a view is shown now. Made once for all who have it, as long as nothing changes.
    pub(crate) fn sums(&self, view: &View) -> Arc<Sums> {
        let mut state = self.lock();
        let State { seq, slots, sums, .. } = &mut *state;
        if let Some(known) = sums.get(view.id()).filter(|known| known.seq() == *seq) {
            return known.clone();
        }
        let shown = slots.iter().filter_map(|(key, slot)| {
            let entry = slot.now()?;
            view.sees(key, entry.audience()).then(|| entry.clone())
        });
        let fresh = Arc::new(Sums::new(*seq, shown.collect()));
        sums.insert(view.id().clone(), fresh.clone());
        fresh
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a gateway takes what changed inside endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deltas {
    Taken,
    NotTaken,
}

impl State {
    fn put(&mut self, entry: Entry) {
        let key = entry.key().clone();
        if let Some(slot) = self.slots.get(&key)
            && slot.is(&entry)
        {
            return;
        }
        self.change(&key, Some(Arc::new(entry)));
    }

    fn remove(&mut self, key: &Key) {
        if self.slots.get(key).is_none_or(|slot| slot.now().is_none()) {
            return;
        }
        self.change(key, None);
        self.gone.insert(self.seq, key.clone());
        while self.gone.len() > REMOVALS {
            let Some((seq, key)) = self.gone.pop_first() else { return };
            self.floor = self.floor.max(seq);
            self.log.remove(&seq);
            self.slots.remove(&key);
        }
    }

    fn change(&mut self, key: &Key, entry: Option<Arc<Entry>>) {
        self.seq += 1;
        let slot = self.slots.entry(key.clone()).or_default();
        let last = slot.seq();
        if let Some(missed) = slot.change(self.seq, entry) {
            self.floor = self.floor.max(missed);
        }
        self.log.remove(&last);
        self.gone.remove(&last);
        self.log.insert(self.seq, key.clone());
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("epoch", &self.epoch).field("seq", &self.seq()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
