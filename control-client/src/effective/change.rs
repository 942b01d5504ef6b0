//! From an update to a verdict, step by step: trust, peers and policies first, then the services that any of it touches.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use landbridge_core::config::resource;
use landbridge_core::service::Service;
use landbridge_core::snapshot::{Change, Changed, Conflict};

use super::overlay::Overlay;
use super::trust::{Scopes, TrustChange, TrustCheck};
use super::waiting::{CONFLICT, refused};
use super::{Count, Effective, Facts, HeldBack, Verdict};
use crate::guard::Guard;
use crate::held::Held;
use crate::session::{RemovedResource, SetResource, Update};
use crate::wire::{Kind, Name, Refused};

/// A verdict in the making.
pub(super) struct Work<'a> {
    pub(super) effective: &'a Effective,
    pub(super) overlay: Overlay<'a>,
    /// Everything that is asked for, by name.
    pub(super) asked: BTreeMap<(Kind, Name), &'a SetResource>,
    pub(super) facts: Facts,
    /// Services to be put together anew.
    pub(super) dirty: BTreeSet<Name>,
    pub(super) put: BTreeMap<Name, Arc<Service>>,
    pub(super) gone: BTreeSet<Name>,
    pub(super) trust: Vec<TrustChange>,
    pub(super) refused: Vec<Refused>,
    pub(super) shrinks: bool,
    pub(super) services_guard: Guard,
    pub(super) endpoints_guard: Guard,
    pub(super) held_back: BTreeMap<(Kind, Name), HeldBack>,
    pub(super) waiting: BTreeMap<(Kind, Name), SetResource>,
    /// The time by which the guard judges; `None` where somebody has confirmed.
    pub(super) now: Option<Duration>,
}

pub(super) fn judge(
    effective: &Effective,
    update: &Update,
    held: &Held,
    now: Option<Duration>,
    check: &TrustCheck<'_>,
) -> Verdict {
    let mut work = Work::new(effective, held, now);
    work.ask(update.set.iter().chain(effective.waiting.values()));
    let removed = work.guard_services(&update.removed);
    work.take_facts(&removed, check);
    work.finish(update)
}

/// What follows from a change that somebody has confirmed, and that services `own` keep no endpoints any more.
pub(super) fn judge_confirmed(
    effective: &Effective,
    update: &Update,
    held: &Held,
    own: &BTreeSet<Name>,
    check: &TrustCheck<'_>,
) -> Verdict {
    let mut work = Work::new(effective, held, None);
    let kept = Arc::make_mut(&mut work.facts.kept_endpoints);
    for name in own {
        kept.remove(name);
    }
    work.dirty.extend(own.iter().cloned());
    work.ask(update.set.iter().chain(effective.waiting.values()));
    let removed = work.guard_services(&update.removed);
    work.take_facts(&removed, check);
    work.finish(update)
}

/// What follows from all that is held.
pub(super) fn judge_all(effective: &Effective, held: &Held, check: &TrustCheck<'_>) -> Verdict {
    let everything = held.resources().map(|resource| SetResource {
        kind: resource.kind,
        name: resource.name.clone(),
        version: resource.version,
        spec: resource.spec.clone(),
    });
    let update = Update { set: everything.collect(), ..Update::default() };
    // Nothing of it is in force yet, so that what is refused has nothing to fall back on.
    judge(effective, &update, &Held::default(), None, check)
}

impl<'a> Work<'a> {
    fn new(effective: &'a Effective, held: &'a Held, now: Option<Duration>) -> Self {
        Self {
            effective,
            overlay: Overlay::new(held),
            asked: BTreeMap::new(),
            facts: effective.facts.clone(),
            dirty: BTreeSet::new(),
            put: BTreeMap::new(),
            gone: BTreeSet::new(),
            trust: Vec::new(),
            refused: Vec::new(),
            shrinks: false,
            services_guard: effective.services_guard.clone(),
            endpoints_guard: effective.endpoints_guard.clone(),
            held_back: effective.held_back.clone(),
            waiting: BTreeMap::new(),
            now,
        }
    }

    /// Notes what is asked for; of a name the first that asks counts.
    fn ask(&mut self, resources: impl Iterator<Item = &'a SetResource>) {
        for resource in resources {
            let key = (resource.kind, resource.name.clone());
            if self.asked.contains_key(&key) {
                continue;
            }
            self.held_back.remove(&key);
            if resource.kind == Kind::Service && self.facts.kept_endpoints.contains_key(&resource.name) {
                // Its endpoints are judged anew, against those that it kept.
                Arc::make_mut(&mut self.facts.kept_endpoints).remove(&resource.name);
            }
            self.asked.insert(key, resource);
            self.overlay.set(resource);
            if matches!(resource.kind, Kind::Service | Kind::Endpoints) {
                self.dirty.insert(resource.name.clone());
            }
        }
    }

