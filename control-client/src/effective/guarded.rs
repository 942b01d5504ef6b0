//! Mass removal: held back, visible, and in force once somebody confirms it.

use std::collections::BTreeSet;
use std::sync::Arc;

use landbridge_core::Snapshot;
use landbridge_core::service::{Service, Target};

use super::change::{self, Work};
use super::trust::{Scopes, TrustCheck};
use super::waiting::{HELD, refused};
use super::{Effective, Verdict};
use crate::guard::Judgement;
use crate::held::Held;
use crate::session::{RemovedResource, SetResource, Update};
use crate::wire::{Kind, Name, Refused};

/// A change that waits to be confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeldBack {
    /// The resource is to be no more.
    Removal,
    /// It is to lose endpoints, by this version of its `endpoints` resource.
    Endpoints(SetResource),
    /// It has lost endpoints in its own spec, which is in force but for that.
    OwnEndpoints,
}

/// What follows from confirming all that waits.
#[derive(Debug)]
pub struct Confirmation {
    /// As after an update.
    pub verdict: Verdict,
    /// What is in force with it.
    pub set: Vec<SetResource>,
    /// What is gone with it.
    pub removed: Vec<RemovedResource>,
}

pub(super) fn confirm(effective: &Effective, held: &Held, check: &TrustCheck<'_>) -> Confirmation {
    let mut update = Update::default();
    let mut own = BTreeSet::new();
    for ((kind, name), waits) in &effective.held_back {
        match waits {
            HeldBack::Removal => update.removed.push(RemovedResource { kind: *kind, name: name.clone() }),
            HeldBack::Endpoints(resource) => update.set.push(resource.clone()),
            HeldBack::OwnEndpoints => drop(own.insert(name.clone())),
        }
    }
    let mut verdict = change::judge_confirmed(effective, &update, held, &own, check);
    verdict.held_back.clear();
    verdict.services_guard.confirmed();
    verdict.endpoints_guard.confirmed();
    let Update { set, removed, .. } = update;
    Confirmation { verdict, set, removed }
}

impl<'a> Work<'a> {
    /// Of what is to be removed, what may be. Services beyond the guard's measure stay.
    pub(super) fn guard_services(&mut self, removed: &'a [RemovedResource]) -> Vec<&'a RemovedResource> {
        let services = removed.iter().filter(|removed| removed.kind == Kind::Service).count();
        let held = self.overlay.count(Kind::Service);
        let holds =
            self.now.is_some_and(|now| self.services_guard.judge(now, held, services) == Judgement::Hold);
        let mut may = Vec::with_capacity(removed.len());
        for resource in removed {
            let key = (resource.kind, resource.name.clone());
            if holds && resource.kind == Kind::Service {
                self.refused.push(Refused {
                    kind: resource.kind,
                    name: resource.name.clone(),
                    version: None,
                    field: String::new(),
                    code: HELD.to_owned(),
                    text: format!("{services} of {held} services would vanish; confirm it at the gateway, or send them again"),
                });
                self.held_back.insert(key, HeldBack::Removal);
            } else {
                self.held_back.remove(&key);
                may.push(resource);
            }
        }
        may
    }

    /// Lets endpoints vanish only within the guard's measure; else services keep those that they have.
    pub(super) fn guard_endpoints(&mut self, snapshot: Snapshot, scopes: &Scopes) -> Snapshot {
        let Some(now) = self.now else { return snapshot };
        let losing: Vec<(Name, usize)> = self
            .put
            .iter()
            .map(|(name, service)| (name.clone(), self.lost(name, service)))
            .filter(|(_, lost)| *lost > 0)
            .collect();
        let lost = losing.iter().map(|(_, lost)| lost).sum();
        let held = self.effective.endpoints;
        if self.endpoints_guard.judge(now, held, lost) == Judgement::Pass {
            return snapshot;
        }
        for (name, _) in &losing {
            self.keep_endpoints(name, lost, held);
            self.assemble(name, scopes);
        }
        // Names are as they were, so there is no conflict that there wasn't before.
        self.changed().snapshot
    }

    /// How many endpoints a service that stays would lose.
    fn lost(&self, name: &Name, after: &Service) -> usize {
        let Some(before) = self.effective.stream_service(name.as_str()) else { return 0 };
        let has: BTreeSet<&Target> = after.endpoints.iter().map(|endpoint| &endpoint.target).collect();
        before.endpoints.iter().filter(|endpoint| !has.contains(&endpoint.target)).count()
    }

    fn keep_endpoints(&mut self, name: &Name, lost: usize, held: usize) {
        let key = (Kind::Endpoints, name.clone());
        let text =
            format!("{lost} of {held} endpoints would vanish; confirm it at the gateway, or send them again");
        let new = self.overlay.has_new(Kind::Endpoints, name.as_str());
        if let Some(resource) = self.asked.get(&key).copied().filter(|_| new) {
            self.refuse(refused(resource, "endpoints", HELD, text));
            self.held_back.insert(key, HeldBack::Endpoints(resource.clone()));
        } else if self.overlay.is_removed(Kind::Endpoints, name.as_str()) {
            self.overlay.forget(Kind::Endpoints, name.as_str());
            self.refused.push(Refused {
                kind: Kind::Endpoints,
                name: name.clone(),
                version: None,
                field: String::new(),
                code: HELD.to_owned(),
                text,
            });
            self.held_back.insert(key, HeldBack::Removal);
        } else if let Some(before) = self.effective.stream_service(name.as_str()) {
            Arc::make_mut(&mut self.facts.kept_endpoints).insert(name.clone(), before.clone());
            self.held_back.insert((Kind::Service, name.clone()), HeldBack::OwnEndpoints);
        }
    }

    /// The service with the endpoints that it keeps until somebody confirms that they are gone.
    pub(super) fn with_kept_endpoints(&mut self, name: &Name, mut service: Service) -> Arc<Service> {
        let kept: Option<&Arc<Service>> = self.facts.kept_endpoints.get(name);
        if let Some(kept) = kept {
            service.endpoints.clone_from(&kept.endpoints);
        }
        Arc::new(service)
    }
}
