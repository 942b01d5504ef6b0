//! Lists of subsets over real mutual TLS: whom they let in, whom they refuse, and whom a change of one cuts.

use landbridge::outcome::Reason;
use landbridge_testkit::client::Saw;
use landbridge_testkit::server::{Endpoint, Server};
use landbridge_testkit::wire::Wire;
use landbridge_testkit::world::{HTTPBIN, SLEEP, World};

const WEB: &str = "ns/default/sa/web";
const V1: &str = "outbound_.8000_.v1_.httpbin.default.svc.cluster.local";
const V2: &str = "outbound_.8000_.v2_.httpbin.default.svc.cluster.local";

/// The usual service, which lets `sleep` in, with a subset `v1` for these callers and a subset `v2` for its own.
fn services(endpoint: std::net::SocketAddr, v1: &[&str]) -> String {
    let grants: Vec<String> = v1
        .iter()
        .map(|path| format!("{{ id = \"spiffe://cluster.local/{path}\", from = \"cluster-1\" }}"))
        .collect();
    let subset = |name: &str, allow: &str| {
        format!("[[service.subset]]\nname = \"{name}\"\nlabels = {{ all = \"yes\" }}\n{allow}\n")
    };
    let address = format!("address = \"{endpoint}\"");
    let subsets = subset("v1", &format!("allow = [{}]", grants.join(", "))) + &subset("v2", "");
    World::httpbin(&[endpoint], &subsets)
        .replace(&address, &format!("{address}, labels = {{ all = \"yes\" }}"))
}

#[tokio::test]
async fn a_subset_s_list_decides_over_its_own_name_and_the_service_s_over_the_others() {
    let world = World::default();
    let endpoint = Server::echo().await;
    let mut gateway = world.gateway(&services(endpoint.address, &[WEB])).await;
    let (usual, web) = (world.sidecar(), world.sidecar_of(&world.remote.svid(WEB)));

    for (sidecar, name) in [(&web, HTTPBIN), (&web, V2), (&usual, V1)] {
        assert_eq!(sidecar.sees(gateway.address, name).await, Saw::Alert(49), "{name}");
        let outcome = gateway.outcome().await;
        assert_eq!((outcome.reason, outcome.upstream), (Reason::Denied, None), "{name}");
    }
    assert_eq!(endpoint.accepted(), 0, "who is refused costs no endpoint a connection");
    for (sidecar, name) in [(&web, V1), (&usual, HTTPBIN), (&usual, V2)] {
        assert_eq!(sidecar.ask(gateway.address, name, b"x").await, Ok(b"x".to_vec()), "{name}");
        assert_eq!(gateway.outcome().await.reason, Reason::Done, "{name}");
    }
    assert_eq!(endpoint.accepted(), 3);
}

#[tokio::test]
async fn an_empty_list_of_a_subset_is_nobody_though_the_service_has_callers() {
    let world = World::default();
    let endpoint = Server::echo().await;
    let mut gateway = world.gateway(&services(endpoint.address, &[])).await;
    assert_eq!(world.sidecar().sees(gateway.address, V1).await, Saw::Alert(49));
    assert_eq!(gateway.outcome().await.reason, Reason::Denied);
    assert_eq!(world.sidecar().ask(gateway.address, HTTPBIN, b"x").await, Ok(b"x".to_vec()));
    assert_eq!(endpoint.accepted(), 1);
}

#[tokio::test]
async fn audit_of_the_service_holds_for_the_list_of_a_subset() {
    let world = World::default();
    let endpoint = Server::echo().await;
    let audited =
        services(endpoint.address, &[WEB]).replace("port = 8000", "port = 8000\nauthorization = \"audit\"");
    let mut gateway = world.gateway(&audited).await;
    for (name, would_deny) in [(V1, true), (HTTPBIN, false)] {
        assert_eq!(world.sidecar().ask(gateway.address, name, b"x").await, Ok(b"x".to_vec()));
        assert_eq!(gateway.outcome().await.would_deny, would_deny, "{name}");
    }
}

#[tokio::test]
async fn a_change_of_a_subset_s_list_cuts_its_losers_and_no_bystander() {
    let world = World::default();
    let endpoint = Endpoint::bind().await;
    let mut gateway = world.gateway(&services(endpoint.address, &[WEB, SLEEP])).await;
    let mut streams = Vec::new();
    for (path, name) in [(SLEEP, V1), (WEB, V1), (SLEEP, HTTPBIN), (SLEEP, V2)] {
        let sidecar = world.sidecar_of(&world.remote.svid(path));
        let client = Wire::secure(&sidecar, gateway.address, name).await;
        streams.push((client, endpoint.accept().await));
    }
    for stream in &mut streams {
        works(stream).await;
    }

    let changed = World::head() + &services(endpoint.address, &[WEB]);
    gateway.update(&changed, world.folder.path()).await;
    let (mut client, mut server) = streams.remove(0);
    assert_eq!((client.end().await, server.end().await), (Saw::Reset, Saw::Reset));
    let outcome = gateway.outcome().await;
    assert_eq!((outcome.reason, outcome.sni.as_deref()), (Reason::Revoked, Some(V1)));
    // The same caller by other names, and another caller by the same name.
    for stream in &mut streams {
        works(stream).await;
    }
    assert_eq!(gateway.handle.active(), 3);
    assert!(gateway.told_everything());
}

async fn works((client, server): &mut (Wire, Wire)) {
    client.send(b"ping").await;
    assert_eq!(server.receive(4).await, b"ping");
    server.send(b"pong").await;
    assert_eq!(client.receive(4).await, b"pong");
}
