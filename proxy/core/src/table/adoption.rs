//! From the endpoints that are configured to those that connections go to, of which known ones go on.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;

use super::Answers;
use crate::endpoint::{Endpoint, Member};
use crate::service::{EndpointSpec, Service, Target};

/// The endpoints of a service as members of pools, with what is configured of each; those that were known `before` go
/// on.
pub(super) fn members<'a>(
    service: &'a Service,
    answers: &Answers,
    before: &[Member],
) -> Vec<(&'a EndpointSpec, Member)> {
    let mut adoption = Adoption::new(before, service.endpoints.len());
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

/// The endpoints of a service as they are found: each address once, and the one known from before where there is one.
struct Adoption<'a> {
    known: &'a [Member],
    /// Where they are gone through.
    used: Vec<SocketAddr>,
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
    fn new(known: &'a [Member], expected: usize) -> Self {
        let index = || ByAddress {
            known: known.iter().map(|known| (known.endpoint.address(), &known.endpoint)).collect(),
            used: HashSet::new(),
        };
        let by_address = (known.len().max(expected) >= MANY).then(index);
        Self { known, used: Vec::new(), by_address }
    }

    /// The endpoint of this address; `None` if it was asked for already.
    fn adopt(&mut self, address: SocketAddr) -> Option<Arc<Endpoint>> {
        let known = if let Some(ByAddress { known, used }) = &mut self.by_address {
            if !used.insert(address) {
                return None;
            }
            known.get(&address).copied()
        } else {
            if self.used.contains(&address) {
                return None;
            }
            self.used.push(address);
            self.known.iter().map(|known| &known.endpoint).find(|known| known.address() == address)
        };
        Some(known.cloned().unwrap_or_else(|| Arc::new(Endpoint::new(address))))
    }
}
