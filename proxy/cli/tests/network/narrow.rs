//! Paths that take only small packets, and say so or not.

use landbridge_impair::Faults;
use landbridge_testkit::client::{Saw, Sidecar, client_hello};
use landbridge_testkit::soon;
use landbridge_testkit::wire::{Wire, noise};
use landbridge_testkit::world::HTTPBIN;

use crate::scene::{FIRST, Networks, Scene, told};

/// What no packet on the narrow path may exceed; a first guess of the kernel's (1024 and headers) fits.
const NARROW: usize = 1200;

/// A sidecar with a hello of more than two kilobytes.
fn talkative(scene: &Scene) -> Sidecar {
    let long = "x".repeat(250);
    let sidecar = scene.world.sidecar().alpn(&["istio", &long, &long, &long]);
    let length = client_hello(&sidecar, HTTPBIN).len();
    assert!(length > 2048, "{length}");
    sidecar
}

/// A talkative client's call works, both ways.
async fn is_served(scene: &Scene) {
    let (sidecar, address) = (talkative(scene), scene.address);
    let calling = scene.networks.near.run(async move {
        let mut client = Wire::secure(&sidecar, address, HTTPBIN).await;
        client.send(&noise(64 * 1024, 1)).await;
        assert!(client.receive(64 * 1024).await == noise(64 * 1024, 1), "another answer");
        client.finish().await;
        assert_eq!(client.end().await, Saw::End);
    });
    soon("the call", calling).await;
}

#[tokio::test]
async fn a_hello_of_two_kilobytes_passes_where_packets_have_576_bytes() {
    let Some(networks) = Networks::lay(50).await else { return };
    networks.near.ip("link set near mtu 576").await.unwrap();
    networks.middle.ip("link set front mtu 576").await.unwrap();
    let endpoint = networks.echo(FIRST).await;
    let scene = Scene::set(networks, &[endpoint.address], "").await;
    is_served(&scene).await;
    scene.holds_after(1).await;
}

#[tokio::test]
async fn where_large_packets_vanish_without_a_word_mtu_probing_finds_a_way() {
    let Some(networks) = Networks::lay(51).await else { return };
    for namespace in [&networks.near, &networks.middle] {
        namespace.sysctl("ipv4/tcp_mtu_probing", "1").await;
    }
    let endpoint = networks.echo(FIRST).await;
    let scene = Scene::set(networks, &[endpoint.address], "").await;
    scene.networks.front.set(&Faults { mtu: Some(NARROW), ..Faults::default() });
    is_served(&scene).await;
    assert!(scene.networks.front.forth.swallowed() > 0, "no packet was too large");
    let lines = scene.holds_after(1).await;
    assert_eq!(told(&lines[0]), ("-", ""), "{lines:?}");
}

#[tokio::test]
async fn without_mtu_probing_the_hello_never_arrives_and_the_log_says_so() {
    let Some(networks) = Networks::lay(52).await else { return };
    let endpoint = networks.echo(FIRST).await;
    let scene = Scene::set(networks, &[endpoint.address], "client_hello = \"1s\"").await;
    scene.networks.front.set(&Faults { mtu: Some(NARROW), ..Faults::default() });
    let (sidecar, address) = (talkative(&scene), scene.address);
    let calling = scene
        .networks
        .near
        .run(async move { Wire::hold_hello(&sidecar, address, HTTPBIN).await.handshake().await });
    assert_eq!(soon("the call", calling).await, Err(Saw::Reset));
    let lines = scene.holds_after(1).await;
    assert_eq!(told(&lines[0]), ("HT", "client_hello_timeout"), "{lines:?}");
}
