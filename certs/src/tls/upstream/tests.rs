//! Handshakes in memory with an endpoint that speaks mutual TLS.

use landbridge_core::config::MinTls;
use landbridge_core::policy::{Grant, IdPattern};
use landbridge_core::{Reason, TrustName};
use rustls::server::WebPkiClientVerifier;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConnection, HandshakeKind, ProtocolVersion, ServerConfig, ServerConnection};
use rustls_pki_types::ServerName;

use super::*;
use crate::failure::upstream_failure;
use crate::issue::{Ca, Issued, LeafOptions, Purpose};
use crate::testing::{Gateway, SLEEP, SNI, at, entry, entry_with, gateway_roots, leaf, now, root};
use crate::trust::TrustEntry;

const HTTPBIN: &str = "spiffe://cluster.local/ns/default/sa/httpbin";

/// An endpoint that presents `issued` and wants the gateway's certificate.
fn endpoint(issued: &Issued, versions: &[&'static SupportedProtocolVersion]) -> ServerConfig {
    let provider = Arc::new(provider());
    let clients = WebPkiClientVerifier::builder_with_provider(gateway_roots().into(), provider.clone());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_client_cert_verifier(clients.build().unwrap())
        .with_single_cert(issued.chain.clone(), issued.key.clone_key())
        .unwrap();
    config.alpn_protocols = vec![b"istio".to_vec(), b"istio-http/1.1".to_vec()];
    config
}

fn httpbin(ca: &Ca, change: impl FnOnce(&mut LeafOptions)) -> Issued {
    leaf(ca, |options| {
        options.uris = vec![HTTPBIN.into()];
        change(options);
    })
}

fn expected(grants: &[(&str, Option<&str>)]) -> Arc<UpstreamTls> {
    let grant = |(id, from): &(&str, Option<&str>)| Grant {
        id: IdPattern::parse(id).unwrap(),
        from: from.map(TrustName::new),
        alias_of: None,
    };
    Arc::new(UpstreamTls { server_identities: grants.iter().map(grant).collect() })
}

/// How a call went.
struct Call {
    client: ClientConnection,
    server: ServerConnection,
    verdict: Arc<Verdict>,
    /// Why the gateway gave up.
    failure: Option<(Reason, String)>,
    /// The alert that the endpoint saw.
    alert: Option<u8>,
}

impl Call {
    /// The trust entry that vouched, after a handshake that succeeded.
    fn trust(&self) -> &str {
        assert_eq!(self.failure, None);
        assert!(!self.server.is_handshaking());
        self.verdict.proven(&self.client).unwrap().identity.trust.as_str()
    }

    /// The word of the verifier, the words of the failure and the alert.
    fn refused(&self) -> (Reason, &str, Option<u8>) {
        let (reason, detail) = self.failure.as_ref().unwrap();
        assert_eq!(self.verdict.proven(&self.client), None);
        (*reason, detail, self.alert)
    }
}

fn call(gateway: &Gateway, expected: Arc<UpstreamTls>, selected: Option<&str>, server: ServerConfig) -> Call {
    let verdict = Verdict::new();
    let config = gateway.context.client_config(Origination {
        trust: gateway.trust.clone(),
        key: &gateway.key,
        expected,
        alpn: offer_alpn(selected),
        verdict: verdict.clone(),
    });
    let mut client = ClientConnection::new(config, ServerName::try_from(SNI).unwrap()).unwrap();
    let mut server = ServerConnection::new(Arc::new(server)).unwrap();
    let (mut failure, mut alert) = (None, None);
    for _ in 0..8 {
        let mut records = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut records).unwrap();
        }
        let mut rest = records.as_slice();
        while !rest.is_empty() && alert.is_none() {
            server.read_tls(&mut rest).unwrap();
            if let Err(Error::AlertReceived(received)) = server.process_new_packets() {
                alert = Some(u8::from(received));
            }
        }
        let mut records = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut records).unwrap();
        }
        let mut rest = records.as_slice();
        while !rest.is_empty() && failure.is_none() {
            client.read_tls(&mut rest).unwrap();
            if let Err(error) = client.process_new_packets() {
                let refusal = upstream_failure(&error, &verdict);
                failure = Some((refusal.reason, refusal.detail));
            }
        }
    }
    Call { client, server, verdict, failure, alert }
}

