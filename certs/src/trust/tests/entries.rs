//! Which entry vouches for whom.

use std::cell::OnceCell;

use super::*;
use crate::trust::path::Candidate;
use crate::trust::store::in_turn;

#[test]
fn a_workload_of_a_known_domain_is_let_in_and_known_by_entry_and_id() {
    let ca = root("root");
    let issued = leaf(&ca, |options| options.dns = vec!["sleep.default".into()]);
    let gateway = Gateway::new(vec![entry("cluster-1", "cluster.local", &[&ca])]);
    let shaken = shake(&gateway, client(&issued));
    assert_eq!(shaken.trust(), "cluster-1");
    let svid = shaken.verdict.proven(shaken.server()).unwrap();
    assert_eq!(svid.identity.id, id(SLEEP));
    assert_eq!(&*svid.path[0].serial, issued.serial.as_slice());
    assert_eq!(svid.path.len(), 1);
    assert!(gateway.trust.entries().next().unwrap().anchors().any(|anchor| *anchor == svid.anchor));
    assert!(svid.not_after > now());
    assert_eq!(shaken.client.alpn_protocol(), None);
    assert_eq!(gateway.trust.still_vouches_for(svid), Ok(()));
}

#[test]
fn an_unknown_ca_and_an_unknown_domain_are_told_apart() {
    let (ca, stranger) = (root("root"), root("stranger"));
    let issued = stranger.svid(&id(SLEEP), now()).unwrap();
    assert_eq!(refused(&ca, &issued), reason(Reason::CertUntrusted));
    let issued = ca.svid(&id("spiffe://elsewhere/ns/default/sa/sleep"), now()).unwrap();
    assert_eq!(refused(&ca, &issued), reason(Reason::UnknownTrustDomain));
}

#[test]
fn an_unknown_ca_that_bears_the_name_of_a_known_one_is_still_unknown() {
    // Every Istio mesh that makes its own root gives it the same name.
    let (ca, namesake) = (root("O=cluster.local"), root("O=cluster.local"));
    let issued = namesake.svid(&id(SLEEP), now()).unwrap();
    assert_eq!(refused(&ca, &issued), reason(Reason::CertUntrusted));
}

#[test]
fn the_ca_of_one_domain_cannot_vouch_for_an_id_of_another() {
    let (ca_a, ca_b) = (root("root of a"), root("root of b"));
    let gateway =
        Gateway::new(vec![entry("a", "cluster.local", &[&ca_a]), entry("b", "b.example", &[&ca_b])]);
    let issued = ca_b.svid(&id(SLEEP), now()).unwrap();
    let shaken = shake(&gateway, client(&issued));
    assert_eq!(shaken.refused(), reason(Reason::WrongBundle));
    assert!(shaken.verdict.proven(shaken.server()).is_none());
    // Each vouches for its own.
    let issued = ca_b.svid(&id("spiffe://b.example/a"), now()).unwrap();
    assert_eq!(shake(&gateway, client(&issued)).trust(), "b");
}

#[test]
fn two_meshes_of_one_domain_stay_apart_by_their_entries() {
    let (first, second, third) = (root("root"), root("root"), root("root"));
    let entries = || {
        vec![entry("cluster-1", "cluster.local", &[&first]), entry("cluster-2", "cluster.local", &[&second])]
    };
    let gateway = Gateway::new(entries());
    let shaken = |ca: &Ca| shake(&gateway, client(&ca.svid(&id(SLEEP), now()).unwrap()));
    assert_eq!(shaken(&first).trust(), "cluster-1");
    assert_eq!(shaken(&second).trust(), "cluster-2");
    assert_eq!(shaken(&third).refused(), reason(Reason::CertUntrusted));
}

#[test]
fn of_entries_with_roots_of_one_name_the_one_whose_key_the_chain_names_is_asked_first() {
    let roots = [root("cluster.local root"), root("cluster.local root"), root("cluster.local root")];
    let entries: Vec<TrustEntry> =
        (0..3).map(|index| entry(&format!("cluster-{index}"), "cluster.local", &[&roots[index]])).collect();
    let between = roots[1].intermediate("between", &CaOptions::new(now())).unwrap();
    for issued in [leaf(&roots[1], |_| {}), leaf(&between, |_| {})] {
        let (der, intermediates) = issued.chain.split_first().unwrap();
        let candidate = Candidate {
            leaf: &webpki::EndEntityCert::try_from(der).unwrap(),
            der,
            intermediates,
            now: now(),
            role: Role::Client,
            algorithms: provider().signature_verification_algorithms.all,
            pointers: OnceCell::new(),
        };
        let mut asked: Vec<&TrustEntry> = entries.iter().collect();
        in_turn(&mut asked, &candidate);
        let names: Vec<&str> = asked.iter().map(|entry| entry.name().as_str()).collect();
        assert_eq!(names, ["cluster-1", "cluster-0", "cluster-2"]);
    }
}

#[test]
fn of_several_entries_that_refuse_the_most_telling_reason_is_reported() {
    let (first, second) = (root("first"), root("second"));
    let expired = leaf(&second, |leaf| leaf.purposes = vec![Purpose::ServerAuth]);
    let gateway = Gateway::new(vec![
        entry("cluster-1", "cluster.local", &[&first]),
        entry("cluster-2", "cluster.local", &[&second]),
        entry("cluster-3", "cluster.local", &[&root("third")]),
    ]);
    assert_eq!(shake(&gateway, client(&expired)).refused(), reason(Reason::ExtendedKeyUsage));
    let revoked = second.svid(&id(SLEEP), now()).unwrap();
    let crl = second.crl(&[&revoked.serial], day()).unwrap();
    let gateway = Gateway::new(vec![
        entry("cluster-1", "cluster.local", &[&first]),
        entry_with("cluster-2", "cluster.local", &[&second], Some(&crl)),
        entry("cluster-3", "cluster.local", &[&root("third")]),
    ]);
    assert_eq!(shake(&gateway, client(&revoked)).refused(), reason(Reason::CertRevoked));
}

#[test]
fn while_a_root_is_rotated_both_generations_are_believed() {
    let (old, new) = (root("root"), root("root"));
    let gateway = Gateway::new(vec![entry("cluster-1", "cluster.local", &[&old, &new, &old])]);
    assert_eq!(gateway.trust.entries().next().unwrap().anchors().len(), 2);
    for ca in [&old, &new] {
        let issued = ca.svid(&id(SLEEP), now()).unwrap();
        assert_eq!(shake(&gateway, client(&issued)).trust(), "cluster-1");
    }
}

#[test]
fn who_is_known_but_not_allowed_is_denied_by_name() {
    let ca = root("root");
    let gateway = Gateway::new(vec![entry("cluster-1", "cluster.local", &[&ca])])
        .serving(service(&["spiffe://cluster.local/ns/default/sa/web"]));
    let shaken = shake(&gateway, client(&ca.svid(&id(SLEEP), now()).unwrap()));
    assert_eq!(shaken.refused(), reason(Reason::Denied));
    let refusal = shaken.verdict.refusal().unwrap();
    let identity = refusal.identity.as_ref().unwrap();
    assert_eq!((identity.trust.as_str(), identity.id.as_str()), ("cluster-1", SLEEP));
}
