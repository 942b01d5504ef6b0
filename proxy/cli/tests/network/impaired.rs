//! Networks that lose, shuffle, double, delay and limit: they cost time, and no byte.

use std::time::Duration;

use landbridge_impair::Faults;
use landbridge_testkit::soon;
use tokio::net::TcpListener;

use crate::exact::{Script, exchange};
use crate::scene::{FIRST, Networks, Scene, counted, told};

/// Both ends send this much at once, through a gateway whose both sides have these faults.
async fn is_exact(faults: Faults, size: usize, seed: u64) {
    let Some(networks) = Networks::lay(seed).await else { return };
    let listener = networks.far.run(TcpListener::bind((FIRST, 0))).await.unwrap();
    let scene = Scene::set(networks, &[listener.local_addr().unwrap()], "").await;
    let script = Script::new(size);
    let endpoint = scene.networks.far.spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        exchange(tcp, script.other_end()).await
    });
    let stream = scene.stream().await;
    scene.networks.front.set(&faults);
    scene.networks.back.set(&faults);
    let client = soon("the client's stream", exchange(stream, script)).await;
    let served = soon("the endpoint's stream", endpoint).await.unwrap();
    if faults.loss > 0 {
        let swallowed = scene.networks.front.forth.swallowed() + scene.networks.back.back.swallowed();
        assert!(swallowed > 0, "nothing was lost");
    }
    if faults.reorder > 0 {
        let gateway = &scene.networks.middle;
        assert!(counted(gateway, "TCPOFOQueue").await > 0, "nothing came out of order");
        assert!(counted(gateway, "TCPDSACKOldSent").await > 0, "nothing came twice");
    }
    let lines = scene.holds_after(1).await;
    assert!(client.is_ok() && served.is_ok(), "{client:?}, {served:?}: {lines:?}");
    assert_eq!(told(&lines[0]), ("-", ""), "{lines:?}");
    assert_eq!((&lines[0]["bytes_received"], &lines[0]["bytes_sent"]), (&size.into(), &size.into()));
}

#[tokio::test]
async fn a_loss_of_one_percent_costs_no_byte() {
    is_exact(Faults::loss(1), 2 * 1024 * 1024, 1).await;
}

#[tokio::test]
async fn a_loss_of_five_percent_costs_no_byte() {
    is_exact(Faults::loss(5), 1024 * 1024, 5).await;
}

#[tokio::test]
async fn a_loss_of_twenty_percent_costs_no_byte() {
    is_exact(Faults::loss(20), 128 * 1024, 20).await;
}

#[tokio::test]
async fn packets_that_come_doubled_and_out_of_order_cost_no_byte() {
    is_exact(Faults { reorder: 25, duplicate: 5, ..Faults::default() }, 1024 * 1024, 25).await;
}

#[tokio::test]
async fn a_delay_that_varies_between_100_and_300_ms_costs_no_byte() {
    let (delay, jitter) = (Duration::from_millis(200), Duration::from_millis(100));
    is_exact(Faults { delay, jitter, reorder: 25, duplicate: 5, ..Faults::default() }, 64 * 1024, 200).await;
}

#[tokio::test]
async fn no_timeout_ends_a_transfer_that_is_slow_and_makes_progress() {
    let Some(networks) = Networks::lay(64).await else { return };
    let listener = networks.far.run(TcpListener::bind((FIRST, 0))).await.unwrap();
    // Few packets at a time, so that none is too many for the queue: the pauses after a loss are as long as timeouts.
    let few = "initcwnd 2 cwnd lock 2";
    networks.near.ip(&format!("route replace 10.1.0.0/24 dev near src 10.1.0.2 {few}")).await.unwrap();
    networks.middle.ip(&format!("route replace 10.1.0.0/24 dev front src 10.1.0.1 {few}")).await.unwrap();
    // Each of them is shorter than the transfer.
    let timeouts = "idle = \"4s\"\nhalf_close = \"4s\"\nflush = \"4s\"";
    let scene = Scene::set(networks, &[listener.local_addr().unwrap()], timeouts).await;
    let script = Script::new(48 * 1024);
    let endpoint = scene.networks.far.spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        exchange(tcp, script.other_end()).await
    });
    let stream = scene.stream().await;
    // 64 kbit/s.
    scene.networks.front.set(&Faults { rate: Some(8000), ..Faults::default() });
    let client = soon("the client's stream", exchange(stream, script)).await;
    let served = soon("the endpoint's stream", endpoint).await.unwrap();
    let lines = scene.holds_after(1).await;
    assert!(client.is_ok() && served.is_ok(), "{client:?}, {served:?}: {lines:?}");
    assert_eq!(told(&lines[0]), ("-", ""), "{lines:?}");
    assert!(lines[0]["duration"].as_u64().unwrap() > 4000, "it was not slow: {lines:?}");
}
