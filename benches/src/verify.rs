//! `verify`: byte-exact streams through any gateway, ended in every way.

mod answer;
mod killed;
mod parties;
mod split;

pub(crate) use answer::{Answer, Format};
pub(crate) use parties::{Files, Setup};

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use clap::{Args, ValueEnum};
use landbridge_streams::{Load, Mode, Scenario, Score, exchange};
use rustix::process::{Pid, Signal, kill_process};

use answer::Audience;

/// Check a gateway: is every byte exact, and is every end true?
///
/// Runs both ends of many connections, a client that calls through the gateway and the endpoint behind it. Each
/// sends a stream of which every byte follows from the seed, and checks what it receives byte by byte. A stream that
/// was cut short has to look so at its other end; what the gateway had accepted before has to come out.
///
/// Exits 0 if nothing was lost and no end was false, 1 otherwise, 2 for a wrong use.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  landbridge-bench verify --gateway 127.0.0.1:15443 --sni db.example --listen 127.0.0.1:5432 \\
    --client-cert sleep.pem --client-key sleep.key --ca cluster-2-ca.pem")]
pub(crate) struct Verify {
    /// Where the gateway listens.
    #[arg(long, value_name = "HOST:PORT")]
    gateway: String,
    /// The server name that leads to the endpoint.
    #[arg(long, value_name = "NAME")]
    sni: String,
    /// Where the gateway's endpoint is to listen.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// What the gateway does with the client's TLS.
    #[arg(long, value_name = "MODE", default_value = "terminate", value_parser = mode)]
    mode: Mode,
    /// The client's certificate chain (PEM).
    #[arg(long, value_name = "FILE")]
    client_cert: Option<PathBuf>,
    /// The client's private key (PEM).
    #[arg(long, value_name = "FILE")]
    client_key: Option<PathBuf>,
    /// Whom the client believes (PEM); the server's name is not checked. Not needed with --mode raw.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// What the endpoint presents with --mode passthrough (PEM).
    #[arg(long, value_name = "FILE")]
    endpoint_cert: Option<PathBuf>,
    /// The key of that (PEM).
    #[arg(long, value_name = "FILE")]
    endpoint_key: Option<PathBuf>,
    /// Which ends to run here; each judges the streams that it receives.
    #[arg(long, value_name = "ROLE", default_value = "both")]
    role: Role,
    /// How connections end, one scenario after the other; without it every one that needs nothing of the gateway.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    scenario: Vec<Scenario>,
    /// Draw each connection's scenario at random, instead of one after the other.
    #[arg(long)]
    mixed: bool,
    /// How many connections, of each scenario unless they are mixed.
    #[arg(long, value_name = "N", default_value_t = 100)]
    connections: u64,
    /// How many at once.
    #[arg(long, value_name = "N", default_value_t = 16)]
    concurrency: u64,
    /// How many bytes each end sends, on average; some send much more, some next to nothing.
    #[arg(long, value_name = "N", default_value_t = 256 * 1024)]
    bytes: u64,
    /// What everything that is random follows from.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// How long a connection may stand still.
    #[arg(long, value_name = "TIME", default_value = "60s")]
    patience: humantime::Duration,
    /// The gateway's process, for gateway-killed and --hup-every.
    #[arg(long, value_name = "PID")]
    pid: Option<i32>,
    /// Send the gateway SIGHUP so often meanwhile.
    #[arg(long, value_name = "TIME", requires = "pid")]
    hup_every: Option<humantime::Duration>,
    /// How the answer is written.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
    /// Say on standard output how far each connection is that waits to be killed.
    #[arg(long, hide = true)]
    stand: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Role {
    /// The client and the endpoint.
    Both,
    /// The client; the endpoint runs elsewhere.
    Client,
    /// The endpoint; ends when it has heard of as many connections as it was told.
    Endpoint,
}

pub(crate) fn mode(text: &str) -> Result<Mode, String> {
    Mode::ALL
        .into_iter()
        .find(|mode| mode.name() == text)
        .ok_or_else(|| format!("expected terminate, passthrough or raw, not {text}"))
}

impl Verify {
    /// Does it; the exit code says whether all is well.
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(async {
            let setup = self.setup().await?;
            let audience = if self.stand { Audience::Killer } else { Audience::User(self.format) };
            match self.role {
                Role::Both => self.both(&setup).await,
                Role::Client => split::client(&setup, &self.plan()?, audience).await,
                Role::Endpoint => split::endpoint(&setup, self.connections, audience).await,
            }
        })
    }

