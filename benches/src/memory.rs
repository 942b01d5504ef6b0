//! `memory`: what a connection costs a gateway that does nothing for it, and what readers who never read cost it.

mod crowd;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::{Args, ValueEnum};
use landbridge_streams::Mode;

use self::crowd::Crowd;
use crate::gateways::{self, Kind, Place};
use crate::process::{peak_resident, raise_open_files, resident_and_threads};

/// Many connections through each gateway that is installed, and how much memory its process has for them.
///
/// Idle: they shake hands, send so many bytes, get them back, and say nothing more. Stalled: the endpoint sends to
/// each without end, and none of them ever reads.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// How many connections. This program needs two open files for each, and so does the gateway.
    #[arg(long, value_name = "N", default_value_t = 5000)]
    connections: usize,
    /// How many bytes each sends, and gets back, before it is idle.
    #[arg(long, value_name = "BYTES", default_value_t = 64 * 1024)]
    burst: usize,
    /// What they do.
    #[arg(long, value_enum, default_value = "idle")]
    crowd: Behaviour,
    /// Only where TLS ends at the gateway, or only where it passes through.
    #[arg(long, value_enum)]
    mode: Option<Only>,
    /// Only these gateways.
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = Kind::named)]
    only: Vec<Kind>,
    /// The landbridge to test, if it is not beside this program.
    #[arg(long, value_name = "FILE")]
    landbridge: Option<PathBuf>,
    /// What Landbridge has for `limits.memory_mib`.
    #[arg(long, value_name = "MIB")]
    memory_mib: Option<u64>,
    /// A cgroup that the gateway is put into, by its folder.
    #[arg(long, value_name = "FOLDER")]
    cgroup: Option<PathBuf>,
}

/// Places beside those of the connections that are counted. Nobody may be silent in the last sixteenth of all places.
const SPARE: usize = 50;

/// What the connections do once they are open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Behaviour {
    /// Say something, hear it, and then nothing.
    Idle,
    /// Never read what never ends.
    Stalled,
}

/// One mode of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Only {
    Terminate,
    Passthrough,
}

/// Does it. Exits 0 whatever the gateways take, as long as they live.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let files = raise_open_files()?;
    let needed = arguments.connections as u64 * 2 + 100;
    ensure!(needed <= files, "expected {needed} open files at least, not {files} (ulimit -n)");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(arguments.all())?;
    Ok(ExitCode::SUCCESS)
}

impl Arguments {
    async fn all(&self) -> anyhow::Result<()> {
        tell("| gateway | mode | connections | before | open | idle or stalled | peak | for each |");
        tell("|---|---|---|---|---|---|---|---|");
        for kind in Kind::ALL.into_iter().filter(|kind| self.only.is_empty() || self.only.contains(kind)) {
            let Some(program) = gateways::find(kind, self.landbridge.as_deref()) else {
                tell(&format!("| {} | not installed |", kind.name()));
                continue;
            };
            for mode in [Mode::Terminate, Mode::Passthrough] {
                if self.mode.is_none_or(|only| (only == Only::Terminate) == (mode == Mode::Terminate)) {
                    let place = Place::new(kind, program.clone(), mode)?;
                    self.one(&place).await.with_context(|| kind.name())?;
                }
            }
        }
        Ok(())
    }

    async fn one(&self, place: &Place) -> anyhow::Result<()> {
        let limits = match self.memory_mib {
            Some(mib) => {
                let most = self.connections + self.connections / 8 + SPARE;
                format!("[limits]\nmemory_mib = {mib}\nconnections = {most}\n")
            }
            None => String::new(),
        };
        let running = place.start_with(Duration::from_secs(3600), &limits).await?;
        let process = u32::try_from(running.pid()?)?;
        if let Some(folder) = &self.cgroup {
            let file = folder.join("cgroup.procs");
            std::fs::write(&file, process.to_string()).with_context(|| file.display().to_string())?;
        }
        let mut crowd = Crowd::gather(place, self.crowd).await?;
        // What is made once, on the first connections, is not a connection's.
        crowd.come(SPARE / 5).await?;
        crowd.talk(self.burst).await?;
        let before = settled(process).await?;
        crowd.come(self.connections).await?;
        let open = settled(process).await?;
        crowd.talk(self.burst).await?;
        let after = settled(process).await?;
        self.tell(place, process, [before, open, after])?;
        if let Some(bound) = place.said("takes on") {
            tell(&bound);
        }
        running.stop().await
    }

    fn tell(&self, place: &Place, process: u32, [before, open, after]: [u64; 3]) -> anyhow::Result<()> {
        let peak = peak_resident(process)?;
        let mode = if place.mode == Mode::Terminate { "terminate" } else { "passthrough" };
        let each = |bytes: u64| tenths(bytes.saturating_sub(before) / self.connections.max(1) as u64, 10);
        let mib = |bytes: u64| tenths(bytes, 20);
        tell(&format!(
            "| {} | {mode} | {} | {} MiB | {} MiB | {} MiB | {} MiB | {} KiB, open {} KiB |",
            place.kind.name(),
            self.connections,
            mib(before),
            mib(open),
            mib(after),
            mib(peak),
            each(after),
            each(open),
        ));
        Ok(())
    }
}

/// A number in units of two to the `power`, with one digit behind the point.
fn tenths(number: u64, power: u32) -> String {
    let tenths = (number * 10) >> power;
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// How much is resident once that has stopped to change.
async fn settled(process: u32) -> anyhow::Result<u64> {
    let mut last = 0;
    let mut same = 0;
    let mut tick = tokio::time::interval(Duration::from_millis(250));
    loop {
        tick.tick().await;
        let (now, _) = resident_and_threads(process)?;
        same = if now == last { same + 1 } else { 0 };
        last = now;
        if same == 4 {
            return Ok(now);
        }
    }
}

fn tell(line: &str) {
    #[expect(clippy::print_stdout, reason = "what a command prints is its result")]
    {
        println!("{line}");
    }
}
