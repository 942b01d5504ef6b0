//! The call of Alibaba Cloud Service Mesh's document on east-west gateways: `sleep` of one cluster calls
//! `httpbin` of another, and the gateway's log line names both.

use landbridge::outcome::{Outcome, Reason};
use landbridge_core::access_log::{Format, Place};
use landbridge_testkit::http;
use landbridge_testkit::server::Server;
use landbridge_testkit::world::{HTTPBIN, World};
use serde_json::{Value, json};

use crate::scene::{envoy, start_sidecar, told};

/// A line as an object.
fn line(format: Format, outcome: &Outcome) -> Value {
    let place = Place {
        node_id: "eastwest-0".to_owned(),
        cluster: "cluster-2".to_owned(),
        network: "network2".to_owned(),
    };
    let mut text = String::new();
    format.write(&place, outcome, &mut text);
    assert_eq!(text.matches('\n').count(), 1, "one line: {text}");
    serde_json::from_str(&text).unwrap()
}

#[tokio::test]
async fn the_asm_document_s_call_from_sleep_to_httpbin_is_logged_as_the_document_says() {
    let Some(program) = envoy() else { return };
    let world = World::default();
    let endpoint = Server::http("{\"url\": \"http://httpbin:8000/get\"}\n").await;
    let mut gateway = world.gateway(&World::httpbin(&[endpoint.address], "")).await;
    let sidecar = start_sidecar(&program, &world, gateway.address).await;

    let answer = http::ask(sidecar.listener("http").await, "httpbin:8000", "/get").await.unwrap();
    assert_eq!(answer.status, 200);
    let outcome = told(&mut gateway).await;
    assert_eq!(outcome.reason, Reason::Done, "{:?}", outcome.error);

    let asm = line(Format::Asm, &outcome);
    let said = |key: &str| asm[key].as_str().unwrap_or_else(|| panic!("{key} in {asm}"));
    assert_eq!(said("requested_server_name"), HTTPBIN);
    assert_eq!(said("upstream_cluster"), HTTPBIN);
    assert_eq!(said("upstream_host"), endpoint.address.to_string());
    assert_eq!(said("downstream_local_address"), gateway.address.to_string());
    assert_eq!((said("response_code"), said("response_flags")), ("0", "-"));
    assert_eq!(said("upstream_transport_failure_reason"), "-");
    let number = |key: &str| said(key).parse::<u64>().unwrap();
    let bytes = (number("bytes_received"), number("bytes_sent"));
    assert!(number("duration") < 60_000);
    assert_eq!(bytes.0, sidecar.counter("http", "upstream_cx_tx_bytes_total").await);
    assert_eq!(bytes.1, sidecar.counter("http", "upstream_cx_rx_bytes_total").await);
    assert!(asm.as_object().unwrap().values().all(Value::is_string), "every value is a string: {asm}");

    let ours = line(Format::Json, &outcome);
    assert_eq!(
        (&ours["requested_server_name"], &ours["upstream_cluster"]),
        (&json!(HTTPBIN), &json!(HTTPBIN))
    );
    assert_eq!(ours["upstream_host"], json!(endpoint.address.to_string()));
    assert_eq!((&ours["bytes_received"], &ours["bytes_sent"]), (&json!(bytes.0), &json!(bytes.1)));
    assert_eq!(ours["downstream_peer_uri_san"], json!("spiffe://cluster.local/ns/default/sa/sleep"));
    assert_eq!(ours["route_name"], json!("httpbin.default.svc.cluster.local:8000"));
    assert_eq!((&ours["trust"], &ours["mode"]), (&json!("cluster-1"), &json!("terminate")));
    assert_eq!(ours["downstream_alpn"], json!("istio-http/1.1"));
    assert!(ours["duration"].is_u64() && ours["handshake_ms"].is_u64(), "{ours}");
}
