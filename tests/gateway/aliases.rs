//! A mesh that moves to another trust domain: grants of the old one, marked as aliases.

use landbridge::outcome::Reason;
use landbridge_testkit::client::Saw;
use landbridge_testkit::pki::Mesh;
use landbridge_testkit::server::Server;
use landbridge_testkit::world::{HTTPBIN, SLEEP, World};

const WEB: &str = "ns/default/sa/web";

#[tokio::test]
async fn an_alias_lets_in_whom_it_names_and_nobody_by_the_domain_that_it_stands_in_for() {
    let world = World::default();
    let (old, new) = (Mesh::new("old.example"), Mesh::new("new.example"));
    let trust = [("old", &old), ("new", &new)].map(|(name, mesh)| {
        world.folder.write(&format!("{name}.pem"), &mesh.bundle());
        format!("[[trust]]\nname = \"{name}-mesh\"\ndomain = \"{name}.example\"\nbundle = \"{name}.pem\"\n")
    });
    let endpoint = Server::echo().await;
    // For `sleep` the list has both; for `web` it has the alias alone.
    let grants = [
        format!("{{ id = \"{}\", from = \"new-mesh\" }}", new.id(SLEEP)),
        format!("{{ id = \"{}\", from = \"old-mesh\", alias_of = \"new.example\" }}", old.id(SLEEP)),
        format!("{{ id = \"{}\", from = \"old-mesh\", alias_of = \"new.example\" }}", old.id(WEB)),
    ];
    let service = World::httpbin(&[endpoint.address], "");
    let usual = service.lines().find(|line| line.starts_with("allow")).unwrap();
    let service = service.replace(usual, &format!("allow = [{}]", grants.join(", ")));
    let mut gateway = world.gateway(&(trust.concat() + &service)).await;

    for (mesh, path) in [(&old, SLEEP), (&new, SLEEP), (&old, WEB)] {
        let sidecar = world.sidecar_of(&mesh.svid(path));
        assert_eq!(sidecar.ask(gateway.address, HTTPBIN, b"x").await, Ok(b"x".to_vec()));
        let outcome = gateway.outcome().await;
        assert_eq!(outcome.peer.unwrap().id.as_str(), mesh.id(path), "an identity stays what it is");
    }
    let forged = landbridge_certs::issue::LeafOptions { uris: vec![old.id(SLEEP)], ..Mesh::options() };
    for (svid, reason) in [(new.svid(WEB), Reason::Denied), (new.issue(&forged), Reason::WrongBundle)] {
        let saw = world.sidecar_of(&svid).sees(gateway.address, HTTPBIN).await;
        assert_eq!(Some(saw), reason.alert().map(Saw::Alert));
        assert_eq!(gateway.outcome().await.reason, reason);
    }
    assert_eq!(endpoint.accepted(), 3);
}
