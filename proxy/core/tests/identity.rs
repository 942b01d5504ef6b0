//! Who somebody is and whether they may, as the public functions tell it.

use landbridge_core::policy::{Authorization, Caller, Grant, IdPattern, PatternError, Policy, Unseen};
use landbridge_core::spiffe::SpiffeError;
use landbridge_core::{Identity, SpiffeId, TrustDomain, TrustName};

#[cfg(test)]
mod people {
    use super::*;

    pub(super) fn pattern(text: &str) -> IdPattern {
        IdPattern::parse(text).unwrap()
    }

    pub(super) fn caller(trust: &str, id: &str) -> Caller {
        Caller::Verified(Identity { trust: TrustName::new(trust), id: SpiffeId::parse(id).unwrap() })
    }
}

#[cfg(test)]
use people::{caller, pattern};

const SLEEP: &str = "spiffe://cluster.local/ns/default/sa/sleep";

#[test]
fn a_trust_domain_has_1_to_255_bytes() {
    let domain = |length: usize| TrustDomain::parse(&"d".repeat(length));
    assert_eq!(domain(0), Err(SpiffeError::DomainLength));
    assert_eq!(domain(1).unwrap().as_str(), "d");
    assert_eq!(domain(255).unwrap().as_str().len(), 255);
    assert_eq!(domain(256), Err(SpiffeError::DomainLength));
    let id = |length: usize| SpiffeId::parse(&format!("spiffe://{}/a", "d".repeat(length)));
    assert_eq!(id(255).unwrap().trust_domain().len(), 255);
    assert_eq!(id(256), Err(SpiffeError::DomainLength));
}

#[test]
fn every_byte_is_legal_in_a_trust_domain_and_in_a_path_exactly_where_the_specification_says_so() {
    for byte in 0..=255u8 {
        let lower = byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte);
        let text = format!("a{}a", char::from(byte));
        assert_eq!(TrustDomain::parse(&text).is_ok(), lower, "{text:?}");
        let path = SpiffeId::parse(&format!("spiffe://td/{text}"));
        assert_eq!(path.is_ok(), lower || byte.is_ascii_uppercase() || byte == b'/', "{text:?}");
    }
}

#[test]
fn names_are_shown_as_they_were_written() {
    let (domain, name) = (TrustDomain::parse("cluster.local").unwrap(), TrustName::new("cluster-1"));
    assert_eq!((domain.to_string(), name.to_string()), ("cluster.local".into(), "cluster-1".into()));
    assert_eq!((domain.as_str(), name.as_str()), ("cluster.local", "cluster-1"));
    assert_eq!(format!("{domain:?} {name:?}"), r#""cluster.local" "cluster-1""#);
    let id = SpiffeId::parse(SLEEP).unwrap();
    assert_eq!((id.to_string(), format!("{id:?}")), (SLEEP.to_owned(), format!("{SLEEP:?}")));
}

#[test]
fn a_misplaced_star_is_told_as_that_and_a_broken_name_as_what_is_broken() {
    for text in [
        "spiffe://*/a",
        "spiffe://a*/b",
        "spiffe://td/ns/*/sa/*",
        "spiffe://td/ns/a*/sa/*",
        "spiffe://td/ns/*/sa/b*",
        "spiffe://td/ns/a*/sa/b",
        "spiffe://td/a/*",
        "spiffe://td/*/*",
        "spiffe://td/ns/a/sa/b/*",
    ] {
        assert_eq!(IdPattern::parse(text), Err(PatternError::Star), "{text}");
    }
    for (text, error) in [
        ("*", SpiffeError::Scheme),
        ("spiffe://*", SpiffeError::NoPath),
        ("spiffe:///*", SpiffeError::DomainLength),
        ("spiffe://TD/*", SpiffeError::DomainCharacter),
        ("spiffe://td/ns//sa/*", SpiffeError::Segment),
        ("spiffe://td/ns/%/sa/*", SpiffeError::PathCharacter),
        ("spiffe://td/ns/*/sa/", SpiffeError::Segment),
        ("spiffe://td/ns/*/sa/é", SpiffeError::PathCharacter),
    ] {
        assert_eq!(IdPattern::parse(text), Err(PatternError::Spiffe(error)), "{text}");
    }
}

#[test]
fn a_pattern_knows_its_one_trust_domain() {
    for text in ["spiffe://td/a", "spiffe://td/*", "spiffe://td/ns/a/sa/*", "spiffe://td/ns/*/sa/b"] {
        assert_eq!(pattern(text).trust_domain(), "td", "{text}");
    }
}

#[test]
fn a_pattern_that_no_id_of_a_legal_length_could_match_has_no_example() {
    let namespace = |length: usize| pattern(&format!("spiffe://td/ns/{}/sa/*", "n".repeat(length)));
    // "spiffe://td/ns/" and "/sa/any" around it.
    let fits = namespace(2048 - 15 - 7);
    assert_eq!(fits.example().unwrap().as_str().len(), 2048);
    assert_eq!(namespace(2048 - 15 - 6).example(), None);
}

#[test]
fn a_service_account_in_any_namespace_stays_within_its_trust_domain() {
    let web = pattern("spiffe://td/ns/*/sa/web");
    let matches = |id: &str| web.matches(&SpiffeId::parse(id).unwrap());
    assert!(matches("spiffe://td/ns/any/sa/web"));
    assert!(!matches("spiffe://other/ns/any/sa/web"));
    assert!(!matches("spiffe://td/ns/any/sa/web/x"));
    assert!(!matches("spiffe://td/ns/sa/web"));
}

#[test]
fn a_grant_is_shown_with_the_trust_entry_that_it_is_bound_to() {
    let id = pattern("spiffe://cluster.local/*");
    let bound = Grant { id: id.clone(), from: Some(TrustName::new("cluster-1")), alias_of: None };
    assert_eq!(bound.to_string(), "spiffe://cluster.local/* from cluster-1");
    assert_eq!(Grant { id, from: None, alias_of: None }.to_string(), "spiffe://cluster.local/*");
}

#[test]
fn a_permit_says_whether_it_is_one_only_because_of_the_audit() {
    assert_eq!((Authorization::Enforce.as_str(), Authorization::Audit.as_str()), ("enforce", "audit"));
    let grants = || vec![Grant { id: pattern(SLEEP), from: None, alias_of: None }];
    let audit = Policy::Grants { allow: grants().into(), authorization: Authorization::Audit };
    assert!(!audit.check(&caller("t", SLEEP)).unwrap().would_deny());
    let other = caller("t", "spiffe://cluster.local/ns/default/sa/other");
    assert!(audit.check(&other).unwrap().would_deny());
    let enforced = Policy::allow(grants());
    assert!(!enforced.check(&caller("t", SLEEP)).unwrap().would_deny());
    assert!(enforced.check(&other).is_err());
    let unseen = Caller::Unseen(Unseen::Passthrough);
    assert!(!Policy::EndpointDecides.check(&unseen).unwrap().would_deny());
    assert!(enforced.check(&unseen).is_err());
}
