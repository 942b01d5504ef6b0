//! valgrind's callgrind, and what it wrote.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};

/// Instructions, in all and within each function: its own and those of whatever it called.
#[derive(Debug, Default)]
pub(super) struct Counted {
    pub(super) total: u64,
    functions: HashMap<String, u64>,
}

/// Runs a case in a process of its own, and counts all of its instructions.
///
/// With `within`, those alone that are within functions of such a name.
pub(super) fn count(
    program: &Path,
    case: usize,
    times: usize,
    folder: &Path,
    within: Option<&str>,
) -> anyhow::Result<Counted> {
    let written = folder.join(format!("callgrind-{case}-{times}"));
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--quiet"])
        .args(within.map(|name| format!("--toggle-collect={name}")))
        .arg(format!("--callgrind-out-file={}", written.display()))
        .arg(program)
        .args(["cost", "--case", &case.to_string(), "--times", &times.to_string(), "--folder"])
        .arg(folder)
        .output()
        .context("cannot run valgrind; install it (apt-get install valgrind)")?;
    ensure!(output.status.success(), "case {case}: {}", String::from_utf8_lossy(&output.stderr));
    let text = std::fs::read_to_string(&written)?;
    Ok(Counted::read(&text))
}

impl Counted {
    /// Reads the format of callgrind with compressed names, one event, and no cycles.
    fn read(text: &str) -> Self {
        let mut counted = Self::default();
        let mut names: HashMap<&str, &str> = HashMap::new();
        let mut function = "";
        for line in text.lines() {
            if let Some(name) = line.strip_prefix("fn=") {
                function = resolve(name, &mut names);
            } else if let Some(name) = line.strip_prefix("cfn=") {
                resolve(name, &mut names);
            } else if let Some(rest) = line.strip_prefix("totals: ").or(line.strip_prefix("summary: ")) {
                counted.total = rest.trim().parse().unwrap_or(0);
            } else if line.starts_with(|first: char| first.is_ascii_digit() || "+-*".contains(first)) {
                // A place and a cost; behind "calls=" it is the cost of what was called.
                let cost = line.split(' ').nth(1).and_then(|cost| cost.parse().ok()).unwrap_or(0);
                *counted.functions.entry(function.to_owned()).or_default() += cost;
            }
        }
        counted
    }

    /// What this has more than `other`, in equal parts.
    pub(super) fn less(mut self, other: &Self, parts: u64) -> Self {
        let share = |more: u64, less: u64| more.saturating_sub(less) / parts.max(1);
        for (name, cost) in &mut self.functions {
            *cost = share(*cost, other.functions.get(name).copied().unwrap_or(0));
        }
        self.total = share(self.total, other.total);
        self
    }

    /// Within the function of this name; `None` where the compiler left none.
    pub(super) fn within(&self, name: &str) -> Option<u64> {
        self.functions.get(name).copied()
    }

    /// The functions within which the most was counted.
    pub(super) fn most(&self, count: usize) -> Vec<(&str, u64)> {
        let mut all: Vec<(&str, u64)> =
            self.functions.iter().map(|(name, cost)| (name.as_str(), *cost)).collect();
        all.sort_by_key(|(name, cost)| (std::cmp::Reverse(*cost), *name));
        all.truncate(count);
        all
    }
}

/// A name is written once, as "(7) name", and later as "(7)".
fn resolve<'a>(text: &'a str, names: &mut HashMap<&'a str, &'a str>) -> &'a str {
    match text.split_once(' ') {
        Some((number, name)) => {
            names.insert(number, name);
            name
        }
        None => names.get(text).copied().unwrap_or(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITTEN: &str = "events: Ir\nfl=(1) a.rs\nfn=(1) main\n16 400\n+1 20\ncfn=(2) verify\ncalls=2 50\n\
                           +1 1000\n\nfn=(2)\n50 700\n* 300\n\ntotals: 1420\n";

    #[test]
    fn calls_are_counted_within_their_callers() {
        let counted = Counted::read(WRITTEN);
        assert_eq!(counted.total, 1420);
        assert_eq!((counted.within("main"), counted.within("verify")), (Some(1420), Some(1000)));
        assert_eq!(counted.within("absent"), None);
        assert_eq!(counted.most(1), [("main", 1420)]);
    }

    #[test]
    fn the_difference_is_divided() {
        let more = Counted::read(WRITTEN);
        let fewer = Counted::read(&WRITTEN.replace("1420", "420").replace("1000", "0"));
        let one = more.less(&fewer, 10);
        assert_eq!((one.total, one.within("main")), (100, Some(100)));
    }
}
