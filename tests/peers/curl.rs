//! curl with a client certificate, through a terminated service that is HTTP behind the gateway.

use std::path::PathBuf;
use std::process::Command;

use landbridge::outcome::Reason;
use landbridge_certs::issue::LeafOptions;
use landbridge_testkit::gateway::TestGateway;
use landbridge_testkit::peer;
use landbridge_testkit::pki::Mesh;
use landbridge_testkit::process::{Finished, Process};
use landbridge_testkit::server::Server;
use landbridge_testkit::world::{HTTPBIN, SLEEP, World};

use crate::scene::told;

/// A gateway whose certificate carries the name that curl checks, beside its SPIFFE ID.
struct Scene {
    curl: PathBuf,
    world: World,
    _endpoint: Server,
    gateway: TestGateway,
}

impl Scene {
    async fn set(more: &str) -> Option<Self> {
        let curl = peer::find("curl", "apt-get install curl")?;
        let world = World::default();
        world.folder.write_svid("sleep", &world.remote.svid(SLEEP));
        let options = LeafOptions {
            uris: vec![world.local.id("ns/istio-system/sa/eastwest")],
            dns: vec![HTTPBIN.to_owned()],
            ..Mesh::options()
        };
        world.folder.write_svid("gateway", &world.local.issue(&options));
        let endpoint = Server::http("hello from httpbin\n").await;
        let gateway = world.gateway(&World::httpbin(&[endpoint.address], more)).await;
        Some(Self { curl, world, _endpoint: endpoint, gateway })
    }

    async fn calls(&self, more: &[&str]) -> Finished {
        let mut command = Command::new(&self.curl);
        command.args([
            "--silent",
            "--show-error",
            "--include",
            "--noproxy",
            "*",
            "--cacert",
            "cluster-2.pem",
        ]);
        command.arg("--connect-to").arg(format!("::{}", self.gateway.address)).args(more);
        command.arg(format!("https://{HTTPBIN}/get"));
        Process::start(&mut command, self.world.folder.path()).finished().await
    }
}

const CERTIFICATE: [&str; 4] = ["--cert", "sleep.pem", "--key", "sleep.key"];

#[tokio::test]
async fn curl_with_a_certificate_is_answered_by_the_endpoint() {
    let Some(mut scene) = Scene::set("").await else { return };
    let finished = scene.calls(&[&CERTIFICATE[..], &["--http1.1"]].concat()).await;
    assert!(finished.success, "{}", finished.output);
    assert!(finished.output.starts_with("HTTP/1.1 200 OK"), "{}", finished.output);
    assert!(finished.output.ends_with("hello from httpbin\n"), "{}", finished.output);
    let outcome = told(&mut scene.gateway).await;
    assert_eq!(outcome.reason, Reason::Done, "{:?}", outcome.error);
    assert_eq!(outcome.tls.unwrap().alpn.as_deref(), Some("http/1.1"));
    assert_eq!(outcome.peer.unwrap().id.as_str(), "spiffe://cluster.local/ns/default/sa/sleep");
}

#[tokio::test]
async fn curl_without_a_certificate_says_that_one_is_required() {
    let Some(mut scene) = Scene::set("").await else { return };
    let finished = scene.calls(&["--http1.1"]).await;
    assert!(!finished.success);
    assert!(finished.output.contains("alert certificate required"), "{}", finished.output);
    assert_eq!(told(&mut scene.gateway).await.reason, Reason::NoClientCert);
}

/// The gateway carries bytes and does not translate: it selects what the client prefers. curl prefers h2,
/// which an endpoint that speaks HTTP/1.1 only can't answer.
#[tokio::test]
async fn curl_that_prefers_h2_gets_it_and_an_http_1_endpoint_cannot_answer() {
    let Some(mut scene) = Scene::set("").await else { return };
    let finished = scene.calls(&[&CERTIFICATE[..], &["--http2"]].concat()).await;
    assert!(!finished.success, "{}", finished.output);
    let outcome = told(&mut scene.gateway).await;
    assert_eq!(outcome.tls.unwrap().alpn.as_deref(), Some("h2"));
}

/// The remedy is on either side: `--http1.1` as above, or a service that says what its endpoints speak.
#[tokio::test]
async fn a_service_that_lists_http_1_only_is_called_by_curl_without_further_ado() {
    let Some(mut scene) = Scene::set("alpn = [\"istio-http/1.1\", \"http/1.1\"]").await else { return };
    let finished = scene.calls(&[&CERTIFICATE[..], &["--http2"]].concat()).await;
    assert!(finished.success, "{}", finished.output);
    assert!(finished.output.ends_with("hello from httpbin\n"), "{}", finished.output);
    assert_eq!(told(&mut scene.gateway).await.tls.unwrap().alpn.as_deref(), Some("http/1.1"));
}
