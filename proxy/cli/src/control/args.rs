//! The command line of `landbridge control`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use landbridge::config::AdminAddress;

use crate::args::LogFormat;
use crate::ask::Place;
use crate::report_format::ReportFormat;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  landbridge control validate --dir fleet
  landbridge control serve --dir fleet
  landbridge control status
  landbridge control confirm")]
pub(crate) struct Control {
    #[command(subcommand)]
    pub(super) command: ControlCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum ControlCommand {
    Serve(Serve),
    Validate(Validate),
    Status(Status),
    Confirm(Confirm),
}

/// Serve the files of a folder to gateways, and each change of them at once.
///
/// The folder has services/*.toml, endpoints/*.json, policies/*.toml, trust/*.toml and peers/*.toml, as
/// docs/control-server.md describes. A file that breaks later takes nothing away; one that is broken at the start
/// keeps the server from starting.
///
/// Without a file of its own, or without [identity] in it, it serves without TLS, and on this machine alone.
///
/// TERM and INT tell every gateway when to come back, and end; a second one ends at once. HUP reads the folder anew.
///
/// Exits 0 when told to end, 1 if it could not start, 2 for a wrong use.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  landbridge control serve --dir fleet
  landbridge control serve --dir fleet --config control.toml --log-level debug")]
pub(super) struct Serve {
    /// The folder.
    #[arg(long, value_name = "DIR", env = "LANDBRIDGE_CONTROL_DIR")]
    pub(super) dir: PathBuf,
    /// The server's own file (TOML): who it is, whom it believes, who may see what.
    #[arg(short, long, value_name = "FILE", env = "LANDBRIDGE_CONTROL_CONFIG")]
    pub(super) config: Option<PathBuf>,
    /// Where gateways come in: IP:PORT or unix:/path; overrides server.address.
    #[arg(long, value_name = "ADDRESS", env = "LANDBRIDGE_CONTROL_ADDRESS", value_parser = address)]
    pub(super) address: Option<AdminAddress>,
    /// Where it tells how it is: IP:PORT or unix:/path; overrides admin.address.
    #[arg(long, value_name = "ADDRESS", env = "LANDBRIDGE_CONTROL_ADMIN", value_parser = address)]
    pub(super) admin: Option<AdminAddress>,
    /// The event log's level or filter; overrides log.level.
    #[arg(long, value_name = "LEVEL", env = "LANDBRIDGE_LOG_LEVEL")]
    pub(super) log_level: Option<String>,
    /// How events are written; overrides log.format.
    #[arg(long, value_name = "FORMAT", env = "LANDBRIDGE_LOG_FORMAT")]
    pub(super) log_format: Option<LogFormat>,
}

/// Check a folder as `control serve` would, and report every problem at once.
///
/// Exits 0 if all of it would be served, warnings or not, 1 if not, 2 for a wrong use.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  landbridge control validate --dir fleet --config control.toml")]
pub(super) struct Validate {
    /// The folder.
    #[arg(long, value_name = "DIR", env = "LANDBRIDGE_CONTROL_DIR")]
    pub(super) dir: PathBuf,
    /// The server's own file (TOML), to be checked too.
    #[arg(short, long, value_name = "FILE", env = "LANDBRIDGE_CONTROL_CONFIG")]
    pub(super) config: Option<PathBuf>,
    /// How problems are written.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(super) format: ReportFormat,
}

/// Ask a running gateway how its stream of configuration is.
///
/// Tells where it is connected, what it holds, what it refused, what is held back, and what is kept on disk.
///
/// Exits 0 if it answers; 1 if it can't be asked, or has no stream; 2 for a wrong use.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  landbridge control status
  landbridge control status --format json --admin unix:/run/landbridge/admin.sock")]
pub(super) struct Status {
    /// Where the gateway is administered: http://HOST:PORT or unix:/path.
    #[arg(
        long,
        value_name = "PLACE",
        env = "LANDBRIDGE_ADMIN",
        default_value = "http://127.0.0.1:15000",
        value_parser = str::parse::<Place>
    )]
    pub(super) admin: Place,
    /// How it is told.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(super) format: ReportFormat,
}

/// Let a running gateway put in force the removals that it holds back.
///
/// A gateway holds back what would take away many services or endpoints at once, until somebody says that it is meant.
/// `landbridge control status` lists what that is. What it asks is [admin] address, over TCP from the same machine only.
///
/// Exits 0 if nothing is held back any more; 1 if it can't be asked, or refuses; 2 for a wrong use.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  landbridge control confirm --admin unix:/run/landbridge/admin.sock")]
pub(super) struct Confirm {
    /// Where the gateway is administered: http://HOST:PORT or unix:/path.
    #[arg(
        long,
        value_name = "PLACE",
        env = "LANDBRIDGE_ADMIN",
        default_value = "http://127.0.0.1:15000",
        value_parser = str::parse::<Place>
    )]
    pub(super) admin: Place,
}

fn address(text: &str) -> Result<AdminAddress, String> {
    match text.strip_prefix("unix:") {
        Some("") => Err("expected a path after unix:".to_owned()),
        Some(path) => Ok(AdminAddress::Unix(path.into())),
        None => text
            .parse()
            .map(AdminAddress::Tcp)
            .map_err(|_| "expected IP:PORT, such as 127.0.0.1:15010, or unix:/path".to_owned()),
    }
}
