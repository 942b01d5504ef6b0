//! The line itself: who has a turn, who waits, and who has to make room. Time is an argument.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use landbridge_core::Reason;
use tokio::sync::oneshot;

use super::Rule;
use crate::admission::Source;
use crate::registry::{Ending, Live};

/// How often it is looked for somebody who has to make room for those who wait.
const LOOK: Duration = Duration::from_millis(50);
/// Among how many of the oldest the one is chosen who has to make room.
const OLDEST: usize = 32;

pub(super) struct Line {
    rule: Rule,
    holders: HashMap<u64, Holder>,
    /// The holders in the order in which they came, and some who are gone.
    order: VecDeque<u64>,
    /// Those who were told to go, and have not gone yet.
    leaving: HashSet<u64>,
    waiting: usize,
    sources: HashMap<Source, Share>,
    /// The sources that wait, in the order of their turns.
    ring: VecDeque<Source>,
    next_look: Duration,
}

/// What one source has of the line.
#[derive(Default)]
struct Share {
    /// Its turns, those included who were told to go.
    held: usize,
    waiters: VecDeque<Waiter>,
}

struct Holder {
    source: Source,
    live: Arc<Live>,
    since: Duration,
}

struct Waiter {
    live: Arc<Live>,
    granted: oneshot::Sender<()>,
}

/// What came of entering the line.
pub(super) enum Entered {
    /// A turn.
    Now,
    /// A place; a turn once this resolves, and none if its other half is gone.
    Waits(oneshot::Receiver<()>),
    /// Nothing.
    Refused,
}

impl Line {
    pub(super) fn new(rule: Rule) -> Self {
        Self {
            rule,
            holders: HashMap::new(),
            order: VecDeque::new(),
            leaving: HashSet::new(),
            waiting: 0,
            sources: HashMap::new(),
            ring: VecDeque::new(),
            next_look: Duration::ZERO,
        }
    }

    /// How many have a turn, those included who were told to go.
    pub(super) fn in_flight(&self) -> usize {
        self.holders.len() + self.leaving.len()
    }

    pub(super) fn allow(&mut self, most: usize, now: Duration) {
        self.rule.most = most;
        self.grant(now);
    }

    pub(super) fn enter(&mut self, source: Source, live: &Arc<Live>, now: Duration) -> Entered {
        let waits = self.sources.get(&source).is_some_and(|share| !share.waiters.is_empty());
        if !waits && self.has_room(source) {
            self.hold(source, live.clone(), now);
            return Entered::Now;
        }
        if self.waiting >= self.rule.most_waiting && !self.shed_for(source) {
            return Entered::Refused;
        }
        let (granted, turn) = oneshot::channel();
        let share = self.sources.entry(source).or_default();
        if share.waiters.is_empty() {
            self.ring.push_back(source);
        }
        share.waiters.push_back(Waiter { live: live.clone(), granted });
        self.waiting += 1;
        self.make_room(now);
        Entered::Waits(turn)
    }

    /// Takes a turn at once; where there are `most`, one of the oldest makes room.
    pub(super) fn displace(&mut self, source: Source, live: &Arc<Live>, (most, now): (usize, Duration)) {
        if self.in_flight() >= most {
            self.push_out(0, now);
        }
        self.hold(source, live.clone(), now);
    }

    /// Gives up the turn or the place of the connection `id`.
    pub(super) fn leave(&mut self, source: Source, id: u64, now: Duration) {
        if self.holders.remove(&id).is_some() || self.leaving.remove(&id) {
            self.released(source);
        } else if let Some(share) = self.sources.get_mut(&source) {
            let before = share.waiters.len();
            share.waiters.retain(|waiter| waiter.live.id != id);
            self.waiting -= before - share.waiters.len();
            self.forget(source);
        }
        self.grant(now);
    }

    /// Ends slow ones of sources that have more turns than one that waits.
    pub(super) fn make_room(&mut self, now: Duration) {
        if now < self.next_look {
            return;
        }
        self.next_look = now + LOOK;
        let Some(least) = self.ring.iter().map(|source| self.held(*source)).min() else { return };
        while self.leaving.len() < self.waiting && self.push_out(least, now) {}
    }

