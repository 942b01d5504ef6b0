//! Sessions that OpenSSL and Envoy keep, and come again with.

use std::path::PathBuf;
use std::process::Command;

use landbridge::Outcome;
use landbridge::outcome::Reason;
use landbridge_testkit::gateway::TestGateway;
use landbridge_testkit::peer;
use landbridge_testkit::process::{Finished, Process};
use landbridge_testkit::server::Server;
use landbridge_testkit::world::{HTTPBIN, SLEEP, World};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::scene::{envoy, soon, start_sidecar, told};

const REQUEST: &[u8] = b"GET /get HTTP/1.1\r\nhost: httpbin:8000\r\nconnection: close\r\n\r\n";
const ANSWER: &str = "hello from httpbin\n";
const ON: &str = "[tls]\nresumption = true\n";

/// OpenSSL's client in front of a gateway, and the file in which it keeps a session.
struct Scene {
    openssl: PathBuf,
    world: World,
    endpoint: Server,
    services: String,
    gateway: TestGateway,
}

impl Scene {
    async fn set(tls: &str) -> Option<Self> {
        let openssl = peer::find("openssl", "apt-get install openssl")?;
        let world = World::default();
        world.folder.write_svid("sleep", &world.remote.svid(SLEEP));
        let endpoint = Server::http(ANSWER).await;
        let services = World::httpbin(&[endpoint.address], "sni = [\"httpbin.example\"]");
        let gateway = world.gateway(&(tls.to_owned() + &services)).await;
        Some(Self { openssl, world, endpoint, services, gateway })
    }

    async fn calls(&self, name: &str, more: &[&str]) -> Finished {
        let mut command = Command::new(&self.openssl);
        command.args(["s_client", "-connect", &self.gateway.address.to_string(), "-servername", name]);
        command.args(["-CAfile", "cluster-2.pem", "-verify_return_error", "-nocommands"]);
        command.args(["-cert", "sleep.pem", "-key", "sleep.key"]).args(more);
        Process::start(&mut command, self.world.folder.path()).fed(REQUEST).finished().await
    }

    /// Calls, is answered, and returns what either side says of it.
    async fn is_served(&mut self, name: &str, more: &[&str]) -> (String, Outcome) {
        let finished = self.calls(name, more).await;
        assert!(finished.output.contains(ANSWER), "{more:?}: {}", finished.output);
        let outcome = told(&mut self.gateway).await;
        assert_eq!(outcome.reason, Reason::Done, "{:?}", outcome.error);
        let peer = outcome.peer.as_ref().unwrap();
        assert_eq!(peer.id.as_str(), self.world.remote.id(SLEEP));
        (finished.output, outcome)
    }
}

fn resumed(outcome: Outcome) -> bool {
    outcome.tls.unwrap().resumed
}

#[tokio::test]
async fn openssl_is_resumed_by_one_session_again_and_again_and_judged_each_time() {
    let Some(mut scene) = Scene::set(ON).await else { return };
    let (said, outcome) = scene.is_served(HTTPBIN, &["-sess_out", "session.pem"]).await;
    assert!(said.contains("New, TLSv1.3"), "{said}");
    assert!(!resumed(outcome));
    assert_eq!(said.matches("Post-Handshake New Session Ticket arrived").count(), 1, "{said}");
    assert!(said.contains("TLS session ticket lifetime hint: 3600 (seconds)"), "{said}");
    assert!(said.contains("Max Early Data: 0"), "{said}");

    for _ in 0..20 {
        let (said, outcome) = scene.is_served(HTTPBIN, &["-sess_in", "session.pem"]).await;
        assert!(said.contains("Reused, TLSv1.3"), "{said}");
        assert!(resumed(outcome));
    }
    // Not by another name of the same service.
    let (said, outcome) = scene.is_served("httpbin.example", &["-sess_in", "session.pem"]).await;
    assert!(said.contains("New, TLSv1.3"), "{said}");
    assert!(!resumed(outcome));

    let before = scene.endpoint.accepted();
    let others = World::head() + &scene.services.replace("sa/sleep", "sa/web");
    scene.gateway.update(&others, scene.world.folder.path()).await;
    let finished = scene.calls(HTTPBIN, &["-sess_in", "session.pem"]).await;
    assert!(finished.output.contains("SSL alert number 49"), "{}", finished.output);
    assert_eq!(told(&mut scene.gateway).await.reason, Reason::Denied);
    assert_eq!(scene.endpoint.accepted(), before);
    // The very same session counts again once the grant is back.
    let all = World::head() + &scene.services;
    scene.gateway.update(&all, scene.world.folder.path()).await;
    let (said, _) = scene.is_served(HTTPBIN, &["-sess_in", "session.pem"]).await;
    assert!(said.contains("Reused, TLSv1.3"), "{said}");
}

