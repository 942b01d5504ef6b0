//! From a chain to an identity: who is believed was signed, and says what the gateway says it says.

use landbridge_certs::{Role, Svid};
use rustls_pki_types::{CertificateDer, UnixTime};

use crate::der::signed_part;
use crate::edit::{edit, edits};
use crate::reading::Leaf;
use crate::world::{ENTRIES, Leaf as Genuine, MIDDLE, REVOKED, ROOT_1, ROOT_2, days, now, signed, world};

/// What becomes of a leaf's signature when the leaf is changed.
#[derive(Debug, Clone, Copy)]
enum Signature {
    /// It stays, and fits what was issued only.
    Kept,
    /// The CA signs what the leaf says now.
    Renewed,
}

/// The input: a byte that chooses the leaf, one of options (role, time, whether to sign what was changed),
/// changes to the certificates, and behind them more certificates, one byte each.
///
/// Where there are fewer leaves than the first byte says, the rest of the input is the leaf.
pub fn svid(data: &[u8]) {
    let [choice, options, rest @ ..] = data else { return };
    let role = if options & 1 == 0 { Role::Client } else { Role::Server };
    let time = [now(), days(-3), days(3), days(4000)][usize::from(options >> 1 & 3)];
    let signature = if options & 8 == 0 { Signature::Kept } else { Signature::Renewed };
    let (chain, ca) = presented(*choice, signature, rest);
    let Some((leaf, intermediates)) = chain.split_first() else { return };
    let verified = world().store.verify(leaf, intermediates, time, role);
    match verified {
        Err(refusal) => assert!(!refusal.detail.is_empty() && refusal.identity.is_none()),
        Ok(svid) => match signature {
            Signature::Kept => as_issued(&svid, leaf, role, time),
            Signature::Renewed => as_written(&svid, leaf, ca, role, time),
        },
    }
}

/// A chain, leaf first, and the CA that signs its leaf or did.
fn presented(choice: u8, signature: Signature, rest: &[u8]) -> (Vec<CertificateDer<'static>>, usize) {
    let world = world();
    let mut chain = Vec::new();
    let (mut ca, mut more): (usize, &[u8]) = (usize::from(choice) % world.cas.len(), &[]);
    match (world.leaves.get(usize::from(choice)), signature) {
        (None, Signature::Kept) => chain.extend([rest.to_vec(), world.cas[MIDDLE].clone()]),
        (None, Signature::Renewed) => chain.extend([signed(ca, rest), world.cas[MIDDLE].clone()]),
        (Some(leaf), _) => {
            let changes;
            (changes, more) = edits(rest);
            ca = leaf.issuer;
            chain.push(leaf.der.clone());
            if ca == MIDDLE {
                chain.push(world.cas[MIDDLE].clone());
            }
            if matches!(signature, Signature::Renewed) {
                let mut tbs = [signed_part(&leaf.der).unwrap_or_default().to_vec()];
                edit(&mut tbs, changes);
                chain[0] = signed(ca, &tbs[0]);
            } else {
                edit(&mut chain, changes);
            }
        }
    }
    let genuine: Vec<&Vec<u8>> = world.cas.iter().chain(world.leaves.iter().map(|leaf| &leaf.der)).collect();
    chain.extend(more.iter().map(|which| genuine[usize::from(*which) % genuine.len()].clone()));
    (chain.into_iter().map(CertificateDer::from).collect(), ca)
}

/// Whoever is believed without a new signature is one of those who were issued to be believed.
fn as_issued(svid: &Svid, leaf: &CertificateDer<'_>, role: Role, time: UnixTime) {
    let tbs = signed_part(leaf);
    let genuine = |leaf: &&Genuine| tbs.is_some() && signed_part(&leaf.der) == tbs;
    let Some(genuine) = world().leaves.iter().find(genuine) else {
        panic!("believed, and nobody signed it: {svid:?}");
    };
    let who = (svid.identity.trust.as_str(), svid.identity.id.as_str());
    assert_eq!(Some(who), genuine.believed);
    assert!(matches!(role, Role::Client) || genuine.both_roles, "for clients alone: {svid:?}");
    assert_eq!(time, now(), "outside of its validity: {svid:?}");
    assert_eq!(svid.not_after, days(2));
    assert_eq!(svid.path.len(), if genuine.issuer == MIDDLE { 2 } else { 1 });
    assert!(anchored(svid, genuine.issuer));
}

/// Whoever is believed by a new signature says so, in a reading of our own.
fn as_written(svid: &Svid, leaf: &CertificateDer<'_>, ca: usize, role: Role, time: UnixTime) {
    let Some(read) = signed_part(leaf).and_then(Leaf::read) else {
        panic!("believed, and makes no sense: {svid:?}");
    };
    let root = if ca == MIDDLE { ROOT_1 } else { ca };
    assert_eq!(svid.identity.trust.as_str(), ENTRIES[root].0);
    assert_eq!(svid.identity.id.trust_domain(), ENTRIES[root].1);
    assert_eq!(read.uris, [svid.identity.id.as_str().as_bytes()]);
    assert!(read.serves(role, time), "{read:?}");
    assert!(root != ROOT_2 || read.serial != [REVOKED], "revoked: {svid:?}");
    assert_eq!((&*svid.path[0].serial, &*svid.path[0].issuer), (read.serial, read.issuer));
    assert!(anchored(svid, ca));
}

/// Whether the path ends in the root of the CA that signed the leaf.
fn anchored(svid: &Svid, ca: usize) -> bool {
    let root = if ca == MIDDLE { ROOT_1 } else { ca };
    let entry = world().store.entries().nth(root);
    entry.is_some_and(|entry| entry.anchors().any(|anchor| *anchor == svid.anchor))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every leaf as it is, signed as it was or anew.
    fn verified(number: usize, signature: Signature, role: Role) -> Option<Svid> {
        let (chain, _) = presented(u8::try_from(number).unwrap(), signature, &[]);
        world().store.verify(&chain[0], &chain[1..], now(), role).ok()
    }

    #[test]
    fn those_who_are_to_be_believed_are_and_nobody_else_is() {
        for (number, leaf) in world().leaves.iter().enumerate() {
            for signature in [Signature::Kept, Signature::Renewed] {
                let found = verified(number, signature, Role::Client);
                let who = found.as_ref().map(|it| (it.identity.trust.as_str(), it.identity.id.as_str()));
                assert_eq!(who, leaf.believed, "leaf {number}");
                let as_server = verified(number, signature, Role::Server).is_some();
                assert_eq!(as_server, leaf.believed.is_some() && leaf.both_roles, "leaf {number}");
            }
        }
    }

    #[test]
    fn the_target_takes_every_leaf_in_every_role_at_every_time() {
        for choice in 0..20 {
            for options in 0..16 {
                svid(&[choice, options]);
                svid(&[choice, options, 0, 3, 0, 1, 5]);
            }
        }
    }

    #[test]
    #[should_panic(expected = "nobody signed it")]
    fn a_leaf_that_nobody_signed_would_be_noticed() {
        let believed = verified(0, Signature::Kept, Role::Client).unwrap();
        as_issued(&believed, &CertificateDer::from(vec![0x30, 2, 0x30, 0]), Role::Client, now());
    }

    #[test]
    #[should_panic(expected = "assertion")]
    fn an_identity_that_is_another_than_the_leaf_s_would_be_noticed() {
        let believed = verified(0, Signature::Renewed, Role::Client).unwrap();
        let another = CertificateDer::from(world().leaves[2].der.clone());
        as_written(&believed, &another, MIDDLE, Role::Client, now());
    }
}
