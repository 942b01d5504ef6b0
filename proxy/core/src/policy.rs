//! Whether a caller may: allow-lists, and the permit without which nothing is dialled.
//!
//! Grants only ever allow. There are no deny rules, no negation and no regular expressions, because
//! each of those has failed open in a peer (CVE-2026-73552, CVE-2020-16844). An empty list allows
//! nobody. A trust domain is always exact.

use std::collections::HashMap;
use std::fmt;
use std::ops::Deref;

use crate::spiffe::{Identity, SpiffeError, SpiffeId, TrustDomain, TrustName, Workload, segment};

/// Who a policy is asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// The gateway verified this identity.
    Verified(Identity),
    /// The gateway did not see an identity, and this is why.
    Unseen(Unseen),
}

/// Why the gateway does not know who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unseen {
    /// The TLS session is between the caller and the endpoint; the gateway passes it through.
    Passthrough,
}

/// Which callers one grant allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdPattern {
    /// Exactly this ID.
    Exact(SpiffeId),
    /// Every service account of one namespace: `spiffe://TD/ns/NS/sa/*`.
    Namespace(TrustDomain, Box<str>),
    /// One service account in every namespace: `spiffe://TD/ns/*/sa/SA`.
    ServiceAccount(TrustDomain, Box<str>),
    /// Every ID of one trust domain: `spiffe://TD/*`.
    Domain(TrustDomain),
}

/// Why a text is not a grant's pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// The text is not a SPIFFE ID, nor would be without its `*`.
    #[error(transparent)]
    Spiffe(#[from] SpiffeError),
    /// A `*` stands where none may.
    #[error(
        "'*' may stand only for a whole part: spiffe://TD/ns/NS/sa/*, spiffe://TD/ns/*/sa/SA or spiffe://TD/* (a trust domain is always exact)"
    )]
    Star,
}

impl IdPattern {
    /// Parses an exact SPIFFE ID or one of the three patterns.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        if !text.contains('*') {
            return Ok(Self::Exact(SpiffeId::parse(text)?));
        }
        let rest = text.strip_prefix("spiffe://").ok_or(SpiffeError::Scheme)?;
        let (domain, path) = rest.split_once('/').ok_or(SpiffeError::NoPath)?;
        if domain.contains('*') {
            return Err(PatternError::Star);
        }
        let domain = TrustDomain::parse(domain)?;
        let parts: Vec<&str> = path.split('/').collect();
        match parts.as_slice() {
            ["*"] => Ok(Self::Domain(domain)),
            ["ns", namespace, "sa", "*"] if !namespace.contains('*') => {
                segment(namespace)?;
                Ok(Self::Namespace(domain, (*namespace).into()))
            }
            ["ns", "*", "sa", account] if !account.contains('*') => {
                segment(account)?;
                Ok(Self::ServiceAccount(domain, (*account).into()))
            }
            _ => Err(PatternError::Star),
        }
    }

    /// The one trust domain whose members this pattern can match.
    pub fn trust_domain(&self) -> &str {
        match self {
            Self::Exact(id) => id.trust_domain(),
            Self::Namespace(domain, _) | Self::ServiceAccount(domain, _) | Self::Domain(domain) => {
                domain.as_str()
            }
        }
    }

    /// Somebody whom the pattern names; `None` if no ID of a legal length would do.
    pub fn example(&self) -> Option<SpiffeId> {
        match self {
            Self::Exact(id) => Some(id.clone()),
            Self::Namespace(domain, namespace) => {
                SpiffeId::parse(&format!("spiffe://{domain}/ns/{namespace}/sa/any")).ok()
            }
            Self::ServiceAccount(domain, account) => {
                SpiffeId::parse(&format!("spiffe://{domain}/ns/any/sa/{account}")).ok()
            }
            Self::Domain(domain) => SpiffeId::parse(&format!("spiffe://{domain}/any")).ok(),
        }
    }

    /// Whether `id` is among those that the pattern names.
    pub fn matches(&self, id: &SpiffeId) -> bool {
        match self {
            Self::Exact(exact) => exact == id,
            Self::Domain(domain) => id.trust_domain() == domain.as_str(),
            Self::Namespace(domain, namespace) => {
                id.trust_domain() == domain.as_str()
                    && id.workload().is_some_and(|workload| workload.namespace == &**namespace)
            }
            Self::ServiceAccount(domain, account) => {
                id.trust_domain() == domain.as_str()
                    && id.workload().is_some_and(|workload| workload.service_account == &**account)
            }
        }
    }
}

impl fmt::Display for IdPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(id) => write!(f, "{id}"),
            Self::Namespace(domain, namespace) => write!(f, "spiffe://{domain}/ns/{namespace}/sa/*"),
            Self::ServiceAccount(domain, account) => write!(f, "spiffe://{domain}/ns/*/sa/{account}"),
            Self::Domain(domain) => write!(f, "spiffe://{domain}/*"),
        }
    }
}

