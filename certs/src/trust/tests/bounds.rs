//! Chains that are made to cost much.

use super::*;

#[test]
fn cas_that_all_could_have_issued_one_another_are_refused_within_the_budget() {
    // Every certificate but the leaf has one name for itself and its issuer, and the root has it too:
    // each order of them is a path, and each path ends in a signature that is not the root's.
    let (trusted, forger) = (root("loop"), root("loop"));
    let cas: Vec<Ca> = (0..7).map(|_| forger.intermediate("loop", &CaOptions::new(now())).unwrap()).collect();
    let issued = cas[0].svid(&id(SLEEP), now()).unwrap();
    let mut chain = vec![issued.chain[0].clone()];
    chain.extend(cas.iter().map(|ca| ca.certificate().clone()));
    let gateway = Gateway::new(vec![entry("cluster-1", "cluster.local", &[&trusted])]);
    let shaken = shake(&gateway, client_of(&chain, &issued));
    assert_eq!(shaken.refused(), reason(Reason::CertPath), "{:?}", shaken.verdict.refusal());
    // One more is not even looked at.
    chain.push(trusted.certificate().clone());
    assert_eq!(shake(&gateway, client_of(&chain, &issued)).refused(), reason(Reason::CertPath));
}

#[test]
fn a_message_of_certificates_is_bounded_twice() {
    let ca = root("root");
    let issued = ca.svid(&id(SLEEP), now()).unwrap();
    let gateway = Gateway::new(vec![entry("cluster-1", "cluster.local", &[&ca])]);
    let padded = |bytes: usize| {
        let mut chain = issued.chain.clone();
        chain.push(CertificateDer::from(vec![0x30; bytes]));
        shake(&gateway, client_of(&chain, &issued))
    };
    // Read, and refused before any of it is parsed.
    assert_eq!(padded(40 * 1024).refused(), reason(Reason::CertPath));
    // Refused by the length that its header announces, 64 KiB at most; rustls has no alert for that.
    let shaken = padded(70 * 1024);
    assert_eq!(shaken.refused(), reason(Reason::HandshakeBroken));
    assert!(shaken.verdict.refusal().is_none(), "nobody was asked to verify it");
}
