//! What a leaf may say, and what its owner must prove.

use landbridge_core::config::MinTls;

use super::*;
use crate::hello::HelloReader;
use crate::refusal::Refusal;
use crate::source::sha256;
use crate::testing::{connecting, hello_of, receive, sent};
use crate::verifier::Verdict;

#[test]
fn the_leaf_is_known_by_its_sha_256() {
    // FIPS 180-2, appendix B.1.
    let sum = sha256(b"abc");
    assert_eq!(&sum[..4], [0xba, 0x78, 0x16, 0xbf]);
    assert_eq!(&sum[28..], [0xf2, 0x00, 0x15, 0xad]);
}

#[test]
fn who_presents_no_certificate_learns_that_one_is_required() {
    let gateway = Gateway::new(vec![entry("cluster-1", "cluster.local", &[&root("root")])]);
    let shaken = shake(&gateway, anonymous(rustls::DEFAULT_VERSIONS, None));
    assert_eq!(shaken.refused(), (Some(Reason::NoClientCert), Some(116)));
    assert!(shaken.verdict.refusal().is_none());
}

type Change = Box<dyn FnOnce(&mut LeafOptions)>;

/// Each case is a leaf that is changed, and refused for the reason and with its alert.
fn all_refused(cases: Vec<(&str, Change, Reason)>) {
    let ca = root("root");
    for (what, change, expected) in cases {
        assert_eq!(refused(&ca, &leaf(&ca, change)), reason(expected), "{what}");
    }
}

/// A change by one more extension.
fn extended(oid: &[u64], der: &[u8]) -> Change {
    let extension = Extension { oid: oid.to_vec(), critical: true, der: der.to_vec() };
    Box::new(move |leaf| leaf.extensions.push(extension))
}

#[test]
fn a_leaf_has_exactly_one_uri_among_its_names() {
    let and_undecodable = with_san(&[(6, SLEEP.as_bytes()), (6, b"\xff\xfe")]);
    let only_dns = with_san(&[(2, b"a.example")]);
    let other = "spiffe://cluster.local/ns/a/sa/b";
    all_refused(vec![
        ("none", Box::new(|leaf| leaf.uris.clear()), Reason::NotOneUri),
        ("a DNS name", Box::new(only_dns), Reason::NotOneUri),
        ("two IDs", Box::new(|leaf| leaf.uris.push(other.into())), Reason::NotOneUri),
        ("one ID twice", Box::new(|leaf| leaf.uris.push(SLEEP.into())), Reason::NotOneUri),
        ("and a web address", Box::new(|leaf| leaf.uris.push("https://a.example".into())), Reason::NotOneUri),
        ("and an undecodable URI", Box::new(and_undecodable), Reason::NotOneUri),
        ("undecodable", Box::new(with_san(&[(6, b"spiffe://cluster.local/\xff")])), Reason::BadSpiffeId),
    ]);
}

#[test]
fn a_leaf_is_for_signing_handshakes_and_nothing_else() {
    all_refused(vec![
        ("a CA", Box::new(|leaf| leaf.ca = true), Reason::LeafIsCa),
        ("keyCertSign", Box::new(|leaf| leaf.usages.push(Usage::KeyCertSign)), Reason::LeafIsCa),
        ("cRLSign", Box::new(|leaf| leaf.usages.push(Usage::CrlSign)), Reason::LeafIsCa),
        ("no key usage", Box::new(|leaf| leaf.usages.clear()), Reason::KeyUsage),
        ("another", Box::new(|leaf| leaf.usages = vec![Usage::KeyEncipherment]), Reason::KeyUsage),
    ]);
}

#[test]
fn a_leaf_that_lists_purposes_lists_client_authentication() {
    let only = |purpose: Purpose| -> Change { Box::new(|leaf| leaf.purposes = vec![purpose]) };
    let empty = extended(&[2, 5, 29, 37], &[0x30, 0]);
    all_refused(vec![
        ("serverAuth", only(Purpose::ServerAuth), Reason::ExtendedKeyUsage),
        ("emailProtection", only(Purpose::EmailProtection), Reason::ExtendedKeyUsage),
        ("anyExtendedKeyUsage", only(Purpose::Any), Reason::ExtendedKeyUsage),
        (
            "none at all",
            Box::new(|leaf| {
                leaf.purposes.clear();
                empty(leaf);
            }),
            Reason::ExtendedKeyUsage,
        ),
    ]);
}

#[test]
fn a_leaf_is_understood_and_in_time() {
    all_refused(vec![
        ("critical and unknown", extended(&[1, 2, 3, 4], &[5, 0]), Reason::CertMalformed),
        ("expired", Box::new(|leaf| leaf.validity.not_after = at(now(), -1)), Reason::CertExpired),
        ("not yet", Box::new(|leaf| leaf.validity.not_before = at(now(), 30)), Reason::CertNotYetValid),
    ]);
}

