//! Several entries that refuse, and entries that are exchanged.

use super::*;

/// A root with the name and the key identifier of `ca`, and a key of its own.
fn impostor(ca: &Ca) -> String {
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, "root");
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let parsed = crate::leaf::parse(ca.certificate()).unwrap();
    let key_id = path::key_id::of_subject(&parsed).unwrap().to_vec();
    params.key_identifier_method = rcgen::KeyIdMethod::PreSpecified(key_id);
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    params.self_signed(&key).unwrap().pem()
}

fn of_pem(name: &str, bundle: &str) -> TrustEntry {
    let domain = TrustDomain::parse("cluster.local").unwrap();
    TrustEntry::from_parts(TrustName::new(name), domain, bundle.as_bytes(), None, now()).unwrap()
}

#[test]
fn what_the_true_issuer_s_entry_says_tells_more_than_a_signature_that_another_cannot_check() {
    let ca = root("root");
    let issued = ca.svid(&id(SLEEP), now()).unwrap();
    let crl = ca.crl(&[&issued.serial], day()).unwrap();
    let impostor = || of_pem("impostor", &impostor(&ca));
    let told =
        |entries| store(entries).verify(&issued.chain[0], &[], now(), Role::Client).unwrap_err().reason;
    assert_eq!(told(vec![impostor()]), Reason::BadSignature, "it claims to be that root's");
    let genuine = || entry_with("genuine", "cluster.local", &[&ca], Some(&crl));
    assert_eq!(told(vec![impostor(), genuine()]), Reason::CertRevoked);
    assert_eq!(told(vec![genuine(), impostor()]), Reason::CertRevoked);
    let stranger = || entry("stranger", "cluster.local", &[&root("stranger")]);
    assert_eq!(told(vec![stranger(), impostor()]), Reason::BadSignature);
}

#[test]
fn of_refusals_that_tell_as_much_the_first_entry_s_is_reported() {
    let ca = root("root");
    let issued = ca.svid(&id(SLEEP), now()).unwrap();
    let revoking = ca.crl(&[&issued.serial], day()).unwrap();
    let foreign = root("other").crl(&[], day()).unwrap();
    let revoked = || entry_with("revoking", "cluster.local", &[&ca], Some(&revoking));
    let unknown = || entry_with("unknowing", "cluster.local", &[&ca], Some(&foreign));
    let told =
        |entries| store(entries).verify(&issued.chain[0], &[], now(), Role::Client).unwrap_err().reason;
    assert_eq!(told(vec![revoked(), unknown()]), Reason::CertRevoked);
    assert_eq!(told(vec![unknown(), revoked()]), Reason::RevocationUnknown);
}

#[test]
fn a_new_entry_takes_the_place_of_the_one_of_its_name_and_of_no_other() {
    let (old, new, other) = (root("old"), root("new"), root("other"));
    let first = store(vec![entry("a", "cluster.local", &[&old]), entry("b", "cluster.local", &[&other])]);
    let vouches = |store: &TrustStore, ca: &Ca| {
        let issued = ca.svid(&id(SLEEP), now()).unwrap();
        store.verify(&issued.chain[0], &[], now(), Role::Client).is_ok()
    };
    let all = |store: &TrustStore| [&old, &new, &other].map(|ca| vouches(store, ca));
    assert_eq!(all(&first), [true, false, true]);
    assert_eq!(all(&first.with(entry("a", "cluster.local", &[&new]))), [false, true, true]);
    assert_eq!(all(&first.with(entry("b", "cluster.local", &[&new]))), [true, true, false]);
    assert_eq!(all(&first.with(entry("c", "cluster.local", &[&new]))), [true, false, true]);
}

#[test]
fn a_chain_may_have_32_kib_to_the_byte() {
    let ca = root("root");
    let issued = ca.svid(&id(SLEEP), now()).unwrap();
    let store = store(vec![entry("a", "cluster.local", &[&ca])]);
    let verify = |bytes: usize| {
        let padding = CertificateDer::from(vec![0x30; bytes - issued.chain[0].len()]);
        store.verify(&issued.chain[0], &[padding], now(), Role::Client).map_err(|it| it.reason)
    };
    assert_eq!(CHAIN_BYTES_MOST, 32_768);
    assert!(verify(32_768).is_ok());
    assert_eq!(verify(32_769).unwrap_err(), Reason::CertPath);
}
