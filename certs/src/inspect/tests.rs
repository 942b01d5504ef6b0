//! What is told is what the gateway decides by.

use super::*;
use crate::issue::{Ca, CaOptions, LeafOptions, Purpose, Usage};
use crate::leaf;
use crate::testing::{SLEEP, id, now, root};

fn of(pem: &str) -> Document {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file.pem");
    std::fs::write(&path, pem).unwrap();
    Document::read(&path).unwrap()
}

#[test]
fn a_rule_is_told_as_broken_exactly_where_the_gateway_would_refuse() {
    let ca = root("root");
    let good = LeafOptions::svid(&id(SLEEP), now());
    let uris: [&[&str]; 6] = [
        &[],
        &[SLEEP],
        &[SLEEP, "spiffe://cluster.local/b"],
        &[SLEEP, "https://a.example"],
        &["spiffe://cluster.local"],
        &["SPIFFE://cluster.local/a"],
    ];
    let usages: [&[Usage]; 5] = [
        &[],
        &[Usage::DigitalSignature],
        &[Usage::DigitalSignature, Usage::KeyCertSign],
        &[Usage::DigitalSignature, Usage::CrlSign],
        &[Usage::KeyEncipherment],
    ];
    for uris in uris {
        for usages in usages {
            let options = LeafOptions {
                uris: uris.iter().map(|uri| (*uri).to_owned()).collect(),
                usages: usages.to_vec(),
                ..good.clone()
            };
            let issued = ca.issue(&options).unwrap();
            let certificate = Certificate::of(&issued.chain[0]).unwrap();
            let broken = certificate.rules.iter().any(|rule| rule.standing == Standing::Broken);
            let refused = leaf::claim(&issued.chain[0]).is_err();
            assert_eq!(broken, refused, "{uris:?} {usages:?} {:?}", certificate.rules);
        }
    }
}

#[test]
fn extended_key_usage_is_told_as_the_gateway_reads_it() {
    let ca = root("root");
    let (client, server) = (Purpose::ClientAuth, Purpose::ServerAuth);
    for (purposes, standing) in [
        (vec![], Standing::Kept),
        (vec![client.clone(), server.clone()], Standing::Kept),
        (vec![client], Standing::Partly),
        (vec![server], Standing::Partly),
        (vec![Purpose::Any], Standing::Broken),
        (vec![Purpose::Other(vec![1, 2, 3])], Standing::Broken),
    ] {
        let options = LeafOptions { purposes, ..LeafOptions::svid(&id(SLEEP), now()) };
        let certificate = Certificate::of(&ca.issue(&options).unwrap().chain[0]).unwrap();
        assert_eq!(certificate.rules.last().unwrap().standing, standing, "{:?}", certificate.purposes);
    }
}

#[test]
fn every_kind_of_key_is_recognised_and_found_in_its_certificate() {
    use crate::issue::Algorithm;
    for (algorithm, kind) in [
        (Algorithm::P256, "ECDSA P-256"),
        (Algorithm::P384, "ECDSA P-384"),
        (Algorithm::Ed25519, "Ed25519"),
        (Algorithm::Rsa2048, "RSA 2048"),
    ] {
        let ca = Ca::root("root", &CaOptions { algorithm, ..CaOptions::new(now()) }).unwrap();
        let document = of(&(ca.certificate_pem() + &ca.key_pem()));
        let [key] = document.keys.as_slice() else { panic!("{document:?}") };
        assert_eq!((key.kind.as_str(), document.certificates[0].kind.as_str()), (kind, kind));
        assert_eq!(document.place_of(key), Some(0));
    }
}

#[test]
fn issuers_are_found_wherever_they_stand_and_namesakes_are_told_apart() {
    let (ca, twin) = (root("same name"), root("same name"));
    let below = ca.intermediate("below", &CaOptions::new(now())).unwrap();
    let issued = below.svid(&id(SLEEP), now()).unwrap();
    let roots = [ca.certificate_pem(), twin.certificate_pem()];
    let told = |pem: String| issuers(&of(&pem).certificates);
    let chain = issued.chain_pem();
    assert_eq!(told(chain.clone()), [Issuer::At(1), Issuer::Elsewhere]);
    let with = |root: &str| told(chain.clone() + root);
    assert_eq!(with(&roots[0]), [Issuer::At(1), Issuer::At(2), Issuer::Itself]);
    assert_eq!(with(&roots[1]), [Issuer::At(1), Issuer::Namesake(2), Issuer::Itself]);
    let jumbled = roots.concat() + &chain;
    assert_eq!(told(jumbled), [Issuer::Itself, Issuer::Itself, Issuer::At(3), Issuer::At(0)]);
}

#[test]
fn many_namesakes_cost_no_more_than_a_few_signatures_each() {
    let twin = root("same name").certificate_pem();
    let issued = root("same name").svid(&id(SLEEP), now()).unwrap();
    let document = of(&(issued.chain_pem() + &twin.repeat(400)));
    assert_eq!(document.certificates.len(), 401);
    // One place per namesake that was tried, counted from the leaf.
    assert_eq!(issuers(&document.certificates)[0], Issuer::Namesake(8));
}
