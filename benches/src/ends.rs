//! `ends`: what each gateway that is installed here makes of every end of a stream.

mod report;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Args;
use landbridge_streams::{Load, Mode, Scenario, Score};

use crate::gateways::{self, Kind, Place, Running};
use crate::verify::{mode, perform};
use report::Report;

/// Long enough for nothing but a connection that is meant to fall silent.
const IDLE: Duration = Duration::from_secs(1);
/// Longer than any connection is silent that is not.
const BUSY: Duration = Duration::from_secs(60);
/// How long a gateway may leave a connection without an end.
const PATIENCE: Duration = Duration::from_secs(15);

/// Start each gateway that is installed and see what it makes of every end of a stream.
///
/// Landbridge, Envoy, HAProxy and nginx are started one after the other on loopback, terminating mutual TLS and passing
/// through, with what each needs to hand on half-closed connections. Every scenario of `verify` is run against each.
/// What is not installed is left out, and said to be.
#[derive(Debug, Args)]
pub(crate) struct Ends {
    /// How many connections there are of each scenario.
    #[arg(long, value_name = "N", default_value_t = 100)]
    connections: u64,
    /// How many bytes each end sends, on average.
    #[arg(long, value_name = "N", default_value_t = 256 * 1024)]
    bytes: u64,
    /// What everything that is random follows from.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Only these gateways.
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = Kind::named)]
    only: Vec<Kind>,
    /// Only these scenarios.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    scenario: Vec<Scenario>,
    /// Only this: terminate, passthrough (TLS at both ends) or raw (plain bytes behind a ClientHello).
    #[arg(long, value_name = "MODE", value_parser = mode)]
    mode: Option<Mode>,
    /// The landbridge to test, if it is not beside this program.
    #[arg(long, value_name = "FILE")]
    landbridge: Option<PathBuf>,
}

impl Ends {
    /// Does it. Exits 0 whatever the gateways do, as this is a comparison.
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut report = Report::default();
            let kinds = Kind::ALL.into_iter().filter(|kind| self.only.is_empty() || self.only.contains(kind));
            for kind in kinds {
                let Some(program) = gateways::find(kind, self.landbridge.as_deref()) else {
                    report.absent(kind);
                    continue;
                };
                report.present(kind, &gateways::version(&program).await?);
                for mode in Mode::ALL.into_iter().filter(|mode| self.mode.is_none_or(|only| only == *mode)) {
                    let place = Place::new(kind, program.clone(), mode)?;
                    self.scenarios(&place, &mut report).await.with_context(|| kind.name())?;
                }
            }
            report.tell()?;
            Ok(ExitCode::SUCCESS)
        })
    }

    async fn scenarios(&self, place: &Place, report: &mut Report) -> anyhow::Result<()> {
        let wanted = |it: &Scenario| self.scenario.is_empty() || self.scenario.contains(it);
        let mut usual: Option<Running> = None;
        for (nth, scenario) in (0..).zip(Scenario::ALL) {
            if !scenario.fits(place.mode) || !wanted(&scenario) {
                continue;
            }
            if let Some(running) = usual.take_if(|_| scenario == Scenario::Idle) {
                running.stop().await?;
            }
            if usual.is_none() {
                let idle = if scenario == Scenario::Idle { IDLE } else { BUSY };
                usual = Some(place.start(idle).await?);
            }
            let load = Load {
                scenarios: vec![scenario],
                first: nth * self.connections,
                connections: self.connections,
                concurrency: 16,
                mean: self.bytes,
            };
            let score = self.score(place, usual.as_ref(), &load).await;
            report.add(place.kind, place.mode, scenario, score.with_context(|| scenario.name())?);
            let spent = matches!(scenario, Scenario::GatewayKilled | Scenario::Idle);
            if let Some(running) = usual.take_if(|_| spent) {
                running.stop().await?;
            }
        }
        if let Some(running) = usual {
            running.stop().await?;
        }
        Ok(())
    }

    async fn score(&self, place: &Place, gateway: Option<&Running>, load: &Load) -> anyhow::Result<Score> {
        let pid = gateway.context("no gateway runs")?.pid()?;
        let mut setup = place.setup()?;
        (setup.run, setup.listen, setup.patience) = (self.seed, place.endpoint, PATIENCE);
        ensure!(load.connections > 0, "--connections: expected at least one");
        perform(&setup, load, Some(pid)).await
    }
}
