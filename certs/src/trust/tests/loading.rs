//! From files to an entry.

use super::*;

#[test]
fn an_entry_is_made_of_pem_or_of_a_spiffe_bundle() {
    let (ca, other) = (root("root"), root("other"));
    let base64 =
        |ca: &Ca| -> String { ca.certificate_pem().lines().filter(|line| !line.starts_with('-')).collect() };
    let json = format!(
        r#" {{"spiffe_sequence": 7, "spiffe_refresh_hint": 300, "keys": [
            {{"kty": "EC", "use": "x509-svid", "x5c": ["{}"]}},
            {{"kty": "EC", "use": "jwt-svid", "kid": "a", "x": "", "y": ""}},
            {{"kty": "EC", "x5c": ["ignored"]}},
            {{"kty": "EC", "use": "x509-svid", "x5c": ["{}"]}}]}}"#,
        base64(&ca),
        base64(&other)
    );
    let made = made("cluster-1", json.as_bytes(), None).unwrap();
    assert_eq!(made.anchors().len(), 2);
    let issued = other.svid(&id(SLEEP), now()).unwrap();
    assert!(store(vec![made]).verify(&issued.chain[0], &[], now(), Role::Client).is_ok());
}

fn made(name: &str, bundle: &[u8], crl: Option<&[u8]>) -> Result<TrustEntry, TrustError> {
    TrustEntry::from_parts(
        TrustName::new(name),
        TrustDomain::parse("cluster.local").unwrap(),
        bundle,
        crl,
        now(),
    )
}

#[test]
fn what_is_wrong_with_a_bundle_is_told_precisely() {
    let ca = root("root");
    let leaf = ca.svid(&id(SLEEP), now()).unwrap();
    let pem = ca.certificate_pem();
    let indented = format!("{pem} {}", pem.clone());
    let cases: [(&str, &str); 9] = [
        ("", "no certificate in the bundle of x; PEM is expected: -----BEGIN CERTIFICATE-----"),
        ("{}", "the bundle of x is not a SPIFFE trust bundle: missing field `keys` at line 1 column 2"),
        (
            r#"{"keys": [{"use": "jwt-svid"}]}"#,
            r#"the bundle of x has no key with "use": "x509-svid", so nobody could be believed; add a root, remove the trust entry, or say that all are revoked by an empty list: {"keys": []}"#,
        ),
        (
            r#"{"keys": [{"use": "x509-svid"}]}"#,
            "key 1 of the bundle of x must have exactly one certificate in x5c, and has 0",
        ),
        (
            r#"{"keys": [{"use": "x509-svid", "x5c": ["!"]}]}"#,
            "x5c of key 1 of the bundle of x is broken PEM: a section is not base64",
        ),
        (
            &leaf.chain_pem(),
            r#"certificate 1 of the bundle of x is not a CA ("O=landbridge"); a bundle holds the roots of a trust domain"#,
        ),
        (
            &pem.replace("-----END", "-----"),
            "the bundle of x is broken PEM: the line -----END CERTIFICATE----- is missing",
        ),
        (
            &indented,
            "the bundle of x announces 2 sections \"CERTIFICATE\", and only 1 can be read; is a line indented?",
        ),
        (
            "-----BEGIN CERTIFICATE-----\nMAMCAQU=\n-----END CERTIFICATE-----\n",
            "certificate 1 of the bundle of x cannot be decoded:",
        ),
    ];
    for (bundle, text) in cases {
        let error = made("x", bundle.as_bytes(), None).unwrap_err().to_string();
        assert!(error.starts_with(text), "{error}");
    }
    let der = made("x", ca.certificate(), None).unwrap_err().to_string();
    assert!(der.contains("openssl x509 -inform der"), "{der}");
    assert!(made("x", pem.replace('\n', "\r\n").as_bytes(), None).is_ok());
    assert!(made("x", format!("\u{feff}{pem}").as_bytes(), None).is_ok());
}

