//! Who may see what, by the identity that they prove.

use std::sync::Arc;

use hyper::StatusCode;
use landbridge_control_client::wire::Kind;
use landbridge_control_server::{Identity, Nodes};
use landbridge_testkit::pki::Mesh;

use crate::world::{World, key, mtls, node, service, trust};

#[tokio::test]
async fn each_gateway_sees_what_its_entries_select_and_learns_of_nothing_else() {
    let mesh = Mesh::new("td");
    let nodes = vec![
        node("spiffe://td/ns/shop/sa/*", "shop*"),
        node("spiffe://td/ns/*/sa/both", "web"),
        node("spiffe://td/ns/other/sa/both", "shop"),
    ];
    let (_identity, security) = mtls(&mesh);
    let world = World::new(Arc::default(), Nodes::new(nodes), security).await;
    world.put([
        service("shop:80", "shop", 1),
        service("shop-2:80", "shop-2", 1),
        service("web:80", "web", 1),
    ]);

    let mut shop =
        world.secure(&mesh, &mesh.svid("ns/shop/sa/gateway")).await.unwrap_or_else(|_| panic!("refused"));
    assert_eq!(shop.updated().await, ["+service shop-2:80", "+service shop:80"]);
    let told = world.told("it is synced", |told| told["state"] == "synced").await;
    assert_eq!(told["identity"], "spiffe://td/ns/shop/sa/gateway");
    assert_eq!((&told["trust"], &told["cluster"]), (&"fleet".into(), &"cluster of shop*".into()));
    // What several entries show adds up.
    let mut both =
        world.secure(&mesh, &mesh.svid("ns/other/sa/both")).await.unwrap_or_else(|_| panic!("refused"));
    assert_eq!(both.updated().await, ["+service shop:80", "+service web:80"]);

    // A change of what isn't shown is told to nobody else.
    world.put([service("web:80", "web", 2)]);
    assert_eq!(both.updated().await, ["+service web:80"]);
    world.remove(Kind::Service, "web:80");
    assert_eq!(both.updated().await, ["-service web:80"]);
    world.put([service("shop:80", "web", 1), service("shop-2:80", "shop-2", 2)]);
    assert_eq!(shop.updated().await, ["+service shop-2:80", "-service shop:80"]);
    assert_eq!(shop.names(Kind::Service), ["shop-2:80"]);
}

#[tokio::test]
async fn whom_no_entry_means_is_refused_in_the_handshake() {
    let (mesh, stranger) = (Mesh::new("td"), Mesh::new("td"));
    let (_identity, security) = mtls(&mesh);
    let nodes = Nodes::new(vec![node("spiffe://td/ns/shop/sa/*", "*")]);
    let world = World::new(Arc::default(), nodes, security).await;
    for svid in [mesh.svid("ns/web/sa/gateway"), stranger.svid("ns/shop/sa/gateway")] {
        assert_eq!(world.secure(&mesh, &svid).await.err(), Some(None));
    }
    landbridge_testkit::process::until("both are counted", async || {
        world.server.metrics().contains("landbridge_control_refused_streams_total 2\n").then_some(())
    })
    .await;
    assert!(world.server.roster().is_empty());
    assert!(world.secure(&mesh, &mesh.svid("ns/shop/sa/gateway")).await.is_ok());
}

#[tokio::test]
async fn without_tls_only_an_entry_without_an_id_means_anybody() {
    let nodes = Nodes::new(vec![node("spiffe://td/*", "*")]);
    let world = World::new(Arc::default(), nodes, landbridge_control_server::Security::Plain).await;
    let begun = world.try_stranger().await;
    assert_eq!(begun.err(), Some(Some(StatusCode::FORBIDDEN)));
}

#[tokio::test]
async fn who_is_not_believed_any_more_is_cut() {
    let (mesh, other) = (Mesh::new("td"), Mesh::new("td"));
    let (identity, security) = mtls(&mesh);
    let nodes = Nodes::new(vec![node("spiffe://td/*", "*")]);
    let world = World::new(Arc::default(), nodes, security).await;
    let mut gateway =
        world.secure(&mesh, &mesh.svid("ns/a/sa/b")).await.unwrap_or_else(|_| panic!("refused"));
    gateway.updated().await;
    let own = || key(&mesh.svid("ns/landbridge/sa/control"));
    // The same trust: it stays.
    identity.send_replace(Arc::new(Identity { key: own(), trust: trust(&mesh) }));
    world.put([service("a:80", "", 1)]);
    assert_eq!(gateway.updated().await, ["+service a:80"]);
    identity.send_replace(Arc::new(Identity { key: own(), trust: trust(&other) }));
    assert!(gateway.next().await.is_none());
}
