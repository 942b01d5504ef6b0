//! Mutual TLS between server and gateway, directly and through another gateway.

use std::fs;
use std::net::SocketAddr;

use landbridge_testkit::command::Running;
use landbridge_testkit::pki::{Mesh, Svid};

use crate::LANDBRIDGE;
use crate::stage::{Serving, Stage};

const SERVER: &str = "ns/landbridge/sa/control";

impl Stage {
    /// A server that proves to be `own`, and believes the gateway's cluster.
    async fn serve_by_tls(&self, own: &Svid) -> (Serving, SocketAddr) {
        let folder = &self.world.folder;
        folder.write_svid("control", own);
        folder.write(
            "control.toml",
            "[server]\nname = 'control-0'\n[identity]\ncertificate = 'control.pem'\nprivate_key = 'control.key'\n\
            [[trust]]\nname = 'cluster-2'\ndomain = 'cluster.local'\nbundle = 'cluster-2.pem'\n\
            [[node]]\nid = 'spiffe://cluster.local/ns/*/sa/eastwest'\nnamespaces = ['*']\n",
        );
        let serving = self.serve_at(&["--config", "control.toml", "--address", "127.0.0.1:0"]).await;
        let output = fs::read_to_string(serving.process.place()).unwrap();
        let line = output.lines().find(|line| line.contains("listening for gateways")).unwrap();
        let (_, rest) = line.split_once("address=").unwrap();
        (serving, rest.split_whitespace().next().unwrap().parse().unwrap())
    }

    /// The gateway's file, with a server that must prove who it is.
    fn file_for(&self, server: &str, via: &str) -> String {
        let id = self.world.local.id(SERVER);
        Self::file(&format!("servers = ['https://{server}']\nserver_identities = ['{id}']\n{via}"), "")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_sides_prove_who_they_are() {
    let stage = Stage::set().await;
    let (server, address) = stage.serve_by_tls(&stage.world.local.svid(SERVER)).await;
    let mut gateway = stage.start_with(&stage.file_for(&format!("localhost:{}", address.port()), ""));
    gateway.listens().await;
    assert!(stage.serves(&gateway, "httpbin").await);
    let told = server.until("it is synced", |told| told["state"] == "synced").await;
    assert_eq!(told["identity"], "spiffe://cluster.local/ns/istio-system/sa/eastwest");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_somebody_else_is_refused_and_nothing_of_it_is_taken() {
    let stage = Stage::set().await;
    let impostors = [
        stage.world.local.svid("ns/default/sa/sleep"),
        Mesh::new("cluster.local").svid(SERVER),
        Mesh::new("other.domain").svid(SERVER),
    ];
    for impostor in impostors {
        let (server, address) = stage.serve_by_tls(&impostor).await;
        let mut gateway = stage.start_with(&stage.file_for(&format!("localhost:{}", address.port()), ""));
        gateway.says("no stream from the control server", 1).await;
        let failure = gateway.until("it is told", |told| told["last_failure"].is_object()).await;
        let error = failure["last_failure"]["error"].as_str().unwrap();
        assert!(error.contains("ertificate"), "{error}");
        assert_eq!(
            (&failure["connected"], &failure["epoch"]),
            (&serde_json::Value::Null, &serde_json::Value::Null)
        );
        assert_eq!(gateway.status("/healthz/ready"), 503);
        gateway.kill();
        server.kill();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_behind_another_gateway_is_reached_by_its_name_through_it() {
    let stage = Stage::set().await;
    let (server, address) = stage.serve_by_tls(&stage.world.local.svid(SERVER)).await;
    let passes = format!(
        "[listener]\naddress = '127.0.0.1:0'\n[health]\naddress = '127.0.0.1:0'\n[metrics]\naddress = '127.0.0.1:0'\n\
        [admin]\naddress = 'unix:other.sock'\n[[service]]\nsni = ['control.example']\nmode = 'passthrough'\n\
        endpoints = [{{ address = '{address}' }}]\n"
    );
    stage.world.folder.write("other.toml", &passes);
    let between = Running::start(LANDBRIDGE, &stage.world.folder.path().join("other.toml"), &[]);
    let via = format!("via = '{}'", between.address);
    let mut gateway = stage.start_with(&stage.file_for("control.example", &via));
    gateway.listens().await;
    assert!(stage.serves(&gateway, "httpbin").await);
    server.until("it is synced", |told| told["state"] == "synced").await;
    // Live through it, too.
    stage.edit("db", &stage.service("db", crate::stage::SLEEP_MAY));
    gateway.in_force(2).await;
    assert!(stage.serves(&gateway, "db").await);
}
