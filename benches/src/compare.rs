//! `compare`: the same jobs for every gateway that is installed, and what each costs.

mod drawing;
mod machine;
mod report;
mod task;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use clap::Args;
use landbridge_streams::Mode;
use rustix::thread::{sched_getaffinity, sched_setaffinity};
use tokio::signal::unix::{SignalKind, signal};

use self::machine::Machine;
use self::report::{Peer, Report, Sample};
use self::task::Task;
use crate::gateways::{self, Kind, Place, SNI, Tickets, Tuning};
use crate::load::{self, Credentials, Job, Speech, Target, Upstream};
use crate::process;
use crate::verify::Format;

/// Compare Landbridge with every other gateway that is installed.
///
/// Landbridge, Envoy, HAProxy, nginx and a baseline (tokio-rustls and copy_bidirectional) are started one after the other
/// on loopback and kept to the first cores, clients and endpoint to another. Each job is done to each of them in every
/// round, so that what disturbs one round disturbs all of them. What is told is the gateway's own processor time for
/// each unit of work, which other load disturbs least, and memory; all bytes and handshakes are checked.
///
/// Nothing is installed; what is missing is left out, and said to be. Exits 0 whatever the figures are, and 1 if a
/// gateway could not do a job.
#[derive(Debug, Args)]
pub(crate) struct Compare {
    /// How often every job is done to every gateway.
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: u32,
    /// Only these jobs.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    jobs: Vec<Task>,
    /// Only these gateways.
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = named)]
    only: Vec<Kind>,
    /// The landbridge to test, if it is not beside this program.
    #[arg(long, value_name = "FILE")]
    gateway: Option<PathBuf>,
    /// How many threads each gateway has, and on how many cores.
    #[arg(long, value_name = "N", default_value_t = 1)]
    workers: usize,
    /// How much of each job: 0.1 is a tenth, for a first look.
    #[arg(long, value_name = "SHARE", default_value_t = 1.0)]
    scale: f64,
    /// Draw the figures, as SVG.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// How the answer is written.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
}

/// A gateway that is compared, and its program.
struct Contender {
    kind: Kind,
    program: PathBuf,
}

/// Long enough for a hundred thousand services on a busy machine.
const READY: Duration = Duration::from_secs(120);

fn named(name: &str) -> Result<Kind, String> {
    Kind::COMPARED
        .into_iter()
        .find(|kind| kind.name() == name)
        .ok_or_else(|| format!("expected landbridge, envoy, haproxy, nginx or afternoon, not {name}"))
}

