//! The table of what each gateway made of every end.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;

use landbridge_streams::{Count, Mode, Scenario, Score};

use super::gateways::Kind;

/// What each gateway made of every end.
#[derive(Default)]
pub(crate) struct Report {
    versions: Vec<(Kind, String)>,
    absent: Vec<Kind>,
    scores: HashMap<Mode, Scores>,
}

type Scores = BTreeMap<(Scenario, Kind), Score>;

impl Report {
    pub(crate) fn present(&mut self, kind: Kind, version: &str) {
        self.versions.push((kind, version.to_owned()));
    }

    pub(crate) fn absent(&mut self, kind: Kind) {
        self.absent.push(kind);
    }

    pub(crate) fn add(&mut self, kind: Kind, mode: Mode, scenario: Scenario, score: Score) {
        self.scores.entry(mode).or_default().insert((scenario, kind), score);
    }

    /// Writes it to standard output, as Markdown.
    pub(crate) fn tell(&self) -> anyhow::Result<()> {
        let mut output = std::io::stdout().lock();
        for (kind, version) in &self.versions {
            writeln!(output, "{}: {version}", kind.name())?;
        }
        for kind in &self.absent {
            writeln!(output, "{}: not installed, left out", kind.name())?;
        }
        writeln!(
            output,
            "\nFalsely clean ends of all streams that were cut and whose receiver was still there; \
             \"lost\": accepted bytes thrown away."
        )?;
        for mode in Mode::ALL {
            let Some(scores) = self.scores.get(&mode) else { continue };
            let title = match mode {
                Mode::Terminate => "Mutual TLS terminated",
                Mode::Passthrough => "TLS passed through, its ends seen by TLS",
                Mode::Raw => "Passed through, the ends of TCP seen",
            };
            writeln!(output, "\n{title}\n\n{}\n", self.table(scores))?;
            for ((scenario, kind), score) in scores {
                if let Some(example) = score.examples.first() {
                    writeln!(output, "{} {scenario}: {example}", kind.name())?;
                }
            }
        }
        Ok(())
    }

    fn table(&self, scores: &Scores) -> String {
        let names: Vec<&str> = self.versions.iter().map(|(kind, _)| kind.name()).collect();
        let head = format!("| | {} |\n|---|{}", names.join(" | "), "---|".repeat(names.len()));
        let mut lines = vec![head];
        for scenario in Scenario::ALL {
            let cells: Vec<String> = self
                .versions
                .iter()
                .filter_map(|(kind, _)| scores.get(&(scenario, *kind)))
                .map(|score| cell(scenario, score))
                .collect();
            if !cells.is_empty() {
                lines.push(format!("| {} | {} |", scenario.describe(), cells.join(" | ")));
            }
        }
        let totals: Vec<String> = self.versions.iter().map(|(kind, _)| total(*kind, scores)).collect();
        lines.push(format!("| **all** | {} |", totals.join(" | ")));
        lines.join("\n")
    }
}

fn cell(scenario: Scenario, score: &Score) -> String {
    let both = |of: fn(&Count) -> u64| of(&score.forth) + of(&score.back);
    let mut said = Vec::new();
    if scenario.is_peaceful() {
        said.push(format!("{} of {} whole", both(|count| count.exact), 2 * score.connections));
    } else {
        said.push(format!("{} of {}", score.falsely_clean(), score.cut()));
    }
    if scenario.is_peaceful() && score.falsely_clean() > 0 {
        said.push(format!("{} falsely clean", score.falsely_clean()));
    }
    if scenario == Scenario::GatewayKilled {
        let ends: Vec<String> =
            score.forth.seen.iter().map(|(end, times)| format!("{times} {end}")).collect();
        said.push(format!("the endpoint saw {}", ends.join(", ")));
    }
    let (streams, bytes) = (both(|count| count.thrown_away.0), both(|count| count.thrown_away.1));
    if streams > 0 {
        said.push(format!("lost {} KiB of {streams}", bytes.div_ceil(1024)));
    }
    for (what, number) in [
        ("with wrong bytes", both(|count| count.wrong)),
        ("without an end", both(|count| count.endless)),
        ("failed", score.failed),
    ] {
        if number > 0 {
            said.push(format!("{number} {what}"));
        }
    }
    said.join("; ")
}

fn total(kind: Kind, scores: &Scores) -> String {
    let mut all = Score::default();
    scores.iter().filter(|((_, of), _)| *of == kind).for_each(|(_, score)| all.merge(score.clone()));
    let bytes = all.forth.thrown_away.1 + all.back.thrown_away.1;
    format!("**{} of {}**; lost {} KiB", all.falsely_clean(), all.cut(), bytes.div_ceil(1024))
}
