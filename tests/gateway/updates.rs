//! Changes of the configuration under live streams: none is cut that identity and policy let live.

use landbridge::outcome::Reason;
use landbridge_testkit::client::Saw;
use landbridge_testkit::server::Server;
use landbridge_testkit::wire::{Wire, noise};
use landbridge_testkit::world::{HTTPBIN, World};

const STREAMS: usize = 64;
const UPDATES: usize = 500;

/// The usual service as the `number`th change leaves it: something of it, or beside it, is always another.
fn changed(server: &Server, number: usize) -> String {
    let balance = ["least_request", "round_robin", "random", "source_hash"][number % 4];
    let subset = if number.is_multiple_of(3) {
        "[[service.subset]]\nname = \"v1\"\nlabels = { version = \"v1\" }\n"
    } else {
        ""
    };
    let service = World::httpbin(&[server.address], &format!("balance = \"{balance}\"\n{subset}"));
    let other =
        |other| format!("[[service]]\nhost = \"other-{other}.example\"\nport = {}\nallow = []\n", 1 + number);
    let others: Vec<String> = (0..number % 5).map(other).collect();
    World::head() + &service + &others.concat()
}

#[tokio::test]
async fn hundreds_of_changes_under_live_streams_cut_none_and_lose_nothing() {
    let (world, server) = (World::default(), Server::echo().await);
    let mut gateway = world.gateway(&World::httpbin(&[server.address], "")).await;
    let mut streams = Vec::new();
    for _ in 0..STREAMS {
        streams.push(Wire::secure(&world.sidecar(), gateway.address, HTTPBIN).await);
    }
    for number in 0..UPDATES {
        gateway.update(&changed(&server, number), world.folder.path()).await;
        let count = streams.len();
        let (seed, stream) = (number as u64, &mut streams[number % count]);
        let said = noise(1 + number * 7 % 3000, seed);
        stream.send(&said).await;
        assert_eq!(stream.receive(said.len()).await, said, "change {number}");
    }
    // The endpoint goes, and then the service: who is connected stays.
    gateway.update(&(World::head() + &World::httpbin(&[], "")), world.folder.path()).await;
    gateway.update(&World::head(), world.folder.path()).await;
    for stream in &mut streams {
        stream.send(b"to the end").await;
        assert_eq!(stream.receive(10).await, b"to the end");
        stream.finish().await;
        assert_eq!(stream.end().await, Saw::End);
        assert_eq!(gateway.outcome().await.reason, Reason::Done);
    }
    assert!(gateway.told_everything());
}
