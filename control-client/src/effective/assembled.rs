//! One service, put together from its spec, its endpoints, and the policies and peers that speak of it.

use std::sync::Arc;

use landbridge_core::config::resource::{self, Endpoints, PolicySpec, ServiceSpec};
use landbridge_core::policy::{Authorization, Grant, Policy};
use landbridge_core::service::{Mode, Service};

use super::change::Work;
use super::trust::Scopes;
use super::waiting::{CONFLICT, INVALID, refused};
use crate::wire::{Kind, Name};

impl Work<'_> {
    /// Puts a service together as it would be, or notes that it would be gone.
    ///
    /// What is new and wrong is refused, and what it would have replaced is used.
    pub(super) fn assemble(&mut self, name: &Name, scopes: &Scopes) {
        self.put.remove(name);
        self.gone.remove(name);
        let before = self.effective.stream_service(name.as_str()).cloned();
        let after = self.service(name, scopes);
        match (before, after) {
            (Some(before), Some(after)) if *before == *after => {}
            (before, Some(after)) => {
                self.shrinks |= before.is_some_and(|before| takes_away(&before, &after));
                self.put.insert(name.clone(), after);
            }
            (Some(_), None) => {
                self.shrinks = true;
                self.gone.insert(name.clone());
            }
            (None, None) => {}
        }
    }

    fn service(&mut self, name: &Name, scopes: &Scopes) -> Option<Arc<Service>> {
        let spec = loop {
            let text = self.overlay.spec(Kind::Service, name.as_str());
            let Some(text) = text else {
                self.expose_to_all(name);
                return None;
            };
            let is_new = self.overlay.has_new(Kind::Service, name.as_str());
            let lowered = resource::service(text, if is_new { &scopes.new } else { &scopes.held });
            match (lowered, self.asked.get(&(Kind::Service, name.clone()))) {
                (Ok(spec), Some(resource)) if is_new => match self.objection_to(name, &spec) {
                    Some((code, text)) => self.refuse(refused(resource, "", code, text)),
                    None => break spec,
                },
                (Ok(spec), _) => break spec,
                (Err(objections), Some(resource)) if is_new => self.refuse_all(resource, &objections),
                // It was in force under another file.
                (Err(_), _) => return None,
            }
        };
        let endpoints = self.endpoints(name, &spec, scopes);
        match spec.exposure {
            Some(_) => self.expose_to_some(name),
            None => self.expose_to_all(name),
        }
        let granting = self.facts.granting.get(name.as_str()).into_iter().flatten();
        let policies: Vec<&PolicySpec> =
            granting.filter_map(|policy| self.facts.policies.get(policy)).collect();
        let peers = &self.facts.peers;
        let peer = |name: &str| peers.get(name);
        match spec.assemble(endpoints.as_deref(), policies, peer) {
            Ok(service) => Some(self.with_kept_endpoints(name, service)),
            Err(objection) => {
                if let Some(resource) = self.asked.get(&(Kind::Service, name.clone()))
                    && self.overlay.has_new(Kind::Service, name.as_str())
                {
                    self.refuse_all(resource, &[objection]);
                    return self.service(name, scopes);
                }
                // Peers or policies have grown beyond all bounds: nobody may call rather than somebody who may not.
                None
            }
        }
    }

    /// Why a spec that is right by itself can't be this resource's.
    fn objection_to(&self, name: &Name, spec: &ServiceSpec) -> Option<(&'static str, String)> {
        let called = &*spec.service.name;
        if called != name.as_str() {
            let text = format!("a service's resource is called as the service is; name it {called}");
            return Some((INVALID, text));
        }
        let needs_identity = spec.service.mode == Mode::Terminate && spec.service.identity.is_none();
        if needs_identity && !self.effective.base.has_identity {
            let text =
                "the gateway has no certificate of its own to present; add [identity] to its file".to_owned();
            return Some(("unknown_reference", text));
        }
        if self.effective.base.services.service(called).is_some() {
            let text = format!(
                "the gateway's own file has a service {called}, which stays; remove it there or here"
            );
            return Some((CONFLICT, text));
        }
        None
    }

    /// The endpoints of the service's resource, where its own spec lists none.
    fn endpoints(&mut self, name: &Name, spec: &ServiceSpec, scopes: &Scopes) -> Option<Endpoints> {
        loop {
            let text = self.overlay.spec(Kind::Endpoints, name.as_str())?;
            let is_new = self.overlay.has_new(Kind::Endpoints, name.as_str());
            let asked = self.asked.get(&(Kind::Endpoints, name.clone())).copied().filter(|_| is_new);
            if spec.lists_endpoints {
                let resource = asked?;
                let text =
                    "its service lists endpoints itself; leave them out there, or this resource".to_owned();
                self.refuse(refused(resource, "endpoints", CONFLICT, text));
                continue;
            }
            match (resource::endpoints(text, &scopes.held), asked) {
                (Ok(endpoints), _) => return Some(endpoints),
                (Err(objections), Some(resource)) => self.refuse_all(resource, &objections),
                (Err(_), None) => return None,
            }
        }
    }

    fn expose_to_some(&mut self, name: &Name) {
        if !self.facts.exposed.contains(name) {
            Arc::make_mut(&mut self.facts.exposed).insert(name.clone());
        }
    }

    fn expose_to_all(&mut self, name: &Name) {
        if self.facts.exposed.contains(name) {
            Arc::make_mut(&mut self.facts.exposed).remove(name);
        }
    }
}

/// Whether somebody who may call `before` may not call `after`, or is seen less well.
fn takes_away(before: &Service, after: &Service) -> bool {
    before.mode != after.mode
        || narrows(&before.policy, &after.policy)
        || before.subsets.iter().any(|subset| {
            let same = after.subsets.iter().find(|other| other.name == subset.name);
            same.is_none_or(|other| match (subset.policy(&before.policy), other.policy(&after.policy)) {
                (Some(before), Some(after)) => narrows(&before, &after),
                (None, None) => false,
                _ => true,
            })
        })
}

fn narrows(before: &Policy, after: &Policy) -> bool {
    match (before, after) {
        (
            Policy::Grants { allow: old, authorization: then },
            Policy::Grants { allow: new, authorization: now },
        ) => {
            let stricter = *then == Authorization::Audit && *now == Authorization::Enforce;
            let has = |grant: &Grant| new.iter().any(|other| other == grant);
            stricter || !old.iter().all(has)
        }
        (Policy::EndpointDecides, Policy::EndpointDecides) => false,
        _ => true,
    }
}
