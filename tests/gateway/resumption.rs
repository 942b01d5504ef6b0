//! Sessions that are resumed, where the configuration says so: nobody gets further by one than without.

use std::time::Duration;

use landbridge::Outcome;
use landbridge::outcome::Reason;
use landbridge_testkit::client::{Saw, Sidecar};
use landbridge_testkit::gateway::TestGateway;
use landbridge_testkit::pki::Mesh;
use landbridge_testkit::server::Server;
use landbridge_testkit::wire::Wire;
use landbridge_testkit::world::{HTTPBIN, SLEEP, World};
use rustls_pki_types::UnixTime;

use crate::drawer::Drawer;

const ON: &str = "[tls]\nresumption = true\n";

/// A gateway that resumes sessions, and a sidecar that keeps its own.
struct Scene {
    world: World,
    endpoint: Server,
    services: String,
    gateway: TestGateway,
    sidecar: Sidecar,
}

impl Scene {
    async fn set() -> Self {
        Self::with(ON).await
    }

    async fn with(tls: &str) -> Self {
        let world = World::default();
        let endpoint = Server::echo().await;
        let services = World::httpbin(&[endpoint.address], "");
        let gateway = world.gateway(&(tls.to_owned() + &services)).await;
        let sidecar = world.sidecar();
        Self { world, endpoint, services, gateway, sidecar }
    }

    /// Calls as `sidecar`, is answered, and returns whether that took a resumed session.
    async fn resumes_as(&mut self, sidecar: &Sidecar) -> bool {
        let before = self.endpoint.accepted();
        let answer = sidecar.ask(self.gateway.address, HTTPBIN, b"hello").await;
        assert_eq!(answer, Ok(b"hello".to_vec()));
        let outcome = self.gateway.outcome().await;
        assert_eq!(outcome.reason, Reason::Done, "{:?}", outcome.error);
        let peer = outcome.peer.unwrap();
        assert_eq!(peer.id.as_str(), self.world.remote.id(SLEEP));
        assert_eq!(peer.trust.as_str(), "cluster-1");
        assert_eq!((outcome.received, outcome.sent), (5, 5));
        assert_eq!(self.endpoint.accepted(), before + 1);
        outcome.tls.unwrap().resumed
    }

    async fn resumes(&mut self) -> bool {
        let sidecar = self.sidecar.clone();
        self.resumes_as(&sidecar).await
    }

    /// Calls, is refused by this alert, and nothing reaches the endpoint.
    async fn is_refused(&mut self, alert: u8) -> Outcome {
        let before = self.endpoint.accepted();
        assert_eq!(self.sidecar.sees(self.gateway.address, HTTPBIN).await, Saw::Alert(alert));
        assert_eq!(self.endpoint.accepted(), before);
        self.gateway.outcome().await
    }

    /// Applies another head and other services.
    async fn update(&self, head: &str, services: &str) {
        self.gateway.update(&(head.to_owned() + services), self.world.folder.path()).await;
    }

    /// Reads all files again.
    async fn reload(&self) {
        self.update(&World::head(), &self.services).await;
    }

    fn head_with_crl() -> String {
        World::head().replace("\"cluster-1.pem\"", "\"cluster-1.pem\"\ncrl = \"cluster-1.crl\"")
    }
}

#[tokio::test]
async fn a_sidecar_that_comes_again_is_resumed_and_is_who_it_was() {
    let mut scene = Scene::set().await;
    let mut resumed = Vec::new();
    for _ in 0..5 {
        resumed.push(scene.resumes().await);
    }
    assert_eq!(resumed, [false, true, true, true, true]);
}

#[tokio::test]
async fn unless_the_file_asks_for_it_nobody_gets_a_ticket_or_is_resumed() {
    for (tls, tickets) in [("", 0), ("[tls]\nresumption = false\n", 0), (ON, 1)] {
        let mut scene = Scene::with(tls).await;
        let (address, sidecar) = (scene.gateway.address, scene.sidecar.clone());
        let mut wire = Wire::secure(&sidecar, address, HTTPBIN).await;
        wire.send(b"x").await;
        assert_eq!(wire.receive(1).await, b"x");
        assert_eq!(wire.tickets(), tickets, "{tls}");
        wire.finish().await;
        assert_eq!(wire.end().await, Saw::End);
        assert!(!scene.gateway.outcome().await.tls.unwrap().resumed);
        assert_eq!(scene.resumes().await, tickets > 0, "{tls}");
    }
}

