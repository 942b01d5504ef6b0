//! What is issued, read back.

use rustls_pki_types::pem::PemObject as _;

use super::*;
use crate::Role;
use crate::testing::{SLEEP, entry, id, now, root, store};

/// PEM for other tests.
pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    armored(label, der)
}

#[test]
fn pem_of_every_length_reads_back() {
    for length in 0..200u8 {
        let der: Vec<u8> = (0..length).map(|byte| byte.wrapping_mul(37)).collect();
        let text = armored("CERTIFICATE", &der);
        assert!(text.lines().all(|line| line.len() <= 64));
        let read = CertificateDer::from_pem_slice(text.as_bytes()).unwrap();
        assert_eq!(read.as_ref(), der, "{length}");
    }
}

#[test]
fn what_is_issued_is_an_svid_by_the_letter() {
    let ca = root("root");
    let issued = ca.svid(&id(SLEEP), now()).unwrap();
    let certificate = leaf::parse(&issued.chain[0]).unwrap();
    assert_eq!(leaf::uris(&certificate).unwrap(), [Some(SLEEP)]);
    let usage = certificate.key_usage().unwrap().unwrap();
    assert!(usage.critical && usage.value.digital_signature() && !usage.value.key_cert_sign());
    let purposes = certificate.extended_key_usage().unwrap().unwrap().value;
    assert!(purposes.client_auth && purposes.server_auth && !purposes.any);
    assert!(!certificate.basic_constraints().unwrap().unwrap().value.ca);
    let seconds = leaf::end_of(&certificate).as_secs() - leaf::start_of(&certificate).as_secs();
    assert_eq!(seconds, 86_400 + 60);
    assert_eq!(certificate.raw_serial(), issued.serial);
    assert_eq!(issued.serial.len(), 16);

    let parsed = leaf::parse(ca.certificate()).unwrap();
    assert!(parsed.is_ca());
    let usage = parsed.key_usage().unwrap().unwrap().value;
    assert!(usage.key_cert_sign() && usage.crl_sign() && !usage.digital_signature());
}

#[test]
fn serial_numbers_are_positive_and_differ() {
    let (first, second) = (serial().unwrap(), serial().unwrap());
    assert_ne!(first, second);
    for serial in [first, second] {
        assert!((0x40..0x80).contains(&serial[0]));
    }
}

#[test]
fn the_root_of_a_domain_names_it() {
    let ca = Ca::for_domain(&TrustDomain::parse("b.example").unwrap(), now()).unwrap();
    let certificate = leaf::parse(ca.certificate()).unwrap();
    assert_eq!(leaf::uris(&certificate).unwrap(), [Some("spiffe://b.example")]);
    let issued = ca.svid(&id("spiffe://b.example/a"), now()).unwrap();
    let store = store(vec![entry("b", "b.example", &[&ca])]);
    assert!(store.verify(&issued.chain[0], &[], now(), Role::Client).is_ok());
}

#[test]
fn a_ca_that_was_written_out_and_read_back_issues_and_revokes_as_before() {
    let ca = root("root");
    let middle = ca.intermediate("middle", &CaOptions::new(now())).unwrap();
    let text = middle.certificate_pem() + &ca.certificate_pem();
    let again = Ca::from_pem(&text, &middle.key_pem()).unwrap();
    let issued = again.svid(&id(SLEEP), now()).unwrap();
    assert_eq!(issued.chain.len(), 2, "without the root");
    let store = store(vec![entry("a", "cluster.local", &[&ca])]);
    let svid = store.verify(&issued.chain[0], &issued.chain[1..], now(), Role::Client).unwrap();
    assert_eq!(svid.path.len(), 2);
    let validity = Validity::starting(now(), CRL_LIFETIME);
    let lists = ca.crl(&[], validity).unwrap() + &again.crl(&[&issued.serial], validity).unwrap();
    let revoking = crate::testing::entry_with("a", "cluster.local", &[&ca], Some(&lists));
    assert!(revoking.revokes(&svid.path[0]) && !revoking.revokes(&svid.path[1]));
}

#[test]
fn what_is_no_ca_cannot_issue() {
    let issued = root("root").svid(&id(SLEEP), now()).unwrap();
    let error = Ca::from_pem(&issued.chain_pem(), &issued.key_pem()).unwrap_err();
    assert_eq!(error.to_string(), "the certificate of the CA cannot be used: it is not a CA");
}

#[test]
fn no_secret_is_shown_by_debug() {
    let ca = root("root");
    let issued = ca.svid(&id(SLEEP), now()).unwrap();
    assert_eq!(format!("{ca:?} {issued:?}"), "Ca { .. } Issued { .. }");
}
