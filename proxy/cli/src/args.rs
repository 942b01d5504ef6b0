//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// A cross-cluster east-west TCP/mTLS gateway: routes by SNI, knows who calls, loses nothing.
#[derive(Debug, Parser)]
#[command(name = "landbridge", version = crate::version::SHORT, long_version = crate::version::LONG, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve until told to stop.
    Run(Run),
    /// Check a configuration file and everything it names, and report every problem at once.
    Validate(Validate),
    /// Ask whether this machine, its files and its endpoints are ready for a configuration.
    Check(Check),
    /// Ask a URL over HTTP and exit 0 if the answer is a success: a health check where there is no curl.
    Probe(Probe),
    /// Show it all on this machine: two clusters, a sidecar, a gateway, and a caller that is refused.
    Demo(Demo),
    /// Make, read and check certificates: a small CA for tests and small meshes.
    Certs(crate::certs::Certs),
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The configuration file (TOML).
    #[arg(short, long, value_name = "FILE", env = "LANDBRIDGE_CONFIG")]
    pub(crate) config: PathBuf,
    /// Worker threads; overrides runtime.workers.
    #[arg(long, value_name = "N", env = "LANDBRIDGE_WORKERS", visible_alias = "concurrency")]
    pub(crate) workers: Option<std::num::NonZeroUsize>,
    /// The event log's level or filter, such as "info" or "info,landbridge=debug"; overrides log.level.
    #[arg(long, value_name = "LEVEL", env = "LANDBRIDGE_LOG_LEVEL")]
    pub(crate) log_level: Option<String>,
    /// How events are written; overrides log.format.
    #[arg(long, value_name = "FORMAT", env = "LANDBRIDGE_LOG_FORMAT")]
    pub(crate) log_format: Option<LogFormat>,
    /// Exit 3 instead of 0 if any connection was cut at the drain deadline.
    #[arg(long, env = "LANDBRIDGE_STRICT_EXIT")]
    pub(crate) strict_exit: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct Validate {
    /// The configuration file (TOML).
    #[arg(short, long, value_name = "FILE", env = "LANDBRIDGE_CONFIG")]
    pub(crate) config: PathBuf,
    /// How problems are written.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) format: ReportFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    Text,
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The configuration file (TOML).
    #[arg(short, long, value_name = "FILE", env = "LANDBRIDGE_CONFIG")]
    pub(crate) config: PathBuf,
    /// How findings are written.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) format: ReportFormat,
}

#[derive(Debug, Args)]
pub(crate) struct Probe {
    /// What to ask, such as http://127.0.0.1:15021/healthz/ready.
    #[arg(value_name = "URL")]
    pub(crate) url: hyper::Uri,
    /// How long all of it may take.
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = humantime::parse_duration)]
    pub(crate) timeout: std::time::Duration,
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Check everything and exit: 0 if all went as it should, 1 if not.
    #[arg(long)]
    pub(crate) once: bool,
}
