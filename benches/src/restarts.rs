//! `restarts`: two replicas that are replaced one by one under load, while everything that may change does.
//!
//! Where to read: `replicas.rs` is what an operator and a load balancer do, `load.rs` who calls, `scene.rs` what the
//! gateways read.

mod load;
mod replicas;
mod scene;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Args;
use landbridge_streams::Board;

use crate::process::{landbridge, raise_open_files};
use crate::verify::{Answer, Format};
use load::Traffic;
use replicas::{Replaced, Replicas};
use scene::Scene;

/// How long a connection may stand still.
const PATIENCE: Duration = Duration::from_secs(60);

/// Replace two replicas one by one under load, again and again, and see that nobody notices.
///
/// Starts two `landbridge run`, and runs both ends of many connections through whichever is ready: TLS that is
/// terminated, TLS that is passed through, and plain bytes behind a ClientHello; short streams and some that last. In
/// each round a new replica is started, and once it is ready an old one gets SIGTERM; who calls asks for readiness
/// first, as a load balancer does, and goes elsewhere if that says no. In between the gateway's certificate is
/// renewed and the configuration changes, by a signal and without one.
///
/// Exits 0 only if every stream came whole, no connection was refused, no drain cut any, and every replica ended well.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  landbridge-bench restarts --rounds 100
  landbridge-bench restarts --rounds 100 --connections 1000000 --bytes 8000 --concurrency 128")]
pub(crate) struct Restarts {
    /// The gateway's program [default: `landbridge` beside this one].
    #[arg(long, value_name = "FILE")]
    gateway: Option<PathBuf>,
    /// How often a replica is replaced.
    #[arg(long, value_name = "N", default_value_t = 100)]
    rounds: u64,
    /// How many connections there are at least; rounds go on until then.
    #[arg(long, value_name = "N", default_value_t = 0)]
    connections: u64,
    /// How many at once, besides those that last.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    concurrency: u64,
    /// How many streams last for a few seconds at any time.
    #[arg(long, value_name = "N", default_value_t = 8)]
    streams: u64,
    /// How many bytes each end of the others sends, on average.
    #[arg(long, value_name = "N", default_value_t = 16 * 1024)]
    bytes: u64,
    /// What everything that is random follows from.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// How the answer is written.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
}

impl Restarts {
    /// Does it; the exit code says whether nobody noticed anything.
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        ensure!(self.rounds > 0, "--rounds: expected at least one");
        raise_open_files()?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let (answer, replaced) = runtime.block_on(self.replace())?;
        let text = match self.format {
            Format::Text => answer.table() + &replaced.told(),
            Format::Json => {
                let mut all = answer.json();
                if let Some(all) = all.as_object_mut() {
                    all.insert("replicas".to_owned(), replaced.json());
                }
                format!("{all:#}\n")
            }
        };
        std::io::stdout().write_all(text.as_bytes())?;
        let good = answer.is_good() && replaced.is_good();
        Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    async fn replace(&self) -> anyhow::Result<(Answer, Replaced)> {
        let program = landbridge(self.gateway.as_deref())?;
        let board = Arc::new(Board::default());
        let mut scene = Scene::set()?;
        let services = scene.listen(&board, self.seed, PATIENCE).await?;
        let config = scene.configure(&services)?;
        // It starts processes and waits for them, which is nothing for a runtime's thread.
        let replicas = tokio::task::spawn_blocking(move || Replicas::start(program, config, scene)).await??;
        let traffic = Arc::new(Traffic::new(services, board, replicas.ready(), (self.seed, self.bytes)));
        let began = Instant::now();
        let calling = traffic.begin(self.concurrency, self.streams);
        let (rounds, connections, made) = (self.rounds, self.connections, traffic.made());
        let replaced =
            tokio::task::spawn_blocking(move || replicas.replace(rounds, || made.so_far() < connections))
                .await?;
        traffic.over();
        calling.join_all().await;
        // Told only now, so that nothing that goes wrong leaves callers behind.
        let replaced = replaced?;
        let traffic = Arc::into_inner(traffic).context("something still calls")?;
        let mut answer = Answer::default();
        for (name, score) in traffic.end().await? {
            answer.add(&name, score);
        }
        answer.took(began.elapsed(), replaced.reloads);
        Ok((answer, replaced.end()))
    }
}
