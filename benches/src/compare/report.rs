//! What came of a comparison, as Markdown or as JSON.

use std::fmt;
use std::io::Write;
use std::path::Path;

use serde_json::{Value, json};
use tokio::process::Command;

use super::machine::Machine;
use super::task::{Figure, Task};
use crate::gateways::{self, Kind};
use crate::load::{Done, to_float};
use crate::process;
use crate::verify::Format;

/// All figures of all rounds.
pub(super) struct Report {
    machine: Machine,
    rounds: u32,
    workers: usize,
    peers: Vec<Peer>,
    absent: Vec<Kind>,
    pub(super) rows: Vec<Row>,
}

/// A gateway that takes part.
pub(super) struct Peer {
    kind: Kind,
    version: String,
    tls: String,
}

/// One figure of one job for one gateway, in every round.
pub(super) struct Row {
    pub(super) task: Task,
    pub(super) kind: Kind,
    pub(super) name: &'static str,
    pub(super) unit: &'static str,
    pub(super) values: Vec<f64>,
    /// How much was done in a second, of wall time: operations, or gigabytes.
    rates: Vec<f64>,
    took: Vec<(f64, f64)>,
}

/// One job, done once.
pub(super) struct Sample {
    figures: Vec<Figure>,
    rate: f64,
    took: (f64, f64),
}

impl Peer {
    pub(super) async fn look(kind: Kind, program: &Path) -> anyhow::Result<Self> {
        let (version, tls) = match kind {
            Kind::Afternoon => (env!("CARGO_PKG_VERSION").to_owned(), "rustls, aws-lc-rs".to_owned()),
            Kind::Landbridge => {
                (gateways::version(program).await?, said(program, "--version", "crypto:").await?)
            }
            Kind::Envoy => (gateways::version(program).await?, "BoringSSL".to_owned()),
            Kind::Haproxy => (
                gateways::version(program).await?,
                said(program, "-vv", "Running on OpenSSL version :").await?,
            ),
            Kind::Nginx => {
                (gateways::version(program).await?, said(program, "-V", "built with OpenSSL").await?)
            }
        };
        let version = version.trim_start_matches("HAProxy version ").replace("/Clean/RELEASE/BoringSSL", "");
        Ok(Self { kind, version, tls })
    }
}

/// What stands behind some words in what a program says of itself.
async fn said(program: &Path, flag: &str, before: &str) -> anyhow::Result<String> {
    let said = Command::new(program).arg(flag).output().await?;
    let text = String::from_utf8_lossy(&said.stdout).into_owned() + &String::from_utf8_lossy(&said.stderr);
    let line = text.lines().find_map(|line| line.trim().strip_prefix(before));
    let line = line.unwrap_or("not told").trim();
    // nginx tells what it was built with, and what it runs with if that is another one.
    let runs = line.split_once("(running with ").map(|(_, runs)| runs.trim_end_matches(')'));
    Ok(runs.unwrap_or(line).to_owned())
}

impl Sample {
    pub(super) fn new(figures: Vec<Figure>, done: &Done) -> Self {
        let amount = if done.bytes > 0 { to_float(done.bytes) / 1e9 } else { to_float(done.operations) };
        let rate = amount / done.wall.as_secs_f64().max(1e-9);
        Self { figures, rate, took: (done.percentile(50.0), done.percentile(99.0)) }
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let figures: Vec<String> = self
            .figures
            .iter()
            .map(|figure| format!("{} {} {}", figure.name, rounded(figure.value), figure.unit))
            .collect();
        f.write_str(&figures.join(", "))
    }
}

impl Row {
    pub(super) fn median(&self) -> f64 {
        median(&self.values)
    }
}

impl Report {
    pub(super) fn new(machine: Machine, rounds: u32, workers: usize) -> Self {
        Self { machine, rounds, workers, peers: Vec::new(), absent: Vec::new(), rows: Vec::new() }
    }

    pub(super) fn present(&mut self, peer: Peer) {
        self.peers.push(peer);
    }

    pub(super) fn absent(&mut self, kind: Kind) {
        self.absent.push(kind);
    }

    pub(super) fn add(&mut self, task: Task, kind: Kind, sample: Sample) {
        for figure in sample.figures {
            let of = |row: &&mut Row| (row.task, row.kind, row.name) == (task, kind, figure.name);
            if let Some(row) = self.rows.iter_mut().find(of) {
                row.values.push(figure.value);
                row.rates.push(sample.rate);
                row.took.push(sample.took);
            } else {
                let (values, rates, took) = (vec![figure.value], vec![sample.rate], vec![sample.took]);
                let (name, unit) = (figure.name, figure.unit);
                self.rows.push(Row { task, kind, name, unit, values, rates, took });
            }
        }
    }

    pub(super) fn finish(&mut self) -> anyhow::Result<()> {
        self.machine.load_after = process::load_average()?;
        Ok(())
    }

    /// Rows by figure: each job's figures in order, with all gateways that have them.
    pub(super) fn groups(&self) -> Vec<Vec<&Row>> {
        let mut groups: Vec<Vec<&Row>> = Vec::new();
        for row in &self.rows {
            let same = |group: &&mut Vec<&Row>| {
                group.first().is_some_and(|first| (first.task, first.name) == (row.task, row.name))
            };
            match groups.iter_mut().find(same) {
                Some(group) => group.push(row),
                None => groups.push(vec![row]),
            }
        }
        groups
    }

    pub(super) fn tell(&self, format: Format) -> anyhow::Result<()> {
        let text = match format {
            Format::Text => self.markdown(),
            Format::Json => format!("{:#}\n", self.json()),
        };
        Ok(std::io::stdout().write_all(text.as_bytes())?)
    }