#[test]
fn a_validity_includes_both_of_its_ends_to_the_second() {
    let ca = root("root");
    let issued = ca.svid(&id(SLEEP), now()).unwrap();
    let store = store(vec![entry("cluster-1", "cluster.local", &[&ca])]);
    let verify = |time| asked(&store, &issued.chain, time);
    let end = verify(now()).unwrap().not_after;
    assert!(verify(end).is_ok());
    assert_eq!(verify(at(end, 1)).unwrap_err().reason, Reason::CertExpired);
    let start = at(end, -86_400 - 60);
    assert!(verify(start).is_ok());
    assert_eq!(verify(at(start, -1)).unwrap_err().reason, Reason::CertNotYetValid);
}

#[test]
fn every_text_that_is_not_a_spiffe_id_is_refused() {
    let ca = root("root");
    let long = format!("spiffe://cluster.local/{}", "a".repeat(2_027));
    assert_eq!(long.len(), 2_050);
    let texts: [&[u8]; 16] = [
        b"SPIFFE://cluster.local/a",
        b"spiffe://Cluster.local/a",
        b"spiffe://user@cluster.local/a",
        b"spiffe://cluster.local:80/a",
        b"spiffe://cluster.local/a?b",
        b"spiffe://cluster.local/a#b",
        b"spiffe://cluster.local/a%2fb",
        b"spiffe://cluster.local//a",
        b"spiffe://cluster.local/./a",
        b"spiffe://cluster.local/../a",
        b"spiffe://cluster.local/a/",
        b"spiffe://cluster.local",
        b"spiffe://cluster.local/a\0b",
        "spiffe://cluster.local/ü".as_bytes(),
        b"",
        long.as_bytes(),
    ];
    for text in texts {
        let issued = leaf(&ca, with_san(&[(6, text)]));
        let shown = String::from_utf8_lossy(text);
        assert_eq!(refused(&ca, &issued), reason(Reason::BadSpiffeId), "{shown}");
    }
}

#[test]
fn names_of_other_kinds_beside_the_id_do_no_harm() {
    let ca = root("root");
    let issued = leaf(
        &ca,
        with_san(&[
            (2, b"a.example"),
            (2, b"\xff not a host name"),
            (1, b"a@b.example"),
            (7, &[10, 0, 0, 1]),
            (6, SLEEP.as_bytes()),
        ]),
    );
    assert_eq!(refused(&ca, &issued), (None, None));
}

#[test]
fn a_leaf_without_extended_key_usage_is_let_in() {
    let ca = root("root");
    let issued = leaf(&ca, |leaf| leaf.purposes.clear());
    assert_eq!(refused(&ca, &issued), (None, None));
}

#[test]
fn the_client_s_text_is_quoted_and_bounded_in_the_detail() {
    let ca = root("root");
    let text = format!("spiffe://cluster.local/\r\n\u{1b}[31m{}", "x".repeat(1_000));
    let issued = leaf(&ca, with_san(&[(6, text.as_bytes())]));
    let store = store(vec![entry("cluster-1", "cluster.local", &[&ca])]);
    let refusal = store.verify(&issued.chain[0], &[], now(), Role::Client).unwrap_err();
    assert!(refusal.detail.len() < 400, "{}", refusal.detail.len());
    assert!(!refusal.detail.contains(['\r', '\n', '\u{1b}']), "{}", refusal.detail);
}

#[test]
fn a_certificate_whose_signature_was_tampered_with_is_a_bad_signature() {
    let ca = root("root");
    let mut issued = ca.svid(&id(SLEEP), now()).unwrap();
    let mut der = issued.chain[0].to_vec();
    let last = der.len() - 1;
    der[last] ^= 1;
    issued.chain[0] = CertificateDer::from(der);
    let (found, alert) = refused(&ca, &issued);
    assert_eq!(found, Some(Reason::BadSignature));
    assert_eq!(alert, Some(51));
}

#[test]
fn who_does_not_hold_the_key_of_the_certificate_is_a_bad_signature_and_never_proven() {
    let ca = root("root");
    let (shown, held) = (ca.svid(&id(SLEEP), now()).unwrap(), ca.svid(&id(SLEEP), now()).unwrap());
    let gateway = Gateway::new(vec![entry("cluster-1", "cluster.local", &[&ca])]);
    let shaken = shake(&gateway, client_of(&shown.chain, &held));
    assert_eq!(shaken.refused(), reason(Reason::BadSignature));
    assert!(shaken.verdict.refusal().is_none());
    assert!(shaken.verdict.proven(shaken.server()).is_none());
}

