//! Certificates of a CA that is trusted, and that are not what an SVID is: none of them reaches anybody.

use landbridge::outcome::Reason;
use landbridge_certs::issue::{CaOptions, LeafOptions, Purpose, Usage};
use landbridge_testkit::client::Saw;
use landbridge_testkit::gateway::TestGateway;
use landbridge_testkit::pki::{Mesh, Svid};
use landbridge_testkit::server::Server;
use landbridge_testkit::world::{HTTPBIN, SLEEP, World};
use rustls_pki_types::UnixTime;

struct Scene {
    world: World,
    endpoint: Server,
    gateway: TestGateway,
}

impl Scene {
    /// Anybody of the trust domain may call.
    async fn set() -> Self {
        let world = World::default();
        let endpoint = Server::echo().await;
        let services = World::httpbin(&[endpoint.address], "").replace("/ns/default/sa/sleep", "/*");
        let gateway = world.gateway(&services).await;
        Self { world, endpoint, gateway }
    }

    fn options(&self) -> LeafOptions {
        LeafOptions { uris: vec![self.world.remote.id(SLEEP)], ..Mesh::options() }
    }

    async fn is_refused(&mut self, identity: &Svid, reason: Reason, what: &str) {
        let saw = self.world.sidecar_of(identity).sees(self.gateway.address, HTTPBIN).await;
        assert_eq!(Some(saw), reason.alert().map(Saw::Alert), "{what}");
        let outcome = self.gateway.outcome().await;
        assert_eq!((outcome.reason, outcome.peer), (reason, None), "{what}");
        assert_eq!(self.endpoint.accepted(), 0, "{what}");
    }
}

#[tokio::test]
async fn every_uri_that_is_not_a_spiffe_id_is_access_denied() {
    let mut scene = Scene::set().await;
    let long = format!("spiffe://cluster.local/{}", "a".repeat(2_026));
    assert_eq!(long.len(), 2_049);
    let uris = [
        "SPIFFE://cluster.local/a",
        "spiffe://Cluster.local/a",
        "spiffe://user@cluster.local/a",
        "spiffe://cluster.local:80/a",
        "spiffe://cluster.local/a?b",
        "spiffe://cluster.local/a#b",
        "spiffe://cluster.local/a%2fb",
        "spiffe://cluster.local//a",
        "spiffe://cluster.local/./a",
        "spiffe://cluster.local/../a",
        "spiffe://cluster.local/a/",
        "spiffe://cluster.local",
        "spiffe://cluster.local/a\0b",
        "https://cluster.local/a",
        "",
        &long,
    ];
    for uri in uris {
        let options = LeafOptions { uris: vec![uri.to_owned()], ..Mesh::options() };
        let identity = scene.world.remote.issue(&options);
        scene.is_refused(&identity, Reason::BadSpiffeId, uri).await;
    }
    let fine = long.strip_suffix('a').unwrap();
    let options = LeafOptions { uris: vec![fine.to_owned()], ..Mesh::options() };
    let sidecar = scene.world.sidecar_of(&scene.world.remote.issue(&options));
    assert_eq!(sidecar.ask(scene.gateway.address, HTTPBIN, b"x").await, Ok(b"x".to_vec()));
    assert_eq!(scene.gateway.outcome().await.peer.unwrap().id.as_str(), fine);
}

#[tokio::test]
async fn usages_and_purposes_that_do_not_fit_have_their_alerts_and_no_purposes_at_all_fit() {
    let mut scene = Scene::set().await;
    let used = |usages: &[Usage]| LeafOptions { usages: usages.to_vec(), ..scene.options() };
    let meant = |purpose: Purpose| LeafOptions { purposes: vec![purpose], ..scene.options() };
    let cases = [
        ("no key usage", used(&[]), Reason::KeyUsage),
        ("keyEncipherment alone", used(&[Usage::KeyEncipherment]), Reason::KeyUsage),
        ("cRLSign", used(&[Usage::DigitalSignature, Usage::CrlSign]), Reason::LeafIsCa),
        ("emailProtection", meant(Purpose::EmailProtection), Reason::ExtendedKeyUsage),
        ("anyExtendedKeyUsage", meant(Purpose::Any), Reason::ExtendedKeyUsage),
    ];
    for (what, options, reason) in cases {
        let identity = scene.world.remote.issue(&options);
        scene.is_refused(&identity, reason, what).await;
    }
    let none = LeafOptions { purposes: Vec::new(), ..scene.options() };
    let sidecar = scene.world.sidecar_of(&scene.world.remote.issue(&none));
    assert_eq!(sidecar.ask(scene.gateway.address, HTTPBIN, b"x").await, Ok(b"x".to_vec()));
}

#[tokio::test]
async fn a_chain_of_seven_intermediates_is_one_too_many() {
    let mut scene = Scene::set().await;
    let options = CaOptions::new(UnixTime::now());
    let mut issuer = scene.world.remote.ca.intermediate("sub 1", &options).unwrap();
    for count in 2..=6 {
        issuer = issuer.intermediate(&format!("sub {count}"), &options).unwrap();
    }
    let six = Svid::from(issuer.issue(&scene.options()).unwrap());
    let seven = issuer.intermediate("sub 7", &options).unwrap().issue(&scene.options()).unwrap();
    scene.is_refused(&Svid::from(seven), Reason::CertPath, "seven").await;
    let sidecar = scene.world.sidecar_of(&six);
    assert_eq!(sidecar.ask(scene.gateway.address, HTTPBIN, b"x").await, Ok(b"x".to_vec()));
}

#[tokio::test]
async fn more_certificates_than_a_tls_message_may_hold_end_the_handshake_without_an_alert() {
    let mut scene = Scene::set().await;
    let mut identity = scene.world.sleep_svid();
    identity.chain += &scene.world.remote.bundle().repeat(200);
    let saw = scene.world.sidecar_of(&identity).sees(scene.gateway.address, HTTPBIN).await;
    // rustls has no alert for it.
    assert_eq!(saw, Saw::Cut);
    assert_eq!(scene.gateway.outcome().await.reason, Reason::HandshakeBroken);
    assert_eq!(scene.endpoint.accepted(), 0);
}