/// One entry of an allow-list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Which callers.
    pub id: IdPattern,
    /// Only as vouched for by this trust entry; `None` accepts any entry of the pattern's domain.
    pub from: Option<TrustName>,
}

impl Grant {
    /// Whether it allows this caller.
    pub fn allows(&self, identity: &Identity) -> bool {
        self.id.matches(&identity.id) && self.from.as_ref().is_none_or(|from| *from == identity.trust)
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.from {
            Some(from) => write!(f, "{} from {from}", self.id),
            None => write!(f, "{}", self.id),
        }
    }
}

/// The grants of a service, found by the ID that they name.
///
/// An ID can be named in no more than four ways, exactly or by one of the three patterns, so that a caller is
/// looked up and the list not gone through.
#[derive(Clone, PartialEq, Eq)]
pub struct AllowList {
    grants: Vec<Grant>,
    /// Which trust entries each text is granted from. No ID contains a `*`, so that no pattern reads like one.
    named: HashMap<Box<str>, Vec<Option<TrustName>>>,
    /// Whether any of them is a pattern.
    patterns: bool,
}

impl AllowList {
    /// Whether a grant allows this caller.
    pub fn allows(&self, identity: &Identity) -> bool {
        let id = &identity.id;
        if self.names(id.as_str(), &identity.trust) {
            return true;
        }
        if !self.patterns {
            return false;
        }
        let domain = id.trust_domain();
        let of_workload = id.workload().is_some_and(|Workload { namespace, service_account }| {
            self.names(&format!("spiffe://{domain}/ns/{namespace}/sa/*"), &identity.trust)
                || self.names(&format!("spiffe://{domain}/ns/*/sa/{service_account}"), &identity.trust)
        });
        of_workload || self.names(&format!("spiffe://{domain}/*"), &identity.trust)
    }

    fn names(&self, text: &str, trust: &TrustName) -> bool {
        let from = self.named.get(text).map(Vec::as_slice).unwrap_or_default();
        from.iter().any(|from| from.as_ref().is_none_or(|from| from == trust))
    }
}

impl From<Vec<Grant>> for AllowList {
    fn from(grants: Vec<Grant>) -> Self {
        let mut named: HashMap<Box<str>, Vec<Option<TrustName>>> = HashMap::with_capacity(grants.len());
        for grant in &grants {
            named.entry(grant.id.to_string().into()).or_default().push(grant.from.clone());
        }
        let patterns = grants.iter().any(|grant| !matches!(grant.id, IdPattern::Exact(_)));
        Self { grants, named, patterns }
    }
}

impl Deref for AllowList {
    type Target = [Grant];

    fn deref(&self) -> &[Grant] {
        &self.grants
    }
}

impl fmt::Debug for AllowList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.grants.fmt(f)
    }
}

/// What becomes of a caller whom no grant allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Authorization {
    /// The caller is refused.
    #[default]
    Enforce,
    /// The caller is let through and logged as `would_deny`. Authentication is never relaxed.
    Audit,
}

impl Authorization {
    /// The word for it in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Audit => "audit",
        }
    }
}

/// Who may call a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Policy {
    /// Callers are verified, and allowed by a grant or not at all.
    Grants {
        /// The allow-list; empty means nobody.
        allow: AllowList,
        /// Whether a refusal is carried out.
        authorization: Authorization,
    },
    /// The service is passed through: its endpoint decides, the gateway cannot.
    EndpointDecides,
}

/// Proof that a policy let a connection through. Only [`Policy::check`] makes one, and dialling an
/// endpoint takes one.
#[derive(Debug)]
pub struct Permit {
    would_deny: bool,
}

impl Permit {
    /// True where the caller was let through only because the service is in audit mode.
    pub fn would_deny(&self) -> bool {
        self.would_deny
    }
}

/// The caller is not allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no grant of the service allows this caller")]
pub struct Denied;

impl Policy {
    /// Allows those whom a grant allows, and nobody else.
    pub fn allow(grants: Vec<Grant>) -> Self {
        Self::Grants { allow: grants.into(), authorization: Authorization::Enforce }
    }

