//! Bundles, in PEM and in SPIFFE's JSON: what cannot be used is refused, and only a root in it vouches.

use landbridge_certs::{Anchor, Role, TrustEntry, TrustError, TrustStore, TrustWarning};
use rustls_pki_types::CertificateDer;

use crate::der::{elements, first, signed_part};
use crate::edit::{edit, edits};
use crate::pem::{armored, base64};
use crate::world::{ROOT_1, entry, now, world};

/// A leaf directly below the root that the bundle is to have.
const LEAF: usize = 4;

/// The input: a byte that says what the rest is. 0: a file. 1: a choice of certificates, and changes to them.
/// 2: a certificate.
pub fn bundle(data: &[u8]) {
    let [kind, rest @ ..] = data else { return };
    match kind % 3 {
        0 => drop(vouching(entry(ROOT_1, rest, None))),
        1 => {
            let [choice, rest @ ..] = rest else { return };
            let genuine = world().cas.iter().chain(world().leaves.iter().map(|leaf| &leaf.der));
            let chosen = genuine.take(8).enumerate().filter(|(bit, _)| choice & 1 << bit != 0);
            let mut certificates: Vec<Vec<u8>> = chosen.map(|(_, der)| der.clone()).collect();
            edit(&mut certificates, edits(rest).0);
            both_forms(&certificates);
        }
        _ => both_forms(&[rest.to_vec()]),
    }
}

/// PEM and JSON of the same certificates make the same entry, or none.
fn both_forms(certificates: &[Vec<u8>]) {
    let pem: String = certificates.iter().map(|der| armored("CERTIFICATE", der)).collect();
    let key = |der: &Vec<u8>| format!(r#"{{"use":"x509-svid","x5c":["{}"]}}"#, base64(der));
    let keys: Vec<String> = certificates.iter().map(key).collect();
    let json = format!(r#"{{"keys":[{}]}}"#, keys.join(","));
    let of_pem = vouching(entry(ROOT_1, pem.as_bytes(), None));
    let of_json = vouching(entry(ROOT_1, json.as_bytes(), None));
    if certificates.is_empty() {
        // Only in JSON is nothing a statement: that nobody is believed.
        assert_eq!((of_pem, of_json), (None, Some((Vec::new(), false))));
        return;
    }
    assert_eq!(of_pem, of_json);
    let Some((_, true)) = of_pem else { return };
    // Nobody signs a root, so its other parts may be anything; its key may not.
    let root = key_of(&world().cas[ROOT_1]);
    assert!(certificates.iter().any(|der| key_of(der) == root), "vouched for by a key of nobody's");
}

/// The roots of an entry, and whether they vouch for the leaf.
fn vouching(entry: Result<TrustEntry, TrustError>) -> Option<(Vec<Anchor>, bool)> {
    let entry = match entry {
        Ok(entry) => entry,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return None;
        }
    };
    let anchors: Vec<Anchor> = entry.anchors().cloned().collect();
    let none = matches!(entry.warnings(), [TrustWarning::NoRoots { .. }]);
    assert_eq!(anchors.is_empty(), none, "an entry without a root says so");
    assert_eq!(entry.validities().len(), anchors.len());
    let distinct = anchors.iter().enumerate().all(|(at, anchor)| !anchors[..at].contains(anchor));
    assert!(distinct, "one root twice");
    let leaf = CertificateDer::from(world().leaves[LEAF].der.as_slice());
    let verified = TrustStore::new(vec![entry]).unwrap().verify(&leaf, &[], now(), Role::Client);
    if let Ok(svid) = &verified {
        assert!(anchors.contains(&svid.anchor));
    }
    Some((anchors, verified.is_ok()))
}

/// The SubjectPublicKeyInfo of a certificate: the sixth field after the version (RFC 5280 section 4.1).
fn key_of(der: &[u8]) -> Option<&[u8]> {
    let fields = elements(first(signed_part(der)?)?.content);
    Some(fields.filter(|field| field.tag != 0xa0).nth(5)?.content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_vouches_and_no_other_does() {
        for (number, ca) in world().cas.iter().enumerate() {
            let pem = armored("CERTIFICATE", ca);
            let (anchors, vouches) = vouching(entry(ROOT_1, pem.as_bytes(), None)).unwrap();
            assert_eq!((anchors.len(), vouches), (1, number == ROOT_1));
        }
        assert!(key_of(&world().cas[ROOT_1]).is_some());
        assert_ne!(key_of(&world().cas[0]), key_of(&world().cas[1]));
    }

    #[test]
    fn the_target_takes_every_choice_of_certificates() {
        for choice in 0..=255 {
            bundle(&[1, choice]);
        }
        bundle(&[&[2], world().cas[0].as_slice()].concat());
        bundle(&[1, 1, 1, 0, 0, 40, 1, 1]);
    }
}
