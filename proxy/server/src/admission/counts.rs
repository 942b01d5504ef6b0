//! How many connections there are of each source, identity or service, where that is limited.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};

use landbridge_core::Reason;

/// Connections counted by a key. Without a limit nothing is counted and no lock is taken.
#[derive(Debug)]
pub(crate) struct Counts<K> {
    most: Option<NonZeroU32>,
    /// Why a connection over the limit is refused.
    over: Reason,
    held: Mutex<HashMap<K, u32>>,
}

/// A connection's share of a limit; dropping it gives the share back.
#[derive(Debug)]
pub(crate) struct Count<'a, K: Eq + Hash> {
    counts: &'a Counts<K>,
    /// Absent where nothing is counted.
    key: Option<K>,
}

impl<K: Clone + Eq + Hash> Counts<K> {
    pub(crate) fn new(most: Option<NonZeroU32>, over: Reason) -> Self {
        Self { most, over, held: Mutex::default() }
    }

    /// Counts one more of `key`, until the guard is dropped.
    ///
    /// # Errors
    /// There are as many as there may be.
    pub(crate) fn add(&self, key: &K) -> Result<Count<'_, K>, Reason> {
        let Some(most) = self.most else {
            return Ok(Count { counts: self, key: None });
        };
        let mut counts = lock(&self.held);
        match counts.entry(key.clone()) {
            Entry::Occupied(count) if *count.get() >= most.get() => return Err(self.over),
            Entry::Occupied(mut count) => *count.get_mut() += 1,
            Entry::Vacant(none) => {
                none.insert(1);
            }
        }
        Ok(Count { counts: self, key: Some(key.clone()) })
    }

    /// Whether one more of `key` would be too many now.
    ///
    /// # Errors
    /// It would.
    pub(crate) fn check(&self, key: &K) -> Result<(), Reason> {
        let Some(most) = self.most else { return Ok(()) };
        let full = lock(&self.held).get(key).is_some_and(|count| *count >= most.get());
        if full { Err(self.over) } else { Ok(()) }
    }
}

impl<K: Eq + Hash> Drop for Count<'_, K> {
    fn drop(&mut self) {
        let Some(key) = self.key.take() else { return };
        if let Entry::Occupied(mut count) = lock(&self.counts.held).entry(key) {
            if *count.get() > 1 {
                *count.get_mut() -= 1;
            } else {
                count.remove();
            }
        }
    }
}

/// A panic while it was locked leaves the map whole: single changes.
fn lock<K>(counts: &Mutex<HashMap<K, u32>>) -> MutexGuard<'_, HashMap<K, u32>> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_its_own_share_and_nothing_is_kept_of_a_key_that_is_gone() {
        let counts = Counts::new(NonZeroU32::new(2), Reason::SourceLimit);
        let (first, second) = (counts.add(&"a").unwrap(), counts.add(&"a").unwrap());
        assert_eq!(counts.check(&"a"), Err(Reason::SourceLimit));
        assert_eq!(counts.add(&"a").unwrap_err(), Reason::SourceLimit);
        let other = counts.add(&"b").unwrap();
        drop(first);
        assert_eq!(counts.check(&"a"), Ok(()));
        let third = counts.add(&"a").unwrap();
        assert!(counts.add(&"a").is_err());
        drop((second, third, other));
        assert!(lock(&counts.held).is_empty());
    }

    #[test]
    fn without_a_limit_nothing_is_counted() {
        let counts = Counts::new(None, Reason::SourceLimit);
        let _all: Vec<_> = (0..100).map(|_| counts.add(&"a").unwrap()).collect();
        assert_eq!(counts.check(&"a"), Ok(()));
        assert!(lock(&counts.held).is_empty());
    }
}