    /// Decides whether `caller` may reach the service that this policy belongs to.
    pub fn check(&self, caller: &Caller) -> Result<Permit, Denied> {
        let permit = |would_deny| Ok(Permit { would_deny });
        match (self, caller) {
            (Self::EndpointDecides, Caller::Unseen(Unseen::Passthrough)) => permit(false),
            (Self::Grants { allow, authorization }, Caller::Verified(identity)) => {
                if allow.allows(identity) {
                    permit(false)
                } else if *authorization == Authorization::Audit {
                    permit(true)
                } else {
                    Err(Denied)
                }
            }
            _ => Err(Denied),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(trust: &str, id: &str) -> Caller {
        Caller::Verified(Identity { trust: TrustName::new(trust), id: SpiffeId::parse(id).unwrap() })
    }

    fn policy(grants: &[(&str, Option<&str>)], authorization: Authorization) -> Policy {
        let allow: Vec<Grant> = grants
            .iter()
            .map(|(id, from)| Grant { id: IdPattern::parse(id).unwrap(), from: from.map(TrustName::new) })
            .collect();
        Policy::Grants { allow: allow.into(), authorization }
    }

    #[test]
    fn an_empty_list_allows_nobody() {
        let nobody = policy(&[], Authorization::Enforce);
        assert_eq!(nobody.check(&caller("t", "spiffe://td/ns/a/sa/b")).unwrap_err(), Denied);
    }

    #[test]
    fn each_pattern_matches_what_it_names_and_nothing_beside() {
        let cases = [
            ("spiffe://td/ns/a/sa/b", "spiffe://td/ns/a/sa/b", true),
            ("spiffe://td/ns/a/sa/b", "spiffe://td/ns/a/sa/bb", false),
            ("spiffe://td/ns/a/sa/*", "spiffe://td/ns/a/sa/x", true),
            ("spiffe://td/ns/a/sa/*", "spiffe://td/ns/ab/sa/x", false),
            ("spiffe://td/ns/a/sa/*", "spiffe://td/ns/a/sa/x/y", false),
            ("spiffe://td/ns/a/sa/*", "spiffe://other/ns/a/sa/x", false),
            ("spiffe://td/ns/*/sa/b", "spiffe://td/ns/any/sa/b", true),
            ("spiffe://td/ns/*/sa/b", "spiffe://td/ns/any/sa/c", false),
            ("spiffe://td/*", "spiffe://td/anything/at/all", true),
            ("spiffe://td/*", "spiffe://tdx/anything", false),
        ];
        for (pattern, id, expected) in cases {
            let parsed = IdPattern::parse(pattern).unwrap();
            assert_eq!(parsed.matches(&SpiffeId::parse(id).unwrap()), expected, "{pattern} on {id}");
            assert_eq!(parsed.to_string(), pattern);
            assert!(parsed.matches(&parsed.example().unwrap()), "{pattern}");
        }
    }

    #[test]
    fn a_star_stands_only_where_it_is_defined() {
        for text in
            ["spiffe://*/a", "spiffe://td/ns/*/sa/*", "spiffe://td/ns/a*/sa/b", "spiffe://td/a/*", "*"]
        {
            assert!(IdPattern::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_grant_bound_to_a_trust_entry_refuses_the_same_id_from_another() {
        let bound = policy(&[("spiffe://cluster.local/*", Some("cluster-1"))], Authorization::Enforce);
        assert!(bound.check(&caller("cluster-1", "spiffe://cluster.local/ns/a/sa/b")).is_ok());
        assert!(bound.check(&caller("cluster-2", "spiffe://cluster.local/ns/a/sa/b")).is_err());
    }

    #[test]
    fn an_allow_list_allows_whom_one_of_its_grants_allows() {
        let ids = [
            "spiffe://td/ns/a/sa/b",
            "spiffe://td/ns/a/sa/c",
            "spiffe://td/ns/c/sa/b",
            "spiffe://td/ns/a/sa/b/c",
            "spiffe://td/ns/a/sb/b",
            "spiffe://td/a",
            "spiffe://tdx/ns/a/sa/b",
        ];
        let patterns = ["spiffe://td/ns/a/sa/*", "spiffe://td/ns/*/sa/b", "spiffe://td/*", "spiffe://tdx/*"];
        let grants: Vec<Grant> = ids
            .iter()
            .chain(&patterns)
            .flat_map(|id| [None, Some("t"), Some("u")].map(|from| (id, from)))
            .map(|(id, from)| Grant { id: IdPattern::parse(id).unwrap(), from: from.map(TrustName::new) })
            .collect();
        // Every list of one or two grants, so that no grant hides another.
        for (index, first) in grants.iter().enumerate() {
            for second in &grants[index..] {
                let list = AllowList::from(vec![first.clone(), second.clone()]);
                for (id, trust) in ids.iter().flat_map(|id| ["t", "u"].map(|trust| (id, trust))) {
                    let Caller::Verified(identity) = caller(trust, id) else { unreachable!() };
                    let scanned = list.iter().any(|grant| grant.allows(&identity));
                    assert_eq!(list.allows(&identity), scanned, "{list:?} on {identity:?}");
                }
            }
        }
    }

    #[test]
    fn audit_lets_through_and_says_so_but_never_without_an_identity() {
        let audit = policy(&[], Authorization::Audit);
        assert!(audit.check(&caller("t", "spiffe://td/ns/a/sa/b")).unwrap().would_deny);
        assert!(audit.check(&Caller::Unseen(Unseen::Passthrough)).is_err());
    }

    #[test]
    fn a_passed_through_service_is_decided_by_its_endpoint_and_by_no_identity_here() {
        assert!(Policy::EndpointDecides.check(&Caller::Unseen(Unseen::Passthrough)).is_ok());
        assert!(Policy::EndpointDecides.check(&caller("t", "spiffe://td/a")).is_err());
    }
}
