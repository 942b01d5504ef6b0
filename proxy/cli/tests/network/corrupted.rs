//! Bits that turn over on the way where TCP's checksum doesn't tell.

use landbridge_impair::Faults;
use landbridge_testkit::client::Saw;
use landbridge_testkit::wire::noise;

use crate::scene::{FIRST, Networks, Scene, told};

const CONNECTIONS: usize = 8;
const SIZE: usize = 256 * 1024;

fn corrupt() -> Faults {
    Faults { corrupt: 100, ..Faults::default() }
}

#[tokio::test]
async fn what_a_client_sends_spoilt_is_an_alert_to_it_and_a_reset_to_the_endpoint() {
    let Some(networks) = Networks::lay(40).await else { return };
    let endpoint = networks.endpoint(FIRST).await;
    let scene = Scene::set(networks, &[endpoint.address], "").await;
    let mut alerts = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut client = scene.call().await;
        let endpoint = &endpoint;
        let mut serving = endpoint.accept().await;
        client.send(&noise(SIZE, 1)).await;
        scene.networks.front.forth.set(&corrupt());
        client.send(&noise(SIZE, 2)).await;
        client.finish().await;
        match client.end().await {
            Saw::Alert(alert) => alerts.push(alert),
            end => assert_eq!(end, Saw::Reset),
        }
        let (received, end) = serving.rest().await;
        assert_eq!(end, Saw::Reset);
        let sent = [noise(SIZE, 1), noise(SIZE, 2)].concat();
        assert!(sent.starts_with(&received), "bytes that nobody sent");
        scene.networks.front.set(&Faults::default());
    }
    // Most bits are of what is encrypted; the others are of a record's header.
    assert!(alerts.contains(&20), "{alerts:?}");
    let lines = scene.holds_after(CONNECTIONS).await;
    assert!(lines.iter().all(|line| told(line) == ("DPE", "downstream_tls_error")), "{lines:?}");
}

#[tokio::test]
async fn what_reaches_a_client_spoilt_is_a_reset_to_the_endpoint_once_the_client_says_so() {
    let Some(networks) = Networks::lay(41).await else { return };
    let endpoint = networks.endpoint(FIRST).await;
    let scene = Scene::set(networks, &[endpoint.address], "").await;
    let mut client = scene.call().await;
    let mut serving = endpoint.accept().await;
    scene.networks.front.back.set(&corrupt());
    serving.send(&noise(SIZE, 1)).await;
    let (received, end) = client.rest().await;
    assert!(matches!(end, Saw::Error(_)), "{end:?}");
    assert!(noise(SIZE, 1).starts_with(&received), "bytes that nobody sent");
    // A TLS library tells the other side by an alert.
    let alert = client.flight();
    client.send_raw(&alert).await;
    assert_eq!(serving.end().await, Saw::Reset);
    let lines = scene.holds_after(1).await;
    assert_eq!(told(&lines[0]), ("DPE", "downstream_tls_error"), "{lines:?}");
}

#[tokio::test]
async fn on_a_plain_side_nobody_can_tell_that_bytes_were_spoilt() {
    let Some(networks) = Networks::lay(42).await else { return };
    let endpoint = networks.endpoint(FIRST).await;
    let scene = Scene::set(networks, &[endpoint.address], "").await;
    let mut client = scene.call().await;
    let mut serving = endpoint.accept().await;
    scene.networks.back.forth.set(&corrupt());
    client.send(&noise(SIZE, 1)).await;
    client.finish().await;
    let (received, end) = serving.rest().await;
    assert_eq!((received.len(), end), (SIZE, Saw::End));
    assert!(received != noise(SIZE, 1), "nothing was spoilt");
    serving.finish().await;
    assert_eq!(client.end().await, Saw::End);
    let lines = scene.holds_after(1).await;
    assert_eq!(told(&lines[0]), ("-", ""), "{lines:?}");
}

#[tokio::test]
async fn with_tls_to_the_endpoint_it_can_tell() {
    let Some(networks) = Networks::lay(43).await else { return };
    let endpoint = networks.endpoint(FIRST).await;
    let more =
        "[service.upstream_tls]\nserver_identities = [\"spiffe://cluster.local/ns/default/sa/httpbin\"]";
    let services = landbridge_testkit::world::World::httpbin(&[endpoint.address], more);
    let scene = Scene::serving(networks, &services, "").await;
    let identity = scene.world.local.svid("ns/default/sa/httpbin");
    let config = landbridge_testkit::server::tls_config(&identity, &scene.world.local.bundle());
    let accepting = scene.networks.far.spawn(async move {
        let mut serving = endpoint.accept().await.serving(&config);
        assert_eq!(serving.handshake().await, Ok(()));
        serving
    });
    let mut client = scene.call().await;
    client.send(b"hello").await;
    let mut serving = accepting.await.unwrap();
    assert_eq!(serving.receive(5).await, b"hello");
    scene.networks.back.forth.set(&corrupt());
    client.send(&noise(SIZE, 1)).await;
    let (received, end) = serving.rest().await;
    assert!(matches!(end, Saw::Error(_)), "{end:?}");
    assert!(noise(SIZE, 1).starts_with(&received), "bytes that nobody sent");
    scene.networks.back.set(&Faults::default());
    let alert = serving.flight();
    serving.send_raw(&alert).await;
    assert_eq!(client.end().await, Saw::Reset);
    let lines = scene.holds_after(1).await;
    assert_eq!(told(&lines[0]).1, "upstream_tls_error", "{lines:?}");
}
