//! The TLS of Python and of Node: what a program without a sidecar can do by itself.

use std::path::Path;
use std::process::Command;

use landbridge::outcome::Reason;
use landbridge_testkit::gateway::TestGateway;
use landbridge_testkit::peer;
use landbridge_testkit::process::{Finished, Process};
use landbridge_testkit::server::Server;
use landbridge_testkit::world::{HTTPBIN, SLEEP, World};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::scene::{soon, told};

/// A language with its client program.
struct Language {
    program: &'static str,
    script: &'static str,
    enable: &'static str,
}

const PYTHON: Language =
    Language { program: "python3", script: "client.py", enable: "apt-get install python3" };
const NODE: Language = Language { program: "node", script: "client.mjs", enable: "apt-get install nodejs" };

/// A gateway in front of an endpoint that answers only after its caller has ended its side.
struct Scene {
    program: std::path::PathBuf,
    script: &'static str,
    world: World,
    _endpoint: Server,
    /// How each caller of the endpoint ended.
    ends: UnboundedReceiver<std::io::Result<usize>>,
    gateway: TestGateway,
}

impl Scene {
    async fn set(language: Language) -> Option<Self> {
        let program = peer::find(language.program, language.enable)?;
        let world = World::default();
        world.folder.write_svid("sleep", &world.remote.svid(SLEEP));
        let (end, ends) = unbounded_channel();
        let endpoint = Server::start(move |mut tcp| {
            let end = end.clone();
            async move {
                let mut heard = Vec::new();
                let ended = tcp.read_to_end(&mut heard).await;
                if ended.is_ok() {
                    let answer = format!("{} bytes, and then your end\n", heard.len());
                    tcp.write_all(answer.as_bytes()).await.unwrap();
                    tcp.shutdown().await.unwrap();
                }
                end.send(ended).unwrap();
            }
        })
        .await;
        let gateway = world.gateway(&World::httpbin(&[endpoint.address], "")).await;
        Some(Self { program, script: language.script, world, _endpoint: endpoint, ends, gateway })
    }

    async fn calls(&self, mode: &str, name: &str) -> Finished {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(self.script);
        let mut command = Command::new(&self.program);
        command.arg(script).args([mode, &self.gateway.address.port().to_string(), name]);
        Process::start(&mut command, self.world.folder.path()).finished().await
    }

    /// Ends its side and still reads the whole answer.
    async fn half_closes(&mut self, sent: usize) {
        let finished = self.calls("half-close", HTTPBIN).await;
        assert!(finished.success, "{}", finished.output);
        assert_eq!(finished.output, format!("{sent} bytes, and then your end\n"));
        assert_eq!(soon(self.ends.recv()).await.unwrap().unwrap(), sent);
        let outcome = told(&mut self.gateway).await;
        assert_eq!(outcome.reason, Reason::Done, "{:?}", outcome.error);
        assert_eq!(outcome.peer.unwrap().id.as_str(), "spiffe://cluster.local/ns/default/sa/sleep");
        assert_eq!(outcome.tls.unwrap().alpn.as_deref(), Some("istio"));
    }

    /// Is refused, and its error says why.
    async fn is_refused(&mut self, (mode, name): (&str, &str), reason: Reason, words: &str) {
        let finished = self.calls(mode, name).await;
        assert!(!finished.success, "{}", finished.output);
        assert!(finished.output.contains(words), "{}", finished.output);
        assert_eq!(told(&mut self.gateway).await.reason, reason);
    }

    fn is_a_stranger(&self) {
        self.world.folder.write_svid("sleep", &self.world.remote.svid("ns/default/sa/stranger"));
    }
}

const NOBODY: &str = "outbound_.8000_._.nobody.default.svc.cluster.local";

#[tokio::test]
async fn python_ends_its_side_and_still_reads_the_answer() {
    let Some(mut scene) = Scene::set(PYTHON).await else { return };
    scene.half_closes(19).await;
}

#[tokio::test]
async fn node_ends_its_side_and_still_reads_the_answer() {
    let Some(mut scene) = Scene::set(NODE).await else { return };
    scene.half_closes(17).await;
}

/// `shutdown` of Python's TLS socket sends FIN and no close_notify: nobody can tell that from a cut.
#[tokio::test]
async fn python_s_bare_fin_is_a_cut_and_the_endpoint_sees_a_reset() {
    let Some(mut scene) = Scene::set(PYTHON).await else { return };
    let finished = scene.calls("cut", HTTPBIN).await;
    assert!(!finished.output.contains("your end"), "{}", finished.output);
    let end = soon(scene.ends.recv()).await.unwrap().unwrap_err();
    assert_eq!(end.kind(), std::io::ErrorKind::ConnectionReset);
    let outcome = told(&mut scene.gateway).await;
    assert_eq!((outcome.reason, outcome.received), (Reason::Truncated, 19));
}

#[tokio::test]
async fn python_s_error_names_the_alert() {
    let Some(mut scene) = Scene::set(PYTHON).await else { return };
    scene.is_refused(("anonymous", HTTPBIN), Reason::NoClientCert, "TLSV13_ALERT_CERTIFICATE_REQUIRED").await;
    scene.is_refused(("ask", NOBODY), Reason::SniUnknown, "TLSV1_UNRECOGNIZED_NAME").await;
    scene.is_a_stranger();
    scene.is_refused(("ask", HTTPBIN), Reason::Denied, "TLSV1_ALERT_ACCESS_DENIED").await;
}

#[tokio::test]
async fn node_s_error_names_the_alert() {
    let Some(mut scene) = Scene::set(NODE).await else { return };
    scene.is_refused(("anonymous", HTTPBIN), Reason::NoClientCert, "TLSV13_ALERT_CERTIFICATE_REQUIRED").await;
    scene.is_refused(("ask", NOBODY), Reason::SniUnknown, "TLSV1_UNRECOGNIZED_NAME").await;
    scene.is_a_stranger();
    scene.is_refused(("ask", HTTPBIN), Reason::Denied, "TLSV1_ALERT_ACCESS_DENIED").await;
}
