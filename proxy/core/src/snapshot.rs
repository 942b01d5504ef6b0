//! Every service that is to be served, as one value of which a changed copy shares what didn't change.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use crate::service::{HostPort, Service};
use crate::shards::{Named, Shards};
use crate::sni::{NamePattern, Sni, SniError};

mod building;
mod change;
mod lead;
#[cfg(test)]
mod tests;

pub(crate) use building::Building;
pub use change::{Change, Changed};
pub(crate) use lead::{Exact, Lead};

/// Every service that is to be served, immutable and free of conflicts.
///
/// A change costs what it changes and about the root of what there is; so does the difference of two snapshots of
/// which one was made of the other.
#[derive(Clone, Default)]
pub struct Snapshot {
    pub(crate) services: Shards<Arc<Service>>,
    /// Every name that is looked up whole.
    exact: Shards<Exact>,
    /// Every suffix, without its `*.`.
    suffixes: Shards<Lead>,
    hosts: Arc<Hosts>,
    identities: Arc<Identities>,
}

/// Host names of endpoints, with the services that have such endpoints.
type Hosts = BTreeMap<HostPort, BTreeSet<Arc<str>>>;
/// What services that terminate TLS present, by its name, or the gateway's own; and how many of them do.
type Identities = BTreeMap<Option<Box<str>>, usize>;

impl Named for Arc<Service> {
    fn name(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.name)
    }

    fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(self, other)
    }
}

/// Two services can't stand side by side, or one can't be reached.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// A name leads to two services.
    #[error("{name} leads to both {first} and {second}; a name may lead to one service only")]
    Name {
        /// The name.
        name: Sni,
        /// Whether the name is a suffix pattern.
        suffix: bool,
        /// The service that had it first.
        first: Arc<str>,
        /// The service that claims it too.
        second: Arc<str>,
        /// The second service's place in the list.
        index: usize,
    },
    /// Two services have the same host and port, or the same first name.
    #[error("service {name} is configured twice")]
    Service {
        /// The service.
        name: Arc<str>,
        /// The place of the second in the list.
        index: usize,
    },
    /// A name of the service can't be carried by TLS.
    #[error("a name of service {name} cannot be carried by TLS: {error}")]
    Unroutable {
        /// The service.
        name: Arc<str>,
        /// Which rule it breaks.
        error: SniError,
        /// Its place in the list.
        index: usize,
    },
    /// Endpoints of a service that doesn't exist.
    #[error("there is no service {name}")]
    Unknown {
        /// The service.
        name: Arc<str>,
        /// Its place in the list.
        index: usize,
    },
}

impl Conflict {
    /// The place in the list of the service that is refused.
    pub fn index(&self) -> usize {
        match self {
            Self::Name { index, .. }
            | Self::Service { index, .. }
            | Self::Unroutable { index, .. }
            | Self::Unknown { index, .. } => *index,
        }
    }
}

impl Snapshot {
    /// Makes a snapshot of services whose names do not collide.
    ///
    /// # Errors
    /// Every conflict there is, not only the first.
    pub fn new(services: Vec<Service>) -> Result<Self, Vec<Conflict>> {
        let changed =
            Self::default().with(services.into_iter().map(|service| Change::Set(Arc::new(service))));
        if changed.refused.is_empty() { Ok(changed.snapshot) } else { Err(changed.refused) }
    }

    /// The services, in no particular order.
    pub fn services(&self) -> impl Iterator<Item = &Arc<Service>> {
        self.services.iter()
    }

    /// The services in the order of their names.
    pub fn sorted(&self) -> Vec<&Arc<Service>> {
        let mut services: Vec<_> = self.services().collect();
        services.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        services
    }

    /// The service of this name.
    pub fn service(&self, name: &str) -> Option<&Arc<Service>> {
        self.services.find(name)
    }

    /// How many services there are.
    pub fn len(&self) -> usize {
        self.services.len()
    }

    /// Whether there is no service.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many names lead somewhere.
    pub fn names(&self) -> usize {
        self.exact.len() + self.suffixes.len()
    }

    /// Every host name that some endpoint is given by, each once, in order.
    pub fn hosts(&self) -> Vec<HostPort> {
        self.hosts.keys().cloned().collect()
    }

    /// Whether no endpoint is given by a host name.
    pub fn is_without_hosts(&self) -> bool {
        self.hosts.is_empty()
    }

    /// Whether the endpoints are given by the same host names as those of `other`.
    pub fn has_hosts_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.hosts, &other.hosts) || self.hosts.keys().eq(other.hosts.keys())
    }

    /// The services with an endpoint that is given by this name.
    pub(crate) fn services_at(&self, host: &HostPort) -> impl Iterator<Item = &Arc<Service>> {
        let names = self.hosts.get(host).into_iter().flatten();
        names.filter_map(|name| self.services.find(name))
    }

    /// Every identity that a service presents, `None` for the gateway's own.
    pub fn identities(&self) -> impl Iterator<Item = Option<&str>> {
        self.identities.keys().map(Option::as_deref)
    }

    /// Whether any service terminates TLS, so that the gateway needs an identity.
    pub fn terminates(&self) -> bool {
        !self.identities.is_empty()
    }

    /// Where a name leads that is looked up whole.
    pub(crate) fn exact(&self, name: &str) -> Option<&Exact> {
        self.exact.find(name)
    }

    /// Where every name leads that has this suffix and no longer one.
    pub(crate) fn suffix(&self, suffix: &str) -> Option<&Lead> {
        self.suffixes.find(suffix)
    }

    /// Whether any name leads somewhere by its suffix.
    pub(crate) fn has_suffixes(&self) -> bool {
        self.suffixes.len() > 0
    }

    /// The service that a pattern leads to.
    fn owner(&self, pattern: &NamePattern) -> Option<&Arc<str>> {
        match pattern {
            NamePattern::Exact(name) => self.exact.find(name.as_str()).map(Exact::service),
            NamePattern::Suffix(name) => self.suffixes.find(name.as_str()).map(|lead| &lead.service),
        }
    }
}

impl PartialEq for Snapshot {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len()
            && self.services().all(|service| other.service(&service.name) == Some(service))
    }
}

impl Eq for Snapshot {}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.sorted()).finish()
    }
}
