//! `flood`: how gateways serve their callers while strangers flood them.

mod caller;
mod strangers;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use landbridge_streams::Mode;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use self::caller::{Answers, Callers};
pub(crate) use self::strangers::Flood;
use self::strangers::Strangers;
use crate::gateways::{self, Kind, Place};

/// A gateway on one core, callers at an even rate, and a crowd of strangers from other addresses.
///
/// Each gateway that is installed is started on loopback, terminating mutual TLS, and kept to the first core. A caller
/// connects, shakes hands and has 64 bytes echoed, so many times a second; first in peace, then under each flood.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// How many calls a second.
    #[arg(long, value_name = "N", default_value_t = 50)]
    calls: u32,
    /// How long each flood lasts, and the peace before it.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "10s")]
    time: Duration,
    /// How many strangers there are at once.
    #[arg(long, value_name = "N", default_value_t = 8000)]
    strangers: usize,
    /// From how many addresses they come.
    #[arg(long, value_name = "N", default_value_t = 1)]
    sources: u32,
    /// Only these floods: silent, stuck, anonymous.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    flood: Vec<Flood>,
    /// Only these gateways.
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = Kind::named)]
    only: Vec<Kind>,
    /// The landbridge to test, if it is not beside this program.
    #[arg(long, value_name = "FILE")]
    landbridge: Option<PathBuf>,
}

/// Does it. Exits 0 whatever the gateways do, as this is a comparison.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(arguments.all())?;
    Ok(ExitCode::SUCCESS)
}

impl Arguments {
    async fn all(&self) -> anyhow::Result<()> {
        tell(
            "| gateway | flood | strangers' connections | calls answered | p50 | p99 | CPU of the gateway |",
        );
        tell("|---|---|---|---|---|---|---|");
        for kind in Kind::ALL.into_iter().filter(|kind| self.only.is_empty() || self.only.contains(kind)) {
            let Some(program) = gateways::find(kind, self.landbridge.as_deref()) else {
                tell(&format!("| {} | not installed |", kind.name()));
                continue;
            };
            let place = Place::new(kind, program, Mode::Terminate)?;
            self.one(&place).await.with_context(|| kind.name())?;
        }
        Ok(())
    }

    async fn one(&self, place: &Place) -> anyhow::Result<()> {
        let callers = Callers::new(place).await?;
        let running = on_the_first_core(place.start(Duration::from_secs(60)))?.await?;
        let floods = [Flood::Silent, Flood::Stuck, Flood::Anonymous];
        let wanted = floods.into_iter().filter(|it| self.flood.is_empty() || self.flood.contains(it));
        for flood in std::iter::once(None).chain(wanted.map(Some)) {
            let strangers = flood.map(|flood| {
                let many = (self.strangers, self.sources.max(1));
                Strangers::begin(flood, place.gateway, many)
            });
            let before = cpu(running.pid()?)?;
            let answers = callers.call(self.calls, self.time).await;
            let spent = cpu(running.pid()?)?.saturating_sub(before);
            let came = strangers.map_or(0, Strangers::end);
            self.tell(place.kind, flood, (came, &answers, spent));
        }
        running.stop().await
    }

    fn tell(&self, kind: Kind, flood: Option<Flood>, (came, answers, spent): (u64, &Answers, Duration)) {
        let flood = flood.map_or("none", Flood::name);
        tell(&format!(
            "| {} | {flood} | {came} | {} of {} | {} | {} | {:.1} s of {:.0} s |",
            kind.name(),
            answers.answered(),
            answers.calls,
            answers.percentile(50),
            answers.percentile(99),
            spent.as_secs_f64(),
            self.time.as_secs_f64(),
        ));
    }
}

/// Starts what `start` starts with this thread kept to the first core, which a child inherits.
fn on_the_first_core<F>(start: F) -> anyhow::Result<impl Future<Output = F::Output>>
where
    F: Future,
{
    let all = sched_getaffinity(None)?;
    let mut first = CpuSet::new();
    first.set((0..CpuSet::MAX_CPU).find(|core| all.is_set(*core)).unwrap_or_default());
    Ok(async move {
        let _ = sched_setaffinity(None, &first);
        let started = start.await;
        let _ = sched_setaffinity(None, &all);
        started
    })
}

/// The processor time of a process, all threads.
fn cpu(pid: i32) -> anyhow::Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // Behind the name in brackets, which may have anything in it: utime and stime are the 12th and 13th.
    let fields: Vec<&str> = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
    let hundredths = ticks(11) + ticks(12);
    Ok(Duration::from_millis(hundredths * 1000 / rustix::param::clock_ticks_per_second()))
}

fn tell(line: &str) {
    #[expect(clippy::print_stdout, reason = "what a command prints is its result")]
    {
        println!("{line}");
    }
}
