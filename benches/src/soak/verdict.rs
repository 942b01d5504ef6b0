//! What came of it: the faults, a table, an object, and the drawing's points.

use std::fmt::Write;
use std::time::Duration;

use landbridge_streams::Score;
use serde_json::{Value, json};

use super::changes::Made;
use super::lines::Lines;
use super::sample::Sample;
use super::trend::{Trend, trend};
use crate::verify::Answer;

/// Below this the slope of memory is told and not judged.
const JUDGED: Duration = Duration::from_secs(30 * 60);
const MEBIBYTE: f64 = 1024.0 * 1024.0;

/// All that was seen.
pub(super) struct Soaked {
    pub(super) rows: Vec<(String, Score)>,
    /// After a first connection to each service, under load, and when all was over.
    pub(super) start: Sample,
    pub(super) samples: Vec<Sample>,
    pub(super) idle: Sample,
    /// Looks that failed.
    pub(super) missed: u64,
    pub(super) lines: Lines,
    pub(super) made: Made,
    /// Events of the gateway that tell of a panic.
    pub(super) panics: Vec<String>,
    /// How the gateway ended, unless that was by exit code 0.
    pub(super) exit: Option<String>,
    pub(super) took: Duration,
    /// Which slope of memory is too much, in MiB an hour.
    pub(super) bound: f64,
    /// The machine's load when it began and when it ended.
    pub(super) load: [String; 2],
}

