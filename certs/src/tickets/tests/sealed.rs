//! Tickets as such: what is in them, who gets one, how large they may be.

use super::*;

#[test]
fn of_a_ticket_with_any_byte_changed_cut_or_added_nothing_is_taken() {
    let scene = Scene::new();
    let tickets = scene.tickets();
    let ticket = tickets.encrypt(&[7; 300]).unwrap();
    assert_eq!(tickets.decrypt(&ticket), Some(vec![7; 300]));
    for at in 0..ticket.len() {
        let mut changed = ticket.clone();
        changed[at] ^= 1;
        assert_eq!(tickets.decrypt(&changed), None, "byte {at}");
        assert_eq!(tickets.decrypt(&ticket[..at]), None, "{at} bytes");
    }
    assert_eq!(tickets.decrypt(&[&ticket[..], b"x"].concat()), None);
}

#[test]
fn terms_are_read_as_they_were_written_and_from_no_less() {
    let identity = Identity { trust: TrustName::new("cluster-1"), id: id(SLEEP) };
    let terms = Terms { identity, leaf_sha256: [5; 32], proven: 1_000, until: 4_600 };
    let bytes = terms.before(&[9; 32], b"session").unwrap();
    assert_eq!(Terms::read(&bytes, &[9; 32]), Some((terms.clone(), &b"session"[..])));
    assert_eq!(Terms::read(&bytes, &[8; 32]), None, "of another context");
    let head = bytes.len() - b"session".len();
    for length in 0..head {
        assert_eq!(Terms::read(&bytes[..length], &[9; 32]), None, "{length} bytes");
    }
    // No names are too long that a configuration and a certificate can have; others make no ticket.
    let long = Identity { trust: TrustName::new(&"n".repeat(70_000)), id: id(SLEEP) };
    assert!(Terms { identity: long, ..terms.clone() }.before(&[9; 32], b"").is_none());

    let at = |seconds| UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
    let left = [999, 1_000, 4_599, 4_600, 4_601].map(|second| terms.left(at(second)));
    assert_eq!(left, [0, 3_600, 1, 0, 0]);
}

#[test]
fn what_a_ticket_says_of_its_lifetime_is_what_is_left() {
    let scene = Scene::new();
    let tickets = scene.tickets();
    assert_eq!(tickets.lifetime(), 3_600);
    scene.clock.pass(1_000);
    assert_eq!(tickets.lifetime(), 2_600);
    assert!(tickets.encrypt(b"session").is_some());
    scene.clock.pass(2_600);
    assert_eq!((tickets.lifetime(), tickets.encrypt(b"session")), (0, None));
}

#[test]
fn who_has_not_proven_to_hold_its_key_gets_no_ticket() {
    let scene = Scene::new();
    let tickets = scene.tickets();
    let session = &tickets.session;
    let ticket = tickets.encrypt(b"session").unwrap();
    *session.stage() = Stage::Unknown;
    session.proven();
    assert_eq!((tickets.encrypt(b"session"), tickets.lifetime()), (None, 0));
    // Whatever ticket it came with.
    assert!(tickets.decrypt(&ticket).is_some());
    session.refused();
    assert_eq!(tickets.encrypt(b"session"), None);
}

#[test]
fn no_ticket_is_larger_than_the_client_s_next_hello_has_room_for() {
    let mut scene = Scene::new();
    let (_, config) = scene.caller();
    let hello = hello_of(&mut connecting(config.clone())).len();
    let ticket = scene.tickets().encrypt(&[0; 1_000]).unwrap().len();
    for (room, expected) in [(0, 0), (200, 0), (ticket, 1)] {
        let tickets = |shaken: Shaken| shaken.client.tls13_tickets_received();
        let context = crate::TlsContext::new(MinTls::V1_3).unwrap();
        scene.gateway.context = context.resuming(hello + AROUND + room).unwrap();
        assert_eq!(tickets(scene.shakes(&client(&scene.caller().0))), expected, "{room}");
    }
    // And what was given fits, with the ticket in it.
    let resumed = hello_of(&mut connecting(config));
    assert!(resumed.len() < HELLO_BYTES);
}

#[test]
fn a_chain_that_is_not_the_ticket_s_is_nobody_s_though_it_is_believed() {
    let scene = Scene::new();
    let tickets = scene.tickets();
    let other = scene.ca.svid(&id(SLEEP), now()).unwrap();
    let judged = || tickets.session.judge_again(&other.chain[0], &[], scene.clock.now());
    let ticket = tickets.encrypt(b"session").unwrap();
    assert_eq!(judged().unwrap_err().reason, Reason::Internal, "without a ticket");
    assert!(tickets.decrypt(&ticket).is_some());
    assert_eq!(judged().unwrap_err().reason, Reason::Internal, "with another's");
    let Stage::Offered(mut terms) = std::mem::replace(&mut *tickets.session.stage(), Stage::Unknown) else {
        panic!("nothing was offered");
    };
    terms.leaf_sha256 = sha256(&other.chain[0]);
    *tickets.session.stage() = Stage::Offered(terms);
    assert_eq!(judged().map(|svid| svid.identity.id), Ok(id(SLEEP)));
}
