//! The lines of the access log, counted: one for each connection.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use anyhow::Context;
use serde::Serialize;
use serde_json::Value;

/// What the files of the access log say.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Lines {
    /// Of one connection each.
    pub(super) connections: u64,
    /// Refusals that lines stand for which tell of many.
    pub(super) suppressed: u64,
    /// Which are no JSON.
    pub(super) unreadable: u64,
    /// Connections by flag.
    pub(super) flags: BTreeMap<String, u64>,
    /// Files that were read.
    pub(super) files: u64,
}

impl Lines {
    /// Counts the lines of a file.
    pub(super) fn read(&mut self, path: &Path) -> anyhow::Result<()> {
        let file = File::open(path).with_context(|| format!("no access log at {}", path.display()))?;
        self.files += 1;
        for line in BufReader::new(file).lines() {
            self.count(&line?);
        }
        Ok(())
    }

    fn count(&mut self, line: &str) {
        let Ok(Value::Object(keys)) = serde_json::from_str(line) else {
            self.unreadable += 1;
            return;
        };
        if let Some(many) = keys.get("suppressed").and_then(Value::as_u64) {
            self.suppressed += many;
            return;
        }
        self.connections += 1;
        let flag = keys.get("response_flags").and_then(Value::as_str).unwrap_or("none");
        *self.flags.entry(flag.to_owned()).or_default() += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_connection_or_many_or_unreadable() {
        let mut lines = Lines::default();
        lines.count(r#"{"response_flags":"-","refusal":null}"#);
        lines.count(r#"{"response_flags":"NR","refusal":"no_route"}"#);
        lines.count(r#"{"response_flags":"NR","refusal":"no_route","suppressed":7}"#);
        lines.count(r#"{"response_fl"#);
        assert_eq!((lines.connections, lines.suppressed, lines.unreadable), (2, 7, 1));
        assert_eq!(lines.flags.get("NR"), Some(&1));
    }
}
