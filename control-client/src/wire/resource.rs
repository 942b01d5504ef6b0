//! A resource on the wire: a whole one, a removal, or what changed inside it.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Name, Version};

/// The type of a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A service: what `[[service]]` says in the file.
    Service,
    /// The endpoints of the service of the same name.
    Endpoints,
    /// Grants across services; they unite with the services' own.
    Policy,
    /// Whom the gateway believes: what `[[trust]]` says in the file, with the bundle itself.
    TrustBundle,
    /// A remote cluster: its trust, its gateways and its network.
    Peer,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Service, Self::Endpoints, Self::Policy, Self::TrustBundle, Self::Peer];

    /// The word for it on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Endpoints => "endpoints",
            Self::Policy => "policy",
            Self::TrustBundle => "trust_bundle",
            Self::Peer => "peer",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One line about one resource.
#[derive(Debug, Clone)]
pub struct Resource {
    /// Its type.
    pub kind: Kind,
    /// Its name.
    pub name: Name,
    /// What is said of it.
    pub change: Change,
}

/// What is said of a resource.
#[derive(Debug, Clone)]
pub enum Change {
    /// It is this.
    Set {
        /// The version of `spec`.
        version: Version,
        /// Its bytes are what the version is the hash of.
        spec: Box<RawValue>,
    },
    /// It is no more.
    Removed,
    /// Endpoints only: it is what it was, but for these.
    Delta {
        /// What it must have been.
        base: Version,
        /// What it is then: the version of [`endpoints_spec`].
        version: Version,
        /// New or changed endpoints, each an object with its `address`.
        set: Vec<Box<RawValue>>,
        /// Addresses of endpoints that are no more, as they were written.
        remove: Vec<String>,
    },
}

/// The one spelling of an `endpoints` spec: endpoints as written, in the order of the bytes of their addresses.
///
/// With it a version follows from what somebody holds, and a delta can be checked. `endpoints` are pairs of an address
/// and the object it stands in.
pub fn endpoints_spec<'a>(endpoints: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut sorted: Vec<_> = endpoints.into_iter().collect();
    sorted.sort_unstable();
    let objects: Vec<&str> = sorted.into_iter().map(|(_, object)| object).collect();
    format!(r#"{{"endpoints":[{}]}}"#, objects.join(","))
}
