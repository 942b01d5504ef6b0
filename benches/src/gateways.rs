//! Each gateway, found, configured alike and started on loopback.

mod config;
mod tuned;

pub(crate) use tuned::{PATTERN, Tickets, Tuning, describe};

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use landbridge_certs::issue::{Ca, CaOptions, LeafOptions};
use landbridge_streams::Mode;
use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use rustls_pki_types::UnixTime;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{Instant, interval};

use crate::process;
use crate::verify::{Files, Setup};

/// The server name that leads to the endpoint.
pub(crate) const SNI: &str = "checker.example";
/// Who calls.
pub(crate) const CALLER: &str = "spiffe://cluster.local/ns/default/sa/checker";

/// A gateway that this program can start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Landbridge,
    Envoy,
    Haproxy,
    Nginx,
    /// The baseline, which is a part of this program.
    Afternoon,
}

/// A gateway's configuration, certificates and addresses.
pub(crate) struct Place {
    pub(crate) kind: Kind,
    pub(crate) mode: Mode,
    pub(crate) endpoint: SocketAddr,
    program: PathBuf,
    pub(crate) gateway: SocketAddr,
    folder: TempDir,
    /// None: as plain as it can be.
    tuning: Option<Tuning>,
    /// Where it may run; everywhere if none are named.
    cores: Option<CpuSet>,
}

/// A gateway that runs. It is killed when this is dropped.
pub(crate) struct Running(Child);

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Landbridge, Self::Envoy, Self::Haproxy, Self::Nginx];
    /// With the baseline.
    pub(crate) const COMPARED: [Self; 5] =
        [Self::Landbridge, Self::Envoy, Self::Haproxy, Self::Nginx, Self::Afternoon];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Landbridge => "landbridge",
            Self::Envoy => "envoy",
            Self::Haproxy => "haproxy",
            Self::Nginx => "nginx",
            Self::Afternoon => "afternoon",
        }
    }

    pub(crate) fn named(name: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == name)
            .ok_or_else(|| format!("expected landbridge, envoy, haproxy or nginx, not {name}"))
    }
}

/// Where a gateway's program is, if it is installed; ours is beside this one unless somebody says otherwise.
pub(crate) fn find(kind: Kind, landbridge: Option<&Path>) -> Option<PathBuf> {
    if kind == Kind::Landbridge {
        let beside = || Some(std::env::current_exe().ok()?.with_file_name("landbridge"));
        // It is started in another folder.
        return landbridge.map(Path::to_owned).or_else(beside)?.canonicalize().ok();
    }
    if kind == Kind::Afternoon {
        return std::env::current_exe().ok();
    }
    if kind == Kind::Nginx && !Path::new(config::NGINX_STREAM).exists() {
        return None;
    }
    #[expect(clippy::disallowed_methods, reason = "a command looks for programs where its user would")]
    let path = std::env::var_os("PATH")?;
    // Daemons are installed where an ordinary user does not look.
    let places = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    places.map(|folder| folder.join(kind.name())).find(|path| path.is_file())
}

/// What a program says of its version, in a line.
pub(crate) async fn version(program: &Path) -> anyhow::Result<String> {
    let flag = if program.ends_with("nginx") || program.ends_with("haproxy") { "-v" } else { "--version" };
    let said = Command::new(program).arg(flag).output().await?;
    let text = String::from_utf8_lossy(&said.stdout).into_owned() + &String::from_utf8_lossy(&said.stderr);
    let line = text.lines().find(|line| line.contains(|char: char| char.is_ascii_digit()));
    let line = line.unwrap_or_default().split(" - ").next().unwrap_or_default().trim();
    Ok(line.rsplit_once("version: ").map_or(line, |(_, version)| version).to_owned())
}

