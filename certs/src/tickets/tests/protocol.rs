//! What of TLS resumption is for, and what not.

use super::*;
use crate::hello::Hello;

fn speaking(
    config: &ClientConfig,
    provider: CryptoProvider,
    version: &'static rustls::SupportedProtocolVersion,
) -> ClientConfig {
    ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(gateway_roots())
        .with_client_cert_resolver(config.client_auth_cert_resolver.clone())
}

#[test]
fn tls_1_2_has_neither_tickets_nor_session_ids() {
    let mut scene = Scene::new();
    scene.gateway = scene.gateway.resuming(MinTls::V1_2, Arc::new(scene.clock.clone()));
    let (_, config) = scene.caller();
    let (old, hoard) = hoarding(speaking(&config, provider(), &TLS12));
    for _ in 0..3 {
        let shaken = scene.shakes(&old);
        assert_eq!(shaken.trust(), "cluster-1");
        assert_eq!(shaken.server().protocol_version(), Some(ProtocolVersion::TLSv1_2));
        assert_eq!(kind(&shaken), HandshakeKind::Full);
    }
    let Gateway { context, trust, key, route } = &scene.gateway;
    let verdict = Verdict::new();
    let answer_to = |hello: &Hello| {
        context.server_config(Acceptance {
            hello,
            trust: trust.clone(),
            key,
            route: route.clone(),
            alpn: Vec::new(),
            verdict: verdict.clone(),
        })
    };
    // Not even the extension is acknowledged, which rustls does where tickets are enabled.
    let (newer, mut client) = (hello_of(&mut connecting(config.clone())), connecting(old.clone()));
    let hello = hello_of(&mut client);
    let ways = [(&newer, true, 1), (&hello, false, 0)];
    for (hello, offered, tickets) in ways {
        let answer = answer_to(hello);
        assert_eq!((hello.offers_tls13(), answer.ticketer.enabled()), (offered, offered));
        assert_eq!((answer.send_tls13_tickets, answer.max_tls13_tickets), (tickets, 0));
        assert_eq!(answer.max_early_data_size, 0);
        assert!(!answer.session_storage.can_cache());
    }
    // And if a hello were taken for what it is not, the ticket would be empty.
    let answer = answer_to(&newer);
    let mut server = crate::testing::connect(hello, answer).ok().unwrap();
    shake_on(&mut client, &mut server);
    assert!(verdict.proven(&server).is_some());
    assert_eq!(server.protocol_version(), Some(ProtocolVersion::TLSv1_2));
    assert_eq!(hoard.old.load(Ordering::Relaxed), 0, "no session of TLS 1.2 could be kept");
    // And TLS 1.3 beside it has.
    scene.shakes_in_full(&config);
    scene.is_resumed(&config);
}

/// Carries what either side says until both have said all.
fn shake_on(client: &mut ClientConnection, server: &mut ServerConnection) {
    while server.wants_write() || client.wants_write() {
        let mut records = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut records).unwrap();
        }
        assert_eq!(receive(client, &records), None);
        let records = sent(client);
        let mut rest = records.as_slice();
        while !rest.is_empty() {
            server.read_tls(&mut rest).unwrap();
            server.process_new_packets().unwrap();
        }
    }
}

#[test]
fn a_client_that_is_asked_for_another_key_share_is_resumed_too() {
    let scene = Scene::new();
    let (_, config) = scene.caller();
    let mut other = provider();
    let group = rustls::crypto::aws_lc_rs::kx_group::SECP256R1MLKEM768;
    other.kx_groups = vec![group, rustls::crypto::aws_lc_rs::kx_group::SECP384R1];
    let (config, _) = hoarding(speaking(&config, other, &TLS13));
    let first = scene.shakes(&config);
    assert_eq!((first.trust(), kind(&first)), ("cluster-1", HandshakeKind::FullWithHelloRetryRequest));
    let again = scene.shakes(&config);
    assert_eq!(again.server().handshake_kind(), Some(HandshakeKind::Resumed));
    assert!(scene.judged(&again).is_ok());
}

#[test]
fn early_data_stays_off() {
    let scene = Scene::new();
    let (_, mut config) = scene.caller();
    config.enable_early_data = true;
    scene.shakes_in_full(&config);
    let mut client = connecting(config);
    assert!(client.early_data().is_none());
    assert_eq!(kind(&shake_as(&scene.gateway, client)), HandshakeKind::Resumed);
}