impl Compare {
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        ensure!(self.rounds > 0 && self.workers > 0, "expected at least one round and one worker");
        ensure!(self.scale > 0.0, "--scale: expected more than 0");
        process::raise_open_files()?;
        let machine = Machine::look(self.workers)?;
        machine.warnings().iter().for_each(|warning| note(&format!("warning: {warning}")));
        sched_setaffinity(None, &machine.load_core)?;
        // One thread for clients and endpoint: the same for everybody.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let report = runtime.block_on(async {
            tokio::select! {
                report = self.all(machine) => report,
                // Whatever runs is killed as it is dropped.
                _ = told_to_end() => bail!("told to end"),
            }
        })?;
        if let Some(path) = &self.svg {
            std::fs::write(path, drawing::draw(&report))
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        report.tell(self.format)?;
        Ok(ExitCode::SUCCESS)
    }

    async fn all(&self, machine: Machine) -> anyhow::Result<Report> {
        let cores = machine.gateway_cores;
        let mut report = Report::new(machine, self.rounds, self.workers);
        let contenders = self.contenders(&mut report).await?;
        ensure!(!contenders.is_empty(), "nothing to compare: no gateway was found");
        for task in Task::ALL.into_iter().filter(|task| self.jobs.is_empty() || self.jobs.contains(task)) {
            let mut places = Vec::new();
            for contender in contenders.iter().filter(|it| task.fits(it.kind)) {
                let tuning =
                    Tuning { tickets: task.tickets(), names: task.names(self.scale), workers: self.workers };
                let place = Place::new(contender.kind, contender.program.clone(), task.mode())?;
                places.push(place.tuned(tuning, cores));
            }
            for round in 1..=self.rounds {
                for place in &places {
                    let sample = self.one(task, place).await;
                    let sample = sample.with_context(|| format!("{}, {task}", place.kind.name()))?;
                    note(&format!("{task}, round {round}, {}: {sample}", place.kind.name()));
                    report.add(task, place.kind, sample);
                }
                // Nobody is always the first, or always behind the same other.
                places.rotate_left(1);
            }
        }
        report.finish()?;
        Ok(report)
    }

    /// Finds every gateway, and starts it once, which shows that it works here and which program it really is.
    async fn contenders(&self, report: &mut Report) -> anyhow::Result<Vec<Contender>> {
        let mut found = Vec::new();
        for kind in Kind::COMPARED.into_iter().filter(|kind| self.only.is_empty() || self.only.contains(kind))
        {
            let Some(program) = gateways::find(kind, self.gateway.as_deref()) else {
                ensure!(
                    kind != Kind::Landbridge,
                    "no landbridge; build it (landbridge-cli) or say --gateway"
                );
                report.absent(kind);
                continue;
            };
            let tuning = Tuning { tickets: Tickets::Off, names: 1, workers: self.workers };
            let place =
                Place::new(kind, program.clone(), Mode::Terminate)?.tuned(tuning, sched_getaffinity(None)?);
            let running = place.start(READY).await?;
            // What was found may be a script that becomes the program.
            let program = std::fs::read_link(format!("/proc/{}/exe", running.pid()?)).unwrap_or(program);
            running.stop().await?;
            report.present(Peer::look(kind, &program).await?);
            found.push(Contender { kind, program });
        }
        Ok(found)
    }

    /// One job, done to one gateway that is started for it.
    async fn one(&self, task: Task, place: &Place) -> anyhow::Result<Sample> {
        let upstream = Upstream::start(place.endpoint).await?;
        let target = target(place, task.names(self.scale))?;
        let begun = Instant::now();
        let running = place.start(READY).await?;
        let pid = u32::try_from(running.pid()?)?;
        let ready = ready(begun, &target, place).await?;
        let started = process::cpu_of_all(pid)?;
        let done = task.job(self.scale).perform(&target, Some(&upstream), Some(pid)).await;
        let done = done.with_context(|| format!("the gateway said: {}", place.log()))?;
        let figures = task.figures(&done, (ready, started), process::resident_of_all(pid)?)?;
        running.stop().await?;
        upstream.stop().await;
        Ok(Sample::new(figures, &done))
    }
}

/// Waits until a call goes through, and says how long that was after the start.
async fn ready(begun: Instant, target: &Arc<Target>, place: &Place) -> anyhow::Result<Duration> {
    let nothing = Job { operations: 0, connections: 1, ..Task::call() };
    loop {
        // Everybody calls once before he is measured.
        match nothing.perform(target, None, None).await {
            Ok(_) => return Ok(begun.elapsed()),
            Err(error) if begun.elapsed() > READY => {
                bail!("no call goes through: {error:#}; the gateway said: {}", place.log())
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
}

fn target(place: &Place, names: u32) -> anyhow::Result<Arc<Target>> {
    let credentials = Credentials {
        client: Some((place.read("client.pem")?, place.read("client.key")?)),
        roots: place.read("ca.pem")?,
    };
    let speech = if place.mode == Mode::Terminate { Speech::Tls } else { Speech::Raw };
    let names = if names == 1 { vec![SNI.to_owned()] } else { load::at_random(gateways::PATTERN, names) };
    Target::new(place.gateway, &names, speech, &credentials)
}

/// Resolves when somebody wants this to end, by Ctrl-C or otherwise.
async fn told_to_end() -> std::io::Result<()> {
    #[expect(clippy::disallowed_methods, reason = "this is a process of its own, which starts others")]
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
    }
}

/// Says how far it is, beside the answer.
fn note(line: &str) {
    #[expect(
        clippy::print_stderr,
        reason = "a comparison takes minutes, and its answer goes to standard output"
    )]
    {
        eprintln!("{line}");
    }
}
