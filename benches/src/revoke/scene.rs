//! Certificates, lists and a configuration in a folder, and the changes that doom half of the callers.
//!
//! Both identities are of one trust entry and call one service, so that nothing but the change itself
//! tells them apart: two roots in one bundle, a revocation list of each.

use std::fmt;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context;
use landbridge_testkit::pki::{Folder, Mesh};

const DOMAIN: &str = "cluster.local";
const DOOMED: &str = "ns/default/sa/doomed";
const BYSTANDER: &str = "ns/default/sa/bystander";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// The service's `allow` loses the doomed identity.
    Grant,
    /// The bundle loses the root of the doomed.
    Bundle,
    /// A revocation list names the leaf of the doomed.
    List,
}

impl Change {
    pub(super) const ALL: [Self; 3] = [Self::Grant, Self::Bundle, Self::List];
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Grant => "grant removed",
            Self::Bundle => "root removed",
            Self::List => "leaf revoked",
        })
    }
}

pub(super) struct Scene {
    folder: Folder,
    doomed: Mesh,
    bystander: Mesh,
    /// Of the leaf that all doomed connections present.
    serial: Vec<u8>,
    endpoint: SocketAddr,
    connections: usize,
}

impl Scene {
    /// Writes everything as it is before a change.
    pub(super) fn set(endpoint: SocketAddr, connections: usize) -> anyhow::Result<Self> {
        let (doomed, bystander, local) = (Mesh::new(DOMAIN), Mesh::new(DOMAIN), Mesh::new(DOMAIN));
        let folder = Folder::default();
        folder.write("gateway-root.pem", &local.bundle());
        folder.write_svid("gateway", &local.svid("ns/istio-system/sa/eastwest"));
        let leaf = doomed.svid(DOOMED);
        folder.write_svid("doomed", &leaf);
        folder.write_svid("bystander", &bystander.svid(BYSTANDER));
        let scene = Self { folder, doomed, bystander, serial: leaf.serial, endpoint, connections };
        scene.restore()?;
        Ok(scene)
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Notes where the gateway listens, for the clients.
    pub(super) fn listens(&self, address: SocketAddr) -> anyhow::Result<()> {
        self.put("address", &address.to_string())
    }

    /// Makes everything as it was.
    pub(super) fn restore(&self) -> anyhow::Result<()> {
        self.put("bundle.pem", &(self.doomed.bundle() + &self.bystander.bundle()))?;
        self.put("lists.pem", &(self.doomed.crl(&[]) + &self.bystander.crl(&[])))?;
        self.put("gateway.toml", &self.configuration(&[DOOMED, BYSTANDER]))
    }

    pub(super) fn make(&self, change: Change) -> anyhow::Result<()> {
        match change {
            Change::Grant => self.put("gateway.toml", &self.configuration(&[BYSTANDER])),
            Change::Bundle => self.put("bundle.pem", &self.bystander.bundle()),
            Change::List => {
                let revoking = self.doomed.crl(&[&self.serial]);
                self.put("lists.pem", &(revoking + &self.bystander.crl(&[])))
            }
        }
    }

    /// Replaces a file by rename, as whoever renews files should.
    fn put(&self, name: &str, content: &str) -> anyhow::Result<()> {
        let fresh = format!("{name}.new");
        self.folder.write(&fresh, content);
        fs::rename(self.path().join(&fresh), self.path().join(name))
            .with_context(|| format!("cannot replace {name}"))
    }

    fn configuration(&self, callers: &[&str]) -> String {
        let allow: Vec<String> =
            callers.iter().map(|caller| format!("\"spiffe://{DOMAIN}/{caller}\"")).collect();
        format!(
            r#"
[listener]
address = "127.0.0.1:0"
[admin]
address = "127.0.0.1:0"
[health]
address = "127.0.0.1:0"
[metrics]
address = "127.0.0.1:0"
[log]
access = "off"
[limits]
connections = {}
[identity]
certificate = "gateway.pem"
private_key = "gateway.key"
[[trust]]
name = "cluster-1"
domain = "{DOMAIN}"
bundle = "bundle.pem"
crl = "lists.pem"
[[service]]
host = "httpbin.default.svc.cluster.local"
port = 8000
allow = [{}]
endpoints = [{{ address = "{}" }}]
"#,
            self.connections,
            allow.join(", "),
            self.endpoint
        )
    }
}