    fn markdown(&self) -> String {
        let Machine { processor, cores, kernel, busy, load_before, load_after, .. } = &self.machine;
        let mut lines = vec![
            format!(
                "{cores} cores of {processor}, Linux {kernel}; {busy:.2} cores busy before, load average {load_before} \
                 before and {load_after} after; {} rounds, {} worker(s).",
                self.rounds, self.workers
            ),
            String::new(),
        ];
        lines.extend(self.machine.warnings().iter().map(|warning| format!("**Warning:** {warning}.\n")));
        lines.push("| gateway | version | TLS | what it had |\n|---|---|---|---|".to_owned());
        for Peer { kind, version, tls } in &self.peers {
            let had = gateways::describe(*kind);
            lines.push(format!("| {} | {version} | {tls} | {had} |", kind.name()));
        }
        lines.extend(
            self.absent.iter().map(|kind| format!("| {} | not installed, left out | | |", kind.name())),
        );
        for group in self.groups() {
            let Some(first) = group.first() else { continue };
            lines.push(format!("\n**{}**: {}, {}\n", first.task.title(), first.name, first.unit));
            lines.push(
                "| gateway | median (least to most) | to Envoy | to the afternoon proxy | rate | p50, p99 µs |\n\
                 |---|---|---|---|---|---|"
                    .to_owned(),
            );
            lines.extend(group.iter().map(|row| line(row, &group)));
        }
        lines.join("\n") + "\n"
    }

    fn json(&self) -> Value {
        let peer = |peer: &Peer| {
            json!({
                "name": peer.kind.name(),
                "version": peer.version,
                "tls": peer.tls,
                "had": gateways::describe(peer.kind),
            })
        };
        let groups = self.groups();
        let rows = groups.iter().flat_map(|group| group.iter().map(move |row| (row, group)));
        let row = |(row, group): (&&Row, &Vec<&Row>)| {
            json!({
                "job": row.task.to_string(),
                "gateway": row.kind.name(),
                "figure": row.name,
                "unit": row.unit,
                "rounds": row.values,
                "median": row.median(),
                "to_envoy": ratio(row, group, Kind::Envoy),
                "to_afternoon": ratio(row, group, Kind::Afternoon),
                "rate": median(&row.rates),
                "p50_us": median(&row.took.iter().map(|took| took.0).collect::<Vec<_>>()),
                "p99_us": median(&row.took.iter().map(|took| took.1).collect::<Vec<_>>()),
            })
        };
        json!({
            "machine": self.machine,
            "workers": self.workers,
            "rounds": self.rounds,
            "gateways": self.peers.iter().map(peer).collect::<Vec<_>>(),
            "absent": self.absent.iter().map(|kind| kind.name()).collect::<Vec<_>>(),
            "figures": rows.map(row).collect::<Vec<_>>(),
        })
    }
}

fn line(row: &Row, group: &[&Row]) -> String {
    let (least, most) = row
        .values
        .iter()
        .fold((f64::MAX, 0.0_f64), |(least, most), value| (least.min(*value), most.max(*value)));
    let to = |kind| ratio(row, group, kind).map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2}"));
    let rate = if row.unit == "s/GB" {
        format!("{:.2} GB/s", median(&row.rates))
    } else {
        format!("{:.0}/s", median(&row.rates))
    };
    let took = |which: fn(&(f64, f64)) -> f64| median(&row.took.iter().map(which).collect::<Vec<_>>());
    let took = match row.unit {
        "µs" => format!("{:.0}, {:.0}", took(|took| took.0), took(|took| took.1)),
        _ => "–".to_owned(),
    };
    let rate = if matches!(row.unit, "µs" | "s/GB") { rate } else { "–".to_owned() };
    format!(
        "| {} | {} ({} to {}) | {} | {} | {rate} | {took} |",
        row.kind.name(),
        rounded(row.median()),
        rounded(least),
        rounded(most),
        to(Kind::Envoy),
        to(Kind::Afternoon),
    )
}

/// The median of the ratios in each round, which what disturbs whole rounds does not change.
fn ratio(row: &Row, group: &[&Row], kind: Kind) -> Option<f64> {
    let other = group.iter().find(|other| other.kind == kind)?;
    let pairs = row.values.iter().zip(&other.values).filter(|(_, other)| **other > 0.0);
    let ratios: Vec<f64> = pairs.map(|(value, other)| value / other).collect();
    (!ratios.is_empty()).then(|| median(&ratios))
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = sorted.get(sorted.len() / 2).copied().unwrap_or(0.0);
    let lower = sorted.get(sorted.len().saturating_sub(1) / 2).copied().unwrap_or(0.0);
    f64::midpoint(lower, upper)
}

/// To three digits that mean something.
pub(super) fn rounded(value: f64) -> String {
    match value {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        1.0.. => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(kind: Kind, values: &[f64]) -> Row {
        let (rates, took) = (vec![1.0; values.len()], vec![(1.0, 2.0); values.len()]);
        Row { task: Task::THandshake, kind, name: "CPU", unit: "µs", values: values.to_vec(), rates, took }
    }

    #[test]
    fn a_ratio_is_that_of_each_round_and_a_median_has_its_spread() {
        let (ours, envoy) =
            (row(Kind::Landbridge, &[200.0, 150.0, 100.0]), row(Kind::Envoy, &[400.0, 300.0, 220.0]));
        let group = [&ours, &envoy];
        assert_eq!(line(&ours, &group), "| landbridge | 150 (100 to 200) | 0.50 | – | 1/s | 1, 2 |");
        assert_eq!(rounded(median(&[1.0, 4.0])), "2.50");
        assert_eq!((rounded(0.1234), rounded(12.34)), ("0.123".to_owned(), "12.3".to_owned()));
    }
}