    /// Takes up trust entries, peers and policies, in this order, as the later refer to the earlier.
    fn take_facts(&mut self, removed: &[&'a RemovedResource], check: &TrustCheck<'_>) {
        for RemovedResource { kind, name } in removed {
            // What waited for something is no more either.
            self.overlay.remove(*kind, name);
            match kind {
                Kind::Service | Kind::Endpoints => {
                    self.dirty.insert(name.clone());
                }
                Kind::Policy => self.remove_policy(name),
                Kind::TrustBundle => self.remove_trust(name),
                Kind::Peer => {
                    Arc::make_mut(&mut self.facts.peers).remove(name);
                    self.dirty.extend(self.facts.exposed.iter().cloned());
                }
            }
        }
        for resource in self.asked_of(Kind::TrustBundle) {
            self.set_trust(resource, check);
        }
        for resource in self.asked_of(Kind::Peer) {
            match resource::peer(&resource.spec) {
                Ok(peer) => {
                    Arc::make_mut(&mut self.facts.peers).insert(resource.name.clone(), peer);
                    self.dirty.extend(self.facts.exposed.iter().cloned());
                }
                Err(objections) => self.refuse_all(resource, &objections),
            }
        }
        let policies = self.asked_of(Kind::Policy);
        if !policies.is_empty() {
            let scopes = self.scopes();
            for resource in policies {
                self.set_policy(resource, &scopes);
            }
        }
    }

    fn asked_of(&self, kind: Kind) -> Vec<&'a SetResource> {
        self.asked.values().filter(|resource| resource.kind == kind).copied().collect()
    }

    fn set_policy(&mut self, resource: &SetResource, scopes: &Scopes) {
        let policy = match resource::policy(&resource.spec, &scopes.new) {
            Ok(policy) => policy,
            Err(objections) => return self.refuse_all(resource, &objections),
        };
        let missing = policy.services.iter().enumerate();
        let missing = missing.filter(|(_, name)| self.overlay.spec(Kind::Service, name).is_none());
        if let Some((index, name)) = missing.map(|(index, name)| (index, name.clone())).next() {
            let text = format!("there is no service {name} on the stream; send it first, or leave it out");
            return self.refuse(refused(resource, &format!("services[{index}]"), "unknown_reference", text));
        }
        self.remove_policy(&resource.name);
        let granting = Arc::make_mut(&mut self.facts.granting);
        for service in &policy.services {
            granting.entry(service.clone()).or_default().insert(resource.name.clone());
            self.dirty.extend(Name::parse(service));
        }
        Arc::make_mut(&mut self.facts.policies).insert(resource.name.clone(), policy);
    }

    fn remove_policy(&mut self, name: &Name) {
        if !self.facts.policies.contains_key(name) {
            return;
        }
        let granting = Arc::make_mut(&mut self.facts.granting);
        if let Some(policy) = Arc::make_mut(&mut self.facts.policies).remove(name) {
            for service in &policy.services {
                if let Some(names) = granting.get_mut(service) {
                    names.remove(name);
                    if names.is_empty() {
                        granting.remove(service);
                    }
                }
                self.dirty.extend(Name::parse(service));
            }
        }
    }

    /// Puts the services together and gives the verdict.
    pub(super) fn finish(mut self, update: &Update) -> Verdict {
        let scopes = self.scopes();
        let dirty = std::mem::take(&mut self.dirty);
        for name in &dirty {
            self.assemble(name, &scopes);
        }
        let snapshot = loop {
            let Changed { snapshot, refused } = self.changed();
            if refused.is_empty() {
                break snapshot;
            }
            self.give_way(&refused, &scopes);
        };
        let snapshot = self.guard_endpoints(snapshot, &scopes);
        self.keep_waiting();
        let refused: BTreeSet<(Kind, &str)> =
            self.refused.iter().map(|refused| (refused.kind, refused.name.as_str())).collect();
        let told: BTreeSet<(Kind, &str)> =
            update.set.iter().map(|set| (set.kind, set.name.as_str())).collect();
        let late = self.asked.values().filter(|resource| {
            let key = (resource.kind, resource.name.as_str());
            !told.contains(&key) && !refused.contains(&key)
        });
        let late = late.map(|resource| (*resource).clone()).collect();
        Verdict {
            changed: Count { put: self.put.len(), removed: self.gone.len() },
            endpoints: self.endpoint_count(),
            snapshot,
            trust: self.trust,
            late,
            refused: self.refused,
            shrinks: self.shrinks,
            facts: self.facts,
            services_guard: self.services_guard,
            endpoints_guard: self.endpoints_guard,
            held_back: self.held_back,
            waiting: self.waiting,
        }
    }

    /// The services as they would be.
    pub(super) fn changed(&self) -> Changed {
        let gone = self.gone.iter().map(|name| Change::Remove(name.as_str().into()));
        let put = self.put.values().map(|service| Change::Set(service.clone()));
        self.effective.snapshot.with(gone.chain(put))
    }

    /// How many endpoints the stream's services would have.
    fn endpoint_count(&self) -> usize {
        let count = |name: &Name| {
            self.effective.stream_service(name.as_str()).map_or(0, |service| service.endpoints.len())
        };
        let before: usize = self.put.keys().chain(&self.gone).map(count).sum();
        let after: usize = self.put.values().map(|service| service.endpoints.len()).sum();
        (self.effective.endpoints + after).saturating_sub(before)
    }

    /// Refuses services whose names others have, and falls back on what they were.
    fn give_way(&mut self, conflicts: &[Conflict], scopes: &Scopes) {
        for conflict in conflicts {
            let (Conflict::Name { second: service, .. }
            | Conflict::Service { name: service, .. }
            | Conflict::Unroutable { name: service, .. }
            | Conflict::Unknown { name: service, .. }) = conflict;
            let Ok(name) = Name::parse(service) else { continue };
            self.put.remove(&name);
            match self.asked.get(&(Kind::Service, name.clone())) {
                Some(resource) if self.overlay.has_new(Kind::Service, name.as_str()) => {
                    self.refuse(refused(resource, "", CONFLICT, conflict.to_string()));
                    self.assemble(&name, scopes);
                }
                // What is in force already has all of its names.
                _ => {}
            }
        }
    }
}
