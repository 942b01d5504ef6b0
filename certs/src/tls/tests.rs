//! What is negotiated, and what a configuration costs.

use std::time::Instant;

use landbridge_core::Reason;
use rustls::version::{TLS12, TLS13};
use rustls::{CipherSuite, ClientConfig, HandshakeKind, NamedGroup, ProtocolVersion};

use super::*;
use crate::issue::{Ca, Issued};
use crate::testing::{
    Gateway, SLEEP, Shaken, anonymous, client, connecting, entry, gateway_roots, hello_of, id, now, root,
    service, shake, shake_as,
};

fn world() -> (Ca, Issued, Gateway) {
    let ca = root("root");
    let issued = ca.svid(&id(SLEEP), now()).unwrap();
    let gateway = Gateway::new(vec![entry("cluster-1", "cluster.local", &[&ca])]);
    (ca, issued, gateway)
}

fn client_with(
    issued: &Issued,
    provider: CryptoProvider,
    versions: &[&'static SupportedProtocolVersion],
) -> ClientConfig {
    ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(gateway_roots())
        .with_client_cert_resolver(client(issued).client_auth_cert_resolver)
}

fn offers(names: &[&str]) -> Vec<Vec<u8>> {
    names.iter().map(|name| name.as_bytes().to_vec()).collect()
}

#[test]
fn the_protocol_selected_is_the_client_s_first_that_istio_speaks() {
    let none: &[&str] = &[];
    // What sidecars offer: facts of Istio's cluster_tls.go and its istio.alpn filter.
    let cases: [(&[&str], &[&str]); 12] = [
        (none, none),
        (&["istio-peer-exchange", "istio"], &["istio"]),
        (&["istio"], &["istio"]),
        (&["istio-peer-exchange", "istio", "h2"], &["istio"]),
        (&["istio-http/1.0", "istio", "http/1.0"], &["istio-http/1.0"]),
        (&["istio-http/1.1", "istio", "http/1.1"], &["istio-http/1.1"]),
        (&["istio-h2", "istio", "h2"], &["istio-h2"]),
        (&["h2", "http/1.1"], &["h2"]),
        (&["http/1.1"], &["http/1.1"]),
        (&["istio-peer-exchange"], none),
        (&["foo", "\u{0}", "h2c"], none),
        (&["\u{7a7a}", "foo", "http/1.1"], &["http/1.1"]),
    ];
    for (offered, selected) in cases {
        assert_eq!(select_alpn(&Alpn::AsOffered, &offers(offered)), Ok(offers(selected)), "{offered:?}");
    }
}

#[test]
fn a_list_of_protocols_is_strict_towards_clients_that_offer_any() {
    let only = |names: &[&str]| Alpn::Only(names.iter().map(|name| Box::from(*name)).collect());
    let list = only(&["h2", "istio"]);
    assert_eq!(select_alpn(&list, &[]), Ok(Vec::new()));
    assert_eq!(
        select_alpn(&list, &offers(&["istio", "h2"])),
        Ok(offers(&["h2", "istio"])),
        "by the service's order"
    );
    assert_eq!(select_alpn(&list, &offers(&["foo", "istio"])), Ok(offers(&["istio"])));
    assert_eq!(select_alpn(&list, &offers(&["foo"])), Err(AlpnMismatch));
    let exchange = only(&["istio-peer-exchange"]);
    assert_eq!(select_alpn(&exchange, &offers(&["istio-peer-exchange"])), Err(AlpnMismatch));
}

#[test]
fn the_protocol_that_was_selected_is_negotiated_and_a_mismatch_is_alert_120() {
    let (_, issued, gateway) = world();
    let shaken = |gateway: &Gateway, names: &[&str]| {
        let mut config = client(&issued);
        config.alpn_protocols = offers(names);
        shake(gateway, config)
    };
    let agreed = |shaken: Shaken| {
        assert_eq!(shaken.trust(), "cluster-1");
        shaken.client.alpn_protocol().map(|name| String::from_utf8(name.to_vec()).unwrap())
    };
    let sidecar = shaken(&gateway, &["istio-peer-exchange", "istio"]);
    assert_eq!(agreed(sidecar).as_deref(), Some("istio"));
    assert_eq!(agreed(shaken(&gateway, &["foo"])), None);
    let mut strict = service(&["spiffe://cluster.local/*"]);
    strict.alpn = Alpn::Only(["h2".into()].into());
    let gateway = gateway.serving(strict);
    assert_eq!(agreed(shaken(&gateway, &["istio", "h2"])).as_deref(), Some("h2"));
    assert_eq!(agreed(shaken(&gateway, &[])), None);
    assert_eq!(shaken(&gateway, &["foo"]).refused(), (Some(Reason::AlpnMismatch), Some(120)));
}

#[test]
fn the_hybrid_group_and_aes_128_are_what_a_client_with_everything_gets() {
    let (_, issued, gateway) = world();
    let shaken = shake(&gateway, client(&issued));
    assert_eq!(shaken.trust(), "cluster-1");
    let server = shaken.server();
    assert_eq!(server.negotiated_key_exchange_group().unwrap().name(), NamedGroup::X25519MLKEM768);
    assert_eq!(server.negotiated_cipher_suite().unwrap().suite(), CipherSuite::TLS13_AES_128_GCM_SHA256);
    assert_eq!(server.protocol_version(), Some(ProtocolVersion::TLSv1_3));
}

#[test]
fn our_order_of_suites_wins_over_the_client_s() {
    let (_, issued, gateway) = world();
    let mut reversed = provider();
    reversed.cipher_suites.reverse();
    let shaken = shake(&gateway, client_with(&issued, reversed, &[&TLS13]));
    assert_eq!(shaken.trust(), "cluster-1");
    assert_eq!(
        shaken.server().negotiated_cipher_suite().unwrap().suite(),
        CipherSuite::TLS13_AES_128_GCM_SHA256
    );
}

#[test]
fn a_client_whose_first_group_is_not_ours_is_asked_again_and_served() {
    let (_, issued, gateway) = world();
    let mut other = provider();
    other.kx_groups = vec![aws_lc_rs::kx_group::SECP256R1MLKEM768, aws_lc_rs::kx_group::SECP384R1];
    // Once: asked again, it would know which group is wanted.
    let shaken = shake_as(&gateway, connecting(client_with(&issued, other, &[&TLS13])));
    assert_eq!(shaken.trust(), "cluster-1");
    assert_eq!(shaken.server().handshake_kind(), Some(HandshakeKind::FullWithHelloRetryRequest));
}

#[test]
fn a_client_without_a_common_group_gets_alert_40() {
    let (_, issued, gateway) = world();
    let mut other = provider();
    other.kx_groups = vec![aws_lc_rs::kx_group::MLKEM1024];
    let shaken = shake(&gateway, client_with(&issued, other, &[&TLS13]));
    assert_eq!(shaken.refused(), (Some(Reason::NoCommon), Some(40)));
}

#[test]
fn tls_1_2_is_refused_by_default_and_accepted_where_configured() {
    let (_, issued, gateway) = world();
    let old = || client_with(&issued, provider(), &[&TLS12]);
    assert_eq!(shake(&gateway, old()).refused(), (Some(Reason::Version), Some(70)));
    let gateway = gateway.min(MinTls::V1_2);
    let shaken = shake(&gateway, old());
    assert_eq!(shaken.trust(), "cluster-1");
    assert_eq!(shaken.server().protocol_version(), Some(ProtocolVersion::TLSv1_2));
    // And who can do better, does.
    let shaken = shake(&gateway, client(&issued));
    assert_eq!(shaken.trust(), "cluster-1");
    assert_eq!(shaken.server().protocol_version(), Some(ProtocolVersion::TLSv1_3));
}

#[test]
fn refusals_of_tls_1_2_clients_have_the_same_reasons() {
    let (_, issued, gateway) = world();
    let gateway = gateway.min(MinTls::V1_2);
    let none = shake(&gateway, anonymous(&[&TLS12], None));
    assert_eq!(none.reason, Some(Reason::NoClientCert));
    let denied = gateway.serving(service(&[]));
    let shaken = shake(&denied, client_with(&issued, provider(), &[&TLS12]));
    assert_eq!(shaken.refused(), (Some(Reason::Denied), Some(49)));
}

#[test]
fn nothing_is_resumed() {
    let (_, issued, gateway) = world();
    let config = Arc::new(client(&issued));
    for _ in 0..2 {
        let shaken = shake(&gateway, (*config).clone());
        assert_eq!(shaken.trust(), "cluster-1");
        assert_eq!(shaken.client.handshake_kind(), Some(HandshakeKind::Full));
        assert_eq!(shaken.client.tls13_tickets_received(), 0);
    }
}

#[test]
fn the_identity_that_was_handed_in_is_the_one_presented() {
    let (_, issued, gateway) = world();
    let shaken = shake(&gateway, client(&issued));
    let seen = shaken.client.peer_certificates().unwrap();
    assert_eq!(seen[0], gateway.key.chain()[0]);
}

/// Not a bound, a figure: run with `--nocapture`.
#[test]
fn making_a_configuration_costs_little_beside_a_handshake() {
    let (_, issued, gateway) = world();
    let rounds = 2_000;
    let hello = hello_of(&mut connecting(client(&issued)));
    let began = Instant::now();
    for _ in 0..rounds {
        let config = gateway.context.server_config(Acceptance {
            hello: &hello,
            trust: gateway.trust.clone(),
            key: &gateway.key,
            route: gateway.route.clone(),
            alpn: offers(&["istio"]),
            verdict: Verdict::new(),
        });
        assert_eq!(config.send_tls13_tickets, 0);
        assert_eq!(config.max_early_data_size, 0);
        assert!(config.require_ems && config.ignore_client_order);
        assert!(!config.session_storage.can_cache() && !config.ticketer.enabled());
    }
    let each = began.elapsed() / rounds;
    let began = Instant::now();
    assert_eq!(shake(&gateway, client(&issued)).trust(), "cluster-1");
    println!("a configuration: {each:?}; a handshake, both ends: {:?}", began.elapsed());
}