#[test]
fn a_certificate_that_is_not_one_is_malformed() {
    let ca = root("root");
    let mut issued = ca.svid(&id(SLEEP), now()).unwrap();
    issued.chain[0] = CertificateDer::from(b"0\x03\x02\x01\x05".to_vec());
    assert_eq!(refused(&ca, &issued), reason(Reason::CertMalformed));
    let mut issued = ca.svid(&id(SLEEP), now()).unwrap();
    let mut trailing = issued.chain[0].to_vec();
    trailing.push(0);
    issued.chain[0] = CertificateDer::from(trailing);
    assert_eq!(refused(&ca, &issued), reason(Reason::CertMalformed));
}

#[test]
fn every_supported_kind_of_key_is_let_in() {
    for algorithm in [Algorithm::P256, Algorithm::P384, Algorithm::Ed25519, Algorithm::Rsa2048] {
        let mut options = CaOptions::new(now());
        options.algorithm = algorithm;
        let ca = Ca::root("root", &options).unwrap();
        let issued = leaf(&ca, |leaf| leaf.algorithm = algorithm);
        assert_eq!(refused(&ca, &issued), (None, None), "{algorithm:?}");
    }
}

#[test]
fn a_verdict_is_proven_only_by_a_finished_handshake_and_serves_one() {
    let ca = root("root");
    let gateway = Gateway::new(vec![entry("cluster-1", "cluster.local", &[&ca])]);
    let issued = ca.svid(&id(SLEEP), now()).unwrap();
    let shaken = shake(&gateway, client(&issued));
    let hello = hello_of(&mut connecting(client(&issued)));
    let unfinished = rustls::ServerConnection::new(gateway.context.server_config(crate::Acceptance {
        hello: &hello,
        trust: gateway.trust.clone(),
        key: &gateway.key,
        route: gateway.route.clone(),
        alpn: Vec::new(),
        verdict: shaken.verdict.clone(),
    }))
    .unwrap();
    assert!(shaken.verdict.proven(&unfinished).is_none());
    assert!(shaken.verdict.proven(shaken.server()).is_some());
}

#[test]
fn what_every_reason_of_a_refusal_makes_rustls_send_is_the_alert_of_the_reason() {
    for reason in Reason::ALL {
        let of_client = matches!(reason.flag(), landbridge_core::Flag::An | landbridge_core::Flag::Az);
        if !of_client || *reason == Reason::NoClientCert {
            continue;
        }
        let refusal = Refusal::new(*reason, "");
        let rustls::Error::InvalidCertificate(error) = refusal.to_error() else {
            panic!("{reason}");
        };
        let alert = rustls::AlertDescription::from(error);
        assert_eq!(Some(u8::from(alert)), reason.alert(), "{reason}");
    }
}

#[test]
fn a_certificate_of_another_key_than_its_signature_claims_is_never_proven_in_tls_1_2_either() {
    let ca = root("root");
    let (shown, held) = (ca.svid(&id(SLEEP), now()).unwrap(), ca.svid(&id(SLEEP), now()).unwrap());
    let key = provider().key_provider.load_private_key(held.key.clone_key()).unwrap();
    let certified = CertifiedKey::new(shown.chain.clone(), key);
    let gateway = Gateway::new(vec![entry("cluster-1", "cluster.local", &[&ca])]).min(MinTls::V1_2);
    let shaken = shake(&gateway, anonymous(&[&rustls::version::TLS12], Some(certified)));
    assert_eq!(shaken.refused(), reason(Reason::BadSignature));
    assert!(shaken.verdict.proven(shaken.server()).is_none());
}

#[test]
fn a_certificate_that_was_verified_proves_nobody_before_the_last_record_of_the_handshake() {
    let ca = root("root");
    let issued = ca.svid(&id(SLEEP), now()).unwrap();
    let gateway = Gateway::new(vec![entry("cluster-1", "cluster.local", &[&ca])]).min(MinTls::V1_2);
    let key = provider().key_provider.load_private_key(issued.key.clone_key()).unwrap();
    let certified = CertifiedKey::new(issued.chain.clone(), key);
    let mut client = connecting(anonymous(&[&rustls::version::TLS12], Some(certified)));
    let verdict = Verdict::new();
    let hello = HelloReader::new(16_384).feed(&sent(&mut client)).unwrap().unwrap();
    let mut server = gateway.accept(hello, &verdict).unwrap();
    let mut flight = Vec::new();
    while server.wants_write() {
        server.write_tls(&mut flight).unwrap();
    }
    assert_eq!(receive(&mut client, &flight), None);
    // Certificate, ClientKeyExchange, CertificateVerify, ChangeCipherSpec, Finished.
    let answer = sent(&mut client);
    let finished = answer.len() - (5 + 8 + 16 + 16);
    server.read_tls(&mut &answer[..finished]).unwrap();
    server.process_new_packets().unwrap();
    assert!(server.peer_certificates().is_some(), "verified, and its key was used");
    assert!(verdict.proven(&server).is_none());
    server.read_tls(&mut &answer[finished..]).unwrap();
    server.process_new_packets().unwrap();
    assert!(verdict.proven(&server).is_some());
}
