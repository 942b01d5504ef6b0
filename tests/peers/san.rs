//! Whom Envoy accepts as the server: what happens where it is not the gateway, and the three answers to
//! that, each with the files of docs/examples.

use std::net::SocketAddr;

use landbridge::outcome::Reason;
use landbridge::service::Mode;
use landbridge_testkit::envoy::{Envoy, Template};
use landbridge_testkit::gateway::TestGateway;
use landbridge_testkit::http;
use landbridge_testkit::server::Server;
use landbridge_testkit::world::World;
use serde_json::Value;

use crate::scene::{GATEWAY_ID, HTTPBIN_ID, envoy, example, sidecar, told};

const SLEEP_ID: &str = "spiffe://cluster.local/ns/default/sa/sleep";

/// A gateway with the configuration of an example.
async fn gateway(world: &World, file: &str, endpoint: SocketAddr) -> TestGateway {
    let toml = Template::new(&example(file)).fill("ENDPOINT", &[&endpoint.to_string()]);
    TestGateway::start(toml.text(), world.folder.path()).await
}

/// A call by HTTP through both sidecar and gateway that is answered.
async fn is_answered(sidecar: &Envoy) {
    let answer = http::ask(sidecar.listener("http").await, "httpbin:8000", "/get").await.unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (200, "hello from httpbin\n"));
}

#[tokio::test]
async fn a_sidecar_that_expects_the_service_s_identity_says_so_and_nothing_reaches_the_endpoint() {
    let Some(program) = envoy() else { return };
    let world = World::default();
    let endpoint = Server::http("hello from httpbin\n").await;
    let mut gateway = gateway(&world, "san-2-gateway-identity.toml", endpoint.address).await;
    let template = sidecar(&world, &[gateway.address], &[HTTPBIN_ID]);
    let sidecar = Envoy::start(&program, template, &world.folder).await;

    let answer = http::ask(sidecar.listener("http").await, "httpbin:8000", "/get").await.unwrap();
    assert_eq!(answer.status, 503);
    let line: Value = serde_json::from_str(&sidecar.logged().await).unwrap();
    assert!(line["failure"].as_str().unwrap().contains("CERTIFICATE_VERIFY_FAILED"), "{line}");
    assert_eq!(sidecar.counter("http", "ssl.fail_verify_san").await, 1);

    let outcome = told(&mut gateway).await;
    assert_eq!(outcome.reason, Reason::HandshakeBroken);
    assert!(outcome.reason.hint().contains("SAN check"), "{}", outcome.reason.hint());
    let error = outcome.error.unwrap();
    assert_eq!(error, "received fatal alert: CertificateUnknown");
    assert_eq!((outcome.received, outcome.sent, endpoint.accepted()), (0, 0, 0));
}

#[tokio::test]
async fn answer_1_passed_through_the_caller_sees_the_certificate_of_the_destination_s_own_sidecar() {
    let Some(program) = envoy() else { return };
    let world = World::default();
    let endpoint = Server::http("hello from httpbin\n").await;
    world.folder.write_svid("httpbin", &world.local.svid("ns/default/sa/httpbin"));
    world.folder.write("callers.pem", &world.remote.bundle());
    let inbound = Template::new(&example("sidecar-envoy-inbound.yaml"))
        .fill("FOLDER", &[&world.folder.path().to_string_lossy()])
        .fill("APPLICATION_PORT", &[&endpoint.address.port().to_string()])
        .fill("CALLER", &[SLEEP_ID]);
    let destination = Envoy::start(&program, inbound, &world.folder).await;
    let address = destination.listener("inbound").await;

    let mut gateway = gateway(&world, "san-1-passthrough.toml", address).await;
    let template = sidecar(&world, &[gateway.address], &[HTTPBIN_ID]);
    let sidecar = Envoy::start(&program, template, &world.folder).await;
    is_answered(&sidecar).await;

    let outcome = told(&mut gateway).await;
    // Envoy closes when it has the answer, before it has read the close_notify behind it: its kernel may
    // reset, and what is passed through is passed on.
    let ends = [Reason::Done, Reason::DownstreamReset];
    assert!(ends.contains(&outcome.reason), "{} {:?}", outcome.reason, outcome.error);
    assert_eq!((outcome.mode, outcome.peer), (Some(Mode::Passthrough), None));
    // Who called is known where TLS ends.
    let line: Value = serde_json::from_str(&destination.logged().await).unwrap();
    assert_eq!(line["caller"], SLEEP_ID);
    assert_eq!(line["name"], outcome.sni.as_deref().unwrap());
}

#[tokio::test]
async fn answer_2_a_caller_that_accepts_the_gateway_s_identity_too_is_served() {
    let Some(program) = envoy() else { return };
    let world = World::default();
    let endpoint = Server::http("hello from httpbin\n").await;
    let mut gateway = gateway(&world, "san-2-gateway-identity.toml", endpoint.address).await;
    // What Istio makes of the rule's subjectAltNames: one matcher for each.
    let rule = example("san-2-destination-rule.yaml");
    let names: Vec<&str> = rule
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- ")?.split(' ').next())
        .filter(|name| name.starts_with("spiffe://"))
        .collect();
    assert_eq!(names, [HTTPBIN_ID, GATEWAY_ID]);
    let template = sidecar(&world, &[gateway.address], &names);
    let sidecar = Envoy::start(&program, template, &world.folder).await;
    is_answered(&sidecar).await;
    let outcome = told(&mut gateway).await;
    assert_eq!(outcome.reason, Reason::Done, "{:?}", outcome.error);
    assert_eq!(outcome.peer.unwrap().id.as_str(), SLEEP_ID);
}

#[tokio::test]
async fn answer_3_a_service_s_own_certificate_satisfies_a_caller_that_nobody_changed() {
    let Some(program) = envoy() else { return };
    let world = World::default();
    let endpoint = Server::http("hello from httpbin\n").await;
    world.folder.write_svid("httpbin", &world.local.svid("ns/default/sa/httpbin"));
    let mut gateway = gateway(&world, "san-3-service-certificate.toml", endpoint.address).await;
    let template = sidecar(&world, &[gateway.address], &[HTTPBIN_ID]);
    let sidecar = Envoy::start(&program, template, &world.folder).await;
    is_answered(&sidecar).await;
    let outcome = told(&mut gateway).await;
    assert_eq!(outcome.reason, Reason::Done, "{:?}", outcome.error);
    assert_eq!(outcome.peer.unwrap().id.as_str(), SLEEP_ID);
}
