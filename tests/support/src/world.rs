//! The usual scene: two clusters that both call themselves `cluster.local`, and a gateway between.

use std::net::SocketAddr;

use crate::client::Sidecar;
use crate::gateway::TestGateway;
use crate::pki::{Folder, Mesh, Svid};

/// The key of the usual service.
pub const HTTPBIN: &str = "outbound_.8000_._.httpbin.default.svc.cluster.local";
/// The usual caller.
pub const SLEEP: &str = "ns/default/sa/sleep";

/// Two clusters: the callers', and the gateway's own.
pub struct World {
    /// Where the callers are: trust entry `cluster-1`.
    pub remote: Mesh,
    /// Where the gateway is: trust entry `cluster-2`.
    pub local: Mesh,
    /// What the gateway reads.
    pub folder: Folder,
}

impl Default for World {
    fn default() -> Self {
        let (remote, local) = (Mesh::new("cluster.local"), Mesh::new("cluster.local"));
        let folder = Folder::default();
        folder.write("cluster-1.pem", &remote.bundle());
        folder.write("cluster-2.pem", &local.bundle());
        folder.write_svid("gateway", &local.svid("ns/istio-system/sa/eastwest"));
        Self { remote, local, folder }
    }
}

impl World {
    /// The head of a configuration: identity, both trust entries, and no long waits.
    pub fn head() -> String {
        r#"
[identity]
certificate = "gateway.pem"
private_key = "gateway.key"

[[trust]]
name = "cluster-1"
domain = "cluster.local"
bundle = "cluster-1.pem"

[[trust]]
name = "cluster-2"
domain = "cluster.local"
bundle = "cluster-2.pem"
"#
        .to_owned()
    }

    /// A service `httpbin` that lets `sleep` of cluster-1 in; `more` are further keys of it.
    pub fn httpbin(endpoints: &[SocketAddr], more: &str) -> String {
        let endpoints: Vec<String> =
            endpoints.iter().map(|address| format!("{{ address = \"{address}\" }}")).collect();
        format!(
            r#"
[[service]]
host = "httpbin.default.svc.cluster.local"
port = 8000
allow = [{{ id = "spiffe://cluster.local/ns/default/sa/sleep", from = "cluster-1" }}]
endpoints = [{}]
{more}
"#,
            endpoints.join(", ")
        )
    }

    /// The same service, passed through to endpoints with TLS of their own.
    pub fn httpbin_passed_through(endpoints: &[SocketAddr], more: &str) -> String {
        let service = Self::httpbin(endpoints, more);
        let lines: Vec<&str> = service.lines().filter(|line| !line.starts_with("allow")).collect();
        lines.join("\n").replace("port = 8000", "port = 8000\nmode = \"passthrough\"") + "\n"
    }

    /// A gateway that serves `services` (TOML).
    pub async fn gateway(&self, services: &str) -> TestGateway {
        TestGateway::start(&(Self::head() + services), self.folder.path()).await
    }

    /// The usual caller's identity.
    pub fn sleep_svid(&self) -> Svid {
        self.remote.svid(SLEEP)
    }

    /// The usual caller's sidecar.
    pub fn sidecar(&self) -> Sidecar {
        self.sidecar_of(&self.sleep_svid())
    }

    /// A sidecar with another identity.
    pub fn sidecar_of(&self, identity: &Svid) -> Sidecar {
        Sidecar::new(identity, &self.local.bundle())
    }
}