#[test]
fn an_empty_list_of_keys_is_an_entry_that_believes_nobody_and_says_so() {
    let nobody = made("cluster-1", br#"{"keys": []}"#, None).unwrap();
    assert!(matches!(nobody.warnings(), [TrustWarning::NoRoots { .. }]));
    let said = nobody.warnings()[0].to_string();
    assert_eq!(
        said,
        "the bundle of cluster-1 has an empty list of keys: nobody of this trust entry is believed"
    );
    assert_eq!(nobody.anchors().count(), 0);
    let refused = store(vec![nobody])
        .verify(&leaf(&root("root"), |_| {}).chain[0], &[], now(), Role::Client)
        .unwrap_err();
    assert_eq!(refused.reason, Reason::CertUntrusted);
}

#[test]
fn what_is_wrong_with_a_revocation_list_is_told_precisely() {
    let pem = root("root").certificate_pem();
    let error = |crl: &str| made("x", pem.as_bytes(), Some(crl.as_bytes())).unwrap_err().to_string();
    assert_eq!(error(&pem), "no revocation list in the CRL of x; PEM is expected: -----BEGIN X509 CRL-----");
    let broken = error("-----BEGIN X509 CRL-----\nMAMCAQU=\n-----END X509 CRL-----\n");
    assert!(broken.starts_with("revocation list 1 of the CRL of x cannot be used: "), "{broken}");
}

#[test]
fn two_entries_of_one_name_are_refused() {
    let ca = root("root");
    let twice = vec![
        entry("a", "cluster.local", &[&ca]),
        entry("b", "cluster.local", &[&ca]),
        entry("a", "b.example", &[&ca]),
    ];
    let error = TrustStore::new(twice).unwrap_err().to_string();
    assert_eq!(error, "two trust entries are called a; give each a name of its own");
}

#[test]
fn an_entry_is_loaded_from_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let ca = root("root");
    let files = TrustFiles {
        name: TrustName::new("cluster-1"),
        domain: TrustDomain::parse("cluster.local").unwrap(),
        bundle: folder.path().join("ca.pem"),
        crl: Some(folder.path().join("crl.pem")),
    };
    let error = TrustEntry::load(&files, now()).unwrap_err().to_string();
    assert!(error.starts_with("cannot read "), "{error}");
    assert!(error.contains("ca.pem"), "{error}");
    std::fs::write(&files.bundle, ca.certificate_pem()).unwrap();
    std::fs::write(folder.path().join("crl.pem"), ca.crl(&[], day()).unwrap()).unwrap();
    let entry = TrustEntry::load(&files, now()).unwrap();
    assert_eq!(entry.anchors().len(), 1);
    assert_eq!(entry.warnings(), []);
    let shown = format!("{entry:?}");
    assert!(shown.len() < 200, "{shown}");
}

#[test]
fn anchors_that_differ_only_in_where_a_part_ends_are_different() {
    let anchor = |subject: &'static [u8], spki: &'static [u8]| {
        load::identified(&TrustAnchor {
            subject: subject.into(),
            subject_public_key_info: spki.into(),
            name_constraints: None,
        })
    };
    assert_ne!(anchor(b"ab", b"c"), anchor(b"a", b"bc"));
    assert_eq!(anchor(b"ab", b"c"), anchor(b"ab", b"c"));
}

#[test]
fn entries_are_the_same_by_what_they_say_and_not_by_when_they_were_loaded() {
    let (ca, other) = (root("root"), root("other"));
    let (one, two) = (ca.crl(&[], day()).unwrap(), ca.crl(&[&[1, 2, 3]], day()).unwrap());
    let with = |crl: &str| entry_with("cluster-1", "cluster.local", &[&ca], Some(crl));
    let without = || entry("cluster-1", "cluster.local", &[&ca]);
    let same = |entries: Vec<TrustEntry>, others: Vec<TrustEntry>| store(entries).is_same_as(&store(others));
    assert!(same(vec![], vec![]));
    assert!(same(vec![without()], vec![without()]));
    assert!(same(vec![with(&one)], vec![with(&one)]));
    let different = [
        vec![],
        vec![with(&two)],
        vec![without()],
        vec![entry_with("cluster-1", "cluster.local", &[&ca, &other], Some(&one))],
        vec![entry_with("cluster-1", "cluster.local", &[&other], Some(&one))],
        vec![entry_with("cluster-2", "cluster.local", &[&ca], Some(&one))],
        vec![entry_with("cluster-1", "b.example", &[&ca], Some(&one))],
        vec![with(&one), entry("cluster-2", "cluster.local", &[&ca])],
    ];
    for (index, entries) in different.into_iter().enumerate() {
        assert!(!same(vec![with(&one)], entries), "case {index}");
    }
}
