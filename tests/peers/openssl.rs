//! OpenSSL's own client and server: what is agreed on, and which alert a refusal is.

use std::path::PathBuf;
use std::process::Command;

use landbridge::outcome::{Outcome, Reason};
use landbridge::service::Mode;
use landbridge_certs::issue::{Algorithm, LeafOptions};
use landbridge_testkit::gateway::TestGateway;
use landbridge_testkit::peer;
use landbridge_testkit::pki::{Mesh, Svid};
use landbridge_testkit::process::{Finished, Process};
use landbridge_testkit::server::Server;
use landbridge_testkit::world::{HTTPBIN, SLEEP, World};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::scene::told;

const REQUEST: &[u8] = b"GET /get HTTP/1.1\r\nhost: httpbin:8000\r\nconnection: close\r\n\r\n";
const ANSWER: &str = "hello from httpbin\n";

/// A gateway in front of an HTTP endpoint, and OpenSSL's client to call it with.
struct Scene {
    openssl: PathBuf,
    world: World,
    endpoint: Server,
    gateway: TestGateway,
}

impl Scene {
    /// `None` where OpenSSL is absent. `head` stands before the service in the configuration.
    async fn set(head: &str) -> Option<Self> {
        let openssl = peer::find("openssl", "apt-get install openssl")?;
        let world = World::default();
        world.folder.write_svid("sleep", &world.remote.svid(SLEEP));
        let endpoint = Server::http(ANSWER).await;
        let gateway = world.gateway(&format!("{head}{}", World::httpbin(&[endpoint.address], ""))).await;
        Some(Self { openssl, world, endpoint, gateway })
    }

    fn s_client(&self, name: &str) -> Command {
        let mut command = Command::new(&self.openssl);
        command.args(["s_client", "-connect", &self.gateway.address.to_string(), "-servername", name]);
        command.args(["-CAfile", "cluster-2.pem", "-verify_return_error", "-nocommands"]);
        command
    }

    /// Calls with the usual caller's certificate, and `more` arguments.
    async fn calls(&self, more: &[&str]) -> Finished {
        let mut command = self.s_client(HTTPBIN);
        command.args(["-cert", "sleep.pem", "-key", "sleep.key"]).args(more);
        Process::start(&mut command, self.world.folder.path()).fed(REQUEST).finished().await
    }

    /// Calls as [`calls`](Self::calls), checks that it was answered, and returns what either side says.
    async fn is_served(&mut self, more: &[&str]) -> (String, Outcome) {
        let finished = self.calls(more).await;
        assert!(finished.output.contains(ANSWER), "{more:?}: {}", finished.output);
        let outcome = told(&mut self.gateway).await;
        assert!(finished.output.contains("Verify return code: 0 (ok)"), "{}", finished.output);
        assert_eq!(outcome.reason, Reason::Done, "{:?}", outcome.error);
        // No ticket of either version, so nothing to resume.
        assert!(!finished.output.to_lowercase().contains("ticket"), "{}", finished.output);
        (finished.output, outcome)
    }

    /// Checks that a call was refused by the alert of this reason, and that nothing reached the endpoint.
    async fn is_refused(&mut self, finished: Finished, reason: Reason) {
        let alert = format!("SSL alert number {}", reason.alert().unwrap());
        assert!(finished.output.contains(&alert), "{}", finished.output);
        assert!(!finished.success);
        let outcome = told(&mut self.gateway).await;
        assert_eq!(outcome.reason, reason, "{:?}", outcome.error);
        assert_eq!(self.endpoint.accepted(), 0);
    }
}

#[tokio::test]
async fn openssl_with_a_certificate_is_served_over_tls_1_3_without_a_ticket() {
    let Some(mut scene) = Scene::set("").await else { return };
    let (said, outcome) = scene.is_served(&["-alpn", "istio-peer-exchange,istio"]).await;
    assert!(said.contains("New, TLSv1.3, Cipher is TLS_AES_128_GCM_SHA256"), "{said}");
    assert!(said.contains("ALPN protocol: istio\n"), "{said}");
    assert_eq!(outcome.peer.unwrap().id.as_str(), "spiffe://cluster.local/ns/default/sa/sleep");
    let tls = outcome.tls.unwrap();
    assert_eq!((tls.version, tls.alpn.as_deref()), ("TLSv1.3", Some("istio")));
    assert_eq!(outcome.received, u64::try_from(REQUEST.len()).unwrap());
}

