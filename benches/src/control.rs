//! `landbridge-bench control`: what the configuration stream costs, and how soon a change of it counts.
//!
//! The gateway is the real program. The server is the library in this process, over loopback, with its resources
//! in memory; where a folder of files is measured, it is the real program too. Whether a change counts is asked of new
//! connections: a ClientHello through the gateway, answered by the endpoint with its letter.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::ensure;
use clap::{Args, ValueEnum};

use self::figures::{Figures, Form};
use crate::process::{landbridge, load_average, raise_open_files};

mod changes;
mod envoy;
mod figures;
mod fleet;
mod folder;
mod gateway;
mod probe;
mod scene;
mod serving;

/// What the configuration stream costs a gateway and a server, and how soon a change of it counts
#[derive(Args)]
pub(crate) struct Arguments {
    /// What to measure [default: all of it]
    #[arg(long, value_enum)]
    step: Vec<Step>,
    /// The gateway's program [default: `landbridge` beside this one]
    #[arg(long, value_name = "FILE")]
    gateway: Option<PathBuf>,
    /// Services of the step `gateway`
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    services: usize,
    /// Endpoints of each service
    #[arg(long, value_name = "N", default_value_t = 3)]
    endpoints: usize,
    /// How often an endpoint changes
    #[arg(long, value_name = "N", default_value_t = 200)]
    changes: usize,
    /// How often a gateway is started from disk, and how often its stream comes back
    #[arg(long, value_name = "N", default_value_t = 3)]
    rounds: usize,
    /// Gateways of the step `fleet`
    #[arg(long, value_name = "N", default_value_t = 1000)]
    gateways: usize,
    /// Services of the steps `folder`, `envoy` and `fleet`; a hundredth of them for `fleet`
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    fewer_services: usize,
    /// Print the figures as one JSON array, at the end
    #[arg(long)]
    json: bool,
    /// Where the gateways of a fleet find their server: this process is they
    #[arg(long, hide = true)]
    server: Option<SocketAddr>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Step {
    /// A gateway with all services: full apply, changes, coming back, a start from disk
    Gateway,
    /// Changes of a file in a control server's folder
    Folder,
    /// Many gateways at one server
    Fleet,
    /// Envoy with the same services in files, where it is installed
    Envoy,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let files = raise_open_files()?;
    if let Some(server) = arguments.server {
        fleet::gateways(server, arguments.gateways)?;
        return Ok(ExitCode::SUCCESS);
    }
    let least =
        [arguments.services, arguments.endpoints, arguments.changes, arguments.rounds, arguments.gateways];
    ensure!(least.iter().all(|count| *count > 0), "expected at least one of everything");
    ensure!(
        (arguments.gateways as u64) < files / 2,
        "{files} open files are too few for {} gateways",
        arguments.gateways
    );
    let program = landbridge(arguments.gateway.as_deref())?;
    let mut figures = Figures::new(if arguments.json { Form::Json } else { Form::Text });
    figures.remark(&format!("load average {} at the start", load_average()?));
    let wanted = |step: Step| arguments.step.is_empty() || arguments.step.contains(&step);
    if wanted(Step::Gateway) {
        gateway::measure(&program, arguments, &mut figures)?;
    }
    if wanted(Step::Folder) {
        folder::measure(&program, arguments, &mut figures)?;
    }
    if wanted(Step::Fleet) {
        fleet::measure(arguments, &mut figures)?;
    }
    if wanted(Step::Envoy) {
        envoy::measure(arguments, &mut figures)?;
    }
    figures.remark(&format!("load average {} at the end", load_average()?));
    figures.end()?;
    Ok(ExitCode::SUCCESS)
}
