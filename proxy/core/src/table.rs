//! From a server name to a service and its endpoints.
//!
//! A [`Table`] is compiled from a [`Snapshot`] off to the side and never changed. What must outlive it, each
//! [`Endpoint`](crate::endpoint::Endpoint) and the round of round robin, is taken over from the table that it replaces,
//! and so is everything that didn't change.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use self::served::Served;
use crate::endpoint::{Member, Pool};
use crate::policy::Policy;
use crate::service::{HostPort, Service, Subset};
use crate::shards::Shards;
use crate::snapshot::Snapshot;
use crate::sni::Sni;

mod adoption;
mod served;
#[cfg(test)]
mod tests;

/// Where a server name leads.
#[derive(Debug)]
pub struct Route {
    /// The service.
    pub service: Arc<Service>,
    /// The endpoints of the service or subset.
    pub pool: Pool,
    /// The subset, where the name asks for one.
    part: Option<Box<Part>>,
}

/// The subset that a route leads to.
#[derive(Debug)]
struct Part {
    name: Box<str>,
    /// Its policy, where it has a list of its own.
    policy: Option<Policy>,
}

impl Route {
    /// The route to a service as a whole that has no endpoints: for whoever is asked only whether a caller may.
    pub fn without_endpoints(service: Service) -> Self {
        let pool = Pool::new(Vec::new(), service.balance, None);
        Self { service: Arc::new(service), pool, part: None }
    }

    /// The subset, where the name asks for one.
    pub fn subset(&self) -> Option<&str> {
        self.part.as_ref().map(|part| &*part.name)
    }

    /// The policy in force for the name: the subset's where it has a list of its own, else the service's.
    pub fn policy(&self) -> &Policy {
        self.own().unwrap_or(&self.service.policy)
    }

    /// Whether the subset has a list of its own.
    pub fn has_own_list(&self) -> bool {
        self.own().is_some()
    }

    fn own(&self) -> Option<&Policy> {
        self.part.as_ref()?.policy.as_ref()
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
    served: Shards<Served>,
    rejudges: bool,
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
            return Some(Found { route: self.route(lead.service(), lead.part())?, suffix: None });
        }
        if !self.snapshot.has_suffixes() {
            return None;
        }
        let mut rest = name;
        while let Some((_, suffix)) = rest.split_once('.') {
            if let Some(lead) = self.snapshot.suffix(suffix) {
                let route = self.route(&lead.service, lead.part)?;
                return Some(Found { route, suffix: Some(&lead.name) });
            }
            rest = suffix;
        }
        None
    }

    fn route(&self, service: &str, part: u32) -> Option<&Arc<Route>> {
        let served = self.served.find(service)?;
        match usize::try_from(part).ok()?.checked_sub(1) {
            None => Some(&served.whole),
            Some(subset) => served.parts.as_ref()?.get(subset),
        }
    }

    /// Every service with its endpoints, those of names that resolved included, in no particular order.
    pub fn endpoints(&self) -> impl Iterator<Item = (&Arc<str>, &[Member])> {
        self.served.iter().map(|served| (&served.whole.service.name, served.whole.pool.members()))
    }

    /// The endpoints of one service, those of names that resolved included; `None` if there is no such service.
    pub fn endpoints_of(&self, service: &str) -> Option<&[Member]> {
        self.served.find(service).map(|served| served.whole.pool.members())
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
        && one.host() == other.host()
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

impl Part {
    fn new(subset: &Subset, service: &Service) -> Self {
        Self { name: subset.name.as_str().into(), policy: subset.policy(&service.policy) }
    }
}
