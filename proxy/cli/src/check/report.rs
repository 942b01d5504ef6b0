//! What was found, for people and for machines.

use std::fmt;

use serde_json::json;

/// Everything that was found, in the order in which it was looked at.
#[derive(Debug, Default)]
pub(crate) struct Report {
    findings: Vec<Finding>,
}

#[derive(Debug)]
struct Finding {
    verdict: Verdict,
    what: String,
    detail: String,
    /// What to do about it; empty where there is nothing to do, or the detail says it.
    advice: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Ok,
    Warn,
    Fail,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

impl Report {
    /// Something is as it should be.
    pub(crate) fn ok(&mut self, what: impl Into<String>, detail: impl Into<String>) {
        self.add(Verdict::Ok, what.into(), detail.into(), "");
    }

    /// Something works, and may not for long or not for everybody.
    pub(crate) fn warn(&mut self, what: impl Into<String>, detail: impl Into<String>, advice: &str) {
        self.add(Verdict::Warn, what.into(), detail.into(), advice);
    }

    /// Something keeps the gateway, or one of its services, from working.
    pub(crate) fn fail(&mut self, what: impl Into<String>, detail: impl Into<String>, advice: &str) {
        self.add(Verdict::Fail, what.into(), detail.into(), advice);
    }

    /// Whether nothing failed.
    pub(crate) fn passed(&self) -> bool {
        self.findings.iter().all(|finding| finding.verdict != Verdict::Fail)
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        let checks: Vec<serde_json::Value> = self
            .findings
            .iter()
            .map(|Finding { verdict, what, detail, advice }| {
                json!({ "verdict": verdict.word(), "what": what, "detail": detail, "advice": advice })
            })
            .collect();
        json!({ "passed": self.passed(), "checks": checks })
    }

    fn add(&mut self, verdict: Verdict, what: String, detail: String, advice: &str) {
        self.findings.push(Finding { verdict, what, detail, advice: advice.to_owned() });
    }
}

/// One line each: the verdict, what was looked at, what was found, what to do.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Finding { verdict, what, detail, advice } in &self.findings {
            let line = [what, detail, advice].map(|part| one_line(part)).join("  ");
            writeln!(f, "{:<4}  {}", verdict.word(), line.trim_end())?;
        }
        Ok(())
    }
}

/// Paths and peers may hold anything; a finding is one line all the same.
fn one_line(text: &str) -> String {
    text.chars().map(|it| if it.is_control() { ' ' } else { it }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_has_a_line_per_finding_and_passes_unless_one_failed() {
        let mut report = Report::default();
        report.ok("clock", "2026-11-20");
        report.warn("a\nb", "c", "do this");
        assert!(report.passed());
        assert_eq!(report.to_string(), "ok    clock  2026-11-20\nwarn  a b  c  do this\n");
        report.fail("port", "taken", "free it");
        assert!(!report.passed());
        let json = report.json();
        assert_eq!(json["passed"], false);
        assert_eq!(json["checks"][2]["verdict"], "fail");
        assert_eq!(json["checks"][2]["advice"], "free it");
    }
}
