//! Changes of who may call, while many are in the middle of calling.

use landbridge::outcome::Reason;
use landbridge_testkit::client::Saw;
use landbridge_testkit::gateway::TestGateway;
use landbridge_testkit::server::Server;
use landbridge_testkit::soon;
use landbridge_testkit::world::{HTTPBIN, World};

const ROUNDS: usize = 25;
const CALLERS: usize = 16;

async fn update(world: &World, gateway: &TestGateway, services: &str) {
    gateway.update(&(World::head() + services), world.folder.path()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_handshakes_that_race_changes_of_a_grant_none_survives_the_last() {
    let world = World::default();
    let endpoint = Server::echo().await;
    let services = World::httpbin(&[endpoint.address], "");
    let mut gateway = world.gateway(&services).await;
    let others = services.replace("sa/sleep", "sa/web");
    let (sidecar, address) = (world.sidecar(), gateway.address);
    for _ in 0..ROUNDS {
        let callers: Vec<_> = (0..CALLERS)
            .map(|_| {
                let sidecar = sidecar.clone();
                tokio::spawn(async move { sidecar.sees(address, HTTPBIN).await })
            })
            .collect();
        // The grant goes while they shake hands; nobody looks again after that.
        update(&world, &gateway, &others).await;
        for caller in callers {
            let saw = soon("the end of a caller", caller).await.unwrap();
            assert!([Saw::Alert(49), Saw::Reset].contains(&saw), "{saw:?}");
            let outcome = gateway.outcome().await;
            assert!([Reason::Denied, Reason::Revoked].contains(&outcome.reason), "{}", outcome.reason);
            assert_eq!((outcome.received, outcome.sent), (0, 0));
        }
        gateway.until("no survivor", |handle| handle.active() == 0).await;
        update(&world, &gateway, &services).await;
    }
    assert_eq!(world.sidecar().ask(gateway.address, HTTPBIN, b"x").await, Ok(b"x".to_vec()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_resumed_sessions_that_race_changes_of_a_grant_none_survives_the_last() {
    let world = World::default();
    let endpoint = Server::echo().await;
    let services = World::httpbin(&[endpoint.address], "");
    let mut gateway = world.gateway(&format!("[tls]\nresumption = true\n{services}")).await;
    let others = services.replace("sa/sleep", "sa/web");
    let address = gateway.address;
    // Each with sessions of its own.
    let sidecars: Vec<_> = (0..CALLERS).map(|_| world.sidecar()).collect();
    let mut resumed = 0;
    for _ in 0..ROUNDS {
        for sidecar in &sidecars {
            assert_eq!(sidecar.ask(address, HTTPBIN, b"x").await, Ok(b"x".to_vec()));
            resumed += usize::from(gateway.outcome().await.tls.unwrap().resumed);
        }
        let callers: Vec<_> = sidecars
            .iter()
            .cloned()
            .map(|sidecar| tokio::spawn(async move { sidecar.sees(address, HTTPBIN).await }))
            .collect();
        update(&world, &gateway, &others).await;
        for caller in callers {
            let saw = soon("the end of a caller", caller).await.unwrap();
            assert!([Saw::Alert(49), Saw::Reset].contains(&saw), "{saw:?}");
            let outcome = gateway.outcome().await;
            assert!([Reason::Denied, Reason::Revoked].contains(&outcome.reason), "{}", outcome.reason);
            assert_eq!((outcome.received, outcome.sent), (0, 0));
        }
        gateway.until("no survivor", |handle| handle.active() == 0).await;
        update(&world, &gateway, &services).await;
    }
    // Their sessions lived on, as trust did: it was the grant that kept them out.
    assert!(resumed > 0, "nobody resumed");
}
