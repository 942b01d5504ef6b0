//! From a server name to a service and its endpoints.
//!
//! A [`Table`] is compiled from a [`Snapshot`] off to the side and never changed. What must outlive it,
//! the [`Endpoint`]s and the round of round robin, is taken over from the table that it replaces.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::endpoint::{Endpoint, Member, Pool};
use crate::policy::Policy;
use crate::service::{EndpointSpec, HostPort, Service, Snapshot, Target};
use crate::sni::{NamePattern, Sni};

/// Where a server name leads.
#[derive(Debug)]
pub struct Route {
    /// The service.
    pub service: Arc<Service>,
    /// The subset, where the name asks for one.
    pub subset: Option<Arc<str>>,
    /// The endpoints of the service or subset.
    pub pool: Pool,
    /// The subset's policy, where it has a list of its own.
    own: Option<Policy>,
}

impl Route {
    /// The route to a service as a whole that has no endpoints: for whoever is asked only whether a caller may.
    pub fn without_endpoints(service: Service) -> Self {
        let pool = Pool::new(Vec::new(), service.balance, None);
        Self { service: Arc::new(service), subset: None, pool, own: None }
    }

    /// The policy in force for the name: the subset's where it has a list of its own, else the service's.
    pub fn policy(&self) -> &Policy {
        self.own.as_ref().unwrap_or(&self.service.policy)
    }

    /// Whether the subset has a list of its own.
    pub fn has_own_list(&self) -> bool {
        self.own.is_some()
    }
}

/// A route, and what it was found by.
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    /// The route.
    pub route: &'a Arc<Route>,
    /// The suffix that matched, without its `*.`; `None` where the whole name did.
    pub suffix: Option<&'a Sni>,
}

/// Every name that leads somewhere.
///
/// Looked up in this order: the exact string, which covers the keys of service ports and the further
/// exact names alike, then the longest `*.suffix`. There is no fallback from an unknown subset to the
/// whole service and no default route.
#[derive(Debug, Default)]
pub struct Table {
    exact: HashMap<Sni, Arc<Route>>,
    suffixes: HashMap<Sni, Arc<Route>>,
    /// By service, then address.
    endpoints: HashMap<Arc<str>, Vec<Arc<Endpoint>>>,
}

/// The addresses that host names resolve to, as far as they are known.
pub type Answers = HashMap<HostPort, Vec<SocketAddr>>;

impl Table {
    /// Compiles a snapshot, taking over from `previous` what is known of endpoints that stay.
    ///
    /// A host name without an answer has no endpoint yet. An address that appears twice in a service
    /// is one endpoint, with the weight of its first appearance.
    pub fn compile(snapshot: &Snapshot, answers: &Answers, previous: &Self) -> Self {
        let mut table = Self::default();
        for service in snapshot.services() {
            // A snapshot holds only services whose names are valid.
            let Ok(routes) = service.routes() else { continue };
            let known = previous.endpoints.get(&service.name).map_or(&[][..], Vec::as_slice);
            let mut used = Vec::new();
            let members = members(service, answers, |address| adopt(known, &mut used, address));
            for (pattern, subset) in routes {
                let (name, names, old) = match pattern {
                    NamePattern::Exact(name) => (name, &mut table.exact, &previous.exact),
                    NamePattern::Suffix(name) => (name, &mut table.suffixes, &previous.suffixes),
                };
                let turns = old
                    .get(&name)
                    .filter(|route| route.service.name == service.name)
                    .map(|route| route.pool.turns().clone());
                let chosen = members
                    .iter()
                    .filter(|(spec, _)| subset.is_none_or(|subset| subset.has(spec)))
                    .map(|(_, member)| member.clone())
                    .collect();
                let route = Route {
                    service: service.clone(),
                    subset: subset.map(|subset| subset.name.as_str().into()),
                    pool: Pool::new(chosen, service.balance, turns),
                    own: subset.and_then(|subset| subset.policy(&service.policy)),
                };
                names.insert(name, Arc::new(route));
            }
            table.endpoints.insert(service.name.clone(), used);
        }
        table
    }

    /// Finds where `name`, already lower-cased, leads.
    pub fn find(&self, name: &str) -> Option<&Arc<Route>> {
        self.seek(name).map(|found| found.route)
    }

    /// Finds where `name`, already lower-cased, leads, and by what.
    pub fn seek(&self, name: &str) -> Option<Found<'_>> {
        if let Some(route) = self.exact.get(name) {
            return Some(Found { route, suffix: None });
        }
        if self.suffixes.is_empty() {
            return None;
        }
        let mut rest = name;
        while let Some((_, suffix)) = rest.split_once('.') {
            if let Some((suffix, route)) = self.suffixes.get_key_value(suffix) {
                return Some(Found { route, suffix: Some(suffix) });
            }
            rest = suffix;
        }
        None
    }

    /// Every service with its endpoints, those of names that resolved included, in no particular order.
    pub fn endpoints(&self) -> impl Iterator<Item = (&Arc<str>, &[Arc<Endpoint>])> {
        self.endpoints.iter().map(|(service, endpoints)| (service, endpoints.as_slice()))
    }

    /// The endpoints of one service, those of names that resolved included; `None` if there is no such service.
    pub fn endpoints_of(&self, service: &str) -> Option<&[Arc<Endpoint>]> {
        self.endpoints.get(service).map(Vec::as_slice)
    }

    /// How many names lead somewhere.
    pub fn len(&self) -> usize {
        self.exact.len() + self.suffixes.len()
    }

    /// Whether no name leads anywhere.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The endpoint of this address: the one already used, the one known from before, or a new one.
fn adopt(
    known: &[Arc<Endpoint>],
    used: &mut Vec<Arc<Endpoint>>,
    address: SocketAddr,
) -> Option<Arc<Endpoint>> {
    let is = |endpoint: &&Arc<Endpoint>| endpoint.address() == address;
    if used.iter().any(|endpoint| is(&endpoint)) {
        return None;
    }
    let endpoint = known.iter().find(is).cloned().unwrap_or_else(|| Arc::new(Endpoint::new(address)));
    used.push(endpoint.clone());
    Some(endpoint)
}

fn members<'a>(
    service: &'a Service,
    answers: &Answers,
    mut adopt: impl FnMut(SocketAddr) -> Option<Arc<Endpoint>>,
) -> Vec<(&'a EndpointSpec, Member)> {
    let mut members = Vec::new();
    for spec in &service.endpoints {
        let addresses = match &spec.target {
            Target::Address(address) => std::slice::from_ref(address),
            Target::Host(host) => answers.get(host).map_or(&[][..], Vec::as_slice),
        };
        for &address in addresses {
            if let Some(endpoint) = adopt(address) {
                members
                    .push((spec, Member { endpoint, weight: spec.weight.max(1), priority: spec.priority }));
            }
        }
    }
    members
}

#[cfg(test)]
mod tests;
