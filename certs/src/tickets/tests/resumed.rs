//! Who is resumed, who has to shake hands in full, and that both are judged alike.

use super::*;
use crate::testing::SNI;

#[test]
fn a_session_is_resumed_and_its_owner_judged_again() {
    let scene = Scene::new();
    let (issued, config) = scene.caller();
    let first = scene.shakes(&config);
    assert_eq!((first.trust(), kind(&first)), ("cluster-1", HandshakeKind::Full));
    assert_eq!(first.client.tls13_tickets_received(), 1);
    let again = first.verdict.proven_again(first.server(), scene.clock.now());
    assert_eq!(again.unwrap_err().reason, Reason::Internal, "a full handshake is no resumed one");

    for _ in 0..5 {
        let shaken = scene.shakes(&config);
        assert_eq!(kind(&shaken), HandshakeKind::Resumed);
        assert_eq!(shaken.client.tls13_tickets_received(), 1);
        let svid = scene.judged(&shaken).unwrap();
        assert_eq!(Some(&svid), first.verdict.proven(first.server()));
        assert_eq!(svid.leaf_sha256, sha256(&issued.chain[0]));
    }
}

#[test]
fn a_hello_that_resumes_is_nobody_s_however_often_it_is_replayed() {
    let scene = Scene::new();
    let (_, config) = scene.caller();
    scene.shakes_in_full(&config);
    let hello = sent(&mut connecting(config));
    for _ in 0..100 {
        let verdict = Verdict::new();
        let hello = HelloReader::new(HELLO_BYTES).feed(&hello).unwrap().unwrap();
        let server = scene.gateway.accept(hello, &verdict).ok().unwrap();
        assert_eq!(server.handshake_kind(), Some(HandshakeKind::Resumed));
        assert!(server.peer_certificates().is_some(), "rustls has the chain already");
        assert_eq!(verdict.proven(&server), None);
        let refusal = verdict.proven_again(&server, scene.clock.now()).unwrap_err();
        assert_eq!(refusal.reason, Reason::Internal);
    }
}

#[test]
fn a_session_ends_an_hour_after_its_full_handshake_however_often_it_is_resumed() {
    let scene = Scene::new();
    let (_, config) = scene.caller();
    scene.shakes_in_full(&config);
    for _ in 0..3 {
        scene.clock.pass(LONGEST / 3 - 1);
        scene.is_resumed(&config);
    }
    scene.clock.pass(3);
    scene.shakes_in_full(&config);
    scene.is_resumed(&config);
}

#[test]
fn a_session_ends_with_the_leaf_and_the_client_learns_that_it_expired() {
    let scene = Scene::new();
    let brief = leaf(&scene.ca, |leaf| leaf.validity.not_after = at(now(), 600));
    let config = client(&brief);
    scene.shakes_in_full(&config);
    scene.clock.pass(590);
    scene.is_resumed(&config);
    let late = scene.shakes(&config);
    scene.clock.pass(11);
    // Resumed in time, and judged too late.
    assert_eq!(kind(&late), HandshakeKind::Resumed);
    assert_eq!(scene.judged(&late).unwrap_err().reason, Reason::CertExpired);
    assert_eq!(scene.shakes(&config).refused(), (Some(Reason::CertExpired), Some(45)));
}

#[test]
fn a_session_ends_with_an_intermediate_a_root_or_a_revocation_list() {
    let brief = Validity { not_before: at(now(), -60), not_after: at(now(), 600) };
    let options = CaOptions { validity: brief, ..CaOptions::new(now()) };
    let long = root("root");
    let lasts = |entry, issued: &Issued| {
        let mut scene = Scene::new();
        scene.gateway.trust = store(vec![entry]);
        let config = client(issued);
        scene.shakes_in_full(&config);
        scene.clock.pass(590);
        scene.is_resumed(&config);
        scene.clock.pass(11);
        scene.shakes(&config).refused()
    };
    let intermediate = long.intermediate("brief", &options).unwrap();
    let below = intermediate.svid(&id(SLEEP), now()).unwrap();
    let refused = lasts(entry("cluster-1", "cluster.local", &[&long]), &below);
    assert_eq!(refused, (Some(Reason::CertExpired), Some(45)));

    let short = Ca::root("root", &options).unwrap();
    let issued = short.svid(&id(SLEEP), now()).unwrap();
    let refused = lasts(entry("cluster-1", "cluster.local", &[&short]), &issued);
    assert_eq!(refused, (Some(Reason::CertExpired), Some(45)));

    let issued = long.svid(&id(SLEEP), now()).unwrap();
    let crl = long.crl(&[], brief).unwrap();
    let refused = lasts(entry_with("cluster-1", "cluster.local", &[&long], Some(&crl)), &issued);
    assert_eq!(refused, (Some(Reason::RevocationUnknown), Some(48)));
}

#[test]
fn who_lost_its_grant_shakes_hands_in_full_and_learns_it() {
    let mut scene = Scene::new();
    let (_, config) = scene.caller();
    scene.shakes_in_full(&config);
    scene.is_resumed(&config);
    scene.gateway = scene.gateway.serving(service(&["spiffe://cluster.local/ns/default/sa/web"]));
    assert_eq!(scene.shakes(&config).refused(), (Some(Reason::Denied), Some(49)));
}