fn usual(entries: Vec<TrustEntry>, issued: &Issued) -> Call {
    call(&Gateway::new(entries), expected(&[(HTTPBIN, None)]), None, endpoint(issued, &[&TLS13]))
}

#[test]
fn an_endpoint_that_is_expected_is_believed_and_sees_the_gateway_s_identity_and_the_name_asked_for() {
    let ca = root("root");
    let issued = httpbin(&ca, |_| ());
    let gateway = Gateway::new(vec![entry("cluster-2", "cluster.local", &[&ca])]);
    let called = call(&gateway, expected(&[(HTTPBIN, None)]), None, endpoint(&issued, &[&TLS13]));
    assert_eq!(called.trust(), "cluster-2");
    assert_eq!(called.server.peer_certificates().unwrap()[0], gateway.key.chain()[0]);
    assert_eq!(called.server.server_name(), Some(SNI));
    assert_eq!(called.server.alpn_protocol(), Some(b"istio".as_slice()));
    assert_eq!(called.client.protocol_version(), Some(ProtocolVersion::TLSv1_3));
}

#[test]
fn whoever_else_an_endpoint_is_it_is_refused_by_a_reason_and_an_alert() {
    let (ca, other) = (root("root"), root("another root"));
    let trusted =
        || vec![entry("cluster-2", "cluster.local", &[&ca]), entry("elsewhere", "b.example", &[&other])];
    let foreign =
        leaf(&other, |options| options.uris = vec!["spiffe://b.example/ns/default/sa/httpbin".into()]);
    let no_purposes = httpbin(&ca, |options| options.purposes.clear());
    assert_eq!(usual(trusted(), &no_purposes).trust(), "cluster-2");
    let cases = [
        (
            "another workload",
            leaf(&ca, |_| ()),
            format!("{SLEEP} as vouched for by cluster-2 is none of"),
            46,
        ),
        ("another trust domain", foreign, "spiffe://b.example/ns/default/sa/httpbin as vouched".into(), 46),
        (
            "expired",
            httpbin(&ca, |leaf| leaf.validity.not_after = at(now(), -5)),
            "cert_expired: ".into(),
            45,
        ),
        ("signed by a stranger", httpbin(&root("root"), |_| ()), "cert_untrusted: ".into(), 48),
        ("signed by another domain's CA", httpbin(&other, |_| ()), "wrong_trust_domain: ".into(), 48),
        (
            "a client only",
            httpbin(&ca, |leaf| leaf.purposes = vec![Purpose::ClientAuth]),
            "extended_key_usage: ".into(),
            43,
        ),
        ("two names", httpbin(&ca, |leaf| leaf.uris.push(SLEEP.into())), "not_one_uri: ".into(), 49),
        ("a CA", httpbin(&ca, |leaf| leaf.ca = true), "leaf_is_ca: ".into(), 49),
        ("unusable", httpbin(&ca, |leaf| leaf.usages.clear()), "key_usage: ".into(), 49),
    ];
    for (what, issued, said, alert) in cases {
        let called = usual(trusted(), &issued);
        let (reason, detail, told) = called.refused();
        assert_eq!((reason, told), (Reason::UpstreamAuth, Some(alert)), "{what}: {detail}");
        assert!(detail.starts_with(&said), "{what}: {detail}");
    }
}

#[test]
fn a_certificate_that_signs_itself_is_refused() {
    let myself = Ca::root("httpbin", &crate::issue::CaOptions::new(now())).unwrap();
    let ca = root("root");
    let called = usual(vec![entry("cluster-2", "cluster.local", &[&ca])], &httpbin(&myself, |_| ()));
    assert_eq!(called.refused().0, Reason::UpstreamAuth);
}

