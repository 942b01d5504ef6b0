//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use landbridge_core::spiffe::SpiffeId;

use crate::ask::Place;
use crate::report_format::ReportFormat;

/// A cross-cluster east-west TCP/mTLS gateway: routes by SNI, knows who calls, loses nothing.
#[derive(Debug, Parser)]
#[command(
    name = "landbridge",
    version = crate::version::SHORT,
    long_version = crate::version::LONG,
    max_term_width = 100,
    after_help = "Examples:
  landbridge demo
  landbridge config default > gateway.toml
  landbridge validate -c gateway.toml
  landbridge run -c gateway.toml"
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Run(Run),
    Validate(Validate),
    Explain(Explain),
    Check(Check),
    Probe(Probe),
    Drain(Drain),
    Demo(Demo),
    /// Make, read and check certificates: a small CA for tests and small meshes.
    Certs(crate::certs::Certs),
    /// Feed gateways their configuration, from the files of a folder.
    Control(crate::control::Control),
    Config(PrintConfig),
    Completions(Completions),
    Man(Man),
}

/// Serve until told to stop.
///
/// TERM drains: readiness fails at once, streams end by themselves up to timeouts.drain, and the rest is cut. A
/// second one ends at once. INT drains for at most 2 s. HUP reloads the file, certificates and CRLs. USR1 reopens the access log.
///
/// Exits 0 after a drain, 1 if it could not start or go on, 2 for a wrong use.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  landbridge run -c gateway.toml --log-level info,landbridge=debug")]
pub(crate) struct Run {
    /// The configuration file (TOML).
    #[arg(short, long, value_name = "FILE", env = "LANDBRIDGE_CONFIG")]
    pub(crate) config: PathBuf,
    /// Worker threads; overrides runtime.workers.
    #[arg(long, value_name = "N", env = "LANDBRIDGE_WORKERS", visible_alias = "concurrency")]
    pub(crate) workers: Option<std::num::NonZeroUsize>,
    /// How long a worker may not come round, in a deadlock or an endless loop, before liveness fails.
    #[arg(long, value_name = "TIME", env = "LANDBRIDGE_HANG_AFTER", default_value = "30s", value_parser = hang_after)]
    pub(crate) hang_after: Duration,
    /// The event log's level or filter, such as "info" or "info,landbridge=debug"; overrides log.level.
    #[arg(long, value_name = "LEVEL", env = "LANDBRIDGE_LOG_LEVEL")]
    pub(crate) log_level: Option<String>,
    /// How events are written; overrides log.format.
    #[arg(long, value_name = "FORMAT", env = "LANDBRIDGE_LOG_FORMAT")]
    pub(crate) log_format: Option<LogFormat>,
    /// Exit 3 instead of 0 if any connection was cut at the drain deadline.
    #[arg(long, env = "LANDBRIDGE_STRICT_EXIT")]
    pub(crate) strict_exit: bool,
    /// Where Kubernetes reads a container's last words: how many connections were cut. Not made if it is not there.
    #[arg(
        long,
        value_name = "FILE",
        env = "LANDBRIDGE_TERMINATION_LOG",
        default_value = "/dev/termination-log"
    )]
    pub(crate) termination_log: PathBuf,
}

