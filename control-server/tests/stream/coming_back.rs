//! A gateway that comes back: to the log that it knows, to one that is new, to one that it left.

use std::sync::Arc;
use std::time::Duration;

use landbridge_control_client::wire::{Kind, Nack, RefusedUpdate, Restates, Seq, ToServer};
use landbridge_control_server::{Nodes, Security, Store};

use crate::client::Held;
use crate::world::{World, endpoints, service};

#[tokio::test]
async fn who_comes_back_is_told_what_changed_since() {
    let world = World::plain().await;
    world.put([service("a:80", "", 1), service("b:80", "", 1), endpoints("a:80", 1, 50)]);
    let mut gateway = world.gateway(Held::default()).await;
    gateway.updated().await;
    let held = gateway.held.clone();
    drop(gateway);
    world.put([service("c:80", "", 1), endpoints("a:80", 2, 50)]);
    world.remove(Kind::Service, "b:80");
    let mut gateway = world.gateway(held).await;
    let mut update = gateway.update().await;
    update.lines.sort();
    assert_eq!(update.lines, ["+service c:80", "-service b:80", "~endpoints a:80"]);
    assert_eq!(update.begin.restates, Restates::Nothing);
    gateway.ack().await;
    world.told("it is synced", |told| told["state"] == "synced").await;
    // Who lacks nothing is told so.
    let mut again = world.gateway(gateway.held.clone()).await;
    assert_eq!(again.updated().await, Vec::<String>::new());
    assert_eq!(again.held, gateway.held);
}

#[tokio::test]
async fn after_a_restart_digests_tell_what_differs() {
    let world = World::plain().await;
    world.put((0..500).map(|name| service(&format!("service-{name}:80"), "", 1)));
    let mut gateway = world.gateway(Held::default()).await;
    gateway.updated().await;
    let held = gateway.held.clone();
    world.go(Duration::ZERO).await;

    let world = World::plain().await;
    world.put((1..500).map(|name| service(&format!("service-{name}:80"), "", 1)));
    world.put([service("service-7:80", "", 2), service("new:80", "", 1)]);
    let mut gateway = world.gateway(held).await;
    gateway.tell_digests().await;
    let update = gateway.update().await;
    let Restates::Buckets(buckets) = &update.begin.restates else { panic!("{:?}", update.begin) };
    assert!((1..=3).contains(&buckets[&Kind::Service].len()), "{buckets:?}");
    assert!(update.lines.len() < 50, "{} of 500", update.lines.len());
    gateway.ack().await;
    world.told("it is synced", |told| told["state"] == "synced").await;
    assert_eq!(gateway.names(Kind::Service).len(), 500);
    // From now on it knows this one.
    world.put([service("service-8:80", "", 2)]);
    assert_eq!(gateway.updated().await, ["+service service-8:80"]);
}

#[tokio::test]
async fn a_type_of_which_there_is_nothing_any_more_is_emptied() {
    let world = World::plain().await;
    world.put([service("a:80", "", 1), endpoints("a:80", 1, 2)]);
    let mut gateway = world.gateway(Held::default()).await;
    gateway.updated().await;
    let other = World::plain().await;
    other.put([service("a:80", "", 1)]);
    let mut gateway = other.gateway(gateway.held.clone()).await;
    gateway.tell_digests().await;
    assert_eq!(gateway.updated().await, Vec::<String>::new());
    assert_eq!(gateway.names(Kind::Endpoints), Vec::<&str>::new());
    other.told("it is synced", |told| told["state"] == "synced").await;
}

#[tokio::test]
async fn a_server_that_was_left_for_another_is_believed_again_under_a_new_epoch() {
    let (one, other) = (World::plain().await, World::plain().await);
    for world in [&one, &other] {
        world.put([service("a:80", "", 1)]);
    }
    let mut epochs = Vec::new();
    let mut held = Held::default();
    for world in [&one, &other, &one, &other] {
        let mut gateway = world.gateway(held).await;
        if !epochs.is_empty() {
            gateway.tell_digests().await;
        }
        gateway.updated().await;
        held = gateway.held.clone();
        epochs.extend(held.epoch.clone());
    }
    epochs.sort();
    epochs.dedup();
    assert_eq!(epochs.len(), 4);
}

#[tokio::test]
async fn a_number_that_the_log_never_had_is_not_believed() {
    let world = World::plain().await;
    world.put([service("a:80", "", 1)]);
    let mut gateway = world.gateway(Held::default()).await;
    gateway.updated().await;
    let held = Held { seq: Some(Seq(1000)), ..gateway.held.clone() };
    let mut gateway = world.gateway(held).await;
    gateway.tell_digests().await;
    assert_eq!(gateway.updated().await, Vec::<String>::new());
    assert_eq!(gateway.held.seq, Some(Seq(world.store.seq())));
}

#[tokio::test]
async fn who_refuses_an_epoch_as_stale_is_told_the_same_under_a_new_one() {
    let world = World::plain().await;
    world.put([service("a:80", "", 1)]);
    let mut gateway = world.gateway(Held::default()).await;
    gateway.updated().await;
    world.put([service("a:80", "", 2)]);
    let before = gateway.held.clone();
    gateway.update().await;
    gateway.held = before.clone();
    let update = Some(RefusedUpdate { code: "stale".to_owned(), text: "left for another".to_owned() });
    let (nonce, digest) = (gateway.nonce.clone(), gateway.digest());
    gateway.say(ToServer::Nack(Nack { nonce, digest, refused: Vec::new(), update, more: 0 })).await;
    gateway.tell_digests().await;
    assert_eq!(gateway.updated().await, ["+service a:80"]);
    assert_ne!(gateway.held.epoch, before.epoch);
    world.told("it is synced", |told| told["state"] == "synced").await;
}

#[tokio::test]
async fn a_store_outlives_the_server_that_tells_of_it() {
    let store = Arc::new(Store::default());
    let world = World::new(store.clone(), Nodes::everybody(), Security::Plain).await;
    world.put([service("a:80", "", 1)]);
    let mut gateway = world.gateway(Held::default()).await;
    gateway.updated().await;
    let held = gateway.held.clone();
    world.go(Duration::ZERO).await;
    let world = World::new(store, Nodes::everybody(), Security::Plain).await;
    world.put([service("b:80", "", 1)]);
    assert_eq!(world.gateway(held).await.updated().await, ["+service b:80"]);
}