#[test]
fn a_revoked_endpoint_is_refused() {
    let ca = root("root");
    let issued = httpbin(&ca, |_| ());
    let validity = crate::issue::Validity::starting(now(), std::time::Duration::from_secs(3600));
    let crl = ca.crl(&[&issued.serial], validity).unwrap();
    let called = usual(vec![entry_with("cluster-2", "cluster.local", &[&ca], Some(&crl))], &issued);
    let (reason, detail, alert) = called.refused();
    assert_eq!((reason, alert), (Reason::UpstreamAuth, Some(44)), "{detail}");
    assert!(detail.starts_with("cert_revoked: "), "{detail}");
}

#[test]
fn an_identity_bound_to_a_trust_entry_is_not_believed_from_another_of_the_same_domain() {
    let (local, remote) = (root("local"), root("remote"));
    let entries = || {
        vec![entry("cluster-1", "cluster.local", &[&remote]), entry("cluster-2", "cluster.local", &[&local])]
    };
    let bound = || expected(&[("spiffe://cluster.local/*", Some("cluster-2"))]);
    let called =
        |ca: &Ca| call(&Gateway::new(entries()), bound(), None, endpoint(&httpbin(ca, |_| ()), &[&TLS13]));
    assert_eq!(called(&local).trust(), "cluster-2");
    assert_eq!(called(&remote).refused().0, Reason::UpstreamAuth);
}

#[test]
fn nobody_is_believed_where_nobody_is_expected() {
    let ca = root("root");
    let gateway = Gateway::new(vec![entry("cluster-2", "cluster.local", &[&ca])]);
    let called = call(&gateway, expected(&[]), None, endpoint(&httpbin(&ca, |_| ()), &[&TLS13]));
    assert_eq!(called.refused().0, Reason::UpstreamAuth);
}

#[test]
fn tls_1_2_is_spoken_to_endpoints_only_where_it_is_accepted_from_clients() {
    let ca = root("root");
    let issued = httpbin(&ca, |_| ());
    let old =
        |gateway: &Gateway| call(gateway, expected(&[(HTTPBIN, None)]), None, endpoint(&issued, &[&TLS12]));
    let gateway = Gateway::new(vec![entry("cluster-2", "cluster.local", &[&ca])]);
    assert_eq!(old(&gateway).refused().0, Reason::UpstreamHandshake);
    let called = old(&gateway.min(MinTls::V1_2));
    assert_eq!(called.trust(), "cluster-2");
    assert_eq!(called.client.protocol_version(), Some(ProtocolVersion::TLSv1_2));
}

#[test]
fn nothing_is_resumed_with_an_endpoint_that_would() {
    let ca = root("root");
    let gateway = Gateway::new(vec![entry("cluster-2", "cluster.local", &[&ca])]);
    for _ in 0..2 {
        let server = endpoint(&httpbin(&ca, |_| ()), &[&TLS13]);
        let called = call(&gateway, expected(&[(HTTPBIN, None)]), None, server);
        assert_eq!(called.trust(), "cluster-2");
        assert_eq!(called.client.handshake_kind(), Some(HandshakeKind::Full));
    }
}

#[test]
fn the_caller_s_protocol_is_offered_by_the_name_that_a_sidecar_knows() {
    let cases: [(Option<&str>, &[&str]); 8] = [
        (None, &["istio"]),
        (Some("istio"), &["istio"]),
        (Some("istio-http/1.0"), &["istio-http/1.0"]),
        (Some("istio-http/1.1"), &["istio-http/1.1"]),
        (Some("istio-h2"), &["istio-h2"]),
        (Some("h2"), &["istio-h2", "h2"]),
        (Some("http/1.1"), &["istio-http/1.1", "http/1.1"]),
        (Some("postgresql"), &["istio", "postgresql"]),
    ];
    for (selected, offered) in cases {
        let offered: Vec<Vec<u8>> = offered.iter().map(|name| name.as_bytes().to_vec()).collect();
        assert_eq!(offer_alpn(selected), offered, "{selected:?}");
    }
    let ca = root("root");
    let gateway = Gateway::new(vec![entry("cluster-2", "cluster.local", &[&ca])]);
    let server = endpoint(&httpbin(&ca, |_| ()), &[&TLS13]);
    let called = call(&gateway, expected(&[(HTTPBIN, None)]), Some("istio-http/1.1"), server);
    assert_eq!(called.client.alpn_protocol(), Some(b"istio-http/1.1".as_slice()));
}
