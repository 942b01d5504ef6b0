//! An endpoint as configured.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

/// Where an endpoint is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Target {
    /// At this address.
    Address(SocketAddr),
    /// At every address that this host name resolves to.
    Host(HostPort),
}

/// A host name and a port.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostPort {
    /// The name to resolve.
    pub host: Arc<str>,
    /// The port to dial.
    pub port: u16,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => write!(f, "{address}"),
            Self::Host(HostPort { host, port }) => write!(f, "{host}:{port}"),
        }
    }
}

/// Labels by which subsets choose endpoints.
pub type Labels = BTreeMap<String, String>;

/// An endpoint as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointSpec {
    /// Where it is.
    pub target: Target,
    /// Its share of connections relative to the others; at least 1. Default 1.
    pub weight: u32,
    /// Endpoints of the lowest number that has a usable one are chosen. Default 0.
    pub priority: u32,
    /// Where it belongs, where anything is said of that.
    pub about: Option<Box<About>>,
}

/// Where an endpoint belongs. Most endpoints have nothing of it, so that it stands apart.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct About {
    /// `region/zone/subzone`, where known.
    pub locality: Option<String>,
    /// For subsets. Default none.
    pub labels: Labels,
}

impl About {
    /// The value for [`EndpointSpec::about`]: `None` where nothing is said.
    pub fn boxed(self) -> Option<Box<Self>> {
        let nothing = self.locality.is_none() && self.labels.is_empty();
        (!nothing).then(|| Box::new(self))
    }
}

/// No labels.
static UNLABELLED: Labels = Labels::new();

impl EndpointSpec {
    /// An endpoint at an address, with weight 1, priority 0 and no labels.
    pub fn at(address: SocketAddr) -> Self {
        Self { target: Target::Address(address), weight: 1, priority: 0, about: None }
    }

    /// `region/zone/subzone`, where known.
    pub fn locality(&self) -> Option<&str> {
        self.about.as_ref()?.locality.as_deref()
    }

    /// Its labels.
    pub fn labels(&self) -> &Labels {
        self.about.as_ref().map_or(&UNLABELLED, |about| &about.labels)
    }
}
