//! Peers that vanish without a word: for a while, or for good.

use landbridge_impair::Faults;
use landbridge_testkit::client::Saw;
use landbridge_testkit::process::until;
use landbridge_testkit::soon;
use landbridge_testkit::wire::noise;

use crate::scene::{FIRST, Networks, Scene, counted, echoes, swallows, told};

/// What is under way when a peer vanishes.
const UNDER_WAY: usize = 256 * 1024;

/// A client goes on after a while of these faults on its way forth and back, during which the gateway repeats itself.
async fn goes_on_after(seed: u64, forth: Faults, back: Faults) {
    let Some(networks) = Networks::lay(seed).await else { return };
    let endpoint = networks.endpoint(FIRST).await;
    let scene = Scene::set(networks, &[endpoint.address], "").await;
    let mut client = scene.call().await;
    let mut serving = scene.networks.far.run(async move { endpoint.accept().await }).await;

    let front = &scene.networks.front;
    front.forth.set(&forth);
    front.back.set(&back);
    let gateway = &scene.networks.middle;
    let so_far = counted(gateway, "TCPTimeouts").await;
    let sent = scene.networks.far.spawn(async move {
        serving.send(&noise(UNDER_WAY, 1)).await;
        serving
    });
    until("repetitions", async || (counted(gateway, "TCPTimeouts").await >= so_far + 3).then_some(())).await;
    front.set(&Faults::default());
    assert!(client.receive(UNDER_WAY).await == noise(UNDER_WAY, 1), "not what was sent");
    let mut serving = soon("the endpoint", sent).await.unwrap();
    serving.finish().await;
    assert_eq!(client.end().await, Saw::End);
    client.finish().await;
    assert_eq!(serving.end().await, Saw::End);
    let lines = scene.holds_after(1).await;
    assert_eq!(told(&lines[0]), ("-", ""), "{lines:?}");
}

#[tokio::test]
async fn a_client_that_falls_into_a_black_hole_goes_on_when_it_is_out_again() {
    goes_on_after(30, Faults::black_hole(), Faults::black_hole()).await;
}

#[tokio::test]
async fn a_client_whose_acknowledgements_are_lost_for_a_while_goes_on_after_that() {
    goes_on_after(31, Faults::black_hole(), Faults::default()).await;
}

/// A client that takes what is sent and is not heard of any more is lost, and the endpoint sees a reset.
async fn is_lost(seed: u64, forth: Faults, back: Faults) {
    let Some(networks) = Networks::lay(seed).await else { return };
    let endpoint = networks.endpoint(FIRST).await;
    let scene = Scene::set(networks, &[endpoint.address], "user_timeout = \"1s\"").await;
    let mut client = scene.call().await;
    let mut serving = scene.networks.far.run(async move { endpoint.accept().await }).await;

    scene.networks.front.forth.set(&forth);
    scene.networks.front.back.set(&back);
    serving.send(&noise(UNDER_WAY, 1)).await;
    assert_eq!(serving.end().await, Saw::Reset);
    scene.logged(1).await;
    // When it is back it hears that there is nobody any more, and not that all of it was there.
    scene.networks.front.set(&Faults::default());
    client.send(b"hello again").await;
    assert_eq!(client.rest().await.1, Saw::Reset);
    let lines = scene.holds_after(1).await;
    assert_eq!(told(&lines[0]), ("DC", "downstream_lost"), "{lines:?}");
}

#[tokio::test]
async fn a_client_that_stays_in_a_black_hole_is_lost_after_the_user_timeout() {
    is_lost(32, Faults::black_hole(), Faults::black_hole()).await;
}

#[tokio::test]
async fn a_client_whose_acknowledgements_stay_away_is_lost_after_the_user_timeout() {
    is_lost(33, Faults::black_hole(), Faults::default()).await;
}

#[tokio::test]
async fn a_client_sees_a_reset_when_its_endpoint_dies_without_a_word() {
    let Some(networks) = Networks::lay(34).await else { return };
    let endpoint = networks.endpoint(FIRST).await;
    let scene = Scene::set(networks, &[endpoint.address], "user_timeout = \"1s\"").await;
    let mut client = scene.call().await;
    let mut serving = scene.networks.far.run(async move { endpoint.accept().await }).await;
    serving.send(b"last words").await;
    assert_eq!(client.receive(10).await, b"last words");

    scene.networks.back.set(&Faults::black_hole());
    client.send(&noise(UNDER_WAY, 1)).await;
    assert_eq!(client.end().await, Saw::Reset);
    let lines = scene.holds_after(1).await;
    assert_eq!(told(&lines[0]), ("UC", "upstream_lost"), "{lines:?}");
}

#[tokio::test]
async fn clients_that_lost_power_while_idle_are_found_out_by_keepalive() {
    const CLIENTS: usize = 50;
    let Some(networks) = Networks::lay(35).await else { return };
    let endpoint = networks.echo(FIRST).await;
    let scene = Scene::set(networks, &[endpoint.address], "keepalive = \"1s\"\nuser_timeout = \"4s\"").await;
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let mut client = scene.call().await;
        echoes(&mut client).await;
        clients.push(client);
    }
    scene.networks.front.set(&Faults::black_hole());
    let lines = scene.holds_after(CLIENTS).await;
    assert!(lines.iter().all(|line| told(line) == ("DC", "downstream_lost")), "{lines:?}");
}

#[tokio::test]
async fn endpoints_that_lost_power_while_idle_are_found_out_by_keepalive() {
    let Some(networks) = Networks::lay(37).await else { return };
    let endpoint = networks.echo(FIRST).await;
    let scene = Scene::set(networks, &[endpoint.address], "keepalive = \"1s\"\nuser_timeout = \"4s\"").await;
    let mut client = scene.call().await;
    echoes(&mut client).await;
    scene.networks.back.set(&Faults::black_hole());
    assert_eq!(client.end().await, Saw::Reset);
    let lines = scene.holds_after(1).await;
    assert_eq!(told(&lines[0]), ("UC", "upstream_lost"), "{lines:?}");
}

#[tokio::test]
async fn an_idle_client_outlives_a_keepalive_probe_that_is_lost() {
    let Some(networks) = Networks::lay(36).await else { return };
    let endpoint = networks.echo(FIRST).await;
    let scene = Scene::set(networks, &[endpoint.address], "keepalive = \"1s\"\nuser_timeout = \"4s\"").await;
    let mut client = scene.call().await;
    echoes(&mut client).await;

    let to_client = &scene.networks.front.back;
    to_client.set(&Faults::black_hole());
    // An acknowledgement of the echo may be among these; the other one is a probe.
    swallows(to_client, 2).await;
    to_client.set(&Faults::default());
    // Whatever comes next is another probe, or a reset.
    let so_far = to_client.delivered();
    until("another probe", async || (to_client.delivered() > so_far).then_some(())).await;
    echoes(&mut client).await;
    client.finish().await;
    assert_eq!(client.end().await, Saw::End);
    let lines = scene.holds_after(1).await;
    assert_eq!(told(&lines[0]), ("-", ""), "{lines:?}");
}
