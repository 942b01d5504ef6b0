//! `load`: puts one kind of load on any gateway, and says what it cost the gateway.

mod bulk;
mod idle;
mod job;
mod meter;
mod report;
mod small;
mod target;
mod upstream;

pub(crate) use job::{Job, Kind};
pub(crate) use meter::{Done, to_float};
pub(crate) use target::{Credentials, Speech, Target};
pub(crate) use upstream::Upstream;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Args;
use tokio::runtime;

use crate::process;
use crate::verify::Format;

/// Put load on a gateway, and see what it costs.
///
/// One job at a time: connections, bulk, small messages, or connections that do nothing. With --pid the gateway's own
/// processor time and memory are told, of all its threads and of all processes that descend from it. With --upstream
/// the endpoint runs here too, and the bytes of both ends are compared.
///
/// Exits 0 if every byte came through and every handshake was what it should be, 1 otherwise, 2 for a wrong use.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  landbridge-bench load handshake --gateway 127.0.0.1:15443 --sni db.example --upstream 127.0.0.1:5432 \\
    --client-cert sleep.pem --client-key sleep.key --ca cluster-2-ca.pem --pid $(pidof landbridge)")]
pub(crate) struct Arguments {
    /// What to do.
    #[arg(value_name = "JOB")]
    job: Kind,
    /// Where the gateway listens.
    #[arg(long, value_name = "ADDRESS")]
    gateway: SocketAddr,
    /// The server name; with --names, `{}` stands for a number.
    #[arg(long, value_name = "NAME")]
    sni: String,
    /// How many server names there are, called at random.
    #[arg(long, value_name = "N", default_value_t = 1)]
    names: u32,
    /// What the client speaks.
    #[arg(long, value_name = "SPEECH", default_value = "tls")]
    speech: Speech,
    /// The client's certificate chain (PEM).
    #[arg(long, value_name = "FILE", requires = "client_key")]
    client_cert: Option<PathBuf>,
    /// The client's private key (PEM).
    #[arg(long, value_name = "FILE", requires = "client_cert")]
    client_key: Option<PathBuf>,
    /// Whom the client believes (PEM); the server's name is not checked. Not needed with --speech raw.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Run the endpoint here, at this address. Without it anything that echoes will do, except for bulk.
    #[arg(long, visible_alias = "plain-upstream", value_name = "ADDRESS")]
    upstream: Option<SocketAddr>,
    /// The gateway's process.
    #[arg(long, value_name = "PID")]
    pid: Option<u32>,
    /// How many connections at once; default 16 for calls, 4 for bulk, 64 for messages, 2000 for idle.
    #[arg(long, value_name = "N")]
    connections: Option<usize>,
    /// How many calls or round trips in all; default 2000 calls, 100000 round trips, or what --rate makes in --time.
    #[arg(long, value_name = "N")]
    operations: Option<u64>,
    /// How many bytes of bulk in all, each way.
    #[arg(long, value_name = "N", default_value_t = 1_000_000_000)]
    bytes: u64,
    /// The size of a small message.
    #[arg(long, value_name = "N", default_value_t = 64)]
    size: usize,
    /// Messages a second, in the open loop.
    #[arg(long, value_name = "N", default_value_t = 5000)]
    rate: u32,
    /// How long the open loop lasts.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "10s")]
    time: Duration,
    /// How long the gateway is left alone before its memory is looked at.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "2s")]
    settle: Duration,
    /// How many threads drive the clients and the endpoint.
    #[arg(long, value_name = "N", default_value_t = 1)]
    threads: usize,
    /// How the answer is written.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
}

impl Kind {
    /// As many connections as show what a gateway does, and leave the client idle now and then.
    pub(crate) fn connections(self) -> usize {
        match self {
            Self::Handshake | Self::Resumed => 16,
            Self::Up | Self::Down | Self::Both => 4,
            Self::PingPong | Self::OpenLoop => 64,
            Self::Idle => 2000,
        }
    }
}

impl Arguments {
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        process::raise_open_files()?;
        let mut builder = match self.threads {
            0 | 1 => runtime::Builder::new_current_thread(),
            _ => runtime::Builder::new_multi_thread(),
        };
        let runtime = builder.worker_threads(self.threads.max(1)).enable_all().build()?;
        let job = self.job();
        let done = runtime.block_on(async {
            let target = Target::new(self.gateway, &self.names()?, self.speech, &self.credentials()?)?;
            let upstream = match self.upstream {
                Some(address) => Some(Upstream::start(address).await?),
                None => None,
            };
            job.perform(&target, upstream.as_ref(), self.pid).await
        })?;
        report::tell(&job, &done, self.format)?;
        Ok(ExitCode::SUCCESS)
    }

    fn job(&self) -> Job {
        let usual = match self.job {
            Kind::PingPong => 100_000,
            Kind::OpenLoop => u64::from(self.rate) * self.time.as_secs().max(1),
            _ => 2000,
        };
        Job {
            kind: self.job,
            connections: self.connections.unwrap_or(self.job.connections()),
            operations: self.operations.unwrap_or(usual),
            bytes: self.bytes,
            size: self.size,
            rate: self.rate,
            settle: self.settle,
        }
    }

    fn names(&self) -> anyhow::Result<Vec<String>> {
        ensure!(self.names == 1 || self.sni.contains("{}"), "--names: expected {{}} in --sni for the number");
        Ok(at_random(&self.sni, self.names))
    }

    fn credentials(&self) -> anyhow::Result<Credentials> {
        let read = |path: &Path| {
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
        };
        let client = match (&self.client_cert, &self.client_key) {
            (Some(chain), Some(key)) => Some((read(chain)?, read(key)?)),
            _ => None,
        };
        ensure!(self.ca.is_some() || self.speech == Speech::Raw, "say whom the client believes: --ca FILE");
        Ok(Credentials { client, roots: self.ca.as_deref().map(read).transpose()?.unwrap_or_default() })
    }
}

/// How many names are prepared; a run calls them in turn.
const PREPARED: u32 = 2000;

/// Names drawn from all that the pattern makes, evenly and the same each time.
pub(crate) fn at_random(pattern: &str, count: u32) -> Vec<String> {
    if count <= 1 {
        return vec![pattern.replace("{}", "0")];
    }
    let mut state = 0x9e37_79b9_u32;
    let mut draw = || {
        // Marsaglia's xorshift, which no gateway can foresee by being ordered.
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        pattern.replace("{}", &(state % count).to_string())
    };
    (0..PREPARED).map(|_| draw()).collect()
}