#[tokio::test]
async fn a_session_is_for_the_name_that_it_was_made_for() {
    let mut scene = Scene::set().await;
    let named = scene.services.clone() + "sni = [\"httpbin.example\"]\n";
    scene.update(&World::head(), &named).await;
    let drawer = Drawer::default();
    let sidecar = drawer.of(scene.sidecar.clone());
    assert!(!scene.resumes_as(&sidecar).await);
    assert!(drawer.is_full());
    let answer = sidecar.ask(scene.gateway.address, "httpbin.example", b"x").await;
    assert_eq!(answer, Ok(b"x".to_vec()));
    assert!(!scene.gateway.outcome().await.tls.unwrap().resumed);
    // What it got there is of no use here either.
    assert!(drawer.is_full());
    assert!(!scene.resumes_as(&sidecar).await);
    assert!(scene.resumes_as(&sidecar).await);
}

#[tokio::test]
async fn who_lost_its_grant_is_told_by_the_alert_of_a_full_handshake() {
    let mut scene = Scene::set().await;
    assert!(!scene.resumes().await);
    assert!(scene.resumes().await);
    scene.update(&World::head(), &scene.services.replace("sa/sleep", "sa/web")).await;
    let outcome = scene.is_refused(49).await;
    assert_eq!((outcome.reason, outcome.peer, outcome.tls), (Reason::Denied, None, None));
}

#[tokio::test]
async fn services_that_come_and_go_end_no_session() {
    let mut scene = Scene::set().await;
    assert!(!scene.resumes().await);
    let both = scene.services.clone() + &scene.services.replace("httpbin", "another");
    scene.update(&World::head(), &both).await;
    assert!(scene.resumes().await);
    scene.reload().await;
    assert!(scene.resumes().await);
}

#[tokio::test]
async fn audit_resumes_whom_nobody_allowed_and_says_so_each_time() {
    let mut scene = Scene::set().await;
    let audited = scene.services.replace("sa/sleep", "sa/web") + "authorization = \"audit\"\n";
    scene.update(&World::head(), &audited).await;
    for resumed in [false, true] {
        assert_eq!(scene.sidecar.ask(scene.gateway.address, HTTPBIN, b"x").await, Ok(b"x".to_vec()));
        let outcome = scene.gateway.outcome().await;
        assert_eq!((outcome.tls.unwrap().resumed, outcome.would_deny), (resumed, true));
    }
}

#[tokio::test]
async fn a_bundle_that_lost_its_ca_resumes_nobody_of_it() {
    let mut scene = Scene::set().await;
    assert!(!scene.resumes().await);
    scene.world.folder.write("cluster-1.pem", &Mesh::new("cluster.local").bundle());
    scene.reload().await;
    assert_eq!(scene.is_refused(48).await.reason, Reason::CertUntrusted);
}

#[tokio::test]
async fn a_trust_entry_that_is_gone_resumes_nobody_of_it() {
    let mut scene = Scene::set().await;
    assert!(!scene.resumes().await);
    let entry = "[[trust]]\nname = \"cluster-1\"\ndomain = \"cluster.local\"\nbundle = \"cluster-1.pem\"\n";
    let head = World::head();
    assert!(head.contains(entry));
    let services = scene.services.replace("from = \"cluster-1\"", "from = \"cluster-2\"");
    scene.update(&head.replace(entry, ""), &services).await;
    assert_eq!(scene.is_refused(48).await.reason, Reason::CertUntrusted);
}

#[tokio::test]
async fn a_crl_revokes_whoever_has_a_session_too_and_another_one_begins_a_new_epoch() {
    let mut scene = Scene::set().await;
    let caller = scene.world.sleep_svid();
    scene.sidecar = scene.world.sidecar_of(&caller);
    assert!(!scene.resumes().await);
    let head = Scene::head_with_crl();
    // About somebody else.
    scene.world.folder.write("cluster-1.crl", &scene.world.remote.crl(&[&[1, 2, 3]]));
    scene.update(&head, &scene.services).await;
    assert!(!scene.resumes().await);
    assert!(scene.resumes().await);
    scene.world.folder.write("cluster-1.crl", &scene.world.remote.crl(&[&caller.serial]));
    scene.update(&head, &scene.services).await;
    assert_eq!(scene.is_refused(44).await.reason, Reason::CertRevoked);
}

#[tokio::test]
async fn a_reload_that_changes_nothing_of_trust_keeps_sessions_and_a_new_certificate_ends_them() {
    let mut scene = Scene::set().await;
    assert!(!scene.resumes().await);
    scene.reload().await;
    assert!(scene.resumes().await);
    scene.world.folder.write_svid("gateway", &scene.world.local.svid("ns/istio-system/sa/eastwest"));
    scene.reload().await;
    assert!(!scene.resumes().await);
    assert!(scene.resumes().await);
}

