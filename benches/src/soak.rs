//! `soak`: a gateway under everything at once, for hours.
//!
//! Where to read: `scene.rs` is what the gateway reads, `changes.rs` what happens to that meanwhile, `mix.rs` and
//! `strangers.rs` who calls, `load.rs` when, `sample.rs` and `lines.rs` what the gateway has and tells, `verdict.rs`
//! the law.

mod changes;
mod lines;
mod load;
mod mix;
mod route;
mod sample;
mod scene;
mod service;
mod strangers;
mod svg;
mod trend;
mod verdict;

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use clap::Args;
use landbridge_streams::Board;
use landbridge_testkit::command::Running;
use tokio::task::JoinSet;
use tokio::time::interval;

use crate::process::{landbridge, load_average, raise_open_files};
use crate::verify::{Format, Setup};
use changes::{Operator, Worked};
use load::Traffic;
use mix::Mix;
use route::{Route, Tally};
use sample::{Looker, Sample, sampled};
use scene::Scene;
use service::Service;
use verdict::Soaked;

/// How long a connection may stand still.
const PATIENCE: Duration = Duration::from_secs(60);
/// The certificates of the callers are not renewed.
const LONGEST: Duration = Duration::from_secs(12 * 3600);

/// Run a gateway under everything at once, for as long as you like, and see what it loses, leaks or tells falsely.
///
/// Starts `landbridge run` with services that terminate TLS and that pass it through, and runs both ends of many
/// connections: every scenario of `verify`, streams that last, slow readers, probes, and clients that must be refused.
/// Meanwhile the configuration, the gateway's certificate, a trust bundle, revocation lists and the access log change.
///
/// Exits 0 only if nothing was lost, no end was false, no stream was cut, every connection has its line in the access
/// log, nothing is left when all is over, and, from 30 minutes on, memory grows more slowly than --slope.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  landbridge-bench soak --time 2h --svg memory.svg")]
pub(crate) struct Soak {
    /// The gateway's program [default: `landbridge` beside this one].
    #[arg(long, value_name = "FILE")]
    gateway: Option<PathBuf>,
    /// How long.
    #[arg(long, value_name = "TIME", default_value = "10m")]
    time: humantime::Duration,
    /// How many connections a second, at most.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rate: u32,
    /// How many streams last all the time.
    #[arg(long, value_name = "N", default_value_t = 64)]
    streams: u64,
    /// How many bytes each end of the others sends, on average.
    #[arg(long, value_name = "N", default_value_t = 16 * 1024)]
    bytes: u64,
    /// How often something changes.
    #[arg(long, value_name = "TIME", default_value = "5s")]
    every: humantime::Duration,
    /// How often memory and descriptors are looked at.
    #[arg(long, value_name = "TIME", default_value = "5s")]
    sample: humantime::Duration,
    /// How long the gateway has nothing to do before the last look.
    #[arg(long, value_name = "TIME", default_value = "10s")]
    idle: humantime::Duration,
    /// By how many MiB an hour memory may grow.
    #[arg(long, value_name = "MIB", default_value_t = 2.0)]
    slope: f64,
    /// What everything that is random follows from.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// How the answer is written; JSON has all samples.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
    /// Draw memory over time into this file.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

impl Soak {
    /// Does it; the exit code says whether all holds.
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        let time: Duration = self.time.into();
        ensure!(time >= Duration::from_secs(1), "--time: expected at least 1s");
        let spans = [("--every", self.every), ("--sample", self.sample), ("--idle", self.idle)];
        if let Some((flag, _)) = spans.into_iter().find(|(_, span)| span.is_zero()) {
            bail!("{flag}: expected more than 0s");
        }
        ensure!(time <= LONGEST, "--time: expected at most 12h, as the callers' certificates end");
        raise_open_files()?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let soaked = runtime.block_on(self.soak())?;
        if let Some(file) = &self.svg {
            fs::write(file, svg::draw(&soaked.curve()))
                .with_context(|| format!("cannot write {}", file.display()))?;
        }
        let text = match self.format {
            Format::Text => soaked.table(),
            Format::Json => format!("{:#}\n", soaked.json()),
        };
        std::io::stdout().write_all(text.as_bytes())?;
        Ok(if soaked.faults().is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    async fn soak(&self) -> anyhow::Result<Soaked> {
        let program = landbridge(self.gateway.as_deref())?;
        let mut scene = Scene::set()?;
        let strangers = Arc::new(scene.strangers());
        let (gateway, routes) = self.start(&program, &mut scene).await?;
        let mut looker = Looker { process: gateway.id(), metrics: gateway.metrics, began: Instant::now() };
        let traffic = Arc::new(Traffic {
            gateway: gateway.address,
            routes,
            strangers,
            tally: Tally::default(),
            mix: Mix { run: self.seed, mean: self.bytes, time: self.time.into() },
            rate: self.rate,
        });
        traffic.warm().await;
        let start = Sample { seconds: 0.0, ..self.settled(looker).await? };
        let load_before = load_average()?;
        looker.began = Instant::now();
        let stop = Arc::new(AtomicBool::new(false));
        let victims = traffic.victims(self.every.into(), &stop);
        let steady = traffic.steady(self.streams);
        let operator = Operator::start(gateway, scene, self.every.into());
        let sampling = tokio::spawn(sampled(looker, self.sample.into(), self.time.into()));
        traffic.changing().await;
        stop.store(true, Ordering::Relaxed);
        let took = looker.began.elapsed();
        let (samples, missed) = sampling.await?;
        let Worked { mut gateway, scene, made } =
            tokio::task::spawn_blocking(move || operator.stop()).await??;
        all_over(victims).await?;
        all_over(steady).await?;
        let idle = self.settled(looker).await?;
        let tally = Arc::into_inner(traffic).context("something still calls")?.end().await?;
        gateway.signal("TERM");
        gateway.event("stopped");
        let said = gateway.events().to_vec();
        let panics = said.into_iter().filter(|event| event.contains("panicked")).collect();
        let (status, _) = gateway.ended();
        Ok(Soaked {
            rows: tally,
            start,
            samples,
            missed,
            idle,
            lines: scene.lines()?,
            made,
            panics,
            exit: (!status.success()).then(|| status.to_string()),
            took,
            bound: self.slope,
            load: [load_before, load_average()?],
        })
    }

    /// Listens as every endpoint, and starts the gateway in front of them.
    async fn start(&self, program: &str, scene: &mut Scene) -> anyhow::Result<(Running, Vec<Arc<Route>>)> {
        let board = Arc::new(Board::default());
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 1));
        let mut made = Vec::new();
        for service in Service::ALL {
            let mut setup = Setup::new(nowhere, service.sni(), service.mode(), scene.files(service))?;
            (setup.run, setup.patience) = (self.seed, PATIENCE);
            if service == Service::Mortal {
                // Bound again and again, where no client's port can be in the way.
                setup.listen = SocketAddr::from(([127, 0, 0, 2], 0));
            }
            let endpoint = setup.endpoint(&board).await?;
            setup.listen = endpoint.address;
            made.push((service, setup, endpoint));
        }
        let endpoints = made.iter().map(|(service, _, endpoint)| (*service, endpoint.address)).collect();
        let config = scene.configure(endpoints)?;
        let gateway = Running::start(program, &config, &[]);
        let mut routes = Vec::new();
        for (service, mut setup, endpoint) in made {
            setup.gateway = gateway.address;
            let caller = setup.caller(&board);
            if service == Service::Mortal {
                // Its listeners come and go with those who are killed.
                Arc::into_inner(endpoint).context("the endpoint is still in use")?.close().await;
                routes.push(Arc::new(Route { service, setup, caller, endpoint: None }));
            } else {
                routes.push(Arc::new(Route { service, setup, caller, endpoint: Some(endpoint) }));
            }
        }
        Ok((gateway, routes))
    }

    /// Waits until no connection is open, and for a while after that.
    async fn settled(&self, looker: Looker) -> anyhow::Result<Sample> {
        let mut tick = interval(Duration::from_millis(100));
        let deadline = Instant::now() + PATIENCE;
        let busy = |look: anyhow::Result<Sample>| look.is_ok_and(|sample| sample.active > 0.0);
        while busy(looker.look().await) && Instant::now() < deadline {
            tick.tick().await;
        }
        let mut rest = interval(self.idle.into());
        rest.tick().await;
        rest.tick().await;
        looker.look().await.context("the gateway does not tell how it is")
    }
}

/// Waits for all of them; one that panicked is an error.
async fn all_over(mut tasks: JoinSet<()>) -> anyhow::Result<()> {
    while let Some(task) = tasks.join_next().await {
        task?;
    }
    Ok(())
}
