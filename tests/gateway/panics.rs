//! A panic costs the connection whose task it strikes, and nothing else.

use std::sync::Arc;

use landbridge::outcome::Reason;
use landbridge::{Observer, Opened, Outcome};
use landbridge_testkit::client::Saw;
use landbridge_testkit::gateway::TestGateway;
use landbridge_testkit::server::Server;
use landbridge_testkit::world::{HTTPBIN, World};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Panics on the task of every connection to a service of this name.
struct Cursed;

impl Observer for Cursed {
    fn connection(&self, _: &Outcome) {}

    fn opened(&self, opened: &Opened<'_>) {
        assert!(!opened.service.name.starts_with("cursed"), "the panic of this test");
    }
}

#[tokio::test]
async fn a_panic_ends_one_connection_by_a_reset_and_is_told_as_an_internal_error() {
    let world = World::default();
    let endpoint = Server::echo().await;
    let usual = World::httpbin(&[endpoint.address], "");
    let toml = World::head() + &usual + &usual.replace("httpbin.default", "cursed.default");
    let mut gateway = TestGateway::observed(&toml, world.folder.path(), Arc::new(Cursed)).await;
    let mut bystander = world.sidecar().connect(gateway.address, HTTPBIN).await.unwrap();
    bystander.write_all(b"x").await.unwrap();
    bystander.read_exact(&mut [0; 1]).await.unwrap();

    let cursed = HTTPBIN.replace("httpbin", "cursed");
    assert_eq!(world.sidecar().sees(gateway.address, &cursed).await, Saw::Reset);
    let outcome = gateway.outcome().await;
    assert_eq!(outcome.reason, Reason::Internal);
    assert_eq!(outcome.sni.as_deref(), Some(&*cursed));
    // No endpoint heard of it, its place is free again, and everybody else goes on.
    while gateway.handle.active() > 1 {
        tokio::task::yield_now().await;
    }
    assert_eq!(endpoint.accepted(), 1);
    bystander.write_all(b"y").await.unwrap();
    bystander.read_exact(&mut [0; 1]).await.unwrap();
    assert_eq!(world.sidecar().ask(gateway.address, HTTPBIN, b"z").await, Ok(b"z".to_vec()));
}