impl Place {
    /// Chooses addresses and writes what the gateway reads.
    pub(crate) fn new(kind: Kind, program: PathBuf, mode: Mode) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let now = UnixTime::now();
        let ca = Ca::root("checker", &CaOptions::new(now))?;
        write(&folder, "ca.pem", &ca.certificate_pem())?;
        let gateway = "spiffe://cluster.local/ns/istio-system/sa/eastwest";
        let endpoint = "spiffe://cluster.local/ns/default/sa/endpoint";
        for (name, uri) in [("client", CALLER), ("gateway", gateway), ("endpoint", endpoint)] {
            let issued = ca.issue(&LeafOptions { uris: vec![uri.to_owned()], ..LeafOptions::new(now) })?;
            write(&folder, &format!("{name}.pem"), &issued.chain_pem())?;
            write(&folder, &format!("{name}.key"), &issued.key_pem())?;
            write(&folder, &format!("{name}-both.pem"), &(issued.chain_pem() + &issued.key_pem()))?;
        }
        // Taken together, so that they differ; free again when this returns.
        let (first, second) = (TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?);
        let (gateway, endpoint) = (first.local_addr()?, second.local_addr()?);
        Ok(Self { kind, mode, endpoint, program, gateway, folder, tuning: None, cores: None })
    }

    /// As somebody would run it who wants it fast, on these cores.
    pub(crate) fn tuned(mut self, tuning: Tuning, cores: CpuSet) -> Self {
        (self.tuning, self.cores) = (Some(tuning), Some(cores));
        self
    }

    /// What the checker has to know of it.
    pub(crate) fn setup(&self) -> anyhow::Result<Setup> {
        let path = |name: &str| self.folder.path().join(name);
        let files = Files {
            client: Some((path("client.pem"), path("client.key"))),
            roots: Some(path("ca.pem")),
            endpoint: Some((path("endpoint.pem"), path("endpoint.key"))),
        };
        Setup::new(self.gateway, SNI, self.mode, files)
    }

    /// What a file of its folder holds: `ca.pem`, and the client's `client.pem` and `client.key`.
    pub(crate) fn read(&self, name: &str) -> anyhow::Result<String> {
        fs::read_to_string(self.folder.path().join(name)).with_context(|| format!("no {name}"))
    }

    /// Starts it, and waits until it listens.
    pub(crate) async fn start(&self, idle: Duration) -> anyhow::Result<Running> {
        self.start_with(idle, "").await
    }

    /// The same with more configuration for Landbridge; others go without.
    pub(crate) async fn start_with(&self, idle: Duration, more: &str) -> anyhow::Result<Running> {
        let arguments = match self.tuning {
            Some(tuning) => self.write_tuned(tuning)?,
            None => self.write_plain(idle, more)?,
        };
        let log = fs::File::create(self.folder.path().join("log"))?;
        let mut command = Command::new(&self.program);
        command.args(arguments).current_dir(self.folder.path()).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let started = match &self.cores {
            Some(cores) => on(cores, || command.spawn())?,
            None => command.spawn(),
        };
        let mut child = started.with_context(|| format!("{} does not start", self.program.display()))?;
        let deadline = Instant::now() + Duration::from_secs(30);
        let mut tick = interval(Duration::from_millis(5));
        loop {
            tick.tick().await;
            if let Some(status) = child.try_wait()? {
                return Err(anyhow!("{} ended at once, with {status}: {}", self.kind.name(), self.log()));
            }
            if TcpStream::connect(self.gateway).await.is_ok() {
                return Ok(Running(child));
            }
            if Instant::now() > deadline {
                bail!("{} does not listen: {}", self.kind.name(), self.log());
            }
        }
    }

    /// Writes what the gateway reads, and says what it is started with.
    fn write_plain(&self, idle: Duration, more: &str) -> anyhow::Result<Vec<String>> {
        let wanted = config::Wanted {
            gateway: self.gateway,
            endpoint: self.endpoint,
            terminates: self.mode == Mode::Terminate,
            idle,
            folder: self.folder.path(),
        };
        let (file, text, arguments) = match self.kind {
            Kind::Landbridge => ("landbridge.toml", config::landbridge(&wanted) + more, vec!["run", "-c"]),
            Kind::Envoy => {
                let quiet = vec!["--disable-hot-restart", "--concurrency", "1", "--log-level", "error", "-c"];
                ("envoy.yaml", config::envoy(&wanted), quiet)
            }
            Kind::Haproxy => ("haproxy.cfg", config::haproxy(&wanted), vec!["-db", "-f"]),
            Kind::Nginx => ("nginx.conf", config::nginx(&wanted), vec!["-e", "stderr", "-c"]),
            Kind::Afternoon => bail!("the baseline is compared for what it costs only"),
        };
        write(&self.folder, file, &text)?;
        let path = self.folder.path().join(file).display().to_string();
        Ok(arguments.into_iter().map(str::to_owned).chain([path]).collect())
    }

    /// The same, for speed.
    fn write_tuned(&self, tuning: Tuning) -> anyhow::Result<Vec<String>> {
        let wanted = tuned::Wanted {
            gateway: self.gateway,
            endpoint: self.endpoint,
            mode: self.mode,
            tuning,
            folder: self.folder.path(),
        };
        let start = tuned::start(self.kind, &wanted);
        for (name, text) in &start.files {
            write(&self.folder, name, text)?;
        }
        Ok(start.arguments)
    }

    /// The first line of its log that has these words.
    pub(crate) fn said(&self, words: &str) -> Option<String> {
        self.log().lines().find(|line| line.contains(words)).map(str::to_owned)
    }

    /// What it said since it was started.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Running {
    /// Kills it, if nobody has; its address is free afterwards.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        let id = self.0.id().context("the gateway has ended by itself")?;
        for worker in process::tree(id).into_iter().skip(1) {
            let worker = i32::try_from(worker).ok().and_then(Pid::from_raw);
            // One that has ended needs no more.
            let _ = worker.map(|worker| kill_process(worker, Signal::KILL));
        }
        Ok(self.0.kill().await?)
    }

    /// Its process.
    pub(crate) fn pid(&self) -> anyhow::Result<i32> {
        Ok(i32::try_from(self.0.id().context("the gateway has ended by itself")?)?)
    }
}

/// Does something with this thread kept to some cores, which a child inherits.
pub(crate) fn on<T>(cores: &CpuSet, what: impl FnOnce() -> T) -> anyhow::Result<T> {
    let before = sched_getaffinity(None)?;
    sched_setaffinity(None, cores).context("cannot keep the gateway to its cores")?;
    let done = what();
    sched_setaffinity(None, &before)?;
    Ok(done)
}

fn write(folder: &TempDir, name: &str, text: &str) -> anyhow::Result<()> {
    let path = folder.path().join(name);
    fs::write(&path, text)?;
    Ok(fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?)
}
