//! Everything that is refused: each with its alert, its one outcome, and nothing lost for anybody else.

use std::time::Duration;

use landbridge::outcome::{Flag, Reason};
use landbridge_certs::issue::{LeafOptions, Purpose, Usage};
use landbridge_testkit::client::{Saw, Sidecar, client_hello, raw};
use landbridge_testkit::gateway::TestGateway;
use landbridge_testkit::pki::{Mesh, Svid};
use landbridge_testkit::server::Server;
use landbridge_testkit::world::{HTTPBIN, SLEEP, World};
use rustls_pki_types::UnixTime;

/// A world, an endpoint that must not hear of what is refused, and the gateway.
struct Scene {
    world: World,
    endpoint: Server,
    gateway: TestGateway,
}

impl Scene {
    async fn set() -> Self {
        let world = World::default();
        let endpoint = Server::echo().await;
        let gateway = world.gateway(&World::httpbin(&[endpoint.address], "")).await;
        Self { world, endpoint, gateway }
    }

    /// Checks that `saw` is the alert that the reason has, that the outcome tells the reason, that no
    /// endpoint was reached, and that an allowed caller still gets through.
    async fn refused(&mut self, saw: Saw, reason: Reason) {
        assert_eq!(Some(saw), reason.alert().map(Saw::Alert), "{reason}");
        self.told(reason).await;
    }

    async fn told(&mut self, reason: Reason) {
        let outcome = self.gateway.outcome().await;
        assert_eq!(outcome.reason, reason, "{:?}", outcome.error);
        assert!(outcome.refused());
        assert_eq!((outcome.received, outcome.sent), (0, 0));
        let before = self.endpoint.accepted();
        let answer = self.world.sidecar().ask(self.gateway.address, HTTPBIN, b"still here").await;
        assert_eq!(answer, Ok(b"still here".to_vec()));
        assert_eq!(self.gateway.outcome().await.reason, Reason::Done);
        assert_eq!(self.endpoint.accepted(), before + 1);
        assert!(self.gateway.told_everything());
    }

    async fn presents(&mut self, identity: &Svid, reason: Reason) {
        let saw = self.world.sidecar_of(identity).sees(self.gateway.address, HTTPBIN).await;
        self.refused(saw, reason).await;
    }

    fn sleep_options(&self) -> LeafOptions {
        LeafOptions { uris: vec![self.world.remote.id(SLEEP)], ..Mesh::options() }
    }
}

#[tokio::test]
async fn no_server_name_is_answered_by_unrecognized_name() {
    let mut scene = Scene::set().await;
    let saw = scene.world.sidecar().without_sni().sees(scene.gateway.address, HTTPBIN).await;
    scene.refused(saw, Reason::NoSni).await;
}

#[tokio::test]
async fn an_unknown_name_is_answered_by_unrecognized_name_before_any_certificate() {
    let mut scene = Scene::set().await;
    let strangers = [
        "outbound_.8000_._.nobody.default.svc.cluster.local",
        "outbound_.08000_._.httpbin.default.svc.cluster.local",
        "outbound_.8001_._.httpbin.default.svc.cluster.local",
        "outbound_.8000_.v1_.httpbin.default.svc.cluster.local",
        "httpbin.default.svc.cluster.local",
    ];
    for name in strangers {
        let hello = client_hello(&scene.world.sidecar(), name);
        let answer = raw(scene.gateway.address, &[&hello]).await.unwrap();
        // Seven bytes: an alert record and nothing else, so no certificate either.
        assert_eq!(answer, [0x15, 3, 3, 0, 2, 2, 112], "{name}");
        scene.told(Reason::SniUnknown).await;
    }
}

#[tokio::test]
async fn bytes_that_are_no_host_name_are_an_illegal_parameter() {
    let mut scene = Scene::set().await;
    let hello = client_hello(&scene.world.sidecar(), HTTPBIN);
    let at = hello.windows(HTTPBIN.len()).position(|window| window == HTTPBIN.as_bytes()).unwrap();
    for byte in [b' ', b'*', b'|', 0, b'\n', 0xff] {
        let mut spoilt = hello.clone();
        spoilt[at + 3] = byte;
        let answer = raw(scene.gateway.address, &[&spoilt]).await.unwrap();
        assert_eq!(answer, [0x15, 3, 3, 0, 2, 2, 47], "{byte:#x}");
        scene.told(Reason::SniInvalid).await;
    }
}

#[tokio::test]
async fn capitals_lead_to_the_same_service() {
    let scene = Scene::set().await;
    let capitals = "OUTBOUND_.8000_._.HttpBin.Default.svc.cluster.local";
    let answer = scene.world.sidecar().ask(scene.gateway.address, capitals, b"x").await;
    assert_eq!(answer, Ok(b"x".to_vec()));
}