#[test]
fn of_another_trust_epoch_and_of_another_gateway_no_ticket_is_one() {
    let mut scene = Scene::new();
    let (config, _) = hoarding(scene.caller().1);
    scene.shakes_in_full(&config);
    scene.is_resumed(&config);
    scene.gateway.context = scene.gateway.context.renewed().unwrap();
    scene.shakes_in_full(&config);
    scene.is_resumed(&config);
    scene.gateway = scene.gateway.resuming(MinTls::V1_3, Arc::new(scene.clock.clone()));
    scene.shakes_in_full(&config);
}

/// The second line: even where the keys of tickets stayed, as they never should, nobody is believed by them.
#[test]
fn a_resumed_client_is_held_to_the_trust_of_now() {
    let mut scene = Scene::new();
    let (issued, config) = scene.caller();
    let judged = |scene: &mut Scene, entry| {
        scene.shakes(&config);
        scene.gateway.trust = store(vec![entry]);
        let shaken = scene.shakes(&config);
        assert_eq!(kind(&shaken), HandshakeKind::Resumed);
        scene.gateway.trust = store(vec![crate::testing::entry("cluster-1", "cluster.local", &[&scene.ca])]);
        scene.judged(&shaken).unwrap_err().reason
    };
    let crl = scene.ca.crl(&[&issued.serial], Validity::starting(now(), CA_DAY)).unwrap();
    let revoking = entry_with("cluster-1", "cluster.local", &[&scene.ca], Some(&crl));
    assert_eq!(judged(&mut scene, revoking), Reason::CertRevoked);
    let other = entry("cluster-1", "cluster.local", &[&root("root")]);
    assert_eq!(judged(&mut scene, other), Reason::CertUntrusted);
    let elsewhere = entry("cluster-1", "b.example", &[&scene.ca]);
    assert_eq!(judged(&mut scene, elsewhere), Reason::UnknownTrustDomain);
}

const CA_DAY: std::time::Duration = std::time::Duration::from_secs(86_400);

#[test]
fn a_ticket_is_for_the_name_the_service_and_the_certificate_that_it_was_made_with() {
    let mut scene = Scene::new();
    let (config, hoard) = hoarding(scene.caller().1);
    scene.shakes_in_full(&config);
    // The same service by another of its names.
    let other = ServerName::try_from("httpbin.example").unwrap();
    let mut client = ClientConnection::new(Arc::new(config.clone()), other).unwrap();
    let server = scene.gateway.accept(hello_of(&mut client), &Verdict::new()).ok().unwrap();
    assert_eq!(server.handshake_kind(), Some(HandshakeKind::Full));
    assert!(hoard.ticket.lock().unwrap().is_none(), "the ticket was offered");
    scene.shakes_in_full(&config);
    scene.is_resumed(&config);

    // The same name, which leads to another service now.
    let names = [SNI, "httpbin.example"].map(|name| landbridge_core::sni::NamePattern::parse(name).unwrap());
    let service = (*scene.gateway.route.service).clone();
    let renamed = Service { name: "other:8000".into(), names: names.into(), ..service };
    scene.gateway = scene.gateway.serving(renamed);
    scene.shakes_in_full(&config);
    scene.is_resumed(&config);

    // The same, in another layer: what is no ticket in a context of another name, service or certificate.
    let tickets = scene.tickets();
    let ticket = tickets.encrypt(b"session").unwrap();
    assert_eq!(tickets.decrypt(&ticket).as_deref(), Some(&b"session"[..]));
    let issued = scene.ca.svid(&id(SLEEP), now()).unwrap();
    let hello = hello_of(&mut connecting(crate::testing::client(&issued)));
    let of = |key: &KeyPair| {
        let clock = Arc::new(scene.clock.clone());
        let keys = scene.gateway.context.tickets();
        keys.for_connection(&hello, key, tickets.session.clone(), clock).decrypt(&ticket)
    };
    assert!(of(&scene.gateway.key).is_some());
    assert!(of(&crate::testing::key_pair(&issued)).is_none());
}

/// Not a bound, a figure: run with `--nocapture`, and `--release`.
#[test]
fn what_a_resumed_handshake_costs_beside_a_full_one_is_told() {
    let scene = Scene::new();
    let (issued, resuming) = scene.caller();
    let below = scene.ca.intermediate("intermediate", &CaOptions::new(now())).unwrap();
    let longer = client(&below.svid(&id(SLEEP), now()).unwrap());
    scene.shakes_in_full(&resuming);
    scene.shakes_in_full(&longer);
    let bare = hello_of(&mut connecting(client(&issued))).len();
    for (what, config) in [("a leaf", &resuming), ("a leaf and an intermediate", &longer)] {
        println!(
            "a hello with a ticket, {what}: {} bytes more",
            hello_of(&mut connecting(config.clone())).len() - bare
        );
    }
    let mut never = client(&issued);
    never.resumption = Resumption::disabled();
    scene.shakes_in_full(&resuming);
    for (what, config) in [("full", &never), ("resumed", &resuming)] {
        let rounds = 300;
        let mut taken = std::time::Duration::ZERO;
        for _ in 0..rounds {
            let began = std::time::Instant::now();
            let shaken = scene.shakes(config);
            match what {
                "full" => assert!(shaken.verdict.proven(shaken.server()).is_some()),
                _ => assert!(scene.judged(&shaken).is_ok()),
            }
            taken += began.elapsed();
        }
        println!("a {what} handshake, both ends: {:?}", taken / rounds);
    }
}
