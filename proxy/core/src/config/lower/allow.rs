//! Who may call a service, and whom its endpoints may prove to be.

use std::collections::BTreeSet;

use super::trust::{self, Trusts};
use crate::config::findings::{Complaint, Findings, Place};
use crate::config::raw::{List, RawAuthorization, RawGrant, RawMode, RawService, RawSubset, RawUpstreamTls};
use crate::config::read::Field;
use crate::config::resource::Code;
use crate::policy::{Authorization, Grant, IdPattern, Policy};
use crate::service::UpstreamTls;
use crate::spiffe::{TrustDomain, TrustName};

/// How the lists of one service are read.
pub(super) struct Lists<'a> {
    /// `None` if it could not be read.
    mode: Option<RawMode>,
    authorization: Authorization,
    trusts: &'a Trusts,
}

impl<'a> Lists<'a> {
    pub(super) fn of(raw: &RawService, mode: Option<RawMode>, trusts: &'a Trusts) -> Self {
        let authorization = match &raw.authorization {
            Some(Field { value: Some(RawAuthorization::Audit), .. }) => Authorization::Audit,
            _ => Authorization::Enforce,
        };
        Self { mode, authorization, trusts }
    }

    /// The policy of the service.
    pub(super) fn policy(&self, raw: &RawService, place: Place, found: &mut Findings) -> Policy {
        if self.mode == Some(RawMode::Passthrough) {
            return Policy::EndpointDecides;
        }
        match (&raw.allow, lists_of_subsets(raw)) {
            (Some(list), false) => self.warn_if_empty(list, "call this service", found),
            // Said in so many words, beside subsets that may be called.
            (Some(_), true) => {}
            (None, subsets) => {
                let place = found.absent(place, "allow");
                let what = if subsets { "call this service but by its subsets" } else { "call this service" };
                self.warn_of_nobody(place, what, found);
            }
        }
        let allow = grants(raw.allow.as_ref(), self.trusts, found).into();
        Policy::Grants { allow, authorization: self.authorization }
    }

    /// The list of a subset, where it has one of its own.
    pub(super) fn subset(&self, raw: &RawSubset, found: &mut Findings) -> Option<Vec<Grant>> {
        let list = raw.allow.as_ref().filter(|_| self.mode != Some(RawMode::Passthrough))?;
        self.warn_if_empty(list, "ask for this subset", found);
        Some(grants(Some(list), self.trusts, found))
    }

    fn warn_if_empty(&self, list: &List<RawGrant>, what: &str, found: &mut Findings) {
        if list.value.as_ref().is_some_and(Vec::is_empty) {
            self.warn_of_nobody(list.place, what, found);
        }
    }

    fn warn_of_nobody(&self, place: Place, what: &str, found: &mut Findings) {
        if self.mode.is_none() {
            return;
        }
        let complaint = Complaint::new(match self.authorization {
            Authorization::Enforce => format!("no caller is listed: nobody may {what}"),
            Authorization::Audit => {
                "no caller is listed: every caller with a valid certificate is let through, \
                                     and logged as would_deny"
                    .to_owned()
            }
        });
        found.warning(place, complaint.help("list the SPIFFE IDs that may call"));
    }
}

