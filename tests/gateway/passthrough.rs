//! Passed-through services: the caller's TLS reaches the endpoint untouched, or not at all.

use std::sync::Arc;

use landbridge::outcome::{Flag, Reason};
use landbridge::service::Mode;
use landbridge_testkit::client::{Saw, Sidecar, client_hello, raw};
use landbridge_testkit::gateway::TestGateway;
use landbridge_testkit::pki::{Mesh, Svid};
use landbridge_testkit::server::{Endpoint, Refusing, Server, tls_config};
use landbridge_testkit::wire::Wire;
use landbridge_testkit::world::{HTTPBIN, World};
use rustls::ServerConfig;

/// The alert internal_error, before any ServerHello.
const INTERNAL_ERROR: [u8; 7] = [0x15, 3, 3, 0, 2, 2, 80];

/// The endpoint's own identity; its clients are those of cluster-1.
fn httpbin(world: &World) -> Svid {
    world.local.svid("ns/default/sa/httpbin")
}

/// A client and an endpoint that share a TLS session through the gateway.
async fn session(world: &World, gateway: &TestGateway, endpoint: &Endpoint) -> (Wire, Wire) {
    let config = tls_config(&httpbin(world), &world.remote.bundle());
    session_of(&world.sidecar(), &config, gateway, endpoint).await
}

async fn session_of(
    sidecar: &Sidecar,
    config: &Arc<ServerConfig>,
    gateway: &TestGateway,
    endpoint: &Endpoint,
) -> (Wire, Wire) {
    let mut client = Wire::hold_hello(sidecar, gateway.address, HTTPBIN).await;
    let hello = client.flight();
    client.send_raw(&hello).await;
    let mut server = endpoint.accept().await.serving(config);
    let (here, there) = tokio::join!(client.handshake(), server.handshake());
    assert_eq!((here, there), (Ok(()), Ok(())));
    (client, server)
}

#[tokio::test]
async fn client_and_endpoint_see_each_other_s_own_certificates() {
    let world = World::default();
    let endpoint = Endpoint::bind().await;
    let mut gateway = world.gateway(&World::httpbin_passed_through(&[endpoint.address], "")).await;
    let (identity, caller) = (httpbin(&world), world.sleep_svid());
    let config = tls_config(&identity, &world.remote.bundle());
    let (mut client, mut server) = session_of(&world.sidecar_of(&caller), &config, &gateway, &endpoint).await;
    assert_eq!(client.presented(), identity.certificates());
    assert_eq!(server.presented(), caller.certificates());
    client.send(b"end to end").await;
    assert_eq!(server.receive(10).await, b"end to end");
    client.finish().await;
    server.finish().await;
    assert_eq!((client.end().await, server.end().await), (Saw::End, Saw::End));

    let outcome = gateway.outcome().await;
    assert_eq!((outcome.reason, outcome.mode), (Reason::Done, Some(Mode::Passthrough)));
    assert_eq!((outcome.peer, outcome.tls, outcome.handshake), (None, None, None));
    assert_eq!(outcome.upstream.unwrap().host, endpoint.address);
    assert_eq!((outcome.received, outcome.sent), (client.written(), server.written()));
}

#[tokio::test]
async fn a_gateway_that_only_passes_through_needs_no_identity_and_no_trust() {
    let world = World::default();
    let endpoint = Server::tls_echo(tls_config(&httpbin(&world), &world.remote.bundle())).await;
    let services = World::httpbin_passed_through(&[endpoint.address], "");
    let mut gateway = TestGateway::start(&services, world.folder.path()).await;
    assert_eq!(world.sidecar().ask(gateway.address, HTTPBIN, b"x").await, Ok(b"x".to_vec()));
    assert_eq!(gateway.outcome().await.reason, Reason::Done);
}

#[tokio::test]
async fn the_endpoint_refuses_whom_it_does_not_know_and_the_client_hears_it_from_the_endpoint() {
    let world = World::default();
    let endpoint = Server::tls_echo(tls_config(&httpbin(&world), &world.remote.bundle())).await;
    let mut gateway = world.gateway(&World::httpbin_passed_through(&[endpoint.address], "")).await;
    let stranger = Mesh::new("other.example").svid("ns/default/sa/stranger");
    let saw = world.sidecar_of(&stranger).sees(gateway.address, HTTPBIN).await;
    assert_eq!(saw, Saw::Alert(48));
    let outcome = gateway.outcome().await;
    assert!(!outcome.refused());
    assert_eq!((outcome.mode, outcome.peer), (Some(Mode::Passthrough), None));
}

