//! `landbridge-bench revoke`: how soon live connections are cut whose caller may no longer call.
//!
//! Four processes: this one, a gateway, the endpoint and the clients. Half of the connections are doomed,
//! half are bystanders, opened in turn, all to one service and by one trust entry. Each change is made as
//! an operator would make it: files replaced by rename, then SIGHUP. Both ends of every connection note
//! when they see its reset, by the clock of the machine.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::{Args, ValueEnum};
use landbridge_testkit::command::Running;

use self::events::Report;
use self::peer::Peer;
use self::scene::{Change, Scene};
use self::tell::Measured;
use crate::process::{cpu, landbridge, raise_open_files};

mod client;
mod endpoint;
mod events;
mod peer;
mod scene;
mod tell;

/// What the gateway keeps for everything that is no connection (`RESERVED_FILES` of its capacity).
const RESERVED_FILES: u64 = 256;

#[derive(Args)]
pub(crate) struct Arguments {
    /// The gateway's program [default: `landbridge` beside this one]
    #[arg(long, value_name = "FILE")]
    gateway: Option<PathBuf>,
    /// How many live connections, unless the limit of open files allows fewer
    #[arg(long, default_value_t = 10_000)]
    connections: usize,
    /// How many times each change is made
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Which process of the benchmark this is
    #[arg(long, hide = true, requires = "folder")]
    role: Option<Role>,
    /// Where the processes of a role find what they need
    #[arg(long, hide = true)]
    folder: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Role {
    Client,
    Endpoint,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let files = raise_open_files()?;
    match (arguments.role, &arguments.folder) {
        (Some(Role::Client), Some(folder)) => client::run(folder)?,
        (Some(Role::Endpoint), Some(_)) => endpoint::run()?,
        _ => return measure(arguments, files),
    }
    Ok(ExitCode::SUCCESS)
}

fn measure(arguments: &Arguments, files: u64) -> anyhow::Result<ExitCode> {
    ensure!(arguments.rounds > 0, "expected at least one round; leave --rounds out for 5");
    let half = connections(arguments.connections, files) / 2;
    let program = landbridge(arguments.gateway.as_deref())?;
    let mut endpoint = Peer::start("endpoint", &std::env::temp_dir())?;
    let scene = Scene::set(endpoint.address()?, 2 * half)?;
    let config = scene.path().join("gateway.toml");
    let mut gateway = Running::start(&program, &config, &[]);
    scene.listens(gateway.address)?;
    let mut client = Peer::start("client", scene.path())?;
    say(&format!("{} connections, half of them doomed, of {files} open files a process", 2 * half));

    let mut measured = Vec::new();
    let (mut doomed, mut bystanders) = (half, half);
    for round in 1..=arguments.rounds {
        for change in Change::ALL {
            client.ask(&format!("open {doomed} {bystanders}"))?.all_opened(doomed + bystanders)?;
            let run = cut(&scene, change, half, &mut gateway, [&mut client, &mut endpoint])?;
            say(&format!("round {round}: {run}"));
            measured.push(run);
            scene.restore()?;
            applied(&mut gateway)?;
            (doomed, bystanders) = (half, 0);
        }
    }
    say(&tell::table(&measured));
    let clean = measured.iter().all(Measured::is_clean);
    Ok(if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Makes one change and sees what becomes of all connections.
fn cut(
    scene: &Scene,
    change: Change,
    half: usize,
    gateway: &mut Running,
    [client, endpoint]: [&mut Peer; 2],
) -> anyhow::Result<Measured> {
    let before = cpu(gateway.id())?;
    scene.make(change)?;
    let signal = events::now();
    let (in_force, swept) = applied(gateway)?;
    let seen: Vec<Report> = [&mut *client, &mut *endpoint]
        .into_iter()
        .map(|peer| peer.ask(&format!("cuts {half}")))
        .collect::<anyhow::Result<_>>()?;
    let cpu = cpu(gateway.id())?.saturating_sub(before);
    let proven = client.ask(&format!("prove {half}"))?.proven;
    Ok(Measured { change, half, signal, in_force, swept, cpu, seen, proven })
}

/// Sends SIGHUP and waits for its event; when the change was in force, and how long the look at all open
/// connections took.
fn applied(gateway: &mut Running) -> anyhow::Result<(u64, Duration)> {
    gateway.signal("HUP");
    let line = gateway.event("configuration applied");
    let stamp = line.split_whitespace().next().context("an event begins with its time")?;
    let at = humantime::parse_rfc3339(stamp).with_context(|| format!("no time: {line}"))?;
    let swept = line
        .split_whitespace()
        .find_map(|field| field.strip_prefix("swept_us=")?.parse().ok())
        .with_context(|| format!("expected swept_us in {line}"))?;
    let swept = Duration::from_micros(swept);
    Ok((events::unix(at - swept), swept))
}

/// As many as are asked for and the gateway has descriptors for, two each, in round hundreds.
fn connections(asked: usize, files: u64) -> usize {
    let most = files.saturating_sub(RESERVED_FILES) / 2 / 100 * 100;
    asked.min(usize::try_from(most).unwrap_or(usize::MAX))
}

#[expect(clippy::print_stdout, reason = "what was measured is what this command is for")]
fn say(text: &str) {
    println!("{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_no_more_connections_than_the_gateway_has_descriptors_for() {
        assert_eq!(connections(10_000, 20_000), 9_800);
        assert_eq!(connections(10_000, 1 << 20), 10_000);
        assert_eq!(connections(10_000, 100), 0);
    }
}
