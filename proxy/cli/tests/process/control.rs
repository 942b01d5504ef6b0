//! `landbridge control`: a folder, a real server, and a gateway's own client at it.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use landbridge::config::MinTls;
use landbridge_certs::{KeyPair, Origination, TlsContext, TrustEntry, TrustStore, Verdict};
use landbridge_control_client::Held;
use landbridge_control_client::client::{Address, Client, Config, Credentials, Feed, Server, TlsSource};
use landbridge_control_client::session::{Event, Limits};
use landbridge_control_client::wire::{Kind, Node};
use landbridge_core::policy::{Grant, IdPattern};
use landbridge_core::service::UpstreamTls;
use landbridge_core::{TrustDomain, TrustName};
use landbridge_testkit::command::http_say;
use landbridge_testkit::pki::{Folder, Mesh, Svid};
use landbridge_testkit::process::Process;
use landbridge_testkit::soon;
use rustls_pki_types::{ServerName, UnixTime};
use serde_json::Value;

use crate::LANDBRIDGE;

const PORTS: [&str; 4] = ["--address", "127.0.0.1:0", "--admin", "127.0.0.1:0"];

fn service(name: &str, more: &str) -> String {
    format!(
        "[[service]]\nhost = '{name}.shop.svc.cluster.local'\nport = 80\nallow = ['spiffe://td/*']\nendpoints = [{{ address = '10.0.0.7:80' }}]\n{more}\n"
    )
}

fn fleet(files: &[(&str, &str)]) -> Folder {
    let folder = Folder::default();
    fs::create_dir(folder.path().join("services")).unwrap();
    for (name, text) in files {
        folder.write(name, text);
    }
    folder
}

struct Serving {
    process: Process,
    address: SocketAddr,
    admin: SocketAddr,
    _log: Folder,
}

impl Serving {
    async fn start(dir: &Path, arguments: &[&str]) -> Self {
        let log = Folder::default();
        let mut command = Command::new(LANDBRIDGE);
        command
            .args(["control", "serve", "--log-format", "json", "--dir"])
            .arg(dir)
            .args(PORTS)
            .args(arguments);
        let mut process = Process::start(&mut command, log.path());
        let (address, admin) = listening(&mut process).await;
        Self { process, address, admin, _log: log }
    }

    fn status(&self) -> Value {
        serde_json::from_str(&self.page("/api/v1/status")).unwrap()
    }

    fn page(&self, path: &str) -> String {
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        let (status, _, body) = http_say(&self.admin.to_string(), &request);
        assert_eq!(status, 200, "{body}");
        body
    }
}

/// Where it listens for gateways, and for administration.
async fn listening(process: &mut Process) -> (SocketAddr, SocketAddr) {
    let place = process.place();
    let said = move |what: &str| -> Option<SocketAddr> {
        let output = fs::read_to_string(&place).unwrap();
        let line = output.lines().find(|line| line.contains(what))?;
        let event: Value = serde_json::from_str(line).ok()?;
        event["address"].as_str()?.parse().ok()
    };
    process
        .until("it listens", async || Some((said("listening for gateways")?, said("listening for admin")?)))
        .await
}

struct Gateway {
    held: Arc<Mutex<Held>>,
    feed: Feed,
}

impl Gateway {
    fn at(address: SocketAddr, tls: Option<TlsSource>) -> Self {
        let target = Address::Tcp { host: address.ip().to_string(), port: address.port() };
        let server = Server { authority: address.to_string(), address: target, tls };
        let node = Node { id: "eastwest-0".to_owned(), ..Node::default() };
        let held = Arc::new(Mutex::new(Held::default()));
        let config = Config { node, servers: vec![server], limits: Limits::default() };
        let (client, feed) = Client::new(config, held.clone());
        tokio::spawn(client.run());
        Self { held, feed }
    }

    /// Takes updates until it holds these services.
    async fn holds(&mut self, services: &[&str]) {
        let names = |held: &Mutex<Held>| -> Vec<String> {
            let held = held.lock().unwrap();
            let mut names: Vec<String> =
                held.of(Kind::Service).map(|service| service.name.as_str().to_owned()).collect();
            names.sort();
            names
        };
        soon(&format!("{services:?}"), async {
            while names(&self.held) != services {
                if let Event::Update(_) = self.feed.next().await.unwrap() {
                    self.feed.answer(Vec::new()).await;
                }
            }
        })
        .await;
    }
}

/// What a gateway of this mesh comes with.
fn tls(mesh: &Mesh, svid: &Svid) -> TlsSource {
    let now = UnixTime::now();
    let domain = TrustDomain::parse("td").unwrap();
    let entry = TrustEntry::from_parts(TrustName::new("td"), domain, mesh.bundle().as_bytes(), None, now);
    let trust = Arc::new(TrustStore::new(vec![entry.unwrap()]).unwrap());
    let key = KeyPair::from_pem(svid.chain.as_bytes(), svid.key.as_bytes(), now).unwrap();
    let id = IdPattern::parse("spiffe://td/ns/landbridge/sa/control").unwrap();
    let expected =
        Arc::new(UpstreamTls { server_identities: vec![Grant { id, from: None, alias_of: None }] });
    let context = TlsContext::new(MinTls::V1_3).unwrap();
    TlsSource::new(move || {
        let config = context.client_config(Origination {
            trust: trust.clone(),
            key: &key,
            expected: expected.clone(),
            alpn: vec![b"h2".to_vec()],
            verdict: Verdict::new(),
        });
        Ok(Credentials { config, server_name: ServerName::try_from("control").unwrap() })
    })
}

