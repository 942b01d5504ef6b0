//! Envoy as a sidecar: a static configuration with places to fill, and what the running process tells.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::http;
use crate::pki::Folder;
use crate::process::{Process, numbered, until};

/// A running Envoy.
pub struct Envoy {
    process: Process,
    admin: SocketAddr,
    log: PathBuf,
}

/// A text with places such as `${SERVER_IDENTITY}`; a line that has one of them is there once for each
/// value.
#[derive(Debug, Clone)]
pub struct Template(String);

impl Template {
    /// A template of this text.
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Fills one place.
    #[must_use]
    pub fn fill(self, place: &str, values: &[&str]) -> Self {
        let place = format!("${{{place}}}");
        assert!(self.0.contains(&place), "no place called {place}");
        let lines = self.0.lines().flat_map(|line| {
            let count = if line.contains(&place) { values.len() } else { 1 };
            let place = &place;
            (0..count).map(move |index| line.replace(place, values.get(index).copied().unwrap_or_default()))
        });
        Self(lines.map(|line| line + "\n").collect())
    }

    /// Replaces a text everywhere, such as the name of a service.
    #[must_use]
    pub fn replace(self, from: &str, to: &str) -> Self {
        assert!(self.0.contains(from), "{from} does not occur");
        Self(self.0.replace(from, to))
    }

    /// The text, every place of which is filled.
    pub fn text(&self) -> &str {
        let mut said = self.0.lines().filter(|line| !line.trim_start().starts_with('#'));
        assert!(!said.any(|line| line.contains("${")), "not every place is filled:\n{}", self.0);
        &self.0
    }
}

impl Envoy {
    /// Starts Envoy and waits until it is ready.
    ///
    /// The template's ports and its access log are filled in here: every listener gets a free port.
    pub async fn start(program: &Path, template: Template, folder: &Folder) -> Self {
        let log = numbered(folder.path(), "access.log");
        let config = numbered(folder.path(), "envoy").with_extension("yaml");
        let admin = numbered(folder.path(), "admin");
        let text = template.fill("PORT", &["0"]).fill("ACCESS_LOG", &[&log.to_string_lossy()]);
        fs::write(&config, text.text()).unwrap();
        let mut command = Command::new(program);
        command.arg("--config-path").arg(&config).arg("--admin-address-path").arg(&admin);
        command.args(["--disable-hot-restart", "--concurrency", "1", "--log-level", "warning"]);
        command.args(["--file-flush-interval-msec", "50"]);
        let mut process = Process::start(&mut command, folder.path());
        let admin: SocketAddr = process
            .until("Envoy's admin address is known", async || fs::read_to_string(&admin).ok()?.parse().ok())
            .await;
        process
            .until("Envoy is ready", async || {
                let ready = http::ask(admin, "admin", "/ready").await.ok()?;
                (ready.status == 200).then_some(())
            })
            .await;
        Self { process, admin, log }
    }

    /// Where a listener listens.
    pub async fn listener(&self, name: &str) -> SocketAddr {
        let listeners = self.tells("/listeners").await;
        let found = listeners.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix("::"));
        found.unwrap_or_else(|| panic!("no listener {name} in {listeners}")).parse().unwrap()
    }

    /// A counter of a cluster, such as `upstream_cx_total`.
    pub async fn counter(&self, cluster: &str, name: &str) -> u64 {
        let wanted = format!("cluster.{cluster}.{name}: ");
        let stats = self.tells("/stats").await;
        let found = stats.lines().find_map(|line| line.strip_prefix(&wanted));
        found.unwrap_or_else(|| panic!("no counter {wanted}")).parse().unwrap()
    }

    /// Waits for the first line of its access log.
    pub async fn logged(&self) -> String {
        until("Envoy has written a line of its access log", async || {
            let log = fs::read_to_string(&self.log).ok()?;
            log.split_once('\n').map(|(line, _)| line.to_owned())
        })
        .await
    }

    /// Kills it as SIGKILL does.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    async fn tells(&self, path: &str) -> String {
        http::ask(self.admin, "admin", path).await.unwrap().body
    }
}