#[tokio::test]
async fn a_client_whose_rsa_key_has_1024_bits_is_a_bad_signature() {
    let Some(mut scene) = Scene::set("").await else { return };
    let folder = &scene.world.folder;
    folder.write("ca.key", &scene.world.remote.ca.key_pem());
    let id = scene.world.remote.id(SLEEP);
    folder.write("svid.ext", &format!("keyUsage=critical,digitalSignature\nsubjectAltName=URI:{id}\n"));
    let steps = [
        "req -new -newkey rsa:1024 -nodes -subj /O=weak -keyout weak.key -out weak.csr",
        "x509 -req -in weak.csr -CA cluster-1.pem -CAkey ca.key -set_serial 1 -days 1 -extfile svid.ext -out weak.pem",
    ];
    for step in steps {
        let mut command = Command::new(&scene.openssl);
        let done = command.args(step.split(' ')).current_dir(folder.path()).output().unwrap();
        assert!(done.status.success(), "{step}: {}", String::from_utf8_lossy(&done.stderr));
    }
    let mut command = scene.s_client(HTTPBIN);
    command.args(["-cert", "weak.pem", "-key", "weak.key", "-cipher", "DEFAULT@SECLEVEL=0"]);
    let finished = Process::start(&mut command, folder.path()).finished().await;
    scene.is_refused(finished, Reason::BadSignature).await;
}

#[tokio::test]
async fn a_client_that_offers_no_application_protocol_is_served_without_one() {
    let Some(mut scene) = Scene::set("").await else { return };
    let (said, outcome) = scene.is_served(&[]).await;
    assert!(said.contains("No ALPN negotiated"), "{said}");
    assert_eq!(outcome.tls.unwrap().alpn, None);
}

#[tokio::test]
async fn openssl_without_a_certificate_prints_alert_116() {
    let Some(mut scene) = Scene::set("").await else { return };
    let mut command = scene.s_client(HTTPBIN);
    let finished = Process::start(&mut command, scene.world.folder.path()).finished().await;
    scene.is_refused(finished, Reason::NoClientCert).await;
}

#[tokio::test]
async fn an_unknown_name_is_alert_112_to_openssl_and_no_certificate_is_shown() {
    let Some(mut scene) = Scene::set("").await else { return };
    let mut command = scene.s_client("outbound_.8000_._.nobody.default.svc.cluster.local");
    let finished = Process::start(&mut command, scene.world.folder.path()).finished().await;
    assert!(finished.output.contains("no peer certificate available"), "{}", finished.output);
    scene.is_refused(finished, Reason::SniUnknown).await;
}

#[tokio::test]
async fn a_client_that_speaks_tls_1_2_only_is_refused_by_alert_70() {
    let Some(mut scene) = Scene::set("").await else { return };
    let finished = scene.calls(&["-tls1_2"]).await;
    scene.is_refused(finished, Reason::Version).await;
}

#[tokio::test]
async fn tls_1_2_where_it_is_allowed_comes_with_the_extended_master_secret_and_without_a_ticket() {
    let Some(mut scene) = Scene::set("[tls]\nmin = \"1.2\"\n").await else { return };
    let (said, outcome) = scene.is_served(&["-tls1_2"]).await;
    assert!(said.contains("Extended master secret: yes"), "{said}");
    assert!(said.contains("New, TLSv1.2, Cipher is ECDHE-ECDSA-AES128-GCM-SHA256"), "{said}");
    assert_eq!(outcome.tls.unwrap().version, "TLSv1.2");
    // Not AEAD, or not ephemeral: no suite in common.
    for cipher in ["ECDHE-ECDSA-AES128-SHA", "AES128-GCM-SHA256"] {
        let refused = scene.calls(&["-tls1_2", "-cipher", cipher]).await;
        assert!(refused.output.contains("SSL alert number 40"), "{cipher}: {}", refused.output);
        assert_eq!(told(&mut scene.gateway).await.reason, Reason::NoCommon);
    }
}

#[tokio::test]
async fn a_client_that_wants_to_renegotiate_over_tls_1_2_is_not_heard() {
    let Some(mut scene) = Scene::set("[tls]\nmin = \"1.2\"\n").await else { return };
    let mut command = Command::new(&scene.openssl);
    command.args(["s_client", "-connect", &scene.gateway.address.to_string(), "-servername", HTTPBIN]);
    command.args(["-CAfile", "cluster-2.pem", "-cert", "sleep.pem", "-key", "sleep.key", "-tls1_2"]);
    // This line is a command of s_client.
    let ended = Process::start(&mut command, scene.world.folder.path()).fed(b"R\n").finished().await;
    assert!(ended.output.contains("RENEGOTIATING"), "{}", ended.output);
    assert!(ended.output.contains("no renegotiation"), "{}", ended.output);
    let outcome = told(&mut scene.gateway).await;
    assert_eq!((outcome.reason, outcome.received), (Reason::DownstreamProtocol, 0), "{:?}", outcome.error);
    scene.is_served(&["-tls1_2"]).await;
}

