//! Clients that come in crowds and go as they please.

use std::time::Duration;

use landbridge_testkit::client::Saw;
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