#[tokio::test]
async fn a_session_of_another_gateway_is_none_here_though_it_has_the_same_files() {
    let mut scene = Scene::set().await;
    let replica = scene.world.gateway(&(ON.to_owned() + &scene.services)).await;
    assert!(!scene.resumes().await);
    let mut here = std::mem::replace(&mut scene.gateway, replica);
    assert!(!scene.resumes().await, "a session of the other one");
    assert!(scene.resumes().await);
    std::mem::swap(&mut scene.gateway, &mut here);
    assert!(!scene.resumes().await, "it was last at the other one");
}

#[tokio::test]
async fn tls_1_2_is_not_resumed_whatever_the_file_says() {
    let mut scene = Scene::with("[tls]\nresumption = true\nmin = \"1.2\"\n").await;
    scene.sidecar = Sidecar::tls12(&scene.world.sleep_svid(), &scene.world.local.bundle());
    for _ in 0..3 {
        assert!(!scene.resumes().await);
    }
    scene.sidecar = scene.world.sidecar();
    assert!(!scene.resumes().await);
    assert!(scene.resumes().await);
}

/// Whoever recorded a hello has neither the session's secret nor that of the key share.
#[tokio::test]
async fn a_hello_that_resumes_leads_nowhere_when_somebody_else_replays_it() {
    let mut scene = Scene::set().await;
    assert!(!scene.resumes().await);
    let address = scene.gateway.address;
    let mut owner = Wire::hold_hello(&scene.sidecar, address, HTTPBIN).await;
    let hello = owner.flight();
    for _ in 0..20 {
        let mut replay = Wire::dial(address).await;
        replay.send_raw(&hello).await;
        replay.heard().await;
        replay.bare_fin().await;
        assert_eq!(scene.gateway.outcome().await.reason, Reason::HandshakeClosed);
    }
    assert_eq!(scene.endpoint.accepted(), 1);
    // Its owner is not kept from it.
    owner.send_raw(&hello).await;
    assert_eq!(owner.handshake().await, Ok(()));
    owner.send(b"x").await;
    assert_eq!(owner.receive(1).await, b"x");
    owner.finish().await;
    assert_eq!(owner.end().await, Saw::End);
    assert!(scene.gateway.outcome().await.tls.unwrap().resumed);
}

#[tokio::test]
async fn a_grant_or_a_root_that_goes_within_a_resumed_handshake_cuts_before_any_endpoint_is_asked() {
    let mut scene = Scene::set().await;
    for what in ["grant", "root"] {
        assert!(!scene.resumes().await);
        assert!(scene.resumes().await);
        let before = scene.endpoint.accepted();
        let mut client = Wire::hold_hello(&scene.sidecar, scene.gateway.address, HTTPBIN).await;
        let hello = client.flight();
        client.send_raw(&hello).await;
        client.heard().await;
        if what == "grant" {
            scene.update(&World::head(), &scene.services.replace("sa/sleep", "sa/web")).await;
        } else {
            scene.world.folder.write("cluster-1.pem", &Mesh::new("cluster.local").bundle());
            scene.reload().await;
        }
        assert_eq!(client.handshake().await, Ok(()));
        assert_eq!(client.end().await, Saw::Reset, "{what}");
        let outcome = scene.gateway.outcome().await;
        assert_eq!(outcome.reason, Reason::Revoked, "{what}");
        assert!(outcome.tls.unwrap().resumed, "{what}");
        assert_eq!(scene.endpoint.accepted(), before, "{what}");
        // With a sidecar that has no session, so that the next round begins as this one.
        scene.sidecar = scene.world.sidecar();
        scene.reload().await;
    }
}

#[tokio::test]
async fn a_leaf_that_expires_within_a_resumed_handshake_is_reset_with_the_reason_of_a_full_one() {
    let mut scene = Scene::set().await;
    let end = UnixTime::now().as_secs() + 4;
    let mut options = Mesh::options();
    options.uris = vec![scene.world.remote.id(SLEEP)];
    options.validity.not_after = UnixTime::since_unix_epoch(Duration::from_secs(end));
    scene.sidecar = scene.world.sidecar_of(&scene.world.remote.issue(&options));
    assert!(!scene.resumes().await);
    assert!(scene.resumes().await);

    let mut client = Wire::hold_hello(&scene.sidecar, scene.gateway.address, HTTPBIN).await;
    let hello = client.flight();
    client.send_raw(&hello).await;
    client.heard().await;
    scene.gateway.until("the end of the leaf", |_| UnixTime::now().as_secs() > end).await;
    assert_eq!(client.handshake().await, Ok(()));
    assert_eq!(client.end().await, Saw::Reset);
    let outcome = scene.gateway.outcome().await;
    assert_eq!((outcome.reason, outcome.peer), (Reason::CertExpired, None));
    assert!(outcome.tls.unwrap().resumed);
    assert_eq!(scene.endpoint.accepted(), 2);
    assert_eq!(scene.is_refused(45).await.reason, Reason::CertExpired);
}
