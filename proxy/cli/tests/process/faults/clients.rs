//! Clients that come in crowds and go as they please.

use std::time::Duration;

use landbridge_certs::issue::LeafOptions;
use landbridge_testkit::client::{Saw, client_hello};
use landbridge_testkit::command::http_get;
use landbridge_testkit::pki::Mesh;
use landbridge_testkit::wire::Wire;
use landbridge_testkit::world::HTTPBIN;
use serde_json::Value;
use tokio::time::timeout;

use super::Scene;
use crate::metrics::value;

#[tokio::test(flavor = "multi_thread")]
async fn thousands_who_connect_and_reset_leave_nothing_open_and_a_log_that_can_be_read() {
    const CROWD: usize = 4000;
    let mut scene = Scene::set().await;
    scene.oracle.talk();
    for _ in 0..CROWD {
        let mut client = Wire::dial(scene.running.address).await;
        client.send_raw(&[22]).await;
        client.reset();
    }
    let refused = |reason: &str| {
        let series = format!("landbridge_connections_refused_total{{reason=\"{reason}\"}}");
        usize::try_from(value(&scene.running, &series)).unwrap()
    };
    // Some are gone before anything is read of them, as those are who only probe.
    let waited = timeout(Duration::from_secs(60), async {
        while refused("probe") + refused("reset_in_handshake") < CROWD {
            tokio::task::yield_now().await;
        }
    });
    waited.await.expect("every one of the crowd is counted");
    let probes = refused("probe");
    scene.oracle.hush().await;
    let lines = scene.oracle.holds(scene.running).await;
    let told: usize = lines
        .iter()
        .map(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            line["suppressed"].as_u64().map_or(1, |count| usize::try_from(count).unwrap())
        })
        .sum();
    assert_eq!(told, CROWD - probes);
}

#[tokio::test(flavor = "multi_thread")]
async fn handshakes_that_nobody_finishes_are_reset_each_with_its_line() {
    const CROWD: usize = 50;
    let mut scene = Scene::with("[timeouts]\nhandshake = \"2s\"\n", &[]).await;
    scene.oracle.talk();
    let sidecar = scene.world.sidecar();
    let mut crowd = Vec::new();
    for _ in 0..CROWD {
        let mut client = Wire::hold_hello(&sidecar, scene.running.address, HTTPBIN).await;
        let hello = client.flight();
        client.send_raw(&hello).await;
        crowd.push(client);
    }
    for client in &mut crowd {
        // Before that came the gateway's part of the handshake.
        assert_eq!(client.rest().await.1, Saw::Reset);
    }
    scene.oracle.hush().await;
    let told = scene.oracle.holds(scene.running).await;
    assert_eq!(told.len(), CROWD);
    assert!(told.iter().all(|line| line.contains("\"response_flags\":\"HT\"")), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_strangers_call_themselves_or_ask_for_reaches_no_label_and_no_line_as_it_is() {
    const SPITE: &str = "x\"}\n{\u{1b}[31m\\";
    let scene = Scene::set().await;
    let (sidecar, address) = (scene.world.sidecar(), scene.running.address);
    let hello = client_hello(&sidecar, HTTPBIN);
    let at = hello.windows(HTTPBIN.len()).position(|window| window == HTTPBIN.as_bytes()).unwrap();
    let mut spiteful = hello.clone();
    spiteful[at..at + SPITE.len()].copy_from_slice(SPITE.as_bytes());
    let mut client = Wire::dial(address).await;
    client.send_raw(&spiteful).await;
    client.finish().await;
    assert_eq!(client.rest().await.0, [0x15, 3, 3, 0, 2, 2, 47]);

    let stranger = "outbound_.1_._.stranger.default.svc.cluster.local";
    assert_eq!(sidecar.sees(address, stranger).await, Saw::Alert(112));

    let identity = scene
        .world
        .remote
        .issue(&LeafOptions { uris: vec![format!("spiffe://cluster.local/{SPITE}")], ..Mesh::options() });
    assert_eq!(scene.world.sidecar_of(&identity).sees(address, HTTPBIN).await, Saw::Alert(49));

    let (_, metrics) = http_get(scene.running.metrics, "/metrics");
    assert!(!metrics.contains("stranger") && !metrics.contains("[31m"), "{metrics}");
    let told = scene.oracle.holds(scene.running).await;
    let refusals: Vec<Value> = told
        .iter()
        .map(|line| {
            assert!(line.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{line}");
            let line: Value = serde_json::from_str(line).unwrap();
            line["refusal"].clone()
        })
        .collect();
    assert_eq!(refusals, ["bad_sni", "no_route", "bad_spiffe_id"]);
}
