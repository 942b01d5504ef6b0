//! What a gateway is told while it stays: everything, then changes, as few as there are.

use landbridge_control_client::wire::{Kind, Restates};
use landbridge_testkit::soon;

use crate::client::Held;
use crate::world::{World, endpoints, service};

#[tokio::test]
async fn a_gateway_that_holds_nothing_is_told_everything_and_then_what_changes() {
    let world = World::plain().await;
    world.put([service("a:80", "", 1), service("b:80", "", 1), endpoints("a:80", 1, 50)]);
    let mut gateway = world.gateway(Held::default()).await;
    let update = gateway.update().await;
    assert_eq!(update.begin.restates, Restates::All);
    assert_eq!(update.lines, ["+service a:80", "+service b:80", "+endpoints a:80"]);
    gateway.ack().await;
    let told = world.told("it is synced", |told| told["state"] == "synced").await;
    assert_eq!(told["digest"], told["expected_digest"]);
    assert_eq!(told["node"]["id"], "gateway-0");

    world.put([service("b:80", "", 2)]);
    let update = gateway.update().await;
    assert_eq!((update.begin.restates, update.lines), (Restates::Nothing, vec!["+service b:80".to_owned()]));
    gateway.ack().await;
    world.remove(Kind::Service, "b:80");
    assert_eq!(gateway.updated().await, ["-service b:80"]);
    // What changed inside endpoints goes alone, and what changed back not at all.
    world.put([endpoints("a:80", 2, 50)]);
    assert_eq!(gateway.updated().await, ["~endpoints a:80"]);
    world.put([endpoints("a:80", 100, 50)]);
    assert_eq!(gateway.updated().await, ["+endpoints a:80"], "a delta would be longer");
    assert_eq!(
        gateway.digest(),
        serde_json::from_value(world.server.told()["gateways"][0]["expected_digest"].clone()).unwrap()
    );
}

#[tokio::test]
async fn changes_that_come_while_an_update_is_under_way_go_together_in_the_next() {
    let world = World::plain().await;
    world.put([service("a:80", "", 0), endpoints("a:80", 1, 50)]);
    let mut gateway = world.gateway(Held::default()).await;
    gateway.update().await;
    for number in 1..100 {
        world.put([service("a:80", "", number), endpoints("a:80", number, 50)]);
    }
    world.put([service("b:80", "", 0)]);
    world.remove(Kind::Service, "b:80");
    gateway.ack().await;
    let lines = gateway.updated().await;
    assert_eq!(lines.len(), 2, "{lines:?}");
    world.told("it is synced", |told| told["state"] == "synced").await;
    assert_eq!(gateway.held.resources[&(Kind::Service, "a:80".to_owned())], r#"{"host":"a:80","port":99}"#);
}

#[tokio::test]
async fn a_gateway_that_does_not_read_is_sent_less_than_was_changed_and_then_what_is_so() {
    let world = World::plain().await;
    // Ten times what its window takes.
    let services =
        |number: u32| (0..20_000).map(move |name| service(&format!("service-{name}.example:80"), "", number));
    world.put(services(0));
    let mut slow = world.gateway(Held::default()).await;
    let mut quick = world.gateway(Held::default()).await;
    assert_eq!(quick.updated().await.len(), 20_000);
    for number in 1..=5 {
        world.put(services(number));
        let last = |quick: &crate::client::Client| {
            quick.held.resources.values().all(|spec| spec.ends_with(&format!(":{number}}}")))
        };
        while !last(&quick) {
            quick.updated().await;
        }
    }
    let sent = world.server.told()["gateways"][0]["sent_bytes"].as_u64().unwrap();
    assert!(sent < 1 << 20, "{sent} bytes were sent to a gateway that reads nothing");
    assert_eq!(slow.updated().await.len(), 20_000, "what was begun");
    assert_eq!(slow.updated().await.len(), 20_000, "and all that changed since, once");
    assert_eq!(slow.held, Held { epoch: slow.held.epoch.clone(), ..quick.held.clone() });
}

#[tokio::test]
async fn a_hundred_gateways_are_told_of_one_change() {
    let world = World::plain().await;
    world.put((0..100).map(|name| service(&format!("service-{name}:80"), "", 0)));
    let mut gateways = Vec::new();
    for _ in 0..100 {
        let mut gateway = world.gateway(Held::default()).await;
        assert_eq!(gateway.updated().await.len(), 100);
        gateways.push(gateway);
    }
    soon("all of them", async {
        while world.server.told()["gateways"].as_array().unwrap().iter().any(|told| told["state"] != "synced")
        {
            tokio::task::yield_now().await;
        }
    })
    .await;
    world.put([service("service-7:80", "", 1)]);
    for gateway in &mut gateways {
        assert_eq!(gateway.updated().await, ["+service service-7:80"]);
    }
    let metrics = world.server.metrics();
    assert!(metrics.contains("landbridge_control_streams_total 100\n"), "{metrics}");
    assert!(metrics.contains("landbridge_control_resources 100\n"), "{metrics}");
}
