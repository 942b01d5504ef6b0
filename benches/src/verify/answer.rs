//! What came of a check, as a table or as JSON.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use clap::ValueEnum;
use landbridge_streams::{Count, Score};
use serde_json::{Value, json};

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A table.
    Text,
    /// One JSON object.
    Json,
}

/// Who is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    /// A user, once all is done.
    User(Format),
    /// Whoever is going to kill this process, as soon as all connections stand.
    Killer,
}

impl Audience {
    pub(crate) fn format(self) -> Format {
        match self {
            Self::User(format) => format,
            Self::Killer => Format::Text,
        }
    }
}

/// What came of a check, scenario by scenario.
#[derive(Default)]
pub(crate) struct Answer {
    rows: Vec<(String, Score)>,
    took: Duration,
    reloads: u64,
}

impl Answer {
    pub(crate) fn add(&mut self, name: &str, score: Score) {
        self.rows.push((name.to_owned(), score));
    }

    /// Notes how long it took, and how often the gateway was told to reload meanwhile.
    pub(crate) fn took(&mut self, took: Duration, reloads: u64) {
        (self.took, self.reloads) = (took, reloads);
    }

    /// Writes it to standard output; the exit code says whether all is well.
    pub(crate) fn tell(&self, format: Format) -> anyhow::Result<ExitCode> {
        let text = match format {
            Format::Text => self.table(),
            Format::Json => format!("{:#}\n", self.json()),
        };
        std::io::stdout().write_all(text.as_bytes())?;
        Ok(if self.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// Whether nothing was lost and no end was false.
    pub(crate) fn is_good(&self) -> bool {
        self.rows.iter().all(|(_, score)| score.is_good())
    }

    /// As a table for people.
    pub(crate) fn table(&self) -> String {
        let mut lines = vec![format!(
            "{:<40} {:>11} {:>7} {:>8} {:>7} {:>6} {:>6} {:>7} {:>12}  {}",
            "",
            "connections",
            "exact",
            "cut,true",
            "FALSE",
            "WRONG",
            "BROKEN",
            "FAILED",
            "THROWN AWAY",
            "seen"
        )];
        let mut total = Score::default();
        for (name, score) in &self.rows {
            lines.push(row(name, score));
            total.merge(score.clone());
        }
        if self.rows.len() > 1 {
            lines.push(row("all", &total));
        }
        lines.extend(total.examples.iter().map(|example| format!("  {example}")));
        lines.push(format!(
            "{} bytes checked ({} to endpoints, {} to clients), {} connections, {} s, {} reloads: {}",
            total.forth.bytes + total.back.bytes,
            total.forth.bytes,
            total.back.bytes,
            total.connections,
            self.took.as_secs(),
            self.reloads,
            if self.is_good() { "nothing lost, no end was false" } else { "NOT GOOD" }
        ));
        lines.join("\n") + "\n"
    }

    /// As an object for programs.
    pub(crate) fn json(&self) -> Value {
        let rows: Vec<Value> = self
            .rows
            .iter()
            .map(|(name, score)| {
                json!({
                    "scenario": name,
                    "connections": score.connections,
                    "failed": score.failed,
                    "missing": score.missing,
                    "forth": count(&score.forth),
                    "back": count(&score.back),
                    "examples": score.examples,
                })
            })
            .collect();
        json!({
            "good": self.is_good(), "seconds": self.took.as_secs_f64(), "reloads": self.reloads, "scenarios": rows,
        })
    }
}

fn row(name: &str, score: &Score) -> String {
    let both = |of: fn(&Count) -> u64| of(&score.forth) + of(&score.back);
    let seen = |way: &str, count: &Count| {
        let ends: Vec<String> = count.seen.iter().map(|(end, times)| format!("{times} {end}")).collect();
        if ends.is_empty() { String::new() } else { format!("{way}: {}. ", ends.join(", ")) }
    };
    let line = format!(
        "{name:<40} {:>11} {:>7} {:>8} {:>7} {:>6} {:>6} {:>7} {:>12}  {}{}",
        score.connections,
        both(|count| count.exact),
        both(|count| count.truthful),
        both(|count| count.falsely_clean),
        both(|count| count.wrong),
        both(|count| count.broken + count.endless),
        score.failed,
        both(|count| count.thrown_away.1),
        seen("endpoint", &score.forth),
        seen("client", &score.back),
    );
    line.trim_end().to_owned()
}

fn count(count: &Count) -> Value {
    json!({
        "exact": count.exact,
        "cut_truthfully": count.truthful,
        "not_waited_for": count.unread,
        "falsely_clean": count.falsely_clean,
        "wrong_bytes": count.wrong,
        "broken": count.broken,
        "endless": count.endless,
        "streams_thrown_away_from": count.thrown_away.0,
        "bytes_thrown_away": count.thrown_away.1,
        "bytes": count.bytes,
        "seen": count.seen,
    })
}
