//! What the gateways read, and the endpoints that they lead to.

use std::fmt::Write;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use landbridge_streams::{Board, Endpoint, Mode};
use landbridge_testkit::pki::{Folder, Mesh};

use crate::verify::{Files, Setup};

const DOMAIN: &str = "cluster.local";
const CALLER: &str = "ns/default/sa/caller";

/// A service whose endpoint is ours, and what is needed to call it.
pub(super) struct Service {
    pub(super) setup: Setup,
    pub(super) endpoint: Arc<Endpoint>,
}

/// Certificates and a configuration in a folder.
pub(super) struct Scene {
    folder: Folder,
    callers: Mesh,
    local: Mesh,
    identities: u64,
    extra: u64,
    endpoints: Vec<(Mode, SocketAddr)>,
}

impl Scene {
    /// Writes all certificates; the configuration waits for the endpoints.
    pub(super) fn set() -> anyhow::Result<Self> {
        let (callers, local) = (Mesh::new(DOMAIN), Mesh::new(DOMAIN));
        let folder = Folder::default();
        folder.write("roots.pem", &local.bundle());
        folder.write("bundle.pem", &callers.bundle());
        folder.write_svid("caller", &callers.svid(CALLER));
        folder.write_svid("endpoint", &local.svid("ns/default/sa/endpoint"));
        let mut scene = Self { folder, callers, local, identities: 0, extra: 0, endpoints: Vec::new() };
        scene.renew_identity()?;
        Ok(scene)
    }

    /// Listens as every endpoint.
    pub(super) async fn listen(
        &self,
        board: &Arc<Board>,
        run: u64,
        patience: Duration,
    ) -> anyhow::Result<Vec<Service>> {
        let pair = |name: &str| {
            let file = |kind: &str| self.path().join(format!("{name}.{kind}"));
            Some((file("pem"), file("key")))
        };
        let mut services = Vec::new();
        for mode in Mode::ALL {
            let files = Files {
                client: pair("caller"),
                roots: Some(self.path().join("roots.pem")),
                endpoint: pair("endpoint"),
            };
            let nowhere = SocketAddr::from(([127, 0, 0, 1], 1));
            let mut setup = Setup::new(nowhere, &name(mode), mode, files)?;
            (setup.run, setup.patience) = (run, patience);
            // Where no client's port can be in the way.
            setup.listen = SocketAddr::from(([127, 0, 0, 2], 0));
            let endpoint = setup.endpoint(board).await?;
            services.push(Service { setup, endpoint });
        }
        Ok(services)
    }

    /// Writes the configuration with these services, and says where it is.
    pub(super) fn configure(&mut self, services: &[Service]) -> anyhow::Result<PathBuf> {
        self.endpoints = services.iter().map(|it| (it.setup.mode, it.endpoint.address)).collect();
        self.put("gateway.toml", &self.configuration())?;
        Ok(self.path().join("gateway.toml"))
    }

    /// Another configuration: up to four services more or fewer.
    pub(super) fn reconfigure(&mut self) -> anyhow::Result<()> {
        self.extra = (self.extra + 1) % 5;
        self.put("gateway.toml", &self.configuration())
    }

    /// Another certificate and key of the gateway, both in one rename, as Kubernetes does it.
    pub(super) fn renew_identity(&mut self) -> anyhow::Result<()> {
        let last = self.identities;
        self.identities += 1;
        let fresh = format!("identity-{}", self.identities);
        fs::create_dir(self.path().join(&fresh))?;
        self.folder.write_svid(&format!("{fresh}/gateway"), &self.local.svid("ns/istio-system/sa/eastwest"));
        symlink(&fresh, self.path().join("identity.new"))?;
        fs::rename(self.path().join("identity.new"), self.path().join("identity"))?;
        if last > 0 {
            fs::remove_dir_all(self.path().join(format!("identity-{last}")))?;
        }
        Ok(())
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Replaces a file by rename: a replica that starts may be reading it.
    fn put(&self, name: &str, content: &str) -> anyhow::Result<()> {
        let fresh = format!("{name}.new");
        self.folder.write(&fresh, content);
        Ok(fs::rename(self.path().join(&fresh), self.path().join(name))?)
    }

    fn configuration(&self) -> String {
        let mut text = HEAD.to_owned();
        let caller = self.callers.id(CALLER);
        let mut service = |sni: &str, mode: &str, endpoint: &str| {
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "[[service]]\nsni = [\"{sni}\"]\n{mode}\nendpoints = [{{ address = \"{endpoint}\" }}]"
            );
        };
        let (allow, passthrough) = (format!("allow = [{caller:?}]"), "mode = \"passthrough\"".to_owned());
        for (mode, endpoint) in &self.endpoints {
            let how = if *mode == Mode::Terminate { &allow } else { &passthrough };
            service(&name(*mode), how, &endpoint.to_string());
        }
        for nth in 0..self.extra {
            service(&format!("extra-{nth}.example"), &allow, &format!("127.0.0.3:{}", nth + 1));
        }
        text
    }
}

fn name(mode: Mode) -> String {
    format!("{}.example", mode.name())
}

const HEAD: &str = r#"
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
[timeouts]
drain = "60s"
drain_lag = "2s"
[identity]
certificate = "identity/gateway.pem"
private_key = "identity/gateway.key"
[[trust]]
name = "callers"
domain = "cluster.local"
bundle = "bundle.pem"
"#;
