//! Which signatures count: on certificates, and on the handshake.

use std::sync::Arc;

use landbridge_core::config::MinTls;
use rustls::sign::{Signer, SigningKey};
use rustls::{Error, SignatureAlgorithm, SignatureScheme};
use rustls_pki_types::pem::PemObject as _;

use super::*;

/// Leaf and root with a signature each that no path may have, made by OpenSSL; valid until 2126.
const WEAK: [(&str, &str); 5] = [
    ("RSA with 1024 bits", include_str!("weak/rsa-1024.pem")),
    ("SHA-1", include_str!("weak/sha-1.pem")),
    ("DSA", include_str!("weak/dsa.pem")),
    ("Ed448", include_str!("weak/ed448.pem")),
    ("the curve secp256k1", include_str!("weak/secp256k1.pem")),
];

#[test]
fn a_path_with_a_weak_or_unknown_signature_is_a_bad_signature() {
    // In 2030: after the certificates were made, and before they expire.
    let then = UnixTime::since_unix_epoch(Duration::from_secs(1_900_000_000));
    for (what, text) in WEAK {
        let parts: Vec<&str> = text.split_inclusive("-----END CERTIFICATE-----\n").collect();
        let leaf = CertificateDer::from_pem_slice(parts[0].as_bytes()).unwrap();
        let entry = TrustEntry::from_parts(
            TrustName::new("cluster-1"),
            TrustDomain::parse("cluster.local").unwrap(),
            parts[1].as_bytes(),
            None,
            then,
        );
        let refusal = store(vec![entry.unwrap()]).verify(&leaf, &[], then, Role::Client).unwrap_err();
        assert_eq!(refusal.reason, Reason::BadSignature, "{what}: {refusal}");
    }
}

#[test]
fn p_521_is_let_in_on_certificates_and_handshakes_alike() {
    let generate = || rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P521_SHA512).unwrap();
    let mut params = rcgen::CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = generate();
    let pem = params.self_signed(&key).unwrap().pem();
    let issuer = rcgen::Issuer::new(params, key);
    let mut params = rcgen::CertificateParams::default();
    params.subject_alt_names = vec![rcgen::SanType::URI(SLEEP.try_into().unwrap())];
    params.key_usages = vec![Usage::DigitalSignature];
    let key = generate();
    let chain = vec![params.signed_by(&key, &issuer).unwrap().into()];
    let key = rustls_pki_types::PrivatePkcs8KeyDer::from(key.serialize_der()).into();
    let entry = TrustEntry::from_parts(
        TrustName::new("cluster-1"),
        TrustDomain::parse("cluster.local").unwrap(),
        pem.as_bytes(),
        None,
        now(),
    );
    let gateway = Gateway::new(vec![entry.unwrap()]);
    assert_eq!(shake(&gateway, client(&Issued { chain, key, serial: Vec::new() })).trust(), "cluster-1");
}

type Spoil = fn(&dyn Signer, &[u8]) -> Vec<u8>;

/// A key whose signatures are spoilt.
#[derive(Debug)]
struct Spoilt(Arc<dyn SigningKey>, Spoil);

#[derive(Debug)]
struct SpoiltSigner(Box<dyn Signer>, Spoil);

impl SigningKey for Spoilt {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        Some(Box::new(SpoiltSigner(self.0.choose_scheme(offered)?, self.1)))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.0.algorithm()
    }
}

impl Signer for SpoiltSigner {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(self.1(&*self.0, message))
    }

    fn scheme(&self) -> SignatureScheme {
        self.0.scheme()
    }
}

#[test]
fn a_proof_that_is_cut_changed_empty_or_of_another_handshake_is_a_bad_signature() {
    let cases: [(&str, Spoil); 5] = [
        ("cut", |signer, message| {
            let mut signature = signer.sign(message).unwrap();
            signature.pop();
            signature
        }),
        ("changed", |signer, message| {
            let mut signature = signer.sign(message).unwrap();
            *signature.last_mut().unwrap() ^= 1;
            signature
        }),
        ("longer", |signer, message| [signer.sign(message).unwrap(), vec![0]].concat()),
        ("empty", |_, _| Vec::new()),
        ("of another handshake", |signer, message| {
            let mut other = message.to_vec();
            *other.last_mut().unwrap() ^= 1;
            signer.sign(&other).unwrap()
        }),
    ];
    let ca = root("root");
    let gateway = Gateway::new(vec![entry("cluster-1", "cluster.local", &[&ca])]).min(MinTls::V1_2);
    let issued = ca.svid(&id(SLEEP), now()).unwrap();
    for (what, spoil) in cases {
        for version in rustls::ALL_VERSIONS {
            let key = provider().key_provider.load_private_key(issued.key.clone_key()).unwrap();
            let certified = CertifiedKey::new(issued.chain.clone(), Arc::new(Spoilt(key, spoil)));
            let shaken = shake(&gateway, anonymous(&[*version], Some(certified)));
            assert_eq!(shaken.refused(), reason(Reason::BadSignature), "{what}, {version:?}");
            assert!(shaken.verdict.proven(shaken.server()).is_none(), "{what}, {version:?}");
        }
    }
}
