//! Envoy as the sidecar of the endpoint: the gateway calls it by mutual TLS, in both senses of calling.

use landbridge::outcome::Reason;
use landbridge_testkit::client::Saw;
use landbridge_testkit::envoy::{Envoy, Template};
use landbridge_testkit::gateway::TestGateway;
use landbridge_testkit::http;
use landbridge_testkit::server::Server;
use landbridge_testkit::wire::noise;
use landbridge_testkit::world::{HTTPBIN, World};
use serde_json::Value;
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::scene::{GATEWAY_ID, HTTPBIN_ID, envoy, example, soon, start_sidecar, told};

/// The inbound half of a sidecar that believes the gateway's CA and lets `caller` in to `application`.
fn inbound(world: &World, application: &Server, caller: &str) -> Template {
    world.folder.write_svid("httpbin", &world.local.svid("ns/default/sa/httpbin"));
    world.folder.write("callers.pem", &world.local.bundle());
    Template::new(&example("sidecar-envoy-inbound.yaml"))
        .fill("FOLDER", &[&world.folder.path().to_string_lossy()])
        .fill("APPLICATION_PORT", &[&application.address.port().to_string()])
        .fill("CALLER", &[caller])
}

/// A gateway whose service expects `identity` of that sidecar.
async fn gateway(world: &World, destination: &Envoy, identity: &str) -> TestGateway {
    let tls = format!("[service.upstream_tls]\nserver_identities = [\"{identity}\"]");
    world.gateway(&World::httpbin(&[destination.listener("inbound").await], &tls)).await
}

#[tokio::test]
async fn a_sidecar_that_demands_mutual_tls_lets_the_gateway_in_by_its_identity() {
    let Some(program) = envoy() else { return };
    let world = World::default();
    let application = Server::echo().await;
    let destination = Envoy::start(&program, inbound(&world, &application, GATEWAY_ID), &world.folder).await;
    let mut gateway = gateway(&world, &destination, HTTPBIN_ID).await;

    let sent = noise(60_000, 1);
    let answer = world.sidecar().ask(gateway.address, HTTPBIN, &sent).await;
    assert!(answer.as_ref() == Ok(&sent), "{:?}", answer.map(|answer| answer.len()));
    let outcome = told(&mut gateway).await;
    assert_eq!(outcome.reason, Reason::Done, "{:?}", outcome.error);
    assert_eq!((outcome.received, outcome.sent), (60_000, 60_000));
    let line: Value = serde_json::from_str(&destination.logged().await).unwrap();
    assert_eq!((&line["caller"], &line["name"]), (&GATEWAY_ID.into(), &HTTPBIN.into()));
}

/// Istio's inbound listener finds out by the protocols on offer whether HTTP is coming.
#[tokio::test]
async fn a_sidecar_that_expects_http_by_its_protocol_s_name_gets_it() {
    let Some(program) = envoy() else { return };
    let world = World::default();
    let application = Server::http("hello from httpbin\n").await;
    let chain = "    filter_chains:\n    - filter_chain_match: {application_protocols: [istio-http/1.1]}\n      filters:\n";
    let template =
        inbound(&world, &application, GATEWAY_ID).replace("    filter_chains:\n    - filters:\n", chain);
    let destination = Envoy::start(&program, template, &world.folder).await;
    let mut gateway = gateway(&world, &destination, HTTPBIN_ID).await;
    let sidecar = start_sidecar(&program, &world, gateway.address).await;

    let answer = http::ask(sidecar.listener("http").await, "httpbin:8000", "/get").await.unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (200, "hello from httpbin\n"));
    let outcome = told(&mut gateway).await;
    assert_eq!(outcome.reason, Reason::Done, "{:?}", outcome.error);
    assert_eq!(outcome.tls.unwrap().alpn.as_deref(), Some("istio-http/1.1"));
}

/// An application, and what each connection to it has said. Envoy connects to it before it knows who calls.
async fn listening() -> (Server, UnboundedReceiver<Vec<u8>>) {
    let (said, heard) = unbounded_channel();
    let application = Server::start(move |mut tcp| {
        let said = said.clone();
        async move {
            let mut bytes = Vec::new();
            // However it ends, what came before counts.
            let _ = tcp.read_to_end(&mut bytes).await;
            said.send(bytes).unwrap();
        }
    })
    .await;
    (application, heard)
}

#[tokio::test]
async fn a_sidecar_of_another_service_gets_no_byte() {
    let Some(program) = envoy() else { return };
    let world = World::default();
    let (application, mut heard) = listening().await;
    let destination = Envoy::start(&program, inbound(&world, &application, GATEWAY_ID), &world.folder).await;
    let mut gateway = gateway(&world, &destination, "spiffe://cluster.local/ns/default/sa/other").await;
    assert_eq!(world.sidecar().ask(gateway.address, HTTPBIN, b"secret").await, Err(Saw::Reset));
    let outcome = told(&mut gateway).await;
    assert_eq!(outcome.reason, Reason::UpstreamAuth, "{:?}", outcome.error);
    assert!(outcome.error.unwrap().contains(HTTPBIN_ID));
    assert_eq!((outcome.received, outcome.sent), (0, 0));
    assert_eq!(soon(heard.recv()).await.unwrap(), b"");
}

#[tokio::test]
async fn a_sidecar_that_does_not_let_the_gateway_in_is_a_reset_and_its_alert_is_told() {
    let Some(program) = envoy() else { return };
    let world = World::default();
    let (application, mut heard) = listening().await;
    let template = inbound(&world, &application, "spiffe://cluster.local/ns/default/sa/sleep");
    let destination = Envoy::start(&program, template, &world.folder).await;
    let mut gateway = gateway(&world, &destination, HTTPBIN_ID).await;
    assert_eq!(world.sidecar().sees(gateway.address, HTTPBIN).await, Saw::Reset);
    let outcome = told(&mut gateway).await;
    assert_eq!(outcome.reason, Reason::UpstreamProtocol, "{:?}", outcome.error);
    assert!(outcome.error.unwrap().starts_with("received alert "));
    assert_eq!(soon(heard.recv()).await.unwrap(), b"");
}
