//! A session that was resumed: nobody was asked about its certificate.

use rustls::{HandshakeKind, ServerConnection};

use super::*;
use crate::testing::{connecting, hello_of, receive, sent};
use crate::tls::Acceptance;
use crate::verifier::Verdict;

#[test]
fn a_resumed_connection_proves_nobody_although_it_has_certificates() {
    let ca = root("root");
    let gateway = Gateway::new(vec![entry("cluster-1", "cluster.local", &[&ca])]);
    let presented = client(&ca.svid(&id(SLEEP), now()).unwrap());
    let verdict = Verdict::new();
    // As the gateway never is: with tickets of rustls's own.
    let made = gateway.context.server_config(Acceptance {
        hello: &hello_of(&mut connecting(presented.clone())),
        trust: gateway.trust.clone(),
        key: &gateway.key,
        route: gateway.route.clone(),
        alpn: Vec::new(),
        verdict: verdict.clone(),
    });
    let mut config = rustls::ServerConfig::clone(&made);
    config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new().unwrap();
    config.send_tls13_tickets = 1;
    let config = Arc::new(config);
    let connect = || {
        let mut client = connecting(presented.clone());
        let mut server = ServerConnection::new(config.clone()).unwrap();
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
        server
    };
    let full = connect();
    assert_eq!(full.handshake_kind(), Some(HandshakeKind::Full));
    assert_eq!(verdict.proven(&full).unwrap().identity.id, id(SLEEP));
    let resumed = connect();
    assert_eq!(resumed.handshake_kind(), Some(HandshakeKind::Resumed));
    assert!(!resumed.is_handshaking() && resumed.peer_certificates().is_some());
    assert!(verdict.proven(&resumed).is_none());
}