#[tokio::test]
async fn an_edit_of_a_file_is_in_the_gateway_and_in_what_is_told_of_it() {
    let mesh = Mesh::new("td");
    let config = "[server]\nname = 'control-0'\n[identity]\ncertificate = 'control.pem'\nprivate_key = 'control.key'\n\
        [[trust]]\nname = 'cluster-1'\ndomain = 'td'\nbundle = 'ca.pem'\n\
        [[node]]\nid = 'spiffe://td/ns/*/sa/eastwest'\nnamespaces = ['shop']\ncluster = 'cluster-2'\n";
    let own = Folder::default();
    own.write("control.toml", config);
    own.write("ca.pem", &mesh.bundle());
    own.write_svid("control", &mesh.svid("ns/landbridge/sa/control"));
    let other = service("b", "").replace("shop", "web");
    let folder = fleet(&[("services/a.toml", &service("a", "")), ("services/b.toml", &other)]);
    let file = own.path().join("control.toml");
    let serving = Serving::start(folder.path(), &["--config", file.to_str().unwrap()]).await;

    let mut gateway = Gateway::at(serving.address, Some(tls(&mesh, &mesh.svid("ns/mesh/sa/eastwest"))));
    gateway.holds(&["a.shop.svc.cluster.local:80"]).await;
    folder.write("services/c.toml", &service("c", ""));
    gateway.holds(&["a.shop.svc.cluster.local:80", "c.shop.svc.cluster.local:80"]).await;
    // Broken: said, and nothing lost.
    folder.write("services/c.toml", &service("c", "balance = 'none'"));
    folder.write("services/d.toml", &service("d", ""));
    let names = ["a", "c", "d"].map(|name| format!("{name}.shop.svc.cluster.local:80"));
    gateway.holds(&names.each_ref().map(String::as_str)).await;
    landbridge_testkit::process::until("all of it is told", async || {
        let status = serving.status();
        let gateway = &status["gateways"][0];
        let so = gateway["state"] == "synced"
            && gateway["identity"] == "spiffe://td/ns/mesh/sa/eastwest"
            && gateway["node"]["id"] == "eastwest-0"
            && gateway["cluster"] == "cluster-2"
            && status["problems"][0]["key"] == "service[0].balance";
        so.then_some(())
    })
    .await;
    let metrics = serving.page("/metrics");
    assert!(metrics.contains("landbridge_control_gateways{state=\"synced\"} 1\n"), "{metrics}");
    assert!(metrics.contains("landbridge_control_problems 1\n"), "{metrics}");
    assert!(serving.page("/").contains("/api/v1/status"));

    let said = serving.process.output();
    assert!(said.contains("service[0].balance") && said.contains("what it was before stays"), "{said}");
    serving.process.signal("TERM");
    let finished = serving.process.finished().await;
    assert!(finished.success, "{}", finished.output);
    assert!(finished.output.contains("\"message\":\"stopped\""), "{}", finished.output);
}

#[tokio::test]
async fn a_folder_that_is_not_in_order_is_neither_valid_nor_served() {
    let folder =
        fleet(&[("services/a.toml", &service("a", "")), ("services/b.toml", &service("b", "wieght = 1"))]);
    let run = |arguments: &[&str]| {
        let output = Command::new(LANDBRIDGE)
            .arg("control")
            .args(arguments)
            .arg("--dir")
            .arg(folder.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        (output.status.code(), said)
    };
    let (code, said) = run(&["validate"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("services/b.toml:6:1: error: service[0].wieght: there is no such key"), "{said}");
    assert!(said.ends_with("invalid: 1 error\n"), "{said}");
    let (code, said) = run(&["serve"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("service[0].wieght") && said.contains("nothing is served before"), "{said}");
    folder.write("services/b.toml", &service("b", ""));
    let (code, said) = run(&["validate"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.ends_with("valid: 4 resources\n"), "{said}");
    let (code, said) = run(&["validate", "--format", "json"]);
    assert_eq!((code, said.contains("\"valid\":true")), (Some(0), true), "{said}");
}

#[tokio::test]
async fn without_tls_it_listens_on_this_machine_alone() {
    let folder = fleet(&[]);
    let mut command = Command::new(LANDBRIDGE);
    command.args(["control", "serve", "--address", "0.0.0.0:0", "--dir"]).arg(folder.path());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("is not on this machine alone"));
    // On it, a gateway needs no identity and sees everything.
    folder.write("services/a.toml", &service("a", ""));
    let serving = Serving::start(folder.path(), &[]).await;
    Gateway::at(serving.address, None).holds(&["a.shop.svc.cluster.local:80"]).await;
}
