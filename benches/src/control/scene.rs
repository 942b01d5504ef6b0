//! What a gateway and its server are made of: files, and services of which one can be called.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use landbridge_control_client::wire::{Kind, Name};
use landbridge_control_server::{Audience, Edit, Entry, Key, Store};
use landbridge_core::service::Labels;
use landbridge_testkit::pki::{Folder, Mesh};
use serde_json::{Value, json};

/// The service that is called. It is passed through, so that no handshake is in the way of what is measured.
pub(super) const CALLED: &str = "called.example";

/// A free port of loopback.
pub(super) const ANYWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A gateway's files.
pub(super) struct Scene {
    pub(super) folder: Folder,
}

impl Scene {
    /// Everything but the configuration, for which a server's address is needed.
    pub(super) fn set() -> Self {
        let folder = Folder::default();
        let mesh = Mesh::new("cluster.local");
        folder.write("ca.pem", &mesh.bundle());
        folder.write_svid("gateway", &mesh.svid("ns/istio-system/sa/eastwest"));
        Self { folder }
    }

    /// The gateway's configuration file.
    pub(super) fn configuration(&self) -> PathBuf {
        self.folder.path().join("gateway.toml")
    }

    /// Has the gateway go to a server at this address.
    pub(super) fn server_at(&self, address: SocketAddr) {
        self.folder.write("gateway.toml", &configuration(&format!("http://{address}")));
    }

    /// Where the gateway keeps what it was told.
    pub(super) fn snapshot(&self) -> PathBuf {
        self.folder.path().join("snapshot")
    }
}

fn configuration(server: &str) -> String {
    format!(
        r#"
[listener]
address = "127.0.0.1:0"
[identity]
certificate = "gateway.pem"
private_key = "gateway.key"
[[trust]]
name = "cluster-1"
domain = "cluster.local"
bundle = "ca.pem"
[endpoints]
allow_cidrs = ["10.0.0.0/8", "127.0.0.0/8"]
[control]
servers = ["{server}"]
snapshot = "snapshot"
may = ["service", "endpoints", "policy", "passthrough"]
[admin]
address = "127.0.0.1:0"
[health]
address = "127.0.0.1:0"
[metrics]
address = "127.0.0.1:0"
[log]
access = "off"
"#
    )
}

/// A store with so many services that nobody calls, each with so many endpoints, and the one that is called.
pub(super) fn store(services: usize, endpoints: usize, called: SocketAddr) -> anyhow::Result<Arc<Store>> {
    let store = Store::default();
    let mut edits =
        vec![Edit::Put(entry(Kind::Service, CALLED, &json!({ "sni": [CALLED], "mode": "passthrough" }))?)];
    edits.push(called_at(called)?);
    for number in 0..services {
        let name = format!("{}:80", host(number));
        let allow = format!("spiffe://cluster.local/ns/bench/sa/caller-{number}");
        let spec = json!({ "host": host(number), "port": 80, "allow": [allow] });
        edits.push(Edit::Put(entry(Kind::Service, &name, &spec)?));
        let listed: Vec<Value> =
            (0..endpoints).map(|nth| json!({ "address": address(number, nth) })).collect();
        edits.push(Edit::Put(entry(Kind::Endpoints, &name, &json!({ "endpoints": listed }))?));
    }
    store.apply(edits);
    Ok(Arc::new(store))
}

/// The change after which the service that is called is at an address.
pub(super) fn called_at(address: SocketAddr) -> anyhow::Result<Edit> {
    let spec = json!({ "endpoints": [{ "address": address.to_string() }] });
    Ok(Edit::Put(entry(Kind::Endpoints, CALLED, &spec)?))
}

/// The host of a service that nobody calls.
pub(super) fn host(number: usize) -> String {
    format!("service-{number}.bench.svc.cluster.local")
}

/// An address at which nobody is asked to be.
pub(super) fn address(service: usize, nth: usize) -> String {
    let number = service * 7 + nth;
    format!("10.{}.{}.{}:{}", number >> 16 & 255, number >> 8 & 255, number & 255, 8000 + nth)
}

fn entry(kind: Kind, name: &str, spec: &Value) -> anyhow::Result<Entry> {
    let key = Key { kind, name: Name::parse(name)? };
    let audience = Audience::Service { namespace: "bench".to_owned(), labels: Labels::default() };
    Entry::new(key, spec, audience).context("not a resource")
}
