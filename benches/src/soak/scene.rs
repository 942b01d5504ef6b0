//! Certificates, lists and a configuration in a folder, and every change that is made to them meanwhile.

use std::fmt::Write;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::Context;
use landbridge_streams::Mode;
use landbridge_testkit::client::Sidecar;
use landbridge_testkit::pki::{Folder, Mesh};

use super::lines::Lines;
use super::service::Service;
use crate::verify::Files;

const DOMAIN: &str = "cluster.local";
const CALLER: &str = "ns/default/sa/caller";
const GUEST: &str = "ns/default/sa/guest";

/// What clients of the gateway are made of that it refuses.
pub(super) struct Strangers {
    pub(super) known: Sidecar,
    pub(super) anonymous: Sidecar,
    pub(super) foreign: Sidecar,
}

pub(super) struct Scene {
    folder: Folder,
    callers: Mesh,
    guests: Mesh,
    local: Mesh,
    /// Where each service's endpoint listens.
    endpoints: Vec<(Service, SocketAddr)>,
    /// How many services come and go.
    extra: u64,
    guest_is_granted: bool,
    guest_is_believed: bool,
    /// How many identities, lists and logs there were.
    identities: u64,
    lists: u64,
    logs: u64,
    lines: Lines,
}

impl Scene {
    /// Writes all certificates; the configuration waits for the endpoints.
    pub(super) fn set() -> anyhow::Result<Self> {
        let (callers, guests, local) = (Mesh::new(DOMAIN), Mesh::new(DOMAIN), Mesh::new(DOMAIN));
        let folder = Folder::default();
        folder.write("roots.pem", &local.bundle());
        folder.write_svid("caller", &callers.svid(CALLER));
        folder.write_svid("guest", &guests.svid(GUEST));
        folder.write_svid("endpoint", &local.svid("ns/default/sa/endpoint"));
        let mut scene = Self {
            folder,
            callers,
            guests,
            local,
            endpoints: Vec::new(),
            extra: 0,
            guest_is_granted: true,
            guest_is_believed: true,
            identities: 0,
            lists: 0,
            logs: 0,
            lines: Lines::default(),
        };
        scene.renew_identity()?;
        scene.renew_lists()?;
        scene.put("bundle.pem", &(scene.callers.bundle() + &scene.guests.bundle()))?;
        Ok(scene)
    }

    /// Writes the configuration, with these endpoints from now on, and says where it is.
    pub(super) fn configure(&mut self, endpoints: Vec<(Service, SocketAddr)>) -> anyhow::Result<PathBuf> {
        self.endpoints = endpoints;
        self.put("gateway.toml", &self.configuration())?;
        Ok(self.path().join("gateway.toml"))
    }

    /// What the checker reads to call a service and to be its endpoint.
    pub(super) fn files(&self, service: Service) -> Files {
        let pair = |name: &str| {
            let file = |kind: &str| self.path().join(format!("{name}.{kind}"));
            Some((file("pem"), file("key")))
        };
        Files {
            client: pair(if service == Service::Guest { "guest" } else { "caller" }),
            roots: Some(self.path().join("roots.pem")),
            endpoint: pair("endpoint"),
        }
    }

    pub(super) fn strangers(&self) -> Strangers {
        let roots = self.local.bundle();
        Strangers {
            known: Sidecar::new(&self.callers.svid(CALLER), &roots),
            anonymous: Sidecar::anonymous(&roots),
            foreign: Sidecar::new(&Mesh::new(DOMAIN).svid(CALLER), &roots),
        }
    }

    /// Another configuration: up to four services more or fewer, and the guest's grant comes or goes.
    pub(super) fn reconfigure(&mut self) -> anyhow::Result<()> {
        self.extra = (self.extra + 1) % 5;
        self.guest_is_granted = !self.guest_is_granted;
        self.put("gateway.toml", &self.configuration())
    }

    /// Takes the guest's grant away for good.
    pub(super) fn withdraw(&mut self) -> anyhow::Result<()> {
        self.guest_is_granted = false;
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

    /// The guest's root comes or goes.
    pub(super) fn change_bundle(&mut self) -> anyhow::Result<()> {
        self.guest_is_believed = !self.guest_is_believed;
        let guests = if self.guest_is_believed { self.guests.bundle() } else { String::new() };
        self.put("bundle.pem", &(self.callers.bundle() + &guests))
    }

    /// Newer lists, which name one certificate more that nobody presents.
    pub(super) fn renew_lists(&mut self) -> anyhow::Result<()> {
        self.lists += 1;
        let serials: Vec<[u8; 8]> = (0..self.lists.min(100)).map(|nth| (nth + 1000).to_be_bytes()).collect();
        let revoked: Vec<&[u8]> = serials.iter().map(<[u8; 8]>::as_slice).collect();
        self.put("lists.pem", &(self.callers.crl(&revoked) + &self.guests.crl(&[])))
    }

    /// Moves the access log away. The one before it, which nobody writes any more, is counted and deleted.
    pub(super) fn move_log(&mut self) -> anyhow::Result<()> {
        self.count_moved()?;
        self.logs += 1;
        fs::rename(self.path().join("access.log"), self.moved())?;
        Ok(())
    }

    /// Counts what is left of the access log; only once the gateway has ended.
    pub(super) fn lines(mut self) -> anyhow::Result<Lines> {
        self.count_moved()?;
        let last = self.path().join("access.log");
        self.lines.read(&last)?;
        Ok(self.lines)
    }

    fn count_moved(&mut self) -> anyhow::Result<()> {
        if self.logs == 0 {
            return Ok(());
        }
        let moved = self.moved();
        self.lines.read(&moved)?;
        Ok(fs::remove_file(moved)?)
    }

    fn moved(&self) -> PathBuf {
        self.path().join(format!("access.log.{}", self.logs))
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Replaces a file by rename, as whoever renews files should.
    fn put(&self, name: &str, content: &str) -> anyhow::Result<()> {
        let fresh = format!("{name}.new");
        self.folder.write(&fresh, content);
        fs::rename(self.path().join(&fresh), self.path().join(name))
            .with_context(|| format!("cannot replace {name}"))
    }

    fn configuration(&self) -> String {
        let mut text = HEAD.to_owned();
        let log = self.path().join("access.log");
        // Nothing that is written to a String fails.
        let _ = writeln!(text, "[log]\naccess = {:?}", log.display().to_string());
        for (service, endpoint) in &self.endpoints {
            let mut granted = vec![self.callers.id(CALLER)];
            granted.extend(self.guest_is_granted.then(|| self.guests.id(GUEST)));
            let mode = match service.mode() {
                Mode::Terminate => format!("allow = {granted:?}"),
                Mode::Passthrough | Mode::Raw => "mode = \"passthrough\"".to_owned(),
            };
            let sni = service.sni();
            let _ = writeln!(
                text,
                "[[service]]\nsni = [\"{sni}\"]\n{mode}\nendpoints = [{{ address = \"{endpoint}\" }}]"
            );
        }
        for nth in 0..self.extra {
            let _ = writeln!(
                text,
                "[[service]]\nsni = [\"extra-{nth}.example\"]\nallow = [\"spiffe://{DOMAIN}/{CALLER}\"]\n\
                 endpoints = [{{ address = \"127.0.0.3:{}\" }}]",
                nth + 1
            );
        }
        text
    }
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
[timeouts]
drain = "5s"
drain_lag = "100ms"
[identity]
certificate = "identity/gateway.pem"
private_key = "identity/gateway.key"
[[trust]]
name = "callers"
domain = "cluster.local"
bundle = "bundle.pem"
crl = "lists.pem"
"#;
