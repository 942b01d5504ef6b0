//! `cuts`: very many streams that are cut at a byte of chance, none of which may look complete.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use clap::Args;
use landbridge_streams::{Load, Mode, Scenario, Score};

use crate::gateways::{self, Kind, Place, Running};
use crate::verify::{Answer, Format, mode, perform};

/// How long a connection may stand still.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longer than any connection is silent.
const IDLE: Duration = Duration::from_secs(600);
/// How many connections of a kind there are in a turn, so that every kind has its share of the whole.
const TURN: u64 = 40;
const CONCURRENCY: u64 = 16;

/// Cut very many streams at a byte of chance, and see that none of them looks complete at its other end.
///
/// Starts the landbridge beside this program (or another gateway) on loopback, terminating mutual TLS, passing TLS through
/// and passing plain bytes through behind a ClientHello. Clients and endpoints cut their streams by a FIN without
/// close_notify, by RST, by a fatal alert, within a record, half-closed or not, and by SIGKILL of their process.
///
/// Exits 0 only if no such stream was seen as complete, no byte was wrong and none that was accepted was thrown away.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  landbridge-bench cuts --streams 10000")]
pub(crate) struct Cuts {
    /// How many streams are cut whose receivers are still there to see it, at least.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    streams: u64,
    /// How many bytes each end would send, on average; some send much more, some next to nothing.
    #[arg(long, value_name = "N", default_value_t = 64 * 1024)]
    bytes: u64,
    /// What everything that is random follows from.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Which gateway.
    #[arg(long, value_name = "NAME", default_value = "landbridge", value_parser = Kind::named)]
    gateway: Kind,
    /// Only this: terminate, passthrough (TLS at both ends) or raw (plain bytes behind a ClientHello).
    #[arg(long, value_name = "MODE", value_parser = mode)]
    mode: Option<Mode>,
    /// The landbridge to test, if it is not beside this program.
    #[arg(long, value_name = "FILE")]
    landbridge: Option<PathBuf>,
    /// How the answer is written.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
}

/// A kind of cut, through a gateway that runs.
struct Kindred {
    place: usize,
    scenario: Scenario,
    score: Score,
}

impl Cuts {
    /// Does it; the exit code says whether all is well.
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        ensure!(self.streams > 0, "--streams: expected at least one");
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(self.cut())
    }

    async fn cut(&self) -> anyhow::Result<ExitCode> {
        let Some(program) = gateways::find(self.gateway, self.landbridge.as_deref()) else {
            bail!("{} is not there; build or install it", self.gateway.name());
        };
        let began = Instant::now();
        let (mut places, mut kindred): (Vec<(Place, Running)>, Vec<Kindred>) = Default::default();
        for mode in Mode::ALL.into_iter().filter(|mode| self.mode.is_none_or(|only| only == *mode)) {
            let place = Place::new(self.gateway, program.clone(), mode)?;
            let running = place.start(IDLE).await?;
            let scenarios = Scenario::ALL.into_iter().filter(|it| it.cuts_at_random() && it.fits(mode));
            let one = |scenario| Kindred { place: places.len(), scenario, score: Score::default() };
            kindred.extend(scenarios.map(one));
            places.push((place, running));
        }
        let mut turn = 0;
        while kindred.iter().map(|it| it.score.cut()).sum::<u64>() < self.streams {
            for (nth, it) in (turn * kindred.len() as u64..).zip(&mut kindred) {
                let (place, _) = places.get(it.place).context("no such place")?;
                let score = self.turn(place, it.scenario, nth).await;
                it.score.merge(score.with_context(|| it.scenario.name())?);
            }
            turn += 1;
        }
        let mut answer = Answer::default();
        for it in kindred {
            let (place, _) = places.get(it.place).context("no such place")?;
            answer.add(&format!("{} {}", place.mode.name(), it.scenario), it.score);
        }
        answer.took(began.elapsed(), 0);
        for (_, running) in places {
            running.stop().await?;
        }
        answer.tell(self.format)
    }

    async fn turn(&self, place: &Place, scenario: Scenario, nth: u64) -> anyhow::Result<Score> {
        let mut setup = place.setup()?;
        // Whoever is killed numbers its connections from 0, so that chance differs by the run.
        let run = self.seed.wrapping_add(nth);
        (setup.run, setup.listen, setup.patience) = (run, place.endpoint, PATIENCE);
        let load = Load {
            scenarios: vec![scenario],
            first: 0,
            connections: TURN,
            concurrency: CONCURRENCY,
            mean: self.bytes,
        };
        perform(&setup, &load, None).await
    }
}
