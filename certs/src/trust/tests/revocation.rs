//! Revocation lists, before a handshake and after.

use super::*;

#[test]
fn while_a_root_is_rotated_the_revocation_list_of_each_generation_counts() {
    let (old, new) = (root("root"), root("root"));
    let revoked = |ca: &Ca| ca.svid(&id(SLEEP), now()).unwrap();
    let (old_revoked, new_revoked) = (revoked(&old), revoked(&new));
    let crls =
        old.crl(&[&old_revoked.serial], day()).unwrap() + &new.crl(&[&new_revoked.serial], day()).unwrap();
    let gateway = Gateway::new(vec![entry_with("cluster-1", "cluster.local", &[&old, &new], Some(&crls))]);
    for (ca, revoked) in [(&old, &old_revoked), (&new, &new_revoked)] {
        let fine = ca.svid(&id(SLEEP), now()).unwrap();
        assert_eq!(shake(&gateway, client(&fine)).trust(), "cluster-1");
        assert_eq!(shake(&gateway, client(revoked)).refused(), reason(Reason::CertRevoked));
    }
}

#[test]
fn a_revocation_list_decides_over_whom_it_is_about() {
    let (ca, other) = (root("root"), root("other"));
    let (revoked, fine) = (ca.svid(&id(SLEEP), now()).unwrap(), ca.svid(&id(SLEEP), now()).unwrap());
    let shaken = |crl: &str, issued: &Issued| {
        let gateway = Gateway::new(vec![entry_with("cluster-1", "cluster.local", &[&ca], Some(crl))]);
        shake(&gateway, client(issued)).refused()
    };
    let crl = ca.crl(&[&revoked.serial], day()).unwrap();
    assert_eq!(shaken(&crl, &revoked), reason(Reason::CertRevoked));
    assert_eq!(shaken(&crl, &fine), (None, None));
    let foreign = other.crl(&[], day()).unwrap();
    assert_eq!(shaken(&foreign, &fine), reason(Reason::RevocationUnknown), "of another CA");
    let forged = root("root").crl(&[], day()).unwrap();
    assert_eq!(shaken(&forged, &fine), reason(Reason::RevocationUnknown), "of a namesake");
}

#[test]
fn an_expired_revocation_list_is_warned_of_and_lets_nobody_in() {
    let ca = root("root");
    let validity = Validity { not_before: at(now(), -120), not_after: at(now(), -60) };
    let crl = ca.crl(&[], validity).unwrap();
    let entry = entry_with("cluster-1", "cluster.local", &[&ca], Some(&crl));
    assert!(matches!(entry.warnings(), [TrustWarning::CrlExpired { .. }]));
    let shaken = shake(&Gateway::new(vec![entry]), client(&ca.svid(&id(SLEEP), now()).unwrap()));
    assert_eq!(shaken.refused(), reason(Reason::RevocationUnknown));
}

#[test]
fn a_revoked_intermediate_takes_its_leaves_with_it() {
    let ca = root("root");
    let middle = ca.intermediate("middle", &CaOptions::new(now())).unwrap();
    let issued = middle.svid(&id(SLEEP), now()).unwrap();
    let plain = store(vec![entry("cluster-1", "cluster.local", &[&ca])]);
    let svid = asked(&plain, &issued.chain, now()).unwrap();
    assert_eq!(svid.path.len(), 2);
    let crls = ca.crl(&[&svid.path[1].serial], day()).unwrap() + &middle.crl(&[], day()).unwrap();
    let revoking = entry_with("cluster-1", "cluster.local", &[&ca], Some(&crls));
    let gateway = Gateway::new(vec![revoking]);
    assert_eq!(shake(&gateway, client(&issued)).refused(), reason(Reason::CertRevoked));
    assert_eq!(gateway.trust.still_vouches_for(&svid), Err(Reason::CertRevoked));
}

#[test]
fn what_was_verified_is_vouched_for_until_its_entry_anchor_or_serial_is_gone() {
    let (ca, other) = (root("root"), root("other"));
    let issued = ca.svid(&id(SLEEP), now()).unwrap();
    let first = store(vec![entry("cluster-1", "cluster.local", &[&ca])]);
    let svid = asked(&first, &issued.chain[..1], now()).unwrap();
    let vouched = |entries| store(entries).still_vouches_for(&svid);
    let crl = |revoked: &[&[u8]]| ca.crl(revoked, day()).unwrap();
    assert_eq!(vouched(vec![entry("cluster-1", "cluster.local", &[&other, &ca])]), Ok(()));
    assert_eq!(vouched(vec![]), Err(Reason::CertUntrusted));
    assert_eq!(vouched(vec![entry("cluster-1", "cluster.local", &[&other])]), Err(Reason::CertUntrusted));
    assert_eq!(vouched(vec![entry("renamed", "cluster.local", &[&ca])]), Err(Reason::CertUntrusted));
    assert_eq!(vouched(vec![entry("cluster-1", "b.example", &[&ca])]), Err(Reason::CertUntrusted));
    let with = |crl: &str| vec![entry_with("cluster-1", "cluster.local", &[&ca], Some(crl))];
    assert_eq!(vouched(with(&crl(&[]))), Ok(()));
    assert_eq!(vouched(with(&crl(&[&[1, 2, 3]]))), Ok(()));
    assert_eq!(vouched(with(&crl(&[&issued.serial]))), Err(Reason::CertRevoked));
    let foreign = other.crl(&[&issued.serial], day()).unwrap();
    assert_eq!(vouched(with(&foreign)), Ok(()), "a serial of another issuer");
}