fn hang_after(text: &str) -> Result<Duration, String> {
    let patience = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if patience < Duration::from_secs(1) {
        return Err("expected at least 1s".to_owned());
    }
    Ok(patience)
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// Check a configuration file and everything it names, and report every problem at once.
///
/// Reads every certificate, key, bundle and CRL that the file names, and warns of what is valid and cannot work,
/// such as a service that nobody may call.
///
/// Exits 0 if the file is valid, warnings or not, 1 if it is not, 2 for a wrong use.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  landbridge validate -c gateway.toml
  landbridge validate -c gateway.toml --format json")]
pub(crate) struct Validate {
    /// The configuration file (TOML).
    #[arg(short, long, value_name = "FILE", env = "LANDBRIDGE_CONFIG")]
    pub(crate) config: PathBuf,
    /// How problems are written.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) format: ReportFormat,
}

/// Tell what would become of a call, step by step, and why.
///
/// Asks what the running gateway asks, in the same order: is it a server name, which service and subset does it
/// lead to, which endpoints are there, who may call; and tells what the client would see. Only the configuration
/// file is read: no gateway is asked, no certificate opened, no host name resolved.
///
/// Without --identity it tells who may call. Without --trust any trust entry of the caller's domain may vouch for
/// it. Where the question is open in such a way, the verdict is the most that any caller may.
///
/// Exits 0 if the call would be let in, 1 if it would be refused, 2 for a wrong use or a file that is not valid.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  landbridge explain outbound_.8000_._.httpbin.default.svc.cluster.local -c gateway.toml
  landbridge explain db.example -c gateway.toml \\
    --identity spiffe://cluster.local/ns/default/sa/sleep --trust cluster-1")]
pub(crate) struct Explain {
    /// The server name that the client asks for; "" for a client that names none.
    #[arg(value_name = "SNI")]
    pub(crate) sni: String,
    /// The caller.
    #[arg(long, value_name = "SPIFFE_ID", value_parser = SpiffeId::parse)]
    pub(crate) identity: Option<SpiffeId>,
    /// The [[trust]] entry that vouches for the caller.
    #[arg(long, value_name = "NAME")]
    pub(crate) trust: Option<String>,
    /// The configuration file (TOML).
    #[arg(short, long, value_name = "FILE", env = "LANDBRIDGE_CONFIG")]
    pub(crate) config: PathBuf,
    /// How it is told.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) format: ReportFormat,
}

/// Ask whether this machine, its files and its endpoints are ready for a configuration.
///
/// Reads the file and everything it names, and looks at certificates and their dates, the limit of open files, the
/// listeners' ports, the endpoints and the clock. Run it where the gateway will run, before it does.
///
/// Exits 0 if nothing failed, 1 if something did, 2 for a wrong use.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  landbridge check -c gateway.toml")]
pub(crate) struct Check {
    /// The configuration file (TOML).
    #[arg(short, long, value_name = "FILE", env = "LANDBRIDGE_CONFIG")]
    pub(crate) config: PathBuf,
    /// How findings are written.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) format: ReportFormat,
}

/// Ask a URL over HTTP: a health check where there is no curl.
///
/// Prints the status and the first line of the answer.
///
/// Exits 0 if the answer is a success, 1 if not or if there is none in time, 2 for a wrong use.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  landbridge probe http://127.0.0.1:15021/healthz/ready")]
pub(crate) struct Probe {
    /// What to ask, such as http://127.0.0.1:15021/healthz/ready.
    #[arg(value_name = "URL")]
    pub(crate) url: hyper::Uri,
    /// How long all of it may take.
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = humantime::parse_duration)]
    pub(crate) timeout: Duration,
}

/// Ask a running gateway to drain, as SIGTERM would, and wait for its end if that is wanted.
///
/// With --wait it prints how far the gateway is whenever that changes, until it has stopped, or for as long as given.
/// Asking twice ends nothing sooner. What it asks is [admin] address, over TCP from the same machine only.
///
/// Exits 0 if the gateway drains, or with --wait has stopped; 1 if it can't be asked, refuses, or has not stopped in
/// time; 2 for a wrong use.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  landbridge drain --wait=30s
  landbridge drain --wait --admin unix:/run/landbridge/admin.sock")]
pub(crate) struct Drain {
    /// Wait until it has stopped, for at most this long.
    #[arg(
        long,
        value_name = "TIME",
        num_args = 0..=1,
        require_equals = true,
        value_parser = humantime::parse_duration
    )]
    #[expect(clippy::option_option, reason = "whether to wait, and whether there is a limit")]
    pub(crate) wait: Option<Option<Duration>>,
    /// Where it is administered: http://HOST:PORT or unix:/path.
    #[arg(
        long,
        value_name = "PLACE",
        env = "LANDBRIDGE_ADMIN",
        default_value = "http://127.0.0.1:15000",
        value_parser = str::parse::<Place>
    )]
    pub(crate) admin: Place,
}

/// Show it all on this machine: two clusters, a sidecar, a gateway, and a caller that is refused.
///
/// Makes a CA for each cluster, starts a gateway and endpoints on loopback, calls through it, and leaves it running
/// with commands to try.
///
/// Exits 0 if all went as it should, 1 if not.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  landbridge demo --once")]
pub(crate) struct Demo {
    /// Check everything and exit, leaving nothing running.
    #[arg(long)]
    pub(crate) once: bool,
}

/// Print the default configuration, or the schema of the file.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  landbridge config default > gateway.toml
  landbridge config schema > landbridge.schema.json")]
pub(crate) struct PrintConfig {
    #[command(subcommand)]
    pub(crate) command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print a file with every key, its default and its meaning.
    ///
    /// It is valid as it stands and changes nothing. What has no default is commented out and shows an example.
    #[command(after_help = "Example:
  landbridge config default > gateway.toml")]
    Default,
    /// Print the JSON Schema (draft 2020-12) of the file.
    ///
    /// For editors and other tools; landbridge validate checks more.
    #[command(after_help = "Example:
  landbridge config schema > landbridge.schema.json")]
    Schema,
}

/// Print what a shell completes the command line by.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  landbridge completions bash > /etc/bash_completion.d/landbridge")]
pub(crate) struct Completions {
    /// The shell.
    #[arg(value_name = "SHELL")]
    pub(crate) shell: clap_complete::Shell,
}

/// Print the manual page.
///
/// Without a command it is the page of landbridge itself, which lists the others.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  landbridge man > /usr/local/share/man/man1/landbridge.1
  landbridge man config default > /usr/local/share/man/man1/landbridge-config-default.1")]
pub(crate) struct Man {
    /// The command whose page it is, word by word.
    #[arg(value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
}

#[cfg(test)]
mod tests;
