//! What gateways refuse, and what the server does.

use landbridge_control_client::wire::{
    Digest, Farewell, Hello, Kind, Name, ReadyEndpoints, Refused, Status, ToClient, ToServer,
};
use landbridge_testkit::soon;

use crate::client::{Client, Held};
use crate::world::{World, endpoints, service};

fn refused(kind: Kind, name: &str, code: &str) -> Refused {
    Refused {
        kind,
        name: Name::parse(name).unwrap(),
        version: None,
        field: "allow[0]".to_owned(),
        code: code.to_owned(),
        text: "expected something else".to_owned(),
    }
}

#[tokio::test]
async fn what_a_gateway_refuses_is_shown_until_it_takes_it_and_goes_along_with_what_is_new() {
    let world = World::plain().await;
    world.put([service("a:80", "", 1), service("b:80", "", 1)]);
    let mut gateway = world.gateway(Held::default()).await;
    gateway.update().await;
    gateway.held.resources.remove(&(Kind::Service, "a:80".to_owned()));
    gateway.nack(vec![refused(Kind::Service, "a:80", "invalid")]).await;
    let told = world.told("it refuses", |told| told["state"] == "refusing").await;
    assert_eq!(told["refused"][0]["name"], "a:80");
    assert_eq!(told["refused"][0]["field"], "allow[0]");
    assert_eq!(told["refused_count"], 1);
    assert!(world.server.metrics().contains("landbridge_control_gateways{state=\"refusing\"} 1\n"));
    // Nothing is sent again by itself, but with whatever changes.
    world.put([service("b:80", "", 2)]);
    assert_eq!(gateway.updated().await, ["+service a:80", "+service b:80"]);
    let told = world.told("it is synced", |told| told["state"] == "synced").await;
    assert_eq!(told["refused_count"], 0);
}

#[tokio::test]
async fn a_change_on_a_base_that_is_not_held_is_sent_whole_at_once() {
    let world = World::plain().await;
    world.put([endpoints("a:80", 1, 50)]);
    let mut gateway = world.gateway(Held::default()).await;
    gateway.updated().await;
    let before = gateway.held.resources.clone();
    world.put([endpoints("a:80", 2, 50)]);
    assert_eq!(gateway.update().await.lines, ["~endpoints a:80"]);
    gateway.held.resources = before;
    gateway.nack(vec![refused(Kind::Endpoints, "a:80", "base_mismatch")]).await;
    assert_eq!(gateway.updated().await, ["+endpoints a:80"]);
    world.told("it is synced", |told| told["state"] == "synced").await;
}

#[tokio::test]
async fn a_removal_that_is_held_is_asked_for_again() {
    let world = World::plain().await;
    world.put([service("a:80", "", 1)]);
    let mut gateway = world.gateway(Held::default()).await;
    gateway.updated().await;
    world.remove(Kind::Service, "a:80");
    gateway.update().await;
    gateway.nack(vec![refused(Kind::Service, "a:80", "held")]).await;
    world.told("it refuses", |told| told["state"] == "refusing").await;
    world.put([service("b:80", "", 1)]);
    assert_eq!(gateway.updated().await, ["+service b:80", "-service a:80"]);
}

#[tokio::test]
async fn how_a_gateway_is_is_told_as_it_says() {
    let world = World::plain().await;
    let mut gateway = world.gateway(Held::default()).await;
    gateway.updated().await;
    let endpoints = [("a:80", 1, 2), ("b:80", 2, 2)]
        .map(|(name, ready, total)| (name.to_owned(), ReadyEndpoints { ready, total }));
    let digest = gateway.digest();
    gateway
        .say(ToServer::Status(Status { draining: true, active: 7, digest, endpoints: endpoints.into() }))
        .await;
    let told = world.told("it drains", |told| told["draining"] == true).await;
    assert_eq!(told["active_connections"], 7);
    assert_eq!(told["endpoints_not_ready"].to_string(), r#"{"a:80":{"ready":1,"total":2}}"#);
    // What it has in force isn't what it was told.
    let mut other = Digest::default();
    other.toggle(Kind::Service, "x", landbridge_control_client::wire::Version::of(b"{}"));
    gateway.say(ToServer::Status(Status { digest: other, ..Status::default() })).await;
    world.told("it differs", |told| told["state"] == "differs").await;
}

async fn farewell(gateway: &mut Client) -> Farewell {
    loop {
        if let ToClient::Error(farewell) = gateway.next().await.expect("a word before the end") {
            assert!(gateway.next().await.is_none(), "the end");
            return farewell;
        }
    }
}

#[tokio::test]
async fn who_does_not_keep_to_the_order_is_told_so_and_left() {
    let world = World::plain().await;
    world.put([service("a:80", "", 1)]);
    let mut early = world.stranger(Held::default()).await;
    early.ack().await;
    assert_eq!(farewell(&mut early).await.code, "protocol");

    let mut wrong = world.gateway(Held::default()).await;
    wrong.update().await;
    wrong.nonce = "77".to_owned();
    wrong.ack().await;
    assert!(farewell(&mut wrong).await.text.contains("an answer to no update"));

    let mut later = world.stranger(Held::default()).await;
    later.say(ToServer::Hello(Hello { protocol: 2, ..Hello::default() })).await;
    assert!(farewell(&mut later).await.text.contains("expected version 1"));

    let mut noise = world.stranger(Held::default()).await;
    noise.say_bytes(b"GET / HTTP/1.1\n").await;
    assert_eq!(farewell(&mut noise).await.code, "protocol");
    soon("all of them gone", async {
        while !world.server.roster().is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn words_of_tomorrow_are_passed_over() {
    let world = World::plain().await;
    let mut gateway = world.gateway(Held::default()).await;
    gateway.say_bytes(b"{\"of_tomorrow\":{}}\n\n").await;
    assert_eq!(gateway.updated().await, Vec::<String>::new());
    world.told("it is synced", |told| told["state"] == "synced").await;
}
