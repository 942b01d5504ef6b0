//! Changes of who may call, while many are in the middle of calling.

use landbridge::outcome::Reason;
use landbridge_testkit::client::Saw;
use landbridge_testkit::gateway::TestGateway;
use landbridge_testkit::server::Server;
use landbridge_testkit::world::{HTTPBIN, World};
use tokio::io::AsyncReadExt as _;

const CALLERS: usize = 8;
const CALLS: usize = 50;

async fn update(world: &World, gateway: &TestGateway, services: &str) {
    gateway.update(&(World::head() + services), world.folder.path()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_handshakes_that_race_changes_of_a_grant_none_survives_the_last() {
    let world = World::default();
    let endpoint = Server::echo().await;
    let services = World::httpbin(&[endpoint.address], "");
    let mut gateway = world.gateway(&services).await;
    let (sidecar, address) = (world.sidecar(), gateway.address);
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let sidecar = sidecar.clone();
            tokio::spawn(async move {
                let mut held = Vec::new();
                for _ in 0..CALLS {
                    // A reset may come before the client is done with its own half.
                    held.extend(sidecar.connect(address, HTTPBIN).await.ok());
                }
                held
            })
        })
        .collect();
    let others = services.replace("sa/sleep", "sa/web");
    while callers.iter().any(|caller| !caller.is_finished()) {
        update(&world, &gateway, &others).await;
        update(&world, &gateway, &services).await;
    }
    let mut streams = Vec::new();
    for caller in callers {
        streams.extend(caller.await.unwrap());
    }
    update(&world, &gateway, &others).await;

    for stream in &mut streams {
        let saw = Saw::of(&stream.read(&mut [0; 1]).await.unwrap_err());
        assert!([Saw::Alert(49), Saw::Reset].contains(&saw), "{saw:?}");
    }
    gateway.until("no survivor", |handle| handle.active() == 0).await;
    for _ in 0..CALLERS * CALLS {
        let outcome = gateway.outcome().await;
        assert!([Reason::Denied, Reason::Revoked].contains(&outcome.reason), "{}", outcome.reason);
        assert_eq!((outcome.received, outcome.sent), (0, 0));
    }
    update(&world, &gateway, &services).await;
    assert_eq!(world.sidecar().ask(gateway.address, HTTPBIN, b"x").await, Ok(b"x".to_vec()));
}