/// Whether any subset lists somebody of its own.
fn lists_of_subsets(raw: &RawService) -> bool {
    let subsets = raw.subset.as_ref().and_then(|list| list.value.as_deref()).unwrap_or_default();
    subsets
        .iter()
        .filter_map(|field| field.value.as_ref()?.allow.as_ref()?.value.as_ref())
        .any(|list| !list.is_empty())
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

/// The grants of a list, each once.
pub(in crate::config) fn grants(
    list: Option<&List<RawGrant>>,
    trusts: &Trusts,
    found: &mut Findings,
) -> Vec<Grant> {
    let list = list.and_then(|list| list.value.as_deref()).unwrap_or_default();
    let mut grants: Vec<Grant> = Vec::with_capacity(list.len());
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut aliases: Vec<(usize, Place)> = Vec::new();
    let mut complete = true;
    for field in list {
        let Some(grant) = grant(field, trusts, found) else {
            complete = false;
            continue;
        };
        let allows = Grant { alias_of: None, ..grant.clone() };
        if seen.insert(allows.to_string()) {
            warn_of_stranger(&grant, field.place, trusts, found);
            if let Some(RawGrant::Bound { alias_of: Some(alias), .. }) = &field.value {
                aliases.push((grants.len(), alias.place));
            }
            grants.push(grant);
        } else {
            let complaint = Complaint::new(format!("{grant} is listed already"));
            found.warning(field.place, complaint.help("remove one of the two"));
        }
    }
    if complete {
        warn_of_idle_aliases(&grants, &aliases, found);
    }
    grants
}

/// Notes each alias of a domain under which the list does not have the same grant.
fn warn_of_idle_aliases(grants: &[Grant], aliases: &[(usize, Place)], found: &mut Findings) {
    for (index, place) in aliases {
        let Some(alias) = grants.get(*index) else { continue };
        let Some(domain) = &alias.alias_of else { continue };
        let meant = alias.id.under(domain);
        if !meant.as_ref().is_some_and(|meant| grants.iter().any(|grant| grant.id == *meant)) {
            let meant = meant.map_or_else(|| format!("it under {domain}"), |meant| meant.to_string());
            let complaint =
                Complaint::new(format!("no grant of this list names {meant}: the alias stands for nobody"));
            found.warning(*place, complaint.help("add that grant, or remove alias_of"));
        }
    }
}

pub(super) fn grant(field: &Field<RawGrant>, trusts: &Trusts, found: &mut Findings) -> Option<Grant> {
    match field.value.as_ref()? {
        RawGrant::Pattern(text) => {
            let id = pattern(text).map_err(|complaint| found.error(field.place, complaint)).ok()?;
            Some(Grant { id, from: None, alias_of: None })
        }
        RawGrant::Bound { id, from, alias_of } => {
            if id.is_none() {
                let place = found.absent(field.place, "id");
                found.error(
                    place,
                    Complaint::new("missing").help("add the SPIFFE ID or pattern that is meant"),
                );
            }
            let id = found.meaning(id.as_ref(), |text| pattern(text));
            let name = found.meaning(from.as_ref(), |name| entry(name, trusts));
            let own = id.as_ref().map(IdPattern::trust_domain);
            let alias = found.meaning(alias_of.as_ref(), |text| domain(text, own));
            if from.is_some() && name.is_none() || alias_of.is_some() && alias.is_none() {
                return None;
            }
            Some(Grant { id: id?, from: name, alias_of: alias })
        }
    }
}

fn pattern(text: &str) -> Result<IdPattern, Complaint> {
    IdPattern::parse(text)
        .map_err(|error| Complaint::new(format!("{text:?} is no SPIFFE ID or pattern: {error}")))
}

/// The trust domain that the pattern's `own` migrates to.
fn domain(text: &str, own: Option<&str>) -> Result<TrustDomain, Complaint> {
    let domain = trust::domain(text)?;
    if own == Some(domain.as_str()) {
        return Err(Complaint::new(format!("{domain} is the trust domain of the id itself"))
            .help("give the trust domain that it migrates to, or remove alias_of"));
    }
    Ok(domain)
}

pub(super) fn entry(name: &str, trusts: &Trusts) -> Result<TrustName, Complaint> {
    if trusts.domains.contains_key(name) || trusts.incomplete {
        return Ok(TrustName::new(name));
    }
    let complaint = Complaint::new(format!("there is no [[trust]] entry named {name:?}"));
    Err(complaint.code(Code::UnknownReference).nearest(name, trusts.domains.keys().map(String::as_str)))
}

/// Notes a grant that nobody can match, because nobody vouches for its domain.
pub(super) fn warn_of_stranger(grant: &Grant, place: Place, trusts: &Trusts, found: &mut Findings) {
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