#[tokio::test]
async fn the_group_that_a_client_insists_on_is_used() {
    let Some(mut scene) = Scene::set("").await else { return };
    // The last one guesses a key share that is not supported, and is asked for another.
    let groups =
        [("X25519", "X25519"), ("P-256", "secp256r1"), ("P-384", "secp384r1"), ("P-521:X25519", "X25519")];
    for (offered, used) in groups {
        let (_, outcome) = scene.is_served(&["-groups", offered]).await;
        assert_eq!(outcome.tls.unwrap().group, used, "{offered}");
    }
    let refused = scene.calls(&["-groups", "P-521"]).await;
    assert!(refused.output.contains("SSL alert number 40"), "{}", refused.output);
    assert_eq!(told(&mut scene.gateway).await.reason, Reason::NoCommon);
}

#[tokio::test]
async fn a_caller_s_key_may_be_of_any_kind_that_sidecars_have() {
    let Some(mut scene) = Scene::set("[tls]\nmin = \"1.2\"\n").await else { return };
    for algorithm in [Algorithm::Rsa2048, Algorithm::P384, Algorithm::Ed25519] {
        let options = LeafOptions { uris: vec![scene.world.remote.id(SLEEP)], algorithm, ..Mesh::options() };
        scene.world.folder.write_svid("sleep", &scene.world.remote.issue(&options));
        for version in ["-tls1_3", "-tls1_2"] {
            let (_, outcome) = scene.is_served(&[version]).await;
            assert_eq!(outcome.peer.unwrap().id.as_str(), "spiffe://cluster.local/ns/default/sa/sleep");
        }
    }
}

/// A TLS server of OpenSSL's that answers each line with the same line backwards.
struct Backwards {
    process: Process,
    identity: Svid,
}

impl Backwards {
    fn start(openssl: &PathBuf, world: &World) -> Self {
        let identity = world.local.svid("ns/default/sa/httpbin");
        world.folder.write_svid("httpbin", &identity);
        let mut command = Command::new(openssl);
        command.args(["s_server", "-accept", "127.0.0.1:0", "-rev"]);
        command.args(["-cert", "httpbin.pem", "-key", "httpbin.key"]);
        Self { process: Process::start(&mut command, world.folder.path()), identity }
    }

    /// A gateway that passes the usual name through to it.
    async fn gateway(&mut self, world: &World) -> TestGateway {
        let address = self.process.says("ACCEPT ").await;
        let toml = format!(
            "[[service]]\nhost = \"httpbin.default.svc.cluster.local\"\nport = 8000\nmode = \"passthrough\"\n\
             endpoints = [{{ address = \"{address}\" }}]\n"
        );
        TestGateway::start(&toml, world.folder.path()).await
    }
}

#[tokio::test]
async fn a_client_that_is_passed_through_sees_the_certificate_of_the_endpoint_itself() {
    let Some(openssl) = peer::find("openssl", "apt-get install openssl") else { return };
    let world = World::default();
    let mut endpoint = Backwards::start(&openssl, &world);
    let mut gateway = endpoint.gateway(&world).await;

    let mut stream = world.sidecar().connect(gateway.address, HTTPBIN).await.unwrap();
    let presented = stream.get_ref().1.peer_certificates().unwrap().first().unwrap().clone();
    assert_eq!(presented, CertificateDer::from_pem_slice(endpoint.identity.chain.as_bytes()).unwrap());
    stream.write_all(b"desserts\n").await.unwrap();
    let mut answer = [0; 9];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"stressed\n");
    stream.shutdown().await.unwrap();
    // The endpoint ends too.
    assert_eq!(stream.read(&mut answer).await.unwrap(), 0);

    let outcome = told(&mut gateway).await;
    assert_eq!(outcome.reason, Reason::Done, "{:?}", outcome.error);
    assert_eq!((outcome.mode, outcome.peer, outcome.tls), (Some(Mode::Passthrough), None, None));
    assert_eq!(outcome.sni.as_deref(), Some(HTTPBIN));
}

#[tokio::test]
async fn openssl_s_client_and_server_talk_through_the_gateway_as_if_it_were_not_there() {
    let Some(openssl) = peer::find("openssl", "apt-get install openssl") else { return };
    let world = World::default();
    let mut endpoint = Backwards::start(&openssl, &world);
    let gateway = endpoint.gateway(&world).await;
    let mut command = Command::new(&openssl);
    command.args(["s_client", "-connect", &gateway.address.to_string(), "-servername", HTTPBIN]);
    command.args(["-CAfile", "cluster-2.pem", "-verify_return_error", "-nocommands"]);
    let mut client = Process::start(&mut command, world.folder.path()).fed(b"desserts\n");
    client.says("stressed").await;
    let said = client.output();
    assert!(said.contains("Verify return code: 0 (ok)"), "{said}");
    assert!(said.contains(endpoint.identity.chain.trim()), "{said}");
}
