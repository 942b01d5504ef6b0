//! Changes while connections are open: swapped whole, noticed by those they are about and by nobody else.

use landbridge::outcome::{Flag, Reason};
use landbridge_testkit::client::Saw;
use landbridge_testkit::gateway::{TestGateway, load};
use landbridge_testkit::pki::{Mesh, Svid};
use landbridge_testkit::server::{Endpoint, Server};
use landbridge_testkit::wire::Wire;
use landbridge_testkit::world::{HTTPBIN, SLEEP, World};

/// Another caller of cluster-1.
const WEB: &str = "ns/default/sa/web";
/// A mesh of another trust domain.
const ELSEWHERE: &str = "other.example";

/// A stream through the gateway, both of its ends in hand.
struct Stream {
    client: Wire,
    server: Wire,
}

impl Stream {
    async fn open(world: &World, caller: &Svid, gateway: &TestGateway, endpoint: &Endpoint) -> Self {
        let client = Wire::secure(&world.sidecar_of(caller), gateway.address, HTTPBIN).await;
        Self { client, server: endpoint.accept().await }
    }

    async fn works(&mut self) {
        self.client.send(b"ping").await;
        assert_eq!(self.server.receive(4).await, b"ping");
        self.server.send(b"pong").await;
        assert_eq!(self.client.receive(4).await, b"pong");
    }

    async fn is_cut(&mut self) {
        assert_eq!((self.client.end().await, self.server.end().await), (Saw::Reset, Saw::Reset));
    }
}

