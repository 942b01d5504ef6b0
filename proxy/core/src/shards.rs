//! Values found by their names, of which a changed copy shares what didn't change.
//!
//! The values stand in shards by the hash of their names. A change copies the list of shards and those shards that it
//! touches; there are about as many shards as values in one, so that both are about the root of the number of values.
//! The hash has no secret: names are those of the configuration, and what is looked up adds nothing.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hasher};
use std::sync::Arc;

/// What has a name, by which it is found.
pub(crate) trait Named: Clone {
    fn name(&self) -> Cow<'_, str>;
    /// Whether the two are the same thing in memory, so that there is nothing to compare.
    fn is_same(&self, other: &Self) -> bool;
}

/// Values, each of another name.
#[derive(Debug, Clone)]
pub(crate) struct Shards<T> {
    /// A power of two of them.
    shards: Arc<[Shard<T>]>,
    len: usize,
}

/// In the order of their hashes.
type Shard<T> = Arc<[Slot<T>]>;

#[derive(Debug, Clone)]
struct Slot<T> {
    hash: u64,
    value: T,
}

/// Up to so many values there is one shard.
const FEW: usize = 64;

impl<T> Default for Shards<T> {
    fn default() -> Self {
        let none: Shard<T> = Arc::new([]);
        Self { shards: Arc::new([none]), len: 0 }
    }
}

impl<T: Named> Shards<T> {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn find(&self, name: &str) -> Option<&T> {
        let hash = hash(name);
        let shard = self.shards.get(place(hash, self.shards.len()))?;
        position(shard, hash, name).ok().and_then(|at| shard.get(at)).map(|slot| &slot.value)
    }

    /// Every value, in no particular order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.shards.iter().flat_map(|shard| shard.iter()).map(|slot| &slot.value)
    }

    /// Begins a change that adds about so many values.
    pub(crate) fn edit(&self, more: usize) -> Edit<T> {
        let expected = self.len + more;
        let shards = match self.shards.len() {
            1 if expected <= FEW => self.shards.to_vec(),
            // Neither the list nor one shard is many times the root.
            many if many > 1 && (many * many / 16..=many * many * 4).contains(&expected) => {
                self.shards.to_vec()
            }
            _ => spread(self.iter(), shards_for(expected)),
        };
        Edit { open: shards.into_iter().map(Part::Shared).collect(), len: self.len }
    }

    /// Every name whose value is another one in `next`: what it was and what it is, in no particular order.
    pub(crate) fn differences<'a>(&'a self, next: &'a Self) -> Vec<(Option<&'a T>, Option<&'a T>)> {
        let mut differences = Vec::new();
        if Arc::ptr_eq(&self.shards, &next.shards) {
            return differences;
        }
        if self.shards.len() == next.shards.len() {
            for (old, new) in self.shards.iter().zip(next.shards.iter()) {
                if !Arc::ptr_eq(old, new) {
                    let find = |shard: &'a Shard<T>, slot: &Slot<T>| {
                        let at = position(shard, slot.hash, &slot.value.name()).ok()?;
                        shard.get(at).map(|slot| &slot.value)
                    };
                    compare(old, new, find, &mut differences);
                }
            }
        } else {
            let find = |shards: &'a Self, slot: &Slot<T>| shards.find(&slot.value.name());
            for shard in self.shards.iter() {
                gone(shard, |slot| find(next, slot), &mut differences);
            }
            for shard in next.shards.iter() {
                come(shard, |slot| find(self, slot), &mut differences);
            }
        }
        differences
    }
}

type Differences<'a, T> = Vec<(Option<&'a T>, Option<&'a T>)>;

fn compare<'a, T: Named>(
    old: &'a Shard<T>,
    new: &'a Shard<T>,
    find: impl Fn(&'a Shard<T>, &Slot<T>) -> Option<&'a T>,
    differences: &mut Differences<'a, T>,
) {
    gone(old, |slot| find(new, slot), differences);
    come(new, |slot| find(old, slot), differences);
}

/// What is no more.
fn gone<'a, T: Named>(
    old: &'a Shard<T>,
    new: impl Fn(&Slot<T>) -> Option<&'a T>,
    differences: &mut Differences<'a, T>,
) {
    let gone = old.iter().filter(|slot| new(slot).is_none());
    differences.extend(gone.map(|slot| (Some(&slot.value), None)));
}

/// What is new, or another.
fn come<'a, T: Named>(
    new: &'a Shard<T>,
    old: impl Fn(&Slot<T>) -> Option<&'a T>,
    differences: &mut Differences<'a, T>,
) {
    for slot in new.iter() {
        let old = old(slot);
        if !old.is_some_and(|old| old.is_same(&slot.value)) {
            differences.push((old, Some(&slot.value)));
        }
    }
}

/// A change under way.
#[derive(Debug)]
pub(crate) struct Edit<T> {
    open: Vec<Part<T>>,
    len: usize,
}

#[derive(Debug)]
enum Part<T> {
    Shared(Shard<T>),
    Open(Vec<Slot<T>>),
}

impl<T: Named> Edit<T> {
    pub(crate) fn find(&self, name: &str) -> Option<&T> {
        let hash = hash(name);
        let slots: &[Slot<T>] = match self.open.get(place(hash, self.open.len()))? {
            Part::Shared(shard) => shard,
            Part::Open(slots) => slots,
        };
        position(slots, hash, name).ok().and_then(|at| slots.get(at)).map(|slot| &slot.value)
    }

