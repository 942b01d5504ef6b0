//! What the gateway has and counts at a moment: from /proc, and from its own metrics.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::ensure;
use landbridge_testkit::http::ask;
use serde::Serialize;
use tokio::time::interval;

use crate::process::{cpu, descriptors, resident_and_threads};

/// One look at the gateway.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Sample {
    /// Since the load began.
    pub(super) seconds: f64,
    /// Resident memory, in bytes.
    pub(super) resident: u64,
    pub(super) descriptors: u64,
    pub(super) threads: u64,
    /// Processor time so far.
    pub(super) cpu_seconds: f64,
    /// Open connections.
    pub(super) active: f64,
    /// Connections accepted so far.
    pub(super) accepted: f64,
    /// Connections refused so far, by reason.
    pub(super) refused: BTreeMap<String, f64>,
    /// Lines of the access log that were lost.
    pub(super) log_dropped: f64,
    /// Configurations and certificates that were applied, and that were refused.
    pub(super) updates: BTreeMap<String, f64>,
}

/// Where to look.
#[derive(Clone, Copy)]
pub(super) struct Looker {
    pub(super) process: u32,
    pub(super) metrics: SocketAddr,
    pub(super) began: Instant,
}

impl Looker {
    pub(super) async fn look(&self) -> anyhow::Result<Sample> {
        // The scrape's own connection is closed when it has answered, or is one descriptor more.
        let (resident, threads) = resident_and_threads(self.process)?;
        let open = descriptors(self.process)?;
        let answer = ask(self.metrics, "soak", "/metrics").await?;
        ensure!(answer.status == 200, "expected metrics with status 200, not {}", answer.status);
        let one = |name: &str| series(&answer.body, name).map(|(_, value)| value).sum();
        let by = |name: &str, label: &str| {
            let mut sums: BTreeMap<String, f64> = BTreeMap::new();
            for (labels, value) in series(&answer.body, name) {
                *sums.entry(label_of(labels, label).to_owned()).or_default() += value;
            }
            sums
        };
        let config = by("landbridge_config_updates_total", "result");
        let files = by("landbridge_certificate_reloads_total", "result");
        let named = |kind: &str, sums: BTreeMap<String, f64>| {
            sums.into_iter().map(|(result, value)| (format!("{kind} {result}"), value)).collect::<Vec<_>>()
        };
        Ok(Sample {
            seconds: self.began.elapsed().as_secs_f64(),
            resident,
            descriptors: open,
            threads,
            cpu_seconds: cpu(self.process)?.as_secs_f64(),
            active: one("landbridge_connections_active"),
            accepted: one("landbridge_connections_total"),
            refused: by("landbridge_connections_refused_total", "reason"),
            log_dropped: one("landbridge_access_log_dropped_total"),
            updates: named("configuration", config).into_iter().chain(named("files", files)).collect(),
        })
    }
}

/// The labels and values of a metric in Prometheus's text.
fn series<'a>(body: &'a str, name: &'a str) -> impl Iterator<Item = (&'a str, f64)> {
    body.lines().filter_map(move |line| {
        let rest = line.strip_prefix(name)?;
        let (labels, value) = rest.rsplit_once(' ')?;
        let whole = labels.is_empty() || labels.starts_with('{');
        whole.then_some(())?;
        Some((labels, value.parse().ok()?))
    })
}

fn label_of<'a>(labels: &'a str, label: &str) -> &'a str {
    let pairs = labels.trim_start_matches('{').trim_end_matches('}').split(',');
    let value = pairs.filter_map(|pair| pair.split_once('=')).find(|(name, _)| *name == label);
    value.map_or("", |(_, value)| value.trim_matches('"'))
}

/// Looks again and again while all of the load is there; a look that fails on a machine that stands still is
/// counted, and the next one made.
pub(super) async fn sampled(looker: Looker, every: Duration, time: Duration) -> (Vec<Sample>, u64) {
    let (mut samples, mut missed) = (Vec::new(), 0);
    let mut tick = interval(every);
    loop {
        tick.tick().await;
        if looker.began.elapsed() >= time {
            return (samples, missed);
        }
        match looker.look().await {
            Ok(sample) => samples.push(sample),
            Err(_) => missed += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_told_from_one_whose_name_goes_on() {
        let body = "# TYPE a counter\na 3\na_total{reason=\"x\",mode=\"y\"} 4\na_total{reason=\"z\"} 5\n";
        assert_eq!(series(body, "a").collect::<Vec<_>>(), [("", 3.0)]);
        let reasons: Vec<_> =
            series(body, "a_total").map(|(labels, value)| (label_of(labels, "reason"), value)).collect();
        assert_eq!(reasons, [("x", 4.0), ("z", 5.0)]);
    }
}