    /// Ends one of the oldest, of the source that has most of them and more than `least`; false if none is slow.
    fn push_out(&mut self, least: usize, now: Duration) -> bool {
        while self.order.front().is_some_and(|id| !self.holders.contains_key(id)) {
            self.order.pop_front();
        }
        let held = |holder: &Holder| self.held(holder.source);
        let oldest = self.order.iter().filter_map(|id| self.holders.get_key_value(id)).take(OLDEST);
        let slow = oldest
            .filter(|(_, holder)| holder.since + self.rule.slow <= now && held(holder) > least)
            // The first of those with most, which is the oldest.
            .min_by_key(|(_, holder)| usize::MAX - held(holder))
            .map(|(id, _)| *id);
        let Some((id, holder)) = slow.and_then(|id| self.holders.remove_entry(&id)) else { return false };
        // Its source has it until it has left, and gets no other one for it.
        self.leaving.insert(id);
        holder.live.end(Ending { reason: Reason::HandshakeLimit, flush: None });
        true
    }

    /// Takes the place of the newest of the source that has most places; false if `source` has about as many.
    fn shed_for(&mut self, source: Source) -> bool {
        let waiters = |share: Option<&Share>| share.map_or(0, |share| share.waiters.len());
        let own = waiters(self.sources.get(&source));
        let most = self.ring.iter().max_by_key(|source| waiters(self.sources.get(source))).copied();
        let Some(largest) = most.filter(|largest| waiters(self.sources.get(largest)) > own + 1) else {
            return false;
        };
        if let Some(share) = self.sources.get_mut(&largest)
            && share.waiters.pop_back().is_some()
        {
            self.waiting -= 1;
        }
        self.forget(largest);
        true
    }

    /// Gives turns to sources in turn while there are any.
    fn grant(&mut self, now: Duration) {
        let mut passed_over = 0;
        while self.in_flight() < self.rule.most && passed_over < self.ring.len() {
            let Some(source) = self.ring.pop_front() else { return };
            if !self.has_room(source) {
                self.ring.push_back(source);
                passed_over += 1;
                continue;
            }
            passed_over = 0;
            let Some(share) = self.sources.get_mut(&source) else { continue };
            let waiter = share.waiters.pop_front();
            if !share.waiters.is_empty() {
                self.ring.push_back(source);
            }
            let Some(waiter) = waiter else { continue };
            self.waiting -= 1;
            if waiter.granted.send(()).is_ok() {
                self.hold(source, waiter.live, now);
            } else {
                self.forget(source);
            }
        }
    }

    /// Whether one more of `source` may have a turn. No source gets the last eighth of them: whoever comes from
    /// elsewhere finds one at once, however many of one source are stuck.
    fn has_room(&self, source: Source) -> bool {
        let most = self.rule.most;
        self.in_flight() < most && self.held(source) < most - most / 8
    }

    fn held(&self, source: Source) -> usize {
        self.sources.get(&source).map_or(0, |share| share.held)
    }

    fn hold(&mut self, source: Source, live: Arc<Live>, since: Duration) {
        if self.order.len() > 64 + 2 * self.holders.len() {
            self.order.retain(|id| self.holders.contains_key(id));
        }
        self.order.push_back(live.id);
        self.holders.insert(live.id, Holder { source, live, since });
        self.sources.entry(source).or_default().held += 1;
    }

    /// A holder of `source` is one no more.
    fn released(&mut self, source: Source) {
        if let Some(share) = self.sources.get_mut(&source) {
            share.held -= 1;
        }
        self.forget(source);
    }

    /// Keeps nothing of a source that has nothing of the line, and no turn for one that does not wait.
    fn forget(&mut self, source: Source) {
        let Some(share) = self.sources.get(&source) else { return };
        let (holds, waits) = (share.held > 0, !share.waiters.is_empty());
        if !waits && self.waiting > 0 {
            self.ring.retain(|waiting| *waiting != source);
        } else if !waits {
            self.ring.clear();
        }
        if !holds && !waits {
            self.sources.remove(&source);
        }
    }

    /// Whether the counts agree with what they count, and nothing is kept for nothing.
    #[cfg(test)]
    pub(super) fn is_consistent(&self) -> bool {
        let held: usize = self.sources.values().map(|share| share.held).sum();
        let waiting: usize = self.sources.values().map(|share| share.waiters.len()).sum();
        let ring: HashSet<Source> = self.ring.iter().copied().collect();
        held == self.in_flight()
            && waiting == self.waiting
            && ring.len() == self.ring.len()
            && self.sources.iter().all(|(source, share)| ring.contains(source) != share.waiters.is_empty())
            && self.sources.values().all(|share| share.held > 0 || !share.waiters.is_empty())
            && self.ring.iter().all(|source| !self.has_room(*source))
    }
}
