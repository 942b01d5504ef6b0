//! Where the connections of a service go.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use super::service::Scope;
use super::text;
use crate::config::findings::{Complaint, Findings, Place};
use crate::config::raw::{List, RawEndpoint};
use crate::config::read::Field;
use crate::config::resource::Code;
use crate::service::{About, EndpointSpec, Labels, Target};

/// The endpoints of a service.
pub(in crate::config) struct Endpoints {
    pub(in crate::config) specs: Vec<EndpointSpec>,
    /// False if some could not be read.
    pub(super) complete: bool,
}

pub(in crate::config) fn endpoints(
    raw: Option<&List<RawEndpoint>>,
    service: Place,
    scope: &Scope<'_>,
    found: &mut Findings,
) -> Endpoints {
    let list = raw.and_then(|list| list.value.as_deref()).unwrap_or_default();
    let readable = raw.is_none_or(|list| list.value.is_some());
    if readable && list.is_empty() {
        let place = match raw {
            Some(field) => field.place,
            None => found.absent(service, "endpoints"),
        };
        let complaint = Complaint::new("no endpoint is listed: every connection is refused, with alert 80");
        found.warning(place, complaint.help("add an endpoint, such as { address = \"10.0.0.7:80\" }"));
    }
    let mut specs: Vec<EndpointSpec> = Vec::with_capacity(list.len());
    let mut seen: BTreeSet<Target> = BTreeSet::new();
    for field in list {
        let Some(raw) = &field.value else { continue };
        let Some(spec) = endpoint(raw, field.place, scope, found) else {
            continue;
        };
        if seen.insert(spec.target.clone()) {
            specs.push(spec);
        } else {
            let place = raw.address.as_ref().map_or(field.place, |address| address.place);
            let complaint = Complaint::new(format!("{} is an endpoint of this service already", spec.target));
            found.error(place, complaint.help("list it once, with a weight if it is to get more"));
        }
    }
    Endpoints { complete: readable && specs.len() == list.len(), specs }
}

fn endpoint(
    raw: &RawEndpoint,
    place: Place,
    scope: &Scope<'_>,
    found: &mut Findings,
) -> Option<EndpointSpec> {
    if raw.address.is_none() {
        let place = found.absent(place, "address");
        found.error(
            place,
            Complaint::new("missing").help("add where the endpoint is, such as address = \"10.0.0.7:80\""),
        );
    }
    let target = found.meaning(raw.address.as_ref(), |text| {
        let target = text::target(text)?;
        may_lead_to(&target, scope)?;
        Ok(target)
    });
    let weight = raw.weight.as_ref().and_then(|field| field.value);
    let priority = raw.priority.as_ref().and_then(|field| field.value);
    let locality = found.meaning(raw.locality.as_ref(), |text| locality(text));
    let labels = labels(raw.labels.as_ref());
    Some(EndpointSpec {
        target: target?,
        weight: weight.map_or(1, |weight| weight.0),
        priority: priority.map_or(0, |priority| priority.0),
        about: About { locality, labels }.boxed(),
    })
}

/// Refuses an address to which connections may not go.
fn may_lead_to(target: &Target, scope: &Scope<'_>) -> Result<(), Complaint> {
    if let Some(listener) = looped(target, scope) {
        let complaint = Complaint::new(format!(
            "{target} is this gateway's own listener ({listener}): connections would go round"
        ));
        return Err(complaint
            .code(Code::Forbidden)
            .help("give the address of the service behind the gateway"));
    }
    match (scope.rules, target) {
        (Some(rules), Target::Address(address)) => rules
            .check(*address)
            .map_err(|forbidden| Complaint::new(forbidden.to_string()).code(Code::Forbidden)),
        _ => Ok(()),
    }
}

/// The listener that a connection to `target` would come back to.
fn looped(target: &Target, scope: &Scope<'_>) -> Option<SocketAddr> {
    let Target::Address(address) = target else {
        return None;
    };
    let ip = address.ip().to_canonical();
    let reaches = |listener: IpAddr| {
        let listener = listener.to_canonical();
        listener == ip
            || (listener.is_unspecified()
                && (listener.is_ipv6() || ip.is_ipv4())
                && (ip.is_loopback() || (scope.is_ours)(ip)))
    };
    scope
        .listeners
        .iter()
        .find(|listener| listener.port() == address.port() && reaches(listener.ip()))
        .copied()
}

fn locality(text: &str) -> Result<String, Complaint> {
    let parts: Vec<&str> = text.split('/').collect();
    if parts.len() > 3 || parts.iter().any(|part| part.trim().is_empty()) {
        Err(Complaint::new(format!(
            "expected \"region\", \"region/zone\" or \"region/zone/subzone\", found {text:?}"
        )))
    } else {
        Ok(text.to_owned())
    }
}

/// Labels as written, without those that could not be read.
pub(super) fn labels(raw: Option<&Field<BTreeMap<String, Field<String>>>>) -> Labels {
    let labels = raw.and_then(|field| field.value.as_ref());
    labels
        .into_iter()
        .flatten()
        .filter_map(|(key, field)| Some((key.clone(), field.value.clone()?)))
        .collect()
}