    async fn setup(&self) -> anyhow::Result<Setup> {
        let gateway = tokio::net::lookup_host(&self.gateway)
            .await
            .with_context(|| format!("--gateway {}", self.gateway))?
            .next()
            .with_context(|| format!("--gateway {}: no such host", self.gateway))?;
        let files = Files {
            client: self.client_cert.clone().zip(self.client_key.clone()),
            roots: self.ca.clone(),
            endpoint: self.endpoint_cert.clone().zip(self.endpoint_key.clone()),
        };
        let mut setup = Setup::new(gateway, &self.sni, self.mode, files)?;
        (setup.listen, setup.run, setup.patience) = (self.listen, self.seed, self.patience.into());
        Ok(setup)
    }

    /// What is to be done, scenario by scenario.
    fn plan(&self) -> anyhow::Result<Vec<Load>> {
        let named = !self.scenario.is_empty();
        let possible = Scenario::ALL.into_iter().filter(|it| it.fits(self.mode));
        let scenarios: Vec<Scenario> = if named {
            self.scenario.clone()
        } else if self.role == Role::Both && !self.mixed {
            possible.filter(|it| !matches!(it, Scenario::GatewayKilled | Scenario::Idle)).collect()
        } else {
            possible.filter(|it| it.is_simple() && (self.role == Role::Both || !it.is_queued())).collect()
        };
        for scenario in &scenarios {
            ensure!(scenario.fits(self.mode), "{scenario} needs TLS: not with --mode {}", self.mode.name());
            ensure!(
                !(self.mixed || self.role != Role::Both && !self.stand) || scenario.is_simple(),
                "{scenario} is not for --mixed, and needs both ends here"
            );
            ensure!(
                self.role == Role::Both || !scenario.is_queued(),
                "{scenario} needs both ends here: --role both"
            );
        }
        let load = |scenarios: Vec<Scenario>, nth: u64| Load {
            scenarios,
            first: nth * self.connections,
            connections: self.connections,
            concurrency: self.concurrency,
            mean: self.bytes,
        };
        if self.mixed {
            return Ok(vec![load(scenarios, 0)]);
        }
        Ok((0..).zip(scenarios).map(|(nth, scenario)| load(vec![scenario], nth)).collect())
    }

    async fn both(&self, setup: &Setup) -> anyhow::Result<ExitCode> {
        let hups = Arc::new(AtomicU64::new(0));
        let hupping = match (self.hup_every, self.pid.and_then(Pid::from_raw)) {
            (Some(every), Some(pid)) => Some(tokio::spawn(hup(pid, every.into(), hups.clone()))),
            _ => None,
        };
        let began = Instant::now();
        let mut answer = Answer::default();
        for load in self.plan()? {
            let name = match load.scenarios.as_slice() {
                [only] => only.name(),
                _ => "mixed",
            };
            let score = perform(setup, &load, self.pid).await.with_context(|| name.to_owned())?;
            answer.add(name, score);
        }
        answer.took(began.elapsed(), hups.load(Ordering::Relaxed));
        drop(hupping.inspect(tokio::task::JoinHandle::abort));
        answer.tell(self.format)
    }
}

/// Makes the connections of a load, with whatever its scenario needs.
pub(crate) async fn perform(setup: &Setup, load: &Load, gateway: Option<i32>) -> anyhow::Result<Score> {
    match load.scenarios.as_slice() {
        [Scenario::ClientKilled] => killed::client(setup, load).await,
        [Scenario::EndpointKilled] => killed::endpoint(setup, load).await,
        [Scenario::GatewayKilled] => {
            let Some(pid) = gateway.and_then(Pid::from_raw) else {
                bail!("the gateway's process is not known: give --pid");
            };
            killed::gateway(setup, load, pid).await
        }
        _ => {
            let (caller, endpoint) = setup.parties().await?;
            let score = exchange(&caller, Some(&endpoint), load).await;
            setup.finish(endpoint, score).await
        }
    }
}

/// Tells the gateway to reload, again and again.
async fn hup(pid: Pid, every: Duration, count: Arc<AtomicU64>) {
    let mut ticks = tokio::time::interval(every);
    while kill_process(pid, Signal::HUP).is_ok() {
        count.fetch_add(1, Ordering::Relaxed);
        ticks.tick().await;
    }
}
