//! From a server name to a service and its endpoints.
//!
//! A [`Table`] is compiled from a [`Snapshot`] off to the side and never changed. What must outlive it,
//! the [`Endpoint`]s and the round of round robin, is taken over from the table that it replaces, and so is
//! everything that didn't change.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;

use crate::endpoint::{Endpoint, Member, Pool};
use crate::policy::Policy;
use crate::service::{EndpointSpec, HostPort, Service, Subset, Target};
use crate::shards::{Named, Shards};
use crate::snapshot::{Lead, Snapshot};
use crate::sni::Sni;

#[cfg(test)]
mod tests;

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
    own: Option<Box<Policy>>,
}

impl Route {
    /// The route to a service as a whole that has no endpoints: for whoever is asked only whether a caller may.
    pub fn without_endpoints(service: Service) -> Self {
        let pool = Pool::new(Vec::new(), service.balance, None);
        Self { service: Arc::new(service), subset: None, pool, own: None }
    }

    /// The policy in force for the name: the subset's where it has a list of its own, else the service's.
    pub fn policy(&self) -> &Policy {
        self.own.as_deref().unwrap_or(&self.service.policy)
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
    snapshot: Snapshot,
    answers: Answers,
    served: Shards<Arc<Served>>,
    rejudges: bool,
}

/// A service with what is known of its endpoints.
#[derive(Debug)]
struct Served {
    service: Arc<Service>,
    /// Those of names that resolved included, each once.
    endpoints: Box<[Arc<Endpoint>]>,
    /// To the whole service, then to each subset.
    routes: Box<[Arc<Route>]>,
}

impl Named for Arc<Served> {
    fn name(&self) -> &str {
        &self.service.name
    }

    fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(self, other)
    }
}

/// The addresses that host names resolve to, as far as they are known.
pub type Answers = Arc<HashMap<HostPort, Vec<SocketAddr>>>;

impl Table {
    /// Compiles a snapshot, taking over from `previous` what didn't change and what is known of endpoints that stay.
    ///
    /// It costs what changed, if the snapshot was made of the previous one by changes, and if there are new answers,
    /// what is asked for. A host name without an answer has no endpoint yet. An address that appears twice in a
    /// service is one endpoint, with the weight of its first appearance.
    pub fn compile(snapshot: &Snapshot, answers: &Answers, previous: &Self) -> Self {
        let differences = previous.snapshot.services.differences(&snapshot.services);
        let mut served = previous.served.edit(differences.len());
        let mut rejudges = false;
        for (old, new) in &differences {
            rejudges |= !matches!((old, new), (Some(old), Some(new)) if judges_alike(old, new));
            match (old, new) {
                (_, Some(new)) => {
                    served.insert(Served::new(new, answers, previous.served.find(&new.name)));
                }
                (Some(old), None) => served.remove(&old.name),
                (None, None) => {}
            }
        }
        for host in moved(&previous.answers, answers) {
            for service in snapshot.services_at(host) {
                let known = served.find(&service.name).cloned();
                served.insert(Served::new(service, answers, known.as_ref()));
            }
        }
        Self { snapshot: snapshot.clone(), answers: answers.clone(), served: served.done(), rejudges }
    }

    /// Whether a connection that was let in under the table before may have to end under this one.
    ///
    /// False if nothing but endpoints changed, and how they are chosen and spoken to.
    pub fn rejudges(&self) -> bool {
        self.rejudges
    }

    /// Finds where `name`, already lower-cased, leads.
    pub fn find(&self, name: &str) -> Option<&Arc<Route>> {
        self.seek(name).map(|found| found.route)
    }

    /// Finds where `name`, already lower-cased, leads, and by what.
    pub fn seek(&self, name: &str) -> Option<Found<'_>> {
        if let Some(lead) = self.snapshot.exact(name) {
            return Some(Found { route: self.route(lead)?, suffix: None });
        }
        if !self.snapshot.has_suffixes() {
            return None;
        }
        let mut rest = name;
        while let Some((_, suffix)) = rest.split_once('.') {
            if let Some(lead) = self.snapshot.suffix(suffix) {
                return Some(Found { route: self.route(lead)?, suffix: Some(&lead.name) });
            }
            rest = suffix;
        }
        None
    }

    fn route(&self, lead: &Lead) -> Option<&Arc<Route>> {
        let part = usize::try_from(lead.part).ok()?;
        self.served.find(&lead.service)?.routes.get(part)
    }

    /// Every service with its endpoints, those of names that resolved included, in no particular order.
    pub fn endpoints(&self) -> impl Iterator<Item = (&Arc<str>, &[Arc<Endpoint>])> {
        self.served.iter().map(|served| (&served.service.name, &*served.endpoints))
    }

    /// The endpoints of one service, those of names that resolved included; `None` if there is no such service.
    pub fn endpoints_of(&self, service: &str) -> Option<&[Arc<Endpoint>]> {
        self.served.find(service).map(|served| &*served.endpoints)
    }

    /// How many names lead somewhere.
    pub fn len(&self) -> usize {
        self.snapshot.names()
    }

    /// Whether no name leads anywhere.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Whether whoever may call the one by a name may call the other by it.
