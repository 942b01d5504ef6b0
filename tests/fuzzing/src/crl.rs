//! Revocation lists: what cannot be used is refused, and nobody is let in by a list that its CA did not sign.

use landbridge_certs::{CertId, Role, Svid, TrustEntry, TrustStore};
use landbridge_core::Reason;
use rustls_pki_types::CertificateDer;

use crate::der::signed_part;
use crate::edit::{edit, edits};
use crate::pem::armored;
use crate::reading::{Leaf, List};
use crate::world::{ROOT_2, entry, now, signed, world};

/// The leaf of `cluster-2` that no list revokes, and the one that its list does.
const FINE: usize = 1;
const LOST: usize = 7;

/// The input: a byte that says what the rest is. 0: a file. 1: a choice of genuine lists, and changes to them.
/// 2: changes to what the CA then signs. 3: what the CA then signs.
pub fn crl(data: &[u8]) {
    let [kind, rest @ ..] = data else { return };
    match kind % 4 {
        0 => as_signed(rest, &[]),
        1 => {
            let [choice, rest @ ..] = rest else { return };
            let genuine = [&world().crl, &world().old_crl, &world().foreign_crl, &world().crl];
            let chosen = genuine.into_iter().enumerate().filter(|(bit, _)| choice & 1 << bit != 0);
            let mut lists: Vec<Vec<u8>> = chosen.map(|(_, list)| list.clone()).collect();
            edit(&mut lists, edits(rest).0);
            as_signed(file(&lists).as_bytes(), &lists);
        }
        2 => {
            let mut tbs = [signed_part(&world().crl).unwrap_or_default().to_vec()];
            edit(&mut tbs, edits(rest).0);
            as_written(&tbs[0]);
        }
        _ => as_written(rest),
    }
}

fn file(lists: &[Vec<u8>]) -> String {
    lists.iter().map(|list| armored("X509 CRL", list)).collect()
}

fn loaded(file: &[u8]) -> Option<TrustEntry> {
    let bundle = armored("CERTIFICATE", &world().cas[ROOT_2]);
    match entry(ROOT_2, bundle.as_bytes(), Some(file)) {
        Ok(entry) => Some(entry),
        Err(error) => {
            assert!(!error.to_string().is_empty());
            None
        }
    }
}

fn verified(store: &TrustStore, leaf: usize) -> Result<Svid, Reason> {
    let leaf = CertificateDer::from(world().leaves[leaf].der.as_slice());
    store.verify(&leaf, &[], now(), Role::Client).map_err(|refusal| refusal.reason)
}

/// Lists that nobody signed anew: the genuine one lets one in and keeps the other out, and no other lets
/// anybody in.
fn as_signed(file: &[u8], lists: &[Vec<u8>]) {
    let Some(entry) = loaded(file) else { return };
    let names_lost = entry.revokes(&id(LOST));
    let store = TrustStore::new(vec![entry]).unwrap();
    let lost = verified(&store, LOST);
    assert!(lost.is_err(), "believed, and revoked");
    assert!(lost != Err(Reason::CertRevoked) || names_lost, "revoked, and no list names it");
    if verified(&store, FINE).is_ok() {
        let genuine = signed_part(&world().crl);
        let unchanged = lists.iter().any(|list| signed_part(list) == genuine);
        // In a file of any text, the genuine list can be written in more than one way.
        assert!(unchanged || lists.is_empty(), "let in by a list that was not signed so");
    }
}

/// One list that the CA signed: what it says decides, in a reading of our own.
fn as_written(tbs: &[u8]) {
    let Some(entry) = loaded(file(&[signed(ROOT_2, tbs)]).as_bytes()) else { return };
    let expired = entry.lists_expired(now());
    let named = [entry.revokes(&id(FINE)), entry.revokes(&id(LOST))];
    assert_eq!(expired, !entry.warnings().is_empty());
    let store = TrustStore::new(vec![entry]).unwrap();
    for (leaf, named) in [FINE, LOST].into_iter().zip(named) {
        match verified(&store, leaf) {
            Ok(_) => {
                let read = List::read(tbs);
                let Some(read) = read else { panic!("let in by a list that makes no sense") };
                assert!(!named && !expired && read.next_update > now().as_secs(), "{read:?}");
                assert_eq!(read.issuer, &*id(leaf).issuer);
                assert!(!read.revoked.contains(&&*id(leaf).serial), "{read:?}");
            }
            Err(Reason::CertRevoked) => assert!(named, "revoked, and no list names it"),
            Err(_) => {}
        }
    }
}

/// A leaf as revocation names it.
fn id(leaf: usize) -> CertId {
    let leaf = signed_part(&world().leaves[leaf].der).and_then(Leaf::read).unwrap();
    CertId { issuer: leaf.issuer.into(), serial: leaf.serial.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::REVOKED;

    #[test]
    fn the_genuine_list_lets_one_in_and_keeps_the_other_out() {
        let store = TrustStore::new(vec![loaded(file(&[world().crl.clone()]).as_bytes()).unwrap()]).unwrap();
        assert!(verified(&store, FINE).is_ok());
        assert_eq!(verified(&store, LOST), Err(Reason::CertRevoked));
        assert_eq!(&*id(LOST).serial, [REVOKED]);
    }

    #[test]
    fn the_target_takes_every_choice_of_lists_and_the_genuine_one_signed_anew() {
        for choice in 0..16 {
            crl(&[1, choice]);
            crl(&[1, choice, 1, 0, 0, 60, 1, 1]);
        }
        crl(&[2]);
        crl(&[&[3], signed_part(&world().crl).unwrap()].concat());
        crl(&[&[0], file(&[world().crl.clone()]).as_bytes()].concat());
    }
}
