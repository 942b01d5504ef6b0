//! What entries, stores and verifiers show of themselves: names and numbers, and no certificates.

use std::sync::Arc;

use landbridge_core::service::UpstreamTls;

use super::*;
use crate::testing::route;
use crate::verifier::upstream::UpstreamGate;
use crate::verifier::{Gate, Judge, Verdict};

#[test]
fn an_entry_is_shown_by_name_domain_and_how_much_is_in_it() {
    let ca = root("root");
    let crl = ca.crl(&[], day()).unwrap();
    let entry = entry_with("cluster-1", "cluster.local", &[&ca], Some(&crl));
    let anchor = entry.anchors().next().unwrap();
    assert_eq!(format!("{anchor:?}"), "Anchor(..)");
    let expected = r#"TrustEntry { name: "cluster-1", domain: "cluster.local", anchors: 1, crls: 1, .. }"#;
    assert_eq!(format!("{entry:?}"), expected);
    assert_eq!(format!("{:?}", store(vec![entry])), format!("[{expected}]"));
}

#[test]
fn a_verifier_is_shown_by_whom_it_serves_and_never_by_what_it_believes() {
    let trust = store(vec![entry("cluster-1", "cluster.local", &[&root("root")])]);
    let algorithms = provider().signature_verification_algorithms;
    let judge = Arc::new(Judge { trust: trust.clone(), route: route(service(&[])) });
    let gate = Gate { judge, verdict: Verdict::new(), session: None, algorithms };
    assert_eq!(format!("{gate:?}"), r#"Gate { service: "httpbin.default.svc.cluster.local:8000", .. }"#);
    let expected = Arc::new(UpstreamTls { server_identities: Vec::new() });
    let gate = UpstreamGate { trust, expected, verdict: Verdict::new(), algorithms };
    assert_eq!(format!("{gate:?}"), "UpstreamGate { expected: UpstreamTls { server_identities: [] }, .. }");
}

#[test]
fn a_warning_says_what_is_out_of_date_where_and_what_follows() {
    let mut options = CaOptions::new(now());
    options.validity.not_after = at(now(), -1);
    let expired = Ca::root("old", &options).unwrap();
    let mut options = CaOptions::new(now());
    options.validity.not_before = at(now(), 600);
    let early = Ca::root("new", &options).unwrap();
    let validity = Validity { not_before: at(now(), -120), not_after: at(now(), -60) };
    let crl = expired.crl(&[], validity).unwrap();
    let entry = entry_with("cluster-1", "cluster.local", &[&expired, &early], Some(&crl));
    let shown: Vec<String> = entry.warnings().iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            r#"a root in the bundle of cluster-1 has expired and vouches for nobody: "CN=old""#,
            r#"a root in the bundle of cluster-1 is not valid yet and vouches for nobody: "CN=new""#,
            "a revocation list in the CRL of cluster-1 has expired; until it is renewed, nobody is let in whom \
             it could name: \"CN=old\"",
        ]
    );
}