fn judges_alike(one: &Service, other: &Service) -> bool {
    let subsets = |service: &Service| -> Vec<_> {
        service.subsets.iter().map(|subset| (subset.name.clone(), subset.allow.clone())).collect()
    };
    one.mode == other.mode
        && one.policy == other.policy
        && one.host == other.host
        && one.names == other.names
        && subsets(one) == subsets(other)
}

/// Every host whose answer is another one.
fn moved<'a>(before: &'a Answers, after: &'a Answers) -> Vec<&'a HostPort> {
    if Arc::ptr_eq(before, after) {
        return Vec::new();
    }
    let changed = after.iter().filter(|(host, addresses)| before.get(host) != Some(addresses));
    let gone = before.keys().filter(|host| !after.contains_key(host));
    changed.map(|(host, _)| host).chain(gone).collect()
}

impl Served {
    /// A service with its endpoints, of which those that were known go on.
    fn new(service: &Arc<Service>, answers: &Answers, known: Option<&Arc<Self>>) -> Arc<Self> {
        let before = known.map_or(&[][..], |known| &*known.endpoints);
        let mut adoption = Adoption::new(before, service.endpoints.len());
        let members = members(service, answers, &mut adoption);
        let route = |subset: Option<&Subset>| {
            let chosen = members
                .iter()
                .filter(|(spec, _)| subset.is_none_or(|subset| subset.has(spec)))
                .map(|(_, member)| member.clone())
                .collect();
            let name = subset.map(|subset| subset.name.as_str());
            let old =
                known.and_then(|known| known.routes.iter().find(|route| route.subset.as_deref() == name));
            let turns = old.and_then(|route| route.pool.turns().cloned());
            Arc::new(Route {
                service: service.clone(),
                subset: name.map(Into::into),
                pool: Pool::new(chosen, service.balance, turns),
                own: subset.and_then(|subset| subset.policy(&service.policy)).map(Box::new),
            })
        };
        let routes = std::iter::once(None).chain(service.subsets.iter().map(Some)).map(route).collect();
        Arc::new(Self { service: service.clone(), routes, endpoints: adoption.used.into() })
    }
}

/// The endpoints of a service as they are found: each address once, and the one known from before where there is one.
struct Adoption<'a> {
    known: &'a [Arc<Endpoint>],
    used: Vec<Arc<Endpoint>>,
    by_address: Option<ByAddress<'a>>,
}

/// The same, where there are many.
struct ByAddress<'a> {
    known: HashMap<SocketAddr, &'a Arc<Endpoint>>,
    used: HashSet<SocketAddr>,
}

/// From so many endpoints on they are looked up and not gone through.
const MANY: usize = 32;

impl<'a> Adoption<'a> {
    fn new(known: &'a [Arc<Endpoint>], expected: usize) -> Self {
        let index = || ByAddress {
            known: known.iter().map(|known| (known.address(), known)).collect(),
            used: HashSet::new(),
        };
        let by_address = (known.len().max(expected) >= MANY).then(index);
        Self { known, used: Vec::with_capacity(expected), by_address }
    }

    /// The endpoint of this address; `None` if it was asked for already.
    fn adopt(&mut self, address: SocketAddr) -> Option<Arc<Endpoint>> {
        let is = |endpoint: &&Arc<Endpoint>| endpoint.address() == address;
        let (is_new, known) = match &mut self.by_address {
            Some(ByAddress { known, used }) => (used.insert(address), known.get(&address).copied()),
            None => (!self.used.iter().any(|used| is(&used)), self.known.iter().find(is)),
        };
        if !is_new {
            return None;
        }
        let endpoint = known.cloned().unwrap_or_else(|| Arc::new(Endpoint::new(address)));
        self.used.push(endpoint.clone());
        Some(endpoint)
    }
}

/// The endpoints of a service as members of pools, with what is configured of each.
fn members<'a>(
    service: &'a Service,
    answers: &Answers,
    adoption: &mut Adoption<'_>,
) -> Vec<(&'a EndpointSpec, Member)> {
    let mut members = Vec::with_capacity(service.endpoints.len());
    for spec in &service.endpoints {
        let addresses = match &spec.target {
            Target::Address(address) => std::slice::from_ref(address),
            Target::Host(host) => answers.get(host).map_or(&[][..], Vec::as_slice),
        };
        for &address in addresses {
            if let Some(endpoint) = adoption.adopt(address) {
                members
                    .push((spec, Member { endpoint, weight: spec.weight.max(1), priority: spec.priority }));
            }
        }
    }
    members
}
