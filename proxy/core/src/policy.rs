//! Whether a caller may: allow-lists, and the permit without which nothing is dialled.
//!
//! Grants only ever allow. There are no deny rules, no negation and no regular expressions, because
//! each of those has failed open in a peer (CVE-2026-73552, CVE-2020-16844). An empty list allows
//! nobody. A trust domain is always exact.

use std::fmt;

pub use self::allow::AllowList;
use crate::spiffe::{Identity, SpiffeError, SpiffeId, TrustDomain, TrustName, segment};

mod allow;

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
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
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

    /// The same pattern of another trust domain; `None` if no ID of a legal length would match it.
    pub fn under(&self, domain: &TrustDomain) -> Option<Self> {
        Some(match self {
            Self::Exact(id) => Self::Exact(SpiffeId::parse(&format!("spiffe://{domain}{}", id.path())).ok()?),
            Self::Namespace(_, namespace) => Self::Namespace(domain.clone(), namespace.clone()),
            Self::ServiceAccount(_, account) => Self::ServiceAccount(domain.clone(), account.clone()),
            Self::Domain(_) => Self::Domain(domain.clone()),
        })
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
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Grant {
    /// Which callers.
    pub id: IdPattern,
    /// Only as vouched for by this trust entry; `None` accepts any entry of the pattern's domain.
    pub from: Option<TrustName>,
    /// The trust domain that the pattern's own migrates to, for whose grant this one stands in meanwhile.
    ///
    /// It is a mark: what the grant allows does not depend on it.
    pub alias_of: Option<TrustDomain>,
}

impl Grant {
    /// Whether it allows this caller.
    pub fn allows(&self, identity: &Identity) -> bool {
        self.id.matches(&identity.id) && self.from.as_ref().is_none_or(|from| *from == identity.trust)
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.id)?;
        if let Some(from) = &self.from {
            write!(f, " from {from}")?;
        }
        match &self.alias_of {
            Some(domain) => write!(f, " (alias of {domain})"),
            None => Ok(()),
        }
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
    grant: Option<usize>,
}

impl Permit {
    /// The place in the allow-list of the grant that let the caller in: the first that allows it. `None`
    /// where none did, in audit mode, and where the endpoint decides.
    pub fn grant(&self) -> Option<usize> {
        self.grant
    }

    /// True where the caller was let through only because the service is in audit mode.
    pub fn would_deny(&self) -> bool {
        self.would_deny
    }
}

/// The caller is not allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no grant allows this caller")]
pub struct Denied;

impl Policy {
    /// Allows those whom a grant allows, and nobody else.
    pub fn allow(grants: Vec<Grant>) -> Self {
        Self::Grants { allow: grants.into(), authorization: Authorization::Enforce }
    }

    /// Decides whether `caller` may reach the service that this policy belongs to.
    pub fn check(&self, caller: &Caller) -> Result<Permit, Denied> {
        match (self, caller) {
            (Self::EndpointDecides, Caller::Unseen(Unseen::Passthrough)) => {
                Ok(Permit { would_deny: false, grant: None })
            }
            (Self::Grants { allow, authorization }, Caller::Verified(identity)) => {
                match (allow.find(identity), authorization) {
                    (None, Authorization::Enforce) => Err(Denied),
                    (grant, _) => Ok(Permit { would_deny: grant.is_none(), grant }),
                }
            }
            _ => Err(Denied),
        }
    }

    /// The grant at this place of the allow-list, as [`Permit::grant`] has it.
    pub fn grant(&self, index: usize) -> Option<&Grant> {
        match self {
            Self::Grants { allow, .. } => allow.get(index),
            Self::EndpointDecides => None,
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
            .map(|(id, from)| Grant {
                id: IdPattern::parse(id).unwrap(),
                from: from.map(TrustName::new),
                alias_of: None,
            })
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
    fn a_permit_knows_the_first_grant_that_let_the_caller_in() {
        let grants =
            [("spiffe://td/ns/a/sa/b", None), ("spiffe://td/ns/a/sa/*", None), ("spiffe://td/*", None)];
        for authorization in [Authorization::Enforce, Authorization::Audit] {
            let policy = policy(&grants, authorization);
            for (id, index) in
                [("spiffe://td/ns/a/sa/b", 0), ("spiffe://td/ns/a/sa/c", 1), ("spiffe://td/other", 2)]
            {
                let permit = policy.check(&caller("t", id)).unwrap();
                assert_eq!((permit.grant(), permit.would_deny()), (Some(index), false), "{id}");
                assert_eq!(policy.grant(index).unwrap().id.to_string(), grants[index].0);
            }
        }
        let audited = policy(&[], Authorization::Audit).check(&caller("t", "spiffe://td/x")).unwrap();
        assert_eq!(audited.grant(), None);
        let passed = Policy::EndpointDecides.check(&Caller::Unseen(Unseen::Passthrough)).unwrap();
        assert_eq!((passed.grant(), Policy::EndpointDecides.grant(0)), (None, None));
    }

    #[test]
    fn an_alias_is_shown_and_allows_no_more_than_the_grant_without_it() {
        let old = "spiffe://old.example/ns/a/sa/b";
        let alias_of = Some(TrustDomain::parse("new.example").unwrap());
        let from = Some(TrustName::new("old-mesh"));
        let alias = Grant { id: IdPattern::parse(old).unwrap(), from, alias_of };
        assert_eq!(alias.to_string(), format!("{old} from old-mesh (alias of new.example)"));
        let plain = Grant { alias_of: None, ..alias.clone() };
        let same = "ns/a/sa/b";
        for (trust, id) in [
            ("old-mesh", format!("spiffe://old.example/{same}")),
            ("new-mesh", format!("spiffe://old.example/{same}")),
            ("old-mesh", format!("spiffe://new.example/{same}")),
            ("new-mesh", format!("spiffe://new.example/{same}")),
        ] {
            let Caller::Verified(identity) = caller(trust, &id) else { panic!("{id}") };
            assert_eq!(alias.allows(&identity), plain.allows(&identity), "{trust} {id}");
            assert_eq!(
                alias.allows(&identity),
                trust == "old-mesh" && id.contains("old.example"),
                "{trust} {id}"
            );
        }
    }

    #[test]
    fn a_pattern_under_another_domain_is_the_same_but_for_that() {
        let new = TrustDomain::parse("new.example").unwrap();
        for rest in ["ns/a/sa/b", "ns/a/sa/*", "ns/*/sa/b", "*", "other"] {
            let old = IdPattern::parse(&format!("spiffe://old/{rest}")).unwrap();
            let expected = IdPattern::parse(&format!("spiffe://new.example/{rest}")).unwrap();
            assert_eq!(old.under(&new), Some(expected), "{rest}");
        }
        let longest = format!("spiffe://old/{}", "x".repeat(2048 - 13));
        assert_eq!(IdPattern::parse(&longest).unwrap().under(&new), None);
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