#[tokio::test]
async fn nothing_is_answered_before_an_endpoint_is_connected() {
    let world = World::default();
    let (first, second) = (Refusing::bind(), Refusing::bind());
    let services = World::httpbin_passed_through(&[first.address, second.address], "");
    let mut gateway = world.gateway(&services).await;
    let hello = client_hello(&world.sidecar(), HTTPBIN);
    assert_eq!(raw(gateway.address, &[&hello]).await.unwrap(), INTERNAL_ERROR);
    let outcome = gateway.outcome().await;
    assert_eq!((outcome.reason, outcome.reason.flag()), (Reason::ConnectRefused, Flag::Uf));
    assert_eq!((outcome.received, outcome.sent), (0, 0));
    assert_eq!(outcome.upstream.unwrap().attempts, 2);
    assert!(outcome.reason.refusal());
}

#[tokio::test]
async fn an_endpoint_that_refuses_is_not_the_caller_s_problem_while_another_one_answers() {
    let world = World::default();
    let refusing = Refusing::bind();
    let endpoint = Server::tls_echo(tls_config(&httpbin(&world), &world.remote.bundle())).await;
    let services =
        World::httpbin_passed_through(&[refusing.address, endpoint.address], "balance = \"round_robin\"");
    let mut gateway = world.gateway(&services).await;
    let mut attempts = Vec::new();
    for _ in 0..4 {
        assert_eq!(world.sidecar().ask(gateway.address, HTTPBIN, b"x").await, Ok(b"x".to_vec()));
        attempts.push(gateway.outcome().await.upstream.unwrap().attempts);
    }
    assert!(attempts.contains(&2), "{attempts:?}");
}

#[tokio::test]
async fn the_endpoint_gets_the_hello_once_and_to_the_byte_even_if_it_speaks_no_tls() {
    let world = World::default();
    let endpoint = Endpoint::bind().await;
    let gateway = world.gateway(&World::httpbin_passed_through(&[endpoint.address], "")).await;
    let hello = client_hello(&world.sidecar(), HTTPBIN);
    let mut client = Wire::dial(gateway.address).await;
    client.send_raw(&hello).await;
    let mut server = endpoint.accept().await;
    assert_eq!(server.receive(hello.len()).await, hello);
    server.send(b"no TLS here").await;
    assert_eq!(client.receive(11).await, b"no TLS here");
    client.send_raw(b"and some more").await;
    client.finish().await;
    assert_eq!(server.rest().await, (b"and some more".to_vec(), Saw::End));
    server.finish().await;
    assert_eq!(client.end().await, Saw::End);
}

#[tokio::test]
async fn either_side_may_end_first_and_go_on_listening() {
    let world = World::default();
    let endpoint = Endpoint::bind().await;
    let mut gateway = world.gateway(&World::httpbin_passed_through(&[endpoint.address], "")).await;
    let (mut client, mut server) = session(&world, &gateway, &endpoint).await;
    client.send(b"question").await;
    client.finish().await;
    assert_eq!(server.rest().await, (b"question".to_vec(), Saw::End));
    server.send(b"answer").await;
    server.finish().await;
    assert_eq!(client.rest().await, (b"answer".to_vec(), Saw::End));
    assert_eq!(gateway.outcome().await.reason, Reason::Done);

    let (mut client, mut server) = session(&world, &gateway, &endpoint).await;
    server.send(b"greeting").await;
    server.finish().await;
    assert_eq!(client.rest().await, (b"greeting".to_vec(), Saw::End));
    client.send(b"reply").await;
    client.finish().await;
    assert_eq!(server.rest().await, (b"reply".to_vec(), Saw::End));
    assert_eq!(gateway.outcome().await.reason, Reason::Done);
}

#[tokio::test]
async fn a_reset_on_one_side_is_a_reset_on_the_other() {
    let world = World::default();
    let endpoint = Endpoint::bind().await;
    let mut gateway = world.gateway(&World::httpbin_passed_through(&[endpoint.address], "")).await;
    let (client, mut server) = session(&world, &gateway, &endpoint).await;
    client.reset();
    assert_eq!(server.end().await, Saw::Reset);
    assert_eq!(gateway.outcome().await.reason, Reason::DownstreamReset);

    let (mut client, server) = session(&world, &gateway, &endpoint).await;
    server.reset();
    assert_eq!(client.end().await, Saw::Reset);
    assert_eq!(gateway.outcome().await.reason, Reason::UpstreamReset);
}