    /// Adds a value, in the place of the one of its name.
    pub(crate) fn insert(&mut self, value: T) {
        let name = value.name();
        let hash = hash(&name);
        let Some(slots) = self.slots(hash) else { return };
        let found = position(slots, hash, &name);
        drop(name);
        match found {
            Ok(at) => {
                if let Some(slot) = slots.get_mut(at) {
                    slot.value = value;
                }
            }
            Err(at) => {
                slots.insert(at, Slot { hash, value });
                self.len += 1;
            }
        }
    }

    pub(crate) fn remove(&mut self, name: &str) {
        let hash = hash(name);
        let Some(slots) = self.slots(hash) else { return };
        if let Ok(at) = position(slots, hash, name) {
            slots.remove(at);
            self.len -= 1;
        }
    }

    pub(crate) fn done(self) -> Shards<T> {
        let shards = self.open.into_iter().map(|part| match part {
            Part::Shared(shard) => shard,
            Part::Open(slots) => slots.into(),
        });
        Shards { shards: shards.collect(), len: self.len }
    }

    /// The shard of a hash, copied if it was shared.
    fn slots(&mut self, hash: u64) -> Option<&mut Vec<Slot<T>>> {
        let at = place(hash, self.open.len());
        let part = self.open.get_mut(at)?;
        if let Part::Shared(shard) = part {
            *part = Part::Open(shard.to_vec());
        }
        match part {
            Part::Open(slots) => Some(slots),
            Part::Shared(_) => None,
        }
    }
}

fn hash(name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(name.as_bytes());
    hasher.finish()
}

/// The shard of a hash, where there are so many.
fn place(hash: u64, shards: usize) -> usize {
    usize::try_from(hash & (shards as u64 - 1)).unwrap_or(0)
}

/// Where the name stands, or would stand.
fn position<T: Named>(slots: &[Slot<T>], hash: u64, name: &str) -> Result<usize, usize> {
    slots.binary_search_by(|slot| slot.hash.cmp(&hash).then_with(|| (*slot.value.name()).cmp(name)))
}

fn shards_for(values: usize) -> usize {
    if values <= FEW { 1 } else { values.isqrt().next_power_of_two() }
}

/// The same values in another number of shards.
fn spread<'a, T: Named + 'a>(values: impl Iterator<Item = &'a T>, shards: usize) -> Vec<Shard<T>> {
    let mut spread: Vec<Vec<Slot<T>>> = (0..shards).map(|_| Vec::new()).collect();
    for value in values {
        let name = value.name();
        let hash = hash(&name);
        if let Some(slots) = spread.get_mut(place(hash, shards)) {
            let at = position(slots, hash, &name).unwrap_or_else(|at| at);
            slots.insert(at, Slot { hash, value: value.clone() });
        }
    }
    spread.into_iter().map(Into::into).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    impl Named for (String, u32) {
        fn name(&self) -> Cow<'_, str> {
            Cow::Borrowed(&self.0)
        }

        fn is_same(&self, other: &Self) -> bool {
            self.1 == other.1
        }
    }

    fn held(shards: &Shards<(String, u32)>) -> BTreeMap<String, u32> {
        shards.iter().cloned().collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn whatever_is_changed_the_shards_hold_what_a_map_holds_and_know_what_differs(
            steps in vec((0..600_u32, 0..700_u32, any::<bool>(), 0..2_000_usize), 1..8),
        ) {
            let mut shards: Shards<(String, u32)> = Shards::default();
            let mut map = BTreeMap::new();
            for (step, (first, count, adds, more)) in (0..).zip(steps) {
                let mut edit = shards.edit(more);
                let before = map.clone();
                for number in first..first + count {
                    let name = format!("name-{number}");
                    if adds {
                        edit.insert((name.clone(), step));
                        map.insert(name.clone(), step);
                    } else {
                        edit.remove(&name);
                        map.remove(&name);
                    }
                    prop_assert_eq!(edit.find(&name).map(|it| it.1), map.get(&name).copied());
                }
                let next = edit.done();
                prop_assert_eq!((held(&next), next.len()), (map.clone(), map.len()));
                prop_assert!(map.iter().all(|(name, value)| next.find(name).is_some_and(|it| it.1 == *value)));
                let told: BTreeMap<String, (Option<u32>, Option<u32>)> = shards
                    .differences(&next)
                    .into_iter()
                    .map(|(old, new)| (old.or(new).unwrap().0.clone(), (old.map(|it| it.1), new.map(|it| it.1))))
                    .collect();
                let names = before.keys().chain(map.keys());
                let pairs = names.map(|name| (name.clone(), (before.get(name).copied(), map.get(name).copied())));
                let differ: BTreeMap<_, _> = pairs.filter(|(_, (old, new))| old != new).collect();
                prop_assert_eq!(told, differ);
                shards = next;
            }
        }
    }

    #[test]
    fn a_change_shares_every_shard_that_it_does_not_touch() {
        let mut edit = Shards::default().edit(10_000);
        (0..10_000).for_each(|number| edit.insert((format!("name-{number}"), 0)));
        let shards = edit.done();
        assert_eq!(shards.shards.len(), 128);
        let mut edit = shards.edit(1);
        edit.insert(("name-7".to_owned(), 1));
        let next = edit.done();
        let shared = shards.shards.iter().zip(next.shards.iter()).filter(|(old, new)| Arc::ptr_eq(old, new));
        assert_eq!(shared.count(), 127);
    }
}
