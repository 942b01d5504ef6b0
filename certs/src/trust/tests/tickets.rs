//! Sessions of elsewhere: a ticket proves nothing here.

use std::sync::Arc;

use rustls::{HandshakeKind, ServerConfig, ServerConnection};

use super::*;
use crate::testing::{connecting, receive, sent};

#[test]
fn a_ticket_of_another_server_is_passed_over_and_the_certificate_is_asked_for() {
    let ca = root("root");
    let issued = ca.svid(&id(SLEEP), now()).unwrap();
    let gateway = Gateway::new(vec![entry("cluster-1", "cluster.local", &[&ca])]);
    let config = client(&issued);

    // Somebody with the gateway's own key, as another replica has it, who does hand out tickets.
    let mut other = ServerConfig::builder_with_provider(Arc::new(provider()))
        .with_protocol_versions(rustls::DEFAULT_VERSIONS)
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(gateway.key.resolver());
    other.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new().unwrap();
    let other = Arc::new(other);
    let kinds: Vec<_> = (0..2)
        .map(|_| {
            let mut client = connecting(config.clone());
            let mut server = ServerConnection::new(other.clone()).unwrap();
            for _ in 0..3 {
                let flight = sent(&mut client);
                let mut rest = flight.as_slice();
                while !rest.is_empty() {
                    server.read_tls(&mut rest).unwrap();
                    server.process_new_packets().unwrap();
                }
                let mut answer = Vec::new();
                while server.wants_write() {
                    server.write_tls(&mut answer).unwrap();
                }
                assert_eq!(receive(&mut client, &answer), None);
            }
            assert!(client.tls13_tickets_received() > 0);
            client.handshake_kind()
        })
        .collect();
    assert_eq!(kinds, [Some(HandshakeKind::Full), Some(HandshakeKind::Resumed)], "the ticket is one");

    for _ in 0..1_000 {
        let shaken = shake(&gateway, config.clone());
        assert_eq!(shaken.trust(), "cluster-1");
        assert_eq!(shaken.client.handshake_kind(), Some(HandshakeKind::Full));
    }
}
