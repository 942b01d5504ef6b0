//! From a leaf to a root.

use super::*;

#[test]
fn a_root_past_its_end_vouches_for_nobody() {
    let mut options = CaOptions::new(now());
    options.validity.not_after = at(now(), -1);
    let expired = Ca::root("root", &options).unwrap();
    let entry = entry("cluster-1", "cluster.local", &[&expired]);
    assert!(matches!(entry.warnings(), [TrustWarning::RootExpired { .. }]));
    let issued = expired.svid(&id(SLEEP), now()).unwrap();
    let refusal = asked(&store(vec![entry]), &issued.chain[..1], now()).unwrap_err();
    assert_eq!(refusal.reason, Reason::CertExpired);

    let mut options = CaOptions::new(now());
    options.validity.not_before = at(now(), 600);
    let early = Ca::root("root", &options).unwrap();
    let entry = crate::testing::entry("cluster-1", "cluster.local", &[&early]);
    assert!(matches!(entry.warnings(), [TrustWarning::RootNotYetValid { .. }]));
    let issued = early.svid(&id(SLEEP), now()).unwrap();
    let refusal = asked(&store(vec![entry]), &issued.chain[..1], now()).unwrap_err();
    assert_eq!(refusal.reason, Reason::CertNotYetValid);
}

#[test]
fn up_to_six_intermediates_are_followed_and_seven_are_not() {
    let ca = root("root");
    let gateway = Gateway::new(vec![entry("cluster-1", "cluster.local", &[&ca])]);
    let mut issuer = ca.intermediate("sub 1", &CaOptions::new(now())).unwrap();
    for count in 1..=7 {
        let issued = issuer.svid(&id(SLEEP), now()).unwrap();
        assert_eq!(issued.chain.len(), count + 1);
        let shaken = shake(&gateway, client(&issued));
        if count <= 6 {
            assert_eq!(shaken.trust(), "cluster-1", "{count}");
        } else {
            assert_eq!(shaken.refused(), reason(Reason::CertPath), "{count}");
        }
        issuer = issuer.intermediate(&format!("sub {}", count + 1), &CaOptions::new(now())).unwrap();
    }
}

#[test]
fn a_chain_without_its_intermediate_is_untrusted_and_one_out_of_order_is_fine() {
    let ca = root("root");
    let outer = ca.intermediate("outer", &CaOptions::new(now())).unwrap();
    let inner = outer.intermediate("inner", &CaOptions::new(now())).unwrap();
    let issued = inner.svid(&id(SLEEP), now()).unwrap();
    let store = store(vec![entry("cluster-1", "cluster.local", &[&ca])]);
    let missing = asked(&store, &issued.chain[..2], now()).unwrap_err();
    assert_eq!(missing.reason, Reason::CertUntrusted);
    let mut swapped = issued.chain[1..].to_vec();
    swapped.reverse();
    assert_eq!(store.verify(&issued.chain[0], &swapped, now(), Role::Client).unwrap().path.len(), 3);
}

#[test]
fn an_intermediate_is_held_to_validity_path_length_and_being_a_ca() {
    let ca = root("root");
    let gateway = Gateway::new(vec![entry("cluster-1", "cluster.local", &[&ca])]);
    let mut options = CaOptions::new(now());
    options.validity.not_after = at(now(), -1);
    let expired = ca.intermediate("expired", &options).unwrap();
    let shaken = shake(&gateway, client(&expired.svid(&id(SLEEP), now()).unwrap()));
    assert_eq!(shaken.refused(), reason(Reason::CertExpired));

    let mut options = CaOptions::new(now());
    options.path_length = Some(0);
    let last = ca.intermediate("last", &options).unwrap();
    let beyond = last.intermediate("beyond", &CaOptions::new(now())).unwrap();
    let shaken = shake(&gateway, client(&beyond.svid(&id(SLEEP), now()).unwrap()));
    assert_eq!(shaken.refused(), reason(Reason::CertPath));
}

#[test]
fn a_bomb_of_intermediates_is_refused_unread() {
    let ca = root("root");
    let issued = ca.svid(&id(SLEEP), now()).unwrap();
    let store = store(vec![entry("cluster-1", "cluster.local", &[&ca])]);
    let junk = |size: usize| CertificateDer::from(vec![0x30; size]);
    let verify = |extra: &[CertificateDer<'_>]| store.verify(&issued.chain[0], extra, now(), Role::Client);
    assert_eq!(verify(&vec![junk(1); 8]).unwrap_err().reason, Reason::CertPath);
    assert_eq!(verify(&[junk(32 * 1024)]).unwrap_err().reason, Reason::CertPath);
    // Seven that nobody needs are passed over.
    assert!(verify(&vec![ca.certificate().clone(); 7]).is_ok());
}

#[test]
fn uri_name_constraints_fail_closed_and_the_detail_says_so() {
    let uri = b"cluster.local";
    // NameConstraints { permittedSubtrees [0] { { base [6] } } } (RFC 5280 section 4.2.1.10).
    let length = u8::try_from(uri.len()).unwrap();
    let mut der = vec![0x30, length + 6, 0xa0, length + 4, 0x30, length + 2, 0x86, length];
    der.extend_from_slice(uri);
    let mut options = CaOptions::new(now());
    options.extensions.push(Extension { oid: vec![2, 5, 29, 30], critical: true, der });
    let ca = root("root");
    let constrained = ca.intermediate("constrained", &options).unwrap();
    let gateway = Gateway::new(vec![entry("cluster-1", "cluster.local", &[&ca])]);
    let shaken = shake(&gateway, client(&constrained.svid(&id(SLEEP), now()).unwrap()));
    assert_eq!(shaken.refused(), reason(Reason::CertPath));
    let detail = &shaken.verdict.refusal().unwrap().detail;
    assert!(detail.contains("URI name constraints"), "{detail}");
}
