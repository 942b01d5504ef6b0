//! Where names lead.

use std::borrow::Cow;
use std::sync::Arc;

use crate::service::host_and_port;
use crate::shards::Named;
use crate::sni::{Sni, key_text};

/// Where a name leads.
#[derive(Debug, Clone)]
pub(crate) struct Lead {
    pub(crate) name: Sni,
    pub(crate) service: Arc<str>,
    /// The place in [`Service::routes`](crate::service::Service::routes)' order of subsets, from 1; 0 is the whole
    /// service.
    pub(crate) part: u32,
}

/// Where a name leads that is looked up whole.
#[derive(Debug, Clone)]
pub(crate) enum Exact {
    /// To the whole of this service, by its key. Nearly every name is one, so its text isn't kept but made anew of the
    /// service's name.
    Key(Arc<str>),
    /// To this, by a name of another kind.
    Other(Arc<Lead>),
}

impl Exact {
    pub(crate) fn service(&self) -> &Arc<str> {
        match self {
            Self::Key(service) => service,
            Self::Other(lead) => &lead.service,
        }
    }

    pub(crate) fn part(&self) -> u32 {
        match self {
            Self::Key(_) => 0,
            Self::Other(lead) => lead.part,
        }
    }
}

impl From<Lead> for Exact {
    fn from(lead: Lead) -> Self {
        if lead.part == 0 && key(&lead.service) == lead.name.as_str() {
            Self::Key(lead.service)
        } else {
            Self::Other(Arc::new(lead))
        }
    }
}

/// The key of a service of this name.
fn key(service: &str) -> String {
    host_and_port(service).map_or_else(String::new, |(host, port)| key_text(host, port, ""))
}

impl Named for Lead {
    fn name(&self) -> Cow<'_, str> {
        Cow::Borrowed(self.name.as_str())
    }

    fn is_same(&self, other: &Self) -> bool {
        self.part == other.part && self.service == other.service
    }
}

impl Named for Exact {
    fn name(&self) -> Cow<'_, str> {
        match self {
            Self::Key(service) => Cow::Owned(key(service)),
            Self::Other(lead) => lead.name(),
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        self.part() == other.part() && self.service() == other.service()
    }
}