#[tokio::test]
async fn openssl_gets_neither_ticket_nor_session_id_over_tls_1_2() {
    let Some(mut scene) = Scene::set("[tls]\nresumption = true\nmin = \"1.2\"\n").await else { return };
    let (said, outcome) = scene.is_served(HTTPBIN, &["-tls1_2", "-sess_out", "session.pem"]).await;
    assert!(said.contains("New, TLSv1.2"), "{said}");
    assert!(said.lines().any(|line| line.trim() == "Session-ID:"), "{said}");
    assert!(!said.contains("TLS session ticket"), "{said}");
    assert!(!resumed(outcome));
    // So that OpenSSL has nothing to write.
    assert!(!scene.world.folder.path().join("session.pem").exists());
}

/// Envoy keeps one session for each cluster unless it is told otherwise.
#[tokio::test]
async fn envoy_resumes_its_session_where_the_gateway_lets_it() {
    let Some(program) = envoy() else { return };
    for (tls, expected) in [("", [false; 4]), (ON, [false, true, true, true])] {
        let world = World::default();
        let endpoint = Server::echo().await;
        let services = World::httpbin(&[endpoint.address], "");
        let mut gateway = world.gateway(&(tls.to_owned() + &services)).await;
        let sidecar = start_sidecar(&program, &world, gateway.address).await;
        let listener = sidecar.listener("tcp").await;
        for resumes in expected {
            let mut application = TcpStream::connect(listener).await.unwrap();
            application.write_all(b"hello").await.unwrap();
            let mut answer = [0; 5];
            soon(application.read_exact(&mut answer)).await.unwrap();
            assert_eq!(&answer, b"hello");
            // Not sooner: BoringSSL keeps no ticket that comes after its own close_notify.
            application.shutdown().await.unwrap();
            assert_eq!(soon(application.read(&mut answer)).await.unwrap(), 0);
            let outcome = told(&mut gateway).await;
            assert_eq!(outcome.reason, Reason::Done, "{:?}", outcome.error);
            assert_eq!(outcome.peer.as_ref().unwrap().id.as_str(), world.remote.id(SLEEP));
            assert_eq!(resumed(outcome), resumes, "{tls}");
        }
        let reused = expected.iter().filter(|resumes| **resumes).count();
        assert_eq!(sidecar.counter("tcp", "ssl.session_reused").await, u64::try_from(reused).unwrap());

        // Whatever sessions it has, who lost its grant is out.
        let before = endpoint.accepted();
        let others = World::head() + &services.replace("sa/sleep", "sa/web");
        gateway.update(&others, world.folder.path()).await;
        let mut application = TcpStream::connect(listener).await.unwrap();
        let mut answer = Vec::new();
        // Envoy ends or resets what it could not forward.
        let _ = soon(application.read_to_end(&mut answer)).await;
        assert!(answer.is_empty());
        assert_eq!(told(&mut gateway).await.reason, Reason::Denied);
        assert_eq!(endpoint.accepted(), before);
    }
}