#[tokio::test]
async fn what_is_not_tls_gets_an_alert_and_nothing_else() {
    let mut scene = Scene::set().await;
    let strangers: [&[u8]; 3] =
        [b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", b"SSH-2.0-OpenSSH_9.2\r\n", &[0xff; 64]];
    for bytes in strangers {
        let answer = raw(scene.gateway.address, &[bytes]).await.unwrap();
        assert!(answer.is_empty() || (answer.len() == 7 && answer[0] == 0x15), "{answer:?}");
        scene.told(Reason::NotTls).await;
    }
}

#[tokio::test]
async fn a_hello_that_announces_too_much_is_refused_before_it_has_come() {
    let mut scene = Scene::set().await;
    // A handshake record whose ClientHello says that it is 1 MiB long.
    let announced = [0x16, 3, 1, 0x40, 0, 1, 0x10, 0, 0];
    let answer = raw(scene.gateway.address, &[&announced]).await.unwrap();
    assert_eq!(answer, [0x15, 3, 3, 0, 2, 2, 50]);
    scene.told(Reason::HelloTooLarge).await;
}

#[tokio::test]
async fn no_certificate_is_certificate_required() {
    let mut scene = Scene::set().await;
    let saw = Sidecar::anonymous(&scene.world.local.bundle()).sees(scene.gateway.address, HTTPBIN).await;
    scene.refused(saw, Reason::NoClientCert).await;
}

#[tokio::test]
async fn an_unknown_ca_is_unknown_ca() {
    let mut scene = Scene::set().await;
    let stranger = Mesh::new("cluster.local").svid(SLEEP);
    scene.presents(&stranger, Reason::CertUntrusted).await;
}

#[tokio::test]
async fn a_trust_domain_that_nobody_configured_is_unknown_ca() {
    let mut scene = Scene::set().await;
    let stranger = Mesh::new("other.example").svid(SLEEP);
    scene.presents(&stranger, Reason::UnknownTrustDomain).await;
}

#[tokio::test]
async fn the_ca_of_one_domain_cannot_vouch_for_another() {
    let world = World::default();
    let other = Mesh::new("other.example");
    world.folder.write("other.pem", &other.bundle());
    let endpoint = Server::echo().await;
    let trust = "[[trust]]\ndomain = \"other.example\"\nbundle = \"other.pem\"\n";
    let gateway = world.gateway(&format!("{trust}{}", World::httpbin(&[endpoint.address], ""))).await;
    let mut scene = Scene { world, endpoint, gateway };
    let forged = other.issue(&LeafOptions { uris: vec![scene.world.remote.id(SLEEP)], ..Mesh::options() });
    scene.presents(&forged, Reason::WrongBundle).await;
}

#[tokio::test]
async fn two_meshes_that_share_a_domain_stay_apart() {
    let mut scene = Scene::set().await;
    // The same SPIFFE ID, vouched for by the other entry: known, and not allowed.
    let namesake = scene.world.local.svid(SLEEP);
    scene.presents(&namesake, Reason::Denied).await;
}

#[tokio::test]
async fn an_expired_certificate_is_expired() {
    let mut scene = Scene::set().await;
    let mut options = scene.sleep_options();
    let now = UnixTime::now().as_secs();
    options.validity.not_before = UnixTime::since_unix_epoch(Duration::from_secs(now - 3600));
    options.validity.not_after = UnixTime::since_unix_epoch(Duration::from_secs(now - 1));
    let expired = scene.world.remote.issue(&options);
    scene.presents(&expired, Reason::CertExpired).await;
}

#[tokio::test]
async fn a_revoked_certificate_is_revoked() {
    let world = World::default();
    let endpoint = Server::echo().await;
    let revoked = world.sleep_svid();
    world.folder.write("cluster-1.crl", &world.remote.crl(&[&revoked.serial]));
    let head = World::head().replace("\"cluster-1.pem\"", "\"cluster-1.pem\"\ncrl = \"cluster-1.crl\"");
    let toml = head + &World::httpbin(&[endpoint.address], "");
    let gateway = TestGateway::start(&toml, world.folder.path()).await;
    let mut scene = Scene { world, endpoint, gateway };
    scene.presents(&revoked, Reason::CertRevoked).await;
}

#[tokio::test]
async fn a_certificate_that_is_no_svid_is_access_denied() {
    let mut scene = Scene::set().await;
    let two = LeafOptions {
        uris: vec![scene.world.remote.id(SLEEP), scene.world.remote.id("ns/default/sa/other")],
        ..Mesh::options()
    };
    let none = LeafOptions { dns: vec!["sleep.example".to_owned()], ..Mesh::options() };
    let no_id = LeafOptions { uris: vec!["https://example.com/sleep".to_owned()], ..Mesh::options() };
    let ca = LeafOptions { ca: true, ..scene.sleep_options() };
    let signs =
        LeafOptions { usages: vec![Usage::DigitalSignature, Usage::KeyCertSign], ..scene.sleep_options() };
    let cases = [
        (two, Reason::NotOneUri),
        (none, Reason::NotOneUri),
        (no_id, Reason::BadSpiffeId),
        (ca, Reason::LeafIsCa),
        (signs, Reason::LeafIsCa),
    ];
    for (options, reason) in cases {
        let identity = scene.world.remote.issue(&options);
        scene.presents(&identity, reason).await;
    }
    let server_only = LeafOptions { purposes: vec![Purpose::ServerAuth], ..scene.sleep_options() };
    let identity = scene.world.remote.issue(&server_only);
    scene.presents(&identity, Reason::ExtendedKeyUsage).await;
}

#[tokio::test]
async fn a_caller_whom_no_grant_allows_is_access_denied() {
    let mut scene = Scene::set().await;
    let stranger = scene.world.remote.svid("ns/default/sa/stranger");
    scene.presents(&stranger, Reason::Denied).await;
    assert_eq!(Reason::Denied.flag(), Flag::Az);
}

#[tokio::test]
async fn a_connection_that_says_nothing_and_closes_is_counted_and_not_told() {
    let mut scene = Scene::set().await;
    let tcp = tokio::net::TcpStream::connect(scene.gateway.address).await.unwrap();
    drop(tcp);
    while scene.gateway.handle.count(Reason::Probe) == 0 {
        tokio::task::yield_now().await;
    }
    assert!(scene.gateway.told_everything());
}
