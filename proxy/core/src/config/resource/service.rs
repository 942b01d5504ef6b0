//! The `service` resource, and what others make of it.

use std::collections::{BTreeSet, HashSet};

use super::scope::{Decision, Scope};
use super::{Code, Lowered, Objection, PeerSpec, PolicySpec, lists, lowered};
use crate::config::findings::{Complaint, Findings, Place};
use crate::config::lower::service::{self as lower, ServicePlaces};
use crate::config::raw::{List, RawAuthorization, RawMode, RawService};
use crate::config::read;
use crate::policy::{Grant, Policy};
use crate::service::{EndpointSpec, Service};
use crate::sni::NamePattern;
use crate::spiffe::TrustName;

/// What a `service` resource means by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceSpec {
    /// The service, with the endpoints and grants of its own spec.
    pub service: Service,
    /// Whether the spec lists endpoints, if only none: then no `endpoints` resource may.
    pub lists_endpoints: bool,
    /// The names of the peers whose callers alone may call; `None` is any.
    pub exposure: Option<Vec<Box<str>>>,
}

/// Lowers the spec of a `service` resource.
///
/// # Errors
/// Everything that is wrong with it, at most [`OBJECTIONS`](super::OBJECTIONS).
pub fn service(spec: &str, scope: &Scope) -> Lowered<ServiceSpec> {
    lowered(spec, |node, place, found| {
        let raw: Option<RawService> = read::field(node, place, &["exposure"], found).value;
        let exposure: Option<List<String>> = node.inside("exposure").map(|list| {
            let place = found.absent(place, "exposure");
            read::field(list, place, &[], found)
        });
        let raw = raw?;
        permit(&raw, place, scope, found);
        if let Some(list) = &exposure
            && lower::mode(&raw) == Some(RawMode::Passthrough)
        {
            let complaint = Complaint::new(
                "cannot be kept with mode = \"passthrough\": the gateway does not see who calls",
            );
            found.error(list.place, complaint.help("remove it, or let the gateway terminate TLS"));
        }
        let exposure = exposure.map(|list| lists::names(Some(&list), found));
        let (service, places) = lower::service(&raw, place, &scope.of_services(), found)?;
        refuse_unroutable(&service, &places, found);
        Some(ServiceSpec { service, lists_endpoints: raw.endpoints.is_some(), exposure })
    })
}

/// Notes names that TLS can't carry, and those that the service has twice.
fn refuse_unroutable(service: &Service, places: &ServicePlaces, found: &mut Findings) {
    match service.routes() {
        Ok(routes) => {
            let mut seen: BTreeSet<&NamePattern> = BTreeSet::new();
            for (pattern, _) in routes.iter().filter(|(pattern, _)| !seen.insert(pattern)) {
                let complaint = Complaint::new(format!("{pattern} leads to this service already"));
                found.error(places.of(pattern), complaint.help("remove it here"));
            }
        }
        Err(error) => {
            let message = format!("a name of this service cannot be carried by TLS: {error}");
            found.error(places.main, Complaint::new(message));
        }
    }
}

/// Notes what the stream may not decide.
fn permit(raw: &RawService, service: Place, scope: &Scope, found: &mut Findings) {
    scope.permit(Decision::Service, service, found);
    let endpoints = raw.endpoints.as_ref().map(|field| (Decision::Endpoints, field.place));
    let subsets = lists::items(raw.subset.as_ref()).iter();
    let subsets = subsets.filter_map(|field| field.value.as_ref()?.allow.as_ref());
    let policies = raw.allow.iter().chain(subsets).map(|field| (Decision::Policy, field.place));
    let audit = raw.authorization.as_ref().filter(|field| field.value == Some(RawAuthorization::Audit));
    let audit = audit.map(|field| (Decision::Audit, field.place));
    let through = raw.mode.as_ref().filter(|field| field.value == Some(RawMode::Passthrough));
    let through = through.map(|field| (Decision::Passthrough, field.place));
    for (decision, place) in endpoints.into_iter().chain(policies).chain(audit).chain(through) {
        scope.permit(decision, place, found);
    }
}

/// So many grants a service may have by its exposure, where each grant that is bound to no trust entry becomes one
/// for every entry that it is exposed to.
const MOST_EXPOSED: usize = 1 << 16;

impl ServiceSpec {
    /// The service as it is in force: with the endpoints of its resource, where the spec lists none, with the grants
    /// of policies, and for nobody but callers of the peers that it is exposed to.
    ///
    /// `peer` finds a peer by its name; one that it doesn't find has no callers. The grants of policies join the
    /// service's own list, not those of its subsets. A service that is passed through takes none: its endpoint decides.
    ///
    /// # Errors
    /// An exposure to so many trust entries that it makes more than 65,536 grants.
    pub fn assemble<'a>(
        &self,
        endpoints: Option<&[EndpointSpec]>,
        policies: impl IntoIterator<Item = &'a PolicySpec>,
        peer: impl Fn(&str) -> Option<&'a PeerSpec>,
    ) -> Result<Service, Objection> {
        let mut service = self.service.clone();
        if let (false, Some(endpoints)) = (self.lists_endpoints, endpoints) {
            service.endpoints = endpoints.into();
        }
        let mut policies = policies.into_iter().peekable();
        if let (Policy::Grants { allow, .. }, true) = (&mut service.policy, policies.peek().is_some()) {
            *allow = united(allow, policies).into();
        }
        let Some(names) = &self.exposure else { return Ok(service) };
        let to: BTreeSet<&TrustName> =
            names.iter().filter_map(|name| peer(name)).flat_map(|peer| &peer.trust).collect();
        if let Policy::Grants { allow, .. } = &mut service.policy {
            *allow = narrowed(allow, &to)?.into();
        }
        for subset in &mut service.subsets {
            if let Some(allow) = &mut subset.allow {
                *allow = narrowed(allow, &to)?;
            }
        }
        Ok(service)
    }
}

/// The grants of a service and of policies, each once.
fn united<'a>(own: &[Grant], policies: impl IntoIterator<Item = &'a PolicySpec>) -> Vec<Grant> {
    let key = |grant: &Grant| (grant.id.clone(), grant.from.clone());
    let mut grants = own.to_vec();
    let mut seen: HashSet<_> = own.iter().map(key).collect();
    let further = policies.into_iter().flat_map(|policy| &policy.allow);
    grants.extend(further.filter(|grant| seen.insert(key(grant))).cloned());
    grants
}

/// Of these grants, what they allow to callers whom one of the trust entries `to` vouches for.
fn narrowed(grants: &[Grant], to: &BTreeSet<&TrustName>) -> Result<Vec<Grant>, Objection> {
    let mut narrowed = Vec::with_capacity(grants.len());
    for grant in grants {
        match &grant.from {
            Some(from) if to.contains(from) => narrowed.push(grant.clone()),
            Some(_) => {}
            None => {
                narrowed.extend(to.iter().map(|from| Grant { from: Some((*from).clone()), ..grant.clone() }));
            }
        }
        if narrowed.len() > MOST_EXPOSED {
            return Err(Objection {
                field: "exposure".to_owned(),
                code: Code::Invalid,
                message: format!("makes more than {MOST_EXPOSED} grants of those in allow"),
                help: Some("bind each grant to the trust entry that it is for, by from".to_owned()),
            });
        }
    }
    Ok(narrowed)
}
