//! Who may call, and what becomes of the caller who was asked about.

use serde::Serialize;

use super::{Call, Verdict};
use crate::config::TrustFiles;
use crate::outcome::Reason;
use crate::policy::{Authorization, Caller, Grant, Policy, Unseen};
use crate::spiffe::{Identity, SpiffeId, TrustDomain, TrustName};
use crate::table::Route;

/// Who may call a service that terminates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Callers {
    /// `enforce` or `audit`.
    pub authorization: &'static str,
    /// Whose allow-list decides.
    pub list: AllowList,
    /// The allow-list.
    pub grants: Vec<GrantFacts>,
    /// With an identity: every trust entry that vouches for it, and what becomes of it then.
    pub vouching: Vec<Vouching>,
    /// What becomes of the caller, or the most that any caller may.
    #[serde(skip)]
    pub(super) verdict: Verdict,
}

/// Whose allow-list decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AllowList {
    /// That of the service.
    Service,
    /// The subset's own.
    Subset,
}

/// One entry of the allow-list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GrantFacts {
    /// Its place in the list, from 0.
    pub index: usize,
    /// The grant, as in `spiffe://cluster.local/ns/*/sa/web from cluster-1`.
    pub grant: String,
    /// The trust entries by which a caller can meet it; where there is none, nobody can.
    pub met_by: Vec<String>,
    /// The trust domain for whose grant it stands in, where it is an alias.
    pub alias_of: Option<String>,
    /// Whether it lets in the caller who was asked about.
    pub lets_in: Option<bool>,
}

/// What becomes of a caller if this trust entry vouches for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Vouching {
    /// The name of the entry.
    pub trust: String,
    /// The place in the allow-list of the grant that lets the caller in.
    pub grant: Option<usize>,
    /// What becomes of the call.
    pub verdict: Verdict,
}

/// What becomes of a call that is passed through.
pub(super) fn passed_through(policy: &Policy) -> Verdict {
    check(policy, &Caller::Unseen(Unseen::Passthrough)).0
}

impl Callers {
    pub(super) fn of(route: &Route, trust: &[TrustFiles], call: &Call) -> Self {
        let policy = route.policy();
        let list = if route.has_own_list() { AllowList::Subset } else { AllowList::Service };
        let (allow, authorization) = match policy {
            Policy::Grants { allow, authorization } => (&**allow, *authorization),
            Policy::EndpointDecides => (&[][..], Authorization::Enforce),
        };
        let asked = |entry: &&TrustFiles| call.trust.as_ref().is_none_or(|name| *name == entry.name);
        let asked: Vec<&TrustFiles> = trust.iter().filter(asked).collect();
        let vouching: Vec<Vouching> =
            call.identity.iter().flat_map(|id| vouching(policy, &asked, id)).collect();
        let verdict = match &call.identity {
            Some(id) => vouching
                .iter()
                .map(|vouching| vouching.verdict)
                .max()
                .unwrap_or(Verdict::Refused(nobody_vouches(id, trust))),
            None => anybody(policy, allow, &asked),
        };
        let grants = allow.iter().enumerate().map(|(index, grant)| GrantFacts {
            index,
            grant: grant.to_string(),
            met_by: asked.iter().filter(|entry| meets(entry, grant)).map(|it| it.name.to_string()).collect(),
            alias_of: grant.alias_of.as_ref().map(ToString::to_string),
            lets_in: call.identity.is_some().then(|| vouching.iter().any(|it| it.grant == Some(index))),
        });
        Self { authorization: authorization.as_str(), list, grants: grants.collect(), vouching, verdict }
    }
}

/// What becomes of a caller, by the trust entry that vouches for it.
fn vouching(policy: &Policy, trust: &[&TrustFiles], id: &SpiffeId) -> Vec<Vouching> {
    let of_domain = trust.iter().filter(|entry| entry.domain.as_str() == id.trust_domain());
    of_domain
        .map(|entry| {
            let identity = Identity { trust: entry.name.clone(), id: id.clone() };
            let (verdict, grant) = check(policy, &Caller::Verified(identity));
            Vouching { trust: entry.name.to_string(), grant, verdict }
        })
        .collect()
}

/// The most that any caller may: somebody of each grant, and a stranger of each trust entry.
fn anybody(policy: &Policy, allow: &[Grant], trust: &[&TrustFiles]) -> Verdict {
    let of_grants = allow.iter().flat_map(|grant| {
        let entries = trust.iter().filter(|entry| meets(entry, grant));
        entries.filter_map(|entry| Some((entry.name.clone(), grant.id.example()?)))
    });
    let strangers = trust.iter().filter_map(|entry| Some((entry.name.clone(), stranger(&entry.domain)?)));
    of_grants
        .chain(strangers)
        .map(|(trust, id): (TrustName, SpiffeId)| check(policy, &Caller::Verified(Identity { trust, id })).0)
        .max()
        .unwrap_or(Verdict::Refused(Reason::UnknownTrustDomain))
}

/// Whether a caller for whom the entry vouches can meet the grant.
fn meets(entry: &TrustFiles, grant: &Grant) -> bool {
    entry.domain.as_str() == grant.id.trust_domain()
        && grant.from.as_ref().is_none_or(|from| *from == entry.name)
}

fn stranger(domain: &TrustDomain) -> Option<SpiffeId> {
    SpiffeId::parse(&format!("spiffe://{domain}/stranger")).ok()
}

/// Why a caller is refused for whom none of the entries in question vouches.
fn nobody_vouches(id: &SpiffeId, trust: &[TrustFiles]) -> Reason {
    if trust.iter().any(|entry| entry.domain.as_str() == id.trust_domain()) {
        Reason::WrongBundle
    } else {
        Reason::UnknownTrustDomain
    }
}

/// What becomes of the caller, and the place in the allow-list of the grant that lets it in.
fn check(policy: &Policy, caller: &Caller) -> (Verdict, Option<usize>) {
    match policy.check(caller) {
        Ok(permit) if permit.would_deny() => (Verdict::WouldDeny, None),
        Ok(permit) => (Verdict::LetIn, permit.grant()),
        Err(_) => (Verdict::Refused(Reason::Denied), None),
    }
}