impl Soaked {
    /// Everything that is wrong, a sentence each.
    pub(super) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut unless = |good: bool, fault: String| {
            if !good {
                faults.push(fault);
            }
        };
        for (name, score) in &self.rows {
            let example = score.examples.first().map_or("", String::as_str);
            unless(score.is_good(), format!("{name}: {example}"));
        }
        let Self { start, idle, lines, .. } = self;
        unless(same(idle.active, 0.0), format!("{} connections are open that nobody has", idle.active));
        let (open, before) = (idle.descriptors, start.descriptors);
        unless(open <= before, format!("{open} descriptors are open at the end, {before} before"));
        let told = self.told();
        unless(
            same(idle.accepted, told),
            format!("{} connections were accepted, the access log and the probes make {told}", idle.accepted),
        );
        unless(lines.unreadable == 0, format!("{} lines of the access log are no JSON", lines.unreadable));
        unless(
            same(idle.log_dropped, 0.0),
            format!("{} lines of the access log were lost", idle.log_dropped),
        );
        let internal = lines.flags.get("IE").copied().unwrap_or_default();
        unless(internal == 0, format!("{internal} connections ended by an internal error"));
        for kind in ["configuration", "files"] {
            let count = |result: &str| {
                let name = format!("{kind} {result}");
                idle.updates.get(&name).copied().unwrap_or(0.0)
                    - start.updates.get(&name).copied().unwrap_or(0.0)
            };
            let refused = count("refused");
            unless(same(refused, 0.0), format!("{kind}: {refused} changes were refused"));
            unless(count("applied") >= 1.0, format!("{kind}: no change was applied"));
        }
        unless(!self.samples.is_empty(), "the gateway never told how it is under load".to_owned());
        for panic in &self.panics {
            unless(false, format!("a panic: {panic}"));
        }
        if let Some(exit) = &self.exit {
            unless(false, format!("the gateway ended with {exit}, expected 0"));
        }
        if self.took >= JUDGED {
            let slope = self.memory().map_or(f64::INFINITY, |trend| trend.slope);
            unless(slope < self.bound, format!("memory grows by {slope:.2} MiB/h, over {:.2}", self.bound));
        }
        faults
    }

    /// Connections that the access log tells of, and those that it has no lines for.
    fn told(&self) -> f64 {
        let probes = self.idle.refused.get("probe").copied().unwrap_or_default();
        float(self.lines.connections) + float(self.lines.suppressed) + probes
    }

    /// Of resident memory, in MiB an hour.
    fn memory(&self) -> Option<Trend> {
        self.second_half(|sample| float(sample.resident) / MEBIBYTE)
    }

    /// Of descriptors, an hour.
    fn descriptors(&self) -> Option<Trend> {
        self.second_half(|sample| float(sample.descriptors))
    }

    fn second_half(&self, of: impl Fn(&Sample) -> f64) -> Option<Trend> {
        let half = self.samples.get(self.samples.len() / 2..)?;
        let points: Vec<(f64, f64)> =
            half.iter().map(|sample| (sample.seconds / 3600.0, of(sample))).collect();
        trend(&points)
    }

    fn answer(&self) -> Answer {
        let mut answer = Answer::default();
        for (name, score) in &self.rows {
            answer.add(name, score.clone());
        }
        answer.took(self.took, self.made.get("configuration changed, HUP").copied().unwrap_or_default());
        answer
    }

    /// For people.
    pub(super) fn table(&self) -> String {
        let mut text = self.answer().table();
        let Self { start, idle, lines, .. } = self;
        let mut say = |what: &str, value: String| {
            // Nothing that is written to a String fails.
            let _ = writeln!(text, "{what:<28} {value}");
        };
        let middle = self.samples.get(self.samples.len() / 2).unwrap_or(idle);
        let last = self.samples.last().unwrap_or(idle);
        let moments = [("before", start), ("half-way", middle), ("last under load", last), ("idle", idle)];
        let each = |of: &dyn Fn(&Sample) -> String| {
            moments.map(|(when, sample)| format!("{} {when}", of(sample))).join(", ")
        };
        say("samples", format!("{}, {} looks failed", self.samples.len(), self.missed));
        say("resident memory, MiB", each(&|it| format!("{:.1}", float(it.resident) / MEBIBYTE)));
        say("descriptors", each(&|it| it.descriptors.to_string()));
        say("threads", each(&|it| it.threads.to_string()));
        say("open connections", each(&|it| it.active.to_string()));
        let judged = if self.took < JUDGED { "not judged, as it took less than 30 min" } else { "judged" };
        say("memory, MiB/h", format!("{} ({judged}; bound {})", told(self.memory()), self.bound));
        say("descriptors/h", told(self.descriptors()));
        let cores = (last.cpu_seconds - start.cpu_seconds) / last.seconds.max(1.0);
        say("gateway's processor time", format!("{:.0} s, {cores:.2} of a core", last.cpu_seconds));
        say("accepted", format!("{} ({:.1}/s)", idle.accepted, last.accepted / last.seconds.max(1.0)));
        say("refused", list(idle.refused.iter().filter(|(_, count)| **count > 0.0)));
        let by_flag = list(lines.flags.iter());
        say("lines of the access log", format!("{} in {} files: {by_flag}", lines.connections, lines.files));
        say("of many refusals", format!("{} suppressed", lines.suppressed));
        say("changes made", list(self.made.iter()));
        say("changes that the gateway saw", list(idle.updates.iter()));
        say("load of the machine", self.load.join(" at first, ") + " at last");
        let faults = self.faults();
        for fault in &faults {
            say("FAULT", fault.clone());
        }
        say("verdict", if faults.is_empty() { "all holds".to_owned() } else { "NOT GOOD".to_owned() });
        text
    }

    /// For programs.
    pub(super) fn json(&self) -> Value {
        json!({
            "faults": self.faults(),
            "seconds": self.took.as_secs_f64(),
            "resident_mib_per_hour": self.memory(),
            "descriptors_per_hour": self.descriptors(),
            "bound_mib_per_hour": self.bound,
            "checked": self.answer().json(),
            "access_log": self.lines,
            "changes": self.made,
            "panics": self.panics,
            "load_average": self.load,
            "start": self.start,
            "samples": self.samples,
            "missed_samples": self.missed,
            "idle": self.idle,
        })
    }

    /// Minutes and MiB, for the drawing.
    pub(super) fn curve(&self) -> Vec<(f64, f64)> {
        let all = std::iter::once(&self.start).chain(&self.samples).chain([&self.idle]);
        all.map(|sample| (sample.seconds / 60.0, float(sample.resident) / MEBIBYTE)).collect()
    }
}

fn told(trend: Option<Trend>) -> String {
    trend.map_or("too few samples".to_owned(), |it| format!("{:+.2} ± {:.2}", it.slope, it.error))
}

fn list<K: std::fmt::Display, V: std::fmt::Display>(all: impl Iterator<Item = (K, V)>) -> String {
    all.map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
}

/// Counts are far below 2^53.
fn same(left: f64, right: f64) -> bool {
    (left - right).abs() < 0.5
}

#[expect(clippy::cast_precision_loss, reason = "what is counted and measured here is far below 2^53")]
fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests;
