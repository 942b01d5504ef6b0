//! A server that goes, and gateways that went without a word.

use std::time::Duration;

use landbridge_control_client::wire::ToClient;

use crate::client::Held;
use crate::world::{World, service};

#[tokio::test]
async fn a_server_that_goes_tells_all_when_to_come_back() {
    let world = World::plain().await;
    world.put([service("a:80", "", 1)]);
    let mut idle = world.gateway(Held::default()).await;
    idle.updated().await;
    world.told("it is synced", |told| told["state"] == "synced").await;
    let mut busy = world.gateway(Held::default()).await;
    busy.update().await;
    let silent = world.stranger(Held::default()).await;
    world.go(Duration::from_secs(60)).await;
    for mut gateway in [idle, busy, silent] {
        let message = gateway.next().await;
        let Some(ToClient::RetryAfter(after)) = message else { panic!("{message:?}") };
        assert!(after.milliseconds <= 60_000);
        assert!(gateway.next().await.is_none());
    }
}

#[tokio::test]
async fn who_says_nothing_is_sent_heartbeats_and_then_left() {
    let world = World::plain().await;
    let mut gateway = world.gateway(Held::default()).await;
    gateway.updated().await;
    tokio::time::pause();
    let mut heartbeats = 0;
    while let Some(message) = gateway.next().await {
        assert!(matches!(message, ToClient::Heartbeat(_)), "{message:?}");
        heartbeats += 1;
    }
    assert!((2..=3).contains(&heartbeats), "{heartbeats}");
}
