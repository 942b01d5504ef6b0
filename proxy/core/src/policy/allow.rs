//! The grants of a service, found by the ID that they name.

use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use super::{Grant, IdPattern};
use crate::spiffe::{Identity, TrustName, Workload};

/// The grants of a service: few are gone through, many are found by the ID that they name.
///
/// A clone is the same list, so that services with equal lists can have one between them.
#[derive(Clone)]
pub struct AllowList(Arc<Listed>);

struct Listed {
    grants: Box<[Grant]>,
    index: Option<Box<Index>>,
}

/// Where grants are, by their texts.
///
/// An ID can be named in no more than four ways, exactly or by one of the three patterns, so that a caller is
/// looked up and the list not gone through.
struct Index {
    /// Which trust entries each text is granted from, and the grant's place. No ID contains a `*`, so that no pattern
    /// reads like one.
    named: HashMap<Box<str>, Vec<(Option<TrustName>, usize)>>,
    /// Whether any of them is a pattern.
    patterns: bool,
}

/// So many grants are gone through: an index would cost more memory than they do.
const FEW: usize = 8;

impl AllowList {
    /// The place of the first grant that allows this caller.
    pub fn find(&self, identity: &Identity) -> Option<usize> {
        match &self.0.index {
            Some(index) => index.find(identity),
            None => self.0.grants.iter().position(|grant| grant.allows(identity)),
        }
    }
}

impl Index {
    fn of(grants: &[Grant]) -> Self {
        let mut named: HashMap<Box<str>, Vec<(Option<TrustName>, usize)>> =
            HashMap::with_capacity(grants.len());
        for (place, grant) in grants.iter().enumerate() {
            named.entry(grant.id.to_string().into()).or_default().push((grant.from.clone(), place));
        }
        let patterns = grants.iter().any(|grant| !matches!(grant.id, IdPattern::Exact(_)));
        Self { named, patterns }
    }

    fn find(&self, identity: &Identity) -> Option<usize> {
        let id = &identity.id;
        let exact = self.named(id.as_str(), &identity.trust);
        if !self.patterns {
            return exact;
        }
        let domain = id.trust_domain();
        let of_workload = id.workload().and_then(|Workload { namespace, service_account }| {
            let in_namespace = self.named(&format!("spiffe://{domain}/ns/{namespace}/sa/*"), &identity.trust);
            let of_account =
                self.named(&format!("spiffe://{domain}/ns/*/sa/{service_account}"), &identity.trust);
            in_namespace.into_iter().chain(of_account).min()
        });
        let of_domain = self.named(&format!("spiffe://{domain}/*"), &identity.trust);
        exact.into_iter().chain(of_workload).chain(of_domain).min()
    }

    /// The first place among the grants of this very text.
    fn named(&self, text: &str, trust: &TrustName) -> Option<usize> {
        let from = self.named.get(text)?;
        from.iter().find(|(from, _)| from.as_ref().is_none_or(|from| from == trust)).map(|(_, place)| *place)
    }
}

impl From<Vec<Grant>> for AllowList {
    fn from(grants: Vec<Grant>) -> Self {
        let index = (grants.len() > FEW).then(|| Box::new(Index::of(&grants)));
        Self(Arc::new(Listed { grants: grants.into(), index }))
    }
}

impl PartialEq for AllowList {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.grants == other.0.grants
    }
}

impl Eq for AllowList {}

impl Hash for AllowList {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.grants.hash(state);
    }
}

impl Deref for AllowList {
    type Target = [Grant];

    fn deref(&self) -> &[Grant] {
        &self.0.grants
    }
}

impl fmt::Debug for AllowList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.grants.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spiffe::SpiffeId;

    #[test]
    fn an_allow_list_finds_the_first_of_its_grants_that_allows_the_caller() {
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
        let grant = |id: &str, from: Option<&str>| Grant {
            id: IdPattern::parse(id).unwrap(),
            from: from.map(TrustName::new),
            alias_of: None,
        };
        let grants: Vec<Grant> = ids
            .iter()
            .chain(&patterns)
            .flat_map(|id| [None, Some("t"), Some("u")].map(|from| grant(id, from)))
            .collect();
        // Every list of one or two grants, in either order, so that no grant hides another.
        for first in &grants {
            for second in &grants {
                let list = AllowList::from(vec![first.clone(), second.clone()]);
                let index = Index::of(&list);
                for (id, trust) in ids.iter().flat_map(|id| ["t", "u"].map(|trust| (id, trust))) {
                    let identity =
                        Identity { trust: TrustName::new(trust), id: SpiffeId::parse(id).unwrap() };
                    let scanned = list.iter().position(|grant| grant.allows(&identity));
                    assert_eq!(index.find(&identity), scanned, "{list:?} on {identity:?}");
                    assert_eq!(list.find(&identity), scanned, "{list:?} on {identity:?}");
                }
            }
        }
    }

    #[test]
    fn many_grants_are_found_as_few_are() {
        let grants: Vec<Grant> = (0..100)
            .map(|number| Grant {
                id: IdPattern::parse(&format!("spiffe://td/ns/a/sa/s{number}")).unwrap(),
                from: None,
                alias_of: None,
            })
            .collect();
        for count in [FEW, FEW + 1, 100] {
            let list = AllowList::from(grants[..count].to_vec());
            assert_eq!((list.len(), list.0.index.is_some()), (count, count > FEW));
            let find = |number: usize| {
                let id = SpiffeId::parse(&format!("spiffe://td/ns/a/sa/s{number}")).unwrap();
                list.find(&Identity { trust: TrustName::new("t"), id })
            };
            assert_eq!((find(count - 1), find(count), find(0)), (Some(count - 1), None, Some(0)));
        }
    }

    #[test]
    fn an_empty_list_finds_nobody_and_shows_so() {
        let identity = Identity { trust: TrustName::new("t"), id: SpiffeId::parse("spiffe://td/a").unwrap() };
        let empty = AllowList::from(Vec::new());
        assert_eq!((empty.find(&identity), format!("{empty:?}")), (None, "[]".to_owned()));
    }
}
