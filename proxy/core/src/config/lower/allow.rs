//! Who may call a service, and whom its endpoints may prove to be.

use std::collections::BTreeSet;

use super::trust::Trusts;
use crate::config::findings::{Complaint, Findings, Place};
use crate::config::raw::{List, RawAuthorization, RawGrant, RawMode, RawService, RawUpstreamTls};
use crate::config::read::Field;
use crate::policy::{Authorization, Grant, IdPattern, Policy};
use crate::service::UpstreamTls;
use crate::spiffe::{TrustDomain, TrustName};

/// The policy of a service whose mode is `mode`; `None` if that could not be read.
pub(super) fn policy(
    raw: &RawService,
    place: Place,
    mode: Option<RawMode>,
    trusts: &Trusts,
    found: &mut Findings,
) -> Policy {
    if mode == Some(RawMode::Passthrough) {
        return Policy::EndpointDecides;
    }
    let authorization = match &raw.authorization {
        Some(Field { value: Some(RawAuthorization::Audit), .. }) => Authorization::Audit,
        _ => Authorization::Enforce,
    };
    let nobody = raw.allow.as_ref().is_none_or(|list| list.value.as_ref().is_some_and(Vec::is_empty));
    if nobody && mode.is_some() {
        warn_of_nobody(raw, place, authorization, found);
    }
    Policy::Grants { allow: grants(raw.allow.as_ref(), trusts, found).into(), authorization }
}

/// Whom an endpoint may prove to be, where TLS is spoken to it.
pub(super) fn upstream_tls(
    raw: Option<&Field<RawUpstreamTls>>,
    trusts: &Trusts,
    found: &mut Findings,
) -> Option<UpstreamTls> {
    let table = raw?;
    let list = table.value.as_ref()?.server_identities.as_ref();
    let nobody = match list {
        None => Some((found.absent(table.place, "server_identities"), "missing")),
        Some(Field { value: Some(list), place }) if list.is_empty() => {
            Some((*place, "an empty list would believe no endpoint"))
        }
        Some(_) => None,
    };
    if let Some((place, message)) = nobody {
        let complaint = Complaint::new(message);
        found.error(place, complaint.help("list the SPIFFE IDs or patterns that an endpoint may present"));
    }
    Some(UpstreamTls { server_identities: grants(list, trusts, found) })
}

fn grants(list: Option<&List<RawGrant>>, trusts: &Trusts, found: &mut Findings) -> Vec<Grant> {
    let list = list.and_then(|list| list.value.as_deref()).unwrap_or_default();
    let mut grants: Vec<Grant> = Vec::with_capacity(list.len());
    let mut seen: BTreeSet<String> = BTreeSet::new();
    for field in list {
        let Some(grant) = grant(field, trusts, found) else {
            continue;
        };
        if seen.insert(grant.to_string()) {
            warn_of_stranger(&grant, field.place, trusts, found);
            grants.push(grant);
        } else {
            let complaint = Complaint::new(format!("{grant} is listed already"));
            found.warning(field.place, complaint.help("remove one of the two"));
        }
    }
    grants
}

fn warn_of_nobody(raw: &RawService, place: Place, authorization: Authorization, found: &mut Findings) {
    let place = match &raw.allow {
        Some(field) => field.place,
        None => found.absent(place, "allow"),
    };
    let complaint = match authorization {
        Authorization::Enforce => Complaint::new("no caller is listed: nobody may call this service"),
        Authorization::Audit => Complaint::new(
            "no caller is listed: every caller with a valid certificate is let through, and logged as would_deny",
        ),
    };
    found.warning(place, complaint.help("list the SPIFFE IDs that may call"));
}

fn grant(field: &Field<RawGrant>, trusts: &Trusts, found: &mut Findings) -> Option<Grant> {
    match field.value.as_ref()? {
        RawGrant::Pattern(text) => {
            let id = pattern(text).map_err(|complaint| found.error(field.place, complaint)).ok()?;
            Some(Grant { id, from: None })
        }
        RawGrant::Bound { id, from } => {
            if id.is_none() {
                let place = found.absent(field.place, "id");
                found.error(
                    place,
                    Complaint::new("missing").help("add the SPIFFE ID or pattern that is meant"),
                );
            }
            let id = found.meaning(id.as_ref(), |text| pattern(text));
            let name = found.meaning(from.as_ref(), |name| entry(name, trusts));
            if from.is_some() && name.is_none() {
                return None;
            }
            Some(Grant { id: id?, from: name })
        }
    }
}

fn pattern(text: &str) -> Result<IdPattern, Complaint> {
    IdPattern::parse(text)
        .map_err(|error| Complaint::new(format!("{text:?} is no SPIFFE ID or pattern: {error}")))
}

fn entry(name: &str, trusts: &Trusts) -> Result<TrustName, Complaint> {
    if trusts.domains.contains_key(name) || trusts.incomplete {
        return Ok(TrustName::new(name));
    }
    let complaint = Complaint::new(format!("there is no [[trust]] entry named {name:?}"));
    Err(complaint.nearest(name, trusts.domains.keys().map(String::as_str)))
}

/// Notes a grant that nobody can match, because nobody vouches for its domain.
fn warn_of_stranger(grant: &Grant, place: Place, trusts: &Trusts, found: &mut Findings) {
    let domain = grant.id.trust_domain();
    if trusts.incomplete {
        return;
    }
    let complaint = match &grant.from {
        Some(from) => match trusts.domains.get(from.as_str()) {
            Some(other) if other.as_str() != domain => {
                format!("trust entry {from} vouches for {other}, not for {domain}: nobody can match this")
            }
            _ => return,
        },
        None if trusts.vouch_for(domain) => return,
        None => format!("no [[trust]] entry vouches for {domain}: nobody can match this"),
    };
    let complaint = Complaint::new(complaint);
    found.warning(place, complaint.nearest(domain, trusts.domains.values().map(TrustDomain::as_str)));
}