/// The usual service with a grant for each of `allow`, as written.
fn allowing(endpoint: &Endpoint, allow: &[&str]) -> String {
    let service = World::httpbin(&[endpoint.address], "");
    let grants = format!("allow = [{}]", allow.join(", "));
    let lines = service.lines().map(|line| if line.starts_with("allow") { &grants } else { line });
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

fn grant(path: &str) -> String {
    format!("{{ id = \"spiffe://cluster.local/{path}\", from = \"cluster-1\" }}")
}

async fn update(world: &World, gateway: &TestGateway, services: &str) {
    gateway.update(&(World::head() + services), world.folder.path()).await;
}

#[tokio::test]
async fn services_come_and_go_while_a_stream_lives() {
    let world = World::default();
    let (endpoint, other) = (Endpoint::bind().await, Server::echo().await);
    let httpbin = World::httpbin(&[endpoint.address], "");
    let added = World::httpbin(&[other.address], "").replace("httpbin", "added");
    let name = HTTPBIN.replace("httpbin", "added");
    let mut gateway = world.gateway(&httpbin).await;
    let first = gateway.handle.generation();
    let mut stream = Stream::open(&world, &world.sleep_svid(), &gateway, &endpoint).await;
    stream.works().await;

    assert_eq!(world.sidecar().sees(gateway.address, &name).await, Saw::Alert(112));
    assert_eq!(gateway.outcome().await.generation, first);
    update(&world, &gateway, &(httpbin.clone() + &added)).await;
    assert_eq!(gateway.handle.generation(), first + 1);
    assert_eq!(world.sidecar().ask(gateway.address, &name, b"x").await, Ok(b"x".to_vec()));
    assert_eq!(gateway.outcome().await.generation, first + 1);
    stream.works().await;

    // The service of the stream itself goes; the stream ends by itself.
    update(&world, &gateway, &added).await;
    assert_eq!(gateway.handle.generation(), first + 2);
    assert_eq!(world.sidecar().sees(gateway.address, HTTPBIN).await, Saw::Alert(112));
    assert_eq!(gateway.outcome().await.reason, Reason::SniUnknown);
    stream.works().await;
    stream.client.finish().await;
    stream.server.finish().await;
    assert_eq!((stream.client.end().await, stream.server.end().await), (Saw::End, Saw::End));
    let outcome = gateway.outcome().await;
    assert_eq!((outcome.reason, outcome.generation), (Reason::Done, first));
}

#[tokio::test]
async fn an_endpoint_s_count_of_connections_survives_every_update() {
    let world = World::default();
    let (a, b) = (Server::echo().await, Server::echo().await);
    let services = World::httpbin(&[a.address, b.address], "");
    let gateway = world.gateway(&services).await;
    let mut held = Vec::new();
    for round in 1..=6 {
        for _ in 0..2 {
            update(&world, &gateway, &services).await;
            let mut client = Wire::secure(&world.sidecar(), gateway.address, HTTPBIN).await;
            client.send(b"x").await;
            assert_eq!(client.receive(1).await, b"x");
            held.push(client);
        }
        // With counts that began anew, half of the pairs would fall together.
        assert_eq!((a.accepted(), b.accepted()), (round, round));
    }
}

#[tokio::test]
async fn a_grant_that_is_removed_cuts_its_caller_and_no_bystander() {
    let world = World::default();
    let endpoint = Endpoint::bind().await;
    let both = allowing(&endpoint, &[&grant(SLEEP), &grant(WEB)]);
    let mut gateway = world.gateway(&both).await;
    let (loser, bystander) = (world.remote.svid(SLEEP), world.remote.svid(WEB));
    let mut cut = Stream::open(&world, &loser, &gateway, &endpoint).await;
    let mut lives = Stream::open(&world, &bystander, &gateway, &endpoint).await;
    cut.works().await;
    lives.works().await;

    update(&world, &gateway, &allowing(&endpoint, &[&grant(WEB)])).await;
    cut.is_cut().await;
    let outcome = gateway.outcome().await;
    assert_eq!((outcome.reason, outcome.reason.flag()), (Reason::Revoked, Flag::Rv));
    assert_eq!(outcome.peer.unwrap().id.as_str(), world.remote.id(SLEEP));
    assert_eq!((outcome.received, outcome.sent), (4, 4));
    lives.works().await;
    assert_eq!(gateway.handle.active(), 1);
    assert_eq!(world.sidecar_of(&loser).sees(gateway.address, HTTPBIN).await, Saw::Alert(49));
    assert_eq!(gateway.outcome().await.reason, Reason::Denied);
}

#[tokio::test]
async fn audit_that_becomes_enforcement_cuts_whom_nobody_allowed() {
    let world = World::default();
    let endpoint = Endpoint::bind().await;
    let enforced = allowing(&endpoint, &[&grant(SLEEP)]);
    let audited = enforced.clone() + "authorization = \"audit\"\n";
    let mut gateway = world.gateway(&audited).await;
    let mut cut = Stream::open(&world, &world.remote.svid(WEB), &gateway, &endpoint).await;
    let mut lives = Stream::open(&world, &world.sleep_svid(), &gateway, &endpoint).await;
    cut.works().await;
    update(&world, &gateway, &enforced).await;
    cut.is_cut().await;
    assert_eq!(gateway.outcome().await.reason, Reason::Revoked);
    lives.works().await;
}

#[tokio::test]
async fn a_service_that_demands_identity_from_now_on_cuts_those_it_passed_through() {
    let world = World::default();
    let endpoint = Endpoint::bind().await;
    let passed = World::httpbin_passed_through(&[endpoint.address], "");
    let mut gateway = world.gateway(&passed).await;
    let mut client = Wire::hold_hello(&world.sidecar(), gateway.address, HTTPBIN).await;
    let hello = client.flight();
    client.send_raw(&hello).await;
    let mut server = endpoint.accept().await;
    assert_eq!(server.receive(hello.len()).await, hello);
    update(&world, &gateway, &World::httpbin(&[endpoint.address], "")).await;
    assert_eq!((client.end().await, server.end().await), (Saw::Reset, Saw::Reset));
    assert_eq!(gateway.outcome().await.reason, Reason::Revoked);
}

#[tokio::test]
async fn a_trust_entry_that_is_removed_cuts_its_callers_and_no_bystander() {
    let world = World::default();
    let elsewhere = Mesh::new(ELSEWHERE);
    world.folder.write("other.pem", &elsewhere.bundle());
    let trust = format!("[[trust]]\ndomain = \"{ELSEWHERE}\"\nbundle = \"other.pem\"\n");
    let endpoint = Endpoint::bind().await;
    let anybody = format!("\"spiffe://{ELSEWHERE}/*\"");
    let services = allowing(&endpoint, &[&grant(SLEEP), &anybody]);
    let mut gateway = world.gateway(&(trust + &services)).await;
    let mut cut = Stream::open(&world, &elsewhere.svid(SLEEP), &gateway, &endpoint).await;
    let mut lives = Stream::open(&world, &world.sleep_svid(), &gateway, &endpoint).await;
    cut.works().await;

    // The grant stays; nobody can prove to be meant by it any more.
    update(&world, &gateway, &services).await;
    cut.is_cut().await;
    assert_eq!(gateway.outcome().await.reason, Reason::Revoked);
    lives.works().await;
}

#[tokio::test]
async fn a_bundle_that_loses_a_ca_cuts_whom_that_ca_vouched_for() {
    let world = World::default();
    let endpoint = Endpoint::bind().await;
    let next = Mesh::new("cluster.local");
    let services = World::httpbin(&[endpoint.address], "");
    world.folder.write("cluster-1.pem", &(world.remote.bundle() + &next.bundle()));
    let mut gateway = world.gateway(&services).await;
    let mut cut = Stream::open(&world, &world.sleep_svid(), &gateway, &endpoint).await;
    let mut lives = Stream::open(&world, &next.svid(SLEEP), &gateway, &endpoint).await;
    cut.works().await;

    world.folder.write("cluster-1.pem", &next.bundle());
    update(&world, &gateway, &services).await;
    cut.is_cut().await;
    assert_eq!(gateway.outcome().await.reason, Reason::Revoked);
    lives.works().await;
}

#[tokio::test]
async fn a_bundle_that_is_emptied_in_so_many_words_cuts_its_callers_and_lets_nobody_in() {
    let world = World::default();
    let endpoint = Endpoint::bind().await;
    let services = World::httpbin(&[endpoint.address], "");
    let mut gateway = world.gateway(&services).await;
    let mut cut = Stream::open(&world, &world.sleep_svid(), &gateway, &endpoint).await;
    cut.works().await;

    world.folder.write("cluster-1.pem", "{\"keys\": []}");
    update(&world, &gateway, &services).await;
    cut.is_cut().await;
    assert_eq!(gateway.outcome().await.reason, Reason::Revoked);
    let refused = world.sidecar().ask(gateway.address, HTTPBIN, b"x").await;
    assert_eq!(refused, Err(Saw::Alert(48)));
    assert_eq!(gateway.outcome().await.reason, Reason::CertUntrusted);
}

#[tokio::test]
async fn a_crl_that_names_a_live_caller_s_certificate_cuts_that_caller() {
    let world = World::default();
    let endpoint = Endpoint::bind().await;
    let services = World::httpbin(&[endpoint.address], "");
    let mut gateway = world.gateway(&services).await;
    let (revoked, renewed) = (world.sleep_svid(), world.sleep_svid());
    let mut cut = Stream::open(&world, &revoked, &gateway, &endpoint).await;
    let mut lives = Stream::open(&world, &renewed, &gateway, &endpoint).await;
    cut.works().await;

    world.folder.write("cluster-1.crl", &world.remote.crl(&[&revoked.serial]));
    let head = World::head().replace("\"cluster-1.pem\"", "\"cluster-1.pem\"\ncrl = \"cluster-1.crl\"");
    gateway.update(&(head + &services), world.folder.path()).await;
    cut.is_cut().await;
    assert_eq!(gateway.outcome().await.reason, Reason::Revoked);
    lives.works().await;
}

#[tokio::test]
async fn a_grant_that_is_removed_within_a_handshake_cuts_before_any_endpoint_is_asked() {
    let world = World::default();
    let endpoint = Server::echo().await;
    let services = World::httpbin(&[endpoint.address], "");
    let mut gateway = world.gateway(&services).await;
    let mut client = Wire::hold_hello(&world.sidecar(), gateway.address, HTTPBIN).await;
    let hello = client.flight();
    client.send_raw(&hello).await;
    client.heard().await;
    // The handshake goes on with what it began with, and is looked at again when it is done.
    update(&world, &gateway, &services.replace("sa/sleep", "sa/web")).await;
    assert_eq!(client.handshake().await, Ok(()));
    assert_eq!(client.end().await, Saw::Reset);
    assert_eq!(gateway.outcome().await.reason, Reason::Revoked);
    assert_eq!(gateway.handle.active(), 0);
    update(&world, &gateway, &services).await;
    assert_eq!(world.sidecar().ask(gateway.address, HTTPBIN, b"x").await, Ok(b"x".to_vec()));
    assert_eq!(endpoint.accepted(), 1);
}

#[tokio::test]
async fn an_update_that_does_not_fit_together_is_refused_whole_and_the_last_good_one_serves() {
    let world = World::default();
    let endpoint = Endpoint::bind().await;
    let httpbin = World::httpbin(&[endpoint.address], "");
    let mut gateway = world.gateway(&httpbin).await;
    let first = gateway.handle.generation();
    let mut stream = Stream::open(&world, &world.sleep_svid(), &gateway, &endpoint).await;

    // One service is new and fine, the other presents an identity that the credentials don't hold.
    let added = World::httpbin(&[endpoint.address], "").replace("httpbin", "added");
    world.folder.write_svid("own", &world.local.svid("ns/default/sa/httpbin"));
    let identities = "[identities.own]\ncertificate = \"own.pem\"\nprivate_key = \"own.key\"\n";
    let named = World::httpbin(&[endpoint.address], "identity = \"own\"");
    let whole = World::head() + identities + &named + &added;
    let mut unfit = load(&whole, world.folder.path()).1;
    unfit.credentials = load(&(World::head() + &httpbin), world.folder.path()).1.credentials;
    gateway.offer(unfit);
    for _ in 0..3 {
        let name = HTTPBIN.replace("httpbin", "added");
        assert_eq!(world.sidecar().sees(gateway.address, &name).await, Saw::Alert(112));
        assert_eq!(gateway.outcome().await.generation, first);
    }
    stream.works().await;
    Stream::open(&world, &world.sleep_svid(), &gateway, &endpoint).await.works().await;
    assert_eq!(gateway.outcome().await.generation, first);
    assert_eq!(gateway.handle.generation(), first);

    gateway.update(&whole, world.folder.path()).await;
    assert_eq!(gateway.handle.generation(), first + 1, "what was refused does not count");
    stream.works().await;
}

#[tokio::test]
async fn new_connections_see_a_renewed_certificate_and_old_streams_live() {
    let world = World::default();
    let endpoint = Endpoint::bind().await;
    let services = World::httpbin(&[endpoint.address], "");
    let old = world.local.svid("ns/istio-system/sa/eastwest");
    world.folder.write_svid("gateway", &old);
    let gateway = world.gateway(&services).await;
    let mut before = Stream::open(&world, &world.sleep_svid(), &gateway, &endpoint).await;
    before.works().await;

    let new = world.local.svid("ns/istio-system/sa/eastwest");
    world.folder.write_svid("gateway", &new);
    update(&world, &gateway, &services).await;
    let mut after = Stream::open(&world, &world.sleep_svid(), &gateway, &endpoint).await;
    after.works().await;
    before.works().await;
    assert_eq!(before.client.presented(), old.certificates());
    assert_eq!(after.client.presented(), new.certificates());
}
