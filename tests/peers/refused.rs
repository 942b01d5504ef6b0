//! What Envoy makes of a refusal: the reason in its own words, and whether it tries elsewhere.

use landbridge::outcome::Reason;
use landbridge_testkit::envoy::Envoy;
use landbridge_testkit::gateway::TestGateway;
use landbridge_testkit::http;
use landbridge_testkit::server::Server;
use landbridge_testkit::world::{HTTPBIN, World};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::scene::{GATEWAY_ID, envoy, sidecar, sidecar_of, start_sidecar, told};

/// Calls through a sidecar to a gateway that refuses; returns the sidecar's log line.
async fn refused(sidecar: &Envoy) -> Value {
    let mut application = TcpStream::connect(sidecar.listener("tcp").await).await.unwrap();
    // Envoy may have ended the connection already.
    let _ = application.write_all(b"anybody there?").await;
    let mut heard = Vec::new();
    let _ = application.read_to_end(&mut heard).await;
    assert_eq!(heard, b"");
    serde_json::from_str(&sidecar.logged().await).unwrap()
}

/// Checks that a sidecar takes the refusal for a failed connect, tries as often as it is configured to,
/// and names the alert.
async fn fails_to_connect(sidecar: &Envoy, alert: &str) {
    let line = refused(sidecar).await;
    assert!(line["failure"].as_str().unwrap_or_default().contains(alert), "{line}");
    assert!(line["flags"].as_str().unwrap().contains("UF"), "{line}");
    assert_eq!(sidecar.counter("tcp", "upstream_cx_connect_fail").await, 3, "{line}");
}

/// Checks the gateway's word for it.
async fn is_told(gateway: &mut TestGateway, reason: Reason) {
    let outcome = told(gateway).await;
    assert_eq!(outcome.reason, reason, "{:?}", outcome.error);
    assert_eq!((outcome.received, outcome.sent), (0, 0));
    assert_eq!(outcome.sni.as_deref(), Some(HTTPBIN));
}

#[tokio::test]
async fn a_refusal_after_envoy_s_own_handshake_is_no_failed_connect_and_is_not_tried_again() {
    let Some(program) = envoy() else { return };
    let world = World::default();
    let endpoint = Server::echo().await;
    let mut gateway = world.gateway(&World::httpbin(&[endpoint.address], "")).await;
    let stranger = world.remote.svid("ns/default/sa/stranger");
    let template = sidecar_of(&world, &stranger, &[gateway.address], &[GATEWAY_ID]);
    let sidecar = Envoy::start(&program, template, &world.folder).await;
    let line = refused(&sidecar).await;
    is_told(&mut gateway, Reason::Denied).await;
    // In TLS 1.3 the client's handshake is over before its certificate is judged. Envoy's log line for
    // TCP then says nothing of the alert (its debug log does); the gateway's is where the reason is.
    assert_eq!(sidecar.counter("tcp", "upstream_cx_connect_fail").await, 0, "{line}");
    assert_eq!(sidecar.counter("tcp", "upstream_cx_total").await, 1, "{line}");
    assert_eq!(sidecar.counter("tcp", "ssl.connection_error").await, 1, "{line}");
    assert_eq!(endpoint.accepted(), 0);
    assert!(gateway.told_everything());
}

#[tokio::test]
async fn envoy_sees_a_failed_connect_where_no_service_has_the_name() {
    let Some(program) = envoy() else { return };
    let world = World::default();
    let endpoint = Server::echo().await;
    let service = World::httpbin(&[endpoint.address], "").replace("httpbin", "another");
    let mut gateway = world.gateway(&service).await;
    let sidecar = start_sidecar(&program, &world, gateway.address).await;
    fails_to_connect(&sidecar, "TLSV1_ALERT_UNRECOGNIZED_NAME").await;
    for _ in 0..3 {
        is_told(&mut gateway, Reason::SniUnknown).await;
    }
    assert_eq!(endpoint.accepted(), 0);
}

#[tokio::test]
async fn envoy_sees_a_failed_connect_where_the_service_has_no_endpoint() {
    let Some(program) = envoy() else { return };
    let world = World::default();
    let mut gateway = world.gateway(&World::httpbin(&[], "")).await;
    let sidecar = start_sidecar(&program, &world, gateway.address).await;
    fails_to_connect(&sidecar, "TLSV1_ALERT_INTERNAL_ERROR").await;
    for _ in 0..3 {
        is_told(&mut gateway, Reason::NoEndpoint).await;
    }
}

#[tokio::test]
async fn envoy_goes_to_another_gateway_where_one_has_no_endpoint() {
    let Some(program) = envoy() else { return };
    let world = World::default();
    let endpoint = Server::http("from the other gateway\n").await;
    let mut empty = world.gateway(&World::httpbin(&[], "")).await;
    let mut good = world.gateway(&World::httpbin(&[endpoint.address], "")).await;
    let template = sidecar(&world, &[empty.address, good.address], &[GATEWAY_ID]);
    let sidecar = Envoy::start(&program, template, &world.folder).await;
    // Envoy takes turns, so at least one of two calls begins at the gateway without an endpoint.
    for _ in 0..2 {
        let answer = http::ask(sidecar.listener("tcp").await, "httpbin", "/").await.unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (200, "from the other gateway\n"));
        assert_eq!(told(&mut good).await.reason, Reason::Done);
    }
    assert!(sidecar.counter("tcp", "upstream_cx_connect_fail").await >= 1);
    is_told(&mut empty, Reason::NoEndpoint).await;
}

#[tokio::test]
async fn an_http_call_through_envoy_is_answered_503_where_the_service_has_no_endpoint() {
    let Some(program) = envoy() else { return };
    let world = World::default();
    let mut gateway = world.gateway(&World::httpbin(&[], "")).await;
    let sidecar = start_sidecar(&program, &world, gateway.address).await;
    let answer = http::ask(sidecar.listener("http").await, "httpbin", "/").await.unwrap();
    assert_eq!(answer.status, 503);
    let line: Value = serde_json::from_str(&sidecar.logged().await).unwrap();
    assert_eq!(line["flags"], "UF", "{line}");
    assert!(line["failure"].as_str().unwrap().contains("TLSV1_ALERT_INTERNAL_ERROR"), "{line}");
    is_told(&mut gateway, Reason::NoEndpoint).await;
}

#[tokio::test]
async fn an_http_call_through_envoy_is_answered_503_where_no_grant_allows_its_identity() {
    let Some(program) = envoy() else { return };
    let world = World::default();
    let mut gateway = world.gateway(&World::httpbin(&[Server::nobody().await], "")).await;
    let stranger = world.remote.svid("ns/default/sa/stranger");
    let template = sidecar_of(&world, &stranger, &[gateway.address], &[GATEWAY_ID]);
    let sidecar = Envoy::start(&program, template, &world.folder).await;
    let answer = http::ask(sidecar.listener("http").await, "httpbin", "/").await.unwrap();
    assert_eq!(answer.status, 503);
    let line: Value = serde_json::from_str(&sidecar.logged().await).unwrap();
    // The handshake was over for Envoy: the upstream closed, and its log has no word for why.
    assert_eq!(line["flags"], "UC", "{line}");
    assert_eq!(sidecar.counter("http", "ssl.connection_error").await, 1, "{line}");
    is_told(&mut gateway, Reason::Denied).await;
}
