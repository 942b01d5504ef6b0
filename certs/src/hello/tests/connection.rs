//! From a hello to a connection.

use rustls::ServerConfig;

use super::*;
use crate::failure::reason_of;
use crate::testing::{Gateway, connect, entry, root};
use crate::tls::Acceptance;
use crate::verifier::Verdict;

fn config() -> Arc<ServerConfig> {
    let gateway = Gateway::new(vec![entry("cluster-1", "cluster.local", &[&root("root")])]);
    gateway.context.server_config(Acceptance {
        hello: &whole(&captured(NAME, Shares::Classic, &[&TLS13])),
        trust: gateway.trust.clone(),
        key: &gateway.key,
        route: gateway.route.clone(),
        alpn: Vec::new(),
        verdict: Verdict::new(),
    })
}

#[test]
fn the_name_is_the_one_that_the_connection_reports_however_the_hello_was_cut() {
    let config = config();
    for name in [NAME, "A.Example", "x_y.z.example."] {
        let bytes = captured(name, Shares::Hybrid, &[&TLS13]);
        for sizes in [vec![], vec![1, 2, 3], vec![600, 600]] {
            let hello = read(&records(message(&bytes), &sizes), 333, CAP).unwrap().unwrap();
            let sni = hello.sni().unwrap().to_owned();
            let connection = connect(hello, config.clone()).unwrap();
            assert_eq!(connection.server_name(), Some(sni.as_str()));
            assert!(connection.wants_write());
        }
    }
}

#[test]
fn what_the_client_pipelined_is_seen_by_the_connection() {
    let config = config();
    let mut bytes = captured(NAME, Shares::Hybrid, &[&TLS13]);
    bytes.extend([20, 3, 3, 0, 1, 1]);
    assert!(connect(whole(&bytes), config.clone()).is_ok());
    // A plaintext message where an encrypted one is due; rustls answers after its own flight.
    bytes.extend(record(22, &[1, 0, 0, 0]));
    let (error, records) = connect(whole(&bytes), config.clone()).err().unwrap();
    assert_eq!(reason_of(&error, None), Reason::HandshakeBroken);
    assert!(!records.is_empty());
    // An alert ends it.
    let mut bytes = captured(NAME, Shares::Hybrid, &[&TLS13]);
    bytes.extend([21, 3, 3, 0, 2, 2, 40]);
    let (error, _) = connect(whole(&bytes), config).err().unwrap();
    assert_eq!(reason_of(&error, None), Reason::HandshakeBroken);
}

#[test]
fn a_refusal_by_configuration_brings_its_alert() {
    let (error, records) =
        connect(whole(&captured(NAME, Shares::Classic, &[&TLS12])), config()).err().unwrap();
    assert_eq!((reason_of(&error, None), records), with_alert(Reason::Version, 70));
}
