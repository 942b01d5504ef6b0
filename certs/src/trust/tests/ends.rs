//! To the second: when roots and revocation lists begin and end.

use super::*;

/// A root that is valid from a minute ago for two minutes.
fn brief() -> Ca {
    let mut options = CaOptions::new(now());
    options.validity = Validity { not_before: at(now(), -60), not_after: at(now(), 60) };
    Ca::root("brief", &options).unwrap()
}

fn at_time(ca: &Ca, crl: Option<&str>, time: UnixTime) -> TrustEntry {
    let domain = TrustDomain::parse("cluster.local").unwrap();
    let bundle = ca.certificate_pem();
    TrustEntry::from_parts(TrustName::new("x"), domain, bundle.as_bytes(), crl.map(str::as_bytes), time)
        .unwrap()
}

#[test]
fn the_lists_of_an_entry_have_expired_from_the_end_of_the_first_one_on() {
    let ca = root("root");
    let list = |days: i64| {
        let validity = Validity { not_before: at(now(), -60), not_after: at(now(), days * 86_400) };
        ca.crl(&[], validity).unwrap()
    };
    // The entry's own reading of the end, so that the second in which the test runs does not matter.
    let entry = entry_with("x", "cluster.local", &[&ca], Some(&(list(3) + &list(1) + &list(2))));
    let end = entry.lists_end().unwrap();
    assert!(end > at(now(), 86_300) && end < at(now(), 86_500));
    assert!(!entry.lists_expired(at(end, -1)));
    assert!(entry.lists_expired(end));
    assert!(entry.lists_expired(at(end, 1)));
    assert!(!crate::testing::entry("x", "cluster.local", &[&ca]).lists_expired(end), "it has none");
}

#[test]
fn a_list_is_warned_of_from_its_end_on() {
    let ca = root("root");
    let crl = ca.crl(&[], day()).unwrap();
    let end = at_time(&ca, Some(&crl), now()).lists_end().unwrap();
    assert_eq!(at_time(&ca, Some(&crl), at(end, -1)).warnings(), []);
    assert!(matches!(at_time(&ca, Some(&crl), end).warnings(), [TrustWarning::CrlExpired { .. }]));
}

#[test]
fn a_root_is_warned_of_before_its_first_second_and_after_its_last() {
    let ca = brief();
    let entry = at_time(&ca, None, now());
    let (first, last) = entry.validities().next().unwrap();
    for (time, warned) in [(at(first, -1), true), (first, false), (last, false), (at(last, 1), true)] {
        assert_eq!(!at_time(&ca, None, time).warnings().is_empty(), warned, "{time:?}");
    }
}

#[test]
fn a_root_vouches_from_its_first_second_to_its_last() {
    let ca = brief();
    let mut options = LeafOptions::svid(&id(SLEEP), now());
    options.validity = Validity { not_before: at(now(), -600), not_after: at(now(), 600) };
    let issued = ca.issue(&options).unwrap();
    let entry = at_time(&ca, None, now());
    let (first, last) = entry.validities().next().unwrap();
    let store = store(vec![entry]);
    let verify = |time| asked(&store, &issued.chain, time).map_err(|it| it.reason);
    assert!(verify(first).is_ok() && verify(last).is_ok());
    assert_eq!(verify(at(first, -1)).unwrap_err(), Reason::CertNotYetValid);
    assert_eq!(verify(at(last, 1)).unwrap_err(), Reason::CertExpired);
}
