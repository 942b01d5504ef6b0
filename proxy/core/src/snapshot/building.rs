//! A snapshot from scratch, service by service.

use std::sync::Arc;

use super::change::leads;
use super::{Conflict, Exact, Lead, Snapshot};
use crate::service::Service;
use crate::shards::Edit;
use crate::sni::NamePattern;

/// A snapshot that is being made.
///
/// It keeps what was claimed by a service with a conflict too, so that every conflict is told.
pub(crate) struct Building {
    snapshot: Snapshot,
    services: Edit<Arc<Service>>,
    exact: Edit<Exact>,
    suffixes: Edit<Lead>,
}

impl Building {
    /// Begins a snapshot of about so many services.
    pub(crate) fn of(services: usize) -> Self {
        let snapshot = Snapshot::default();
        Self {
            services: snapshot.services.edit(services),
            exact: snapshot.exact.edit(services),
            suffixes: snapshot.suffixes.edit(0),
            snapshot,
        }
    }

    /// Adds the service that stands at `index`; its conflicts with those before it.
    pub(crate) fn add(&mut self, index: usize, service: Service) -> Vec<Conflict> {
        let service = Arc::new(service);
        if self.services.find(&service.name).is_some() {
            return vec![Conflict::Service { name: service.name.clone(), index }];
        }
        let mut conflicts = Vec::new();
        match leads(&service) {
            Ok(leads) => {
                for (pattern, part) in leads {
                    let second = service.name.clone();
                    match self.owner(&pattern).cloned() {
                        Some(first) => {
                            let (name, suffix) = pattern.into_parts();
                            conflicts.push(Conflict::Name { name, suffix, first, second, index });
                        }
                        None => self.lead(pattern, second, part),
                    }
                }
            }
            Err(error) => conflicts.push(Conflict::Unroutable { name: service.name.clone(), error, index }),
        }
        self.snapshot.note(&service);
        self.services.insert(service);
        conflicts
    }

    /// The service that has the name already.
    fn owner(&self, pattern: &NamePattern) -> Option<&Arc<str>> {
        match pattern {
            NamePattern::Exact(name) => self.exact.find(name.as_str()).map(Exact::service),
            NamePattern::Suffix(name) => self.suffixes.find(name.as_str()).map(|lead| &lead.service),
        }
    }

    fn lead(&mut self, pattern: NamePattern, service: Arc<str>, part: u32) {
        match pattern {
            NamePattern::Exact(name) => self.exact.insert(Lead { name, service, part }.into()),
            NamePattern::Suffix(name) => self.suffixes.insert(Lead { name, service, part }),
        }
    }

    /// The snapshot; it is whole only if nothing was in conflict.
    pub(crate) fn done(self) -> Snapshot {
        let Self { snapshot, services, exact, suffixes } = self;
        Snapshot { services: services.done(), exact: exact.done(), suffixes: suffixes.done(), ..snapshot }
    }
}
