//! `landbridge explain`: what would become of a call, and why.

use std::fmt::Write as _;
use std::process::ExitCode;

use landbridge::config::Config;
use landbridge_core::explain::{Call, Explanation};
use landbridge_core::spiffe::TrustName;

use crate::args::Explain;
use crate::load;
use crate::print::{misused, print};
use crate::report_format::ReportFormat;

/// Tells it step by step; 0 if the call would be let in, 1 if not, 2 if the question has no answer.
pub(crate) fn explain(arguments: &Explain) -> anyhow::Result<ExitCode> {
    let config = match load::configured(&arguments.config) {
        Ok(accepted) => accepted.config,
        Err(complaints) => {
            let said: Vec<String> = complaints.iter().map(ToString::to_string).collect();
            return Ok(misused(&format!("nothing can be explained by this file:\n{}", said.join("\n"))));
        }
    };
    if let Some(complaint) = arguments.trust.as_deref().and_then(|name| unknown(name, &config)) {
        return Ok(misused(&complaint));
    }
    let call = Call {
        sni: arguments.sni.clone(),
        identity: arguments.identity.clone(),
        trust: arguments.trust.as_deref().map(TrustName::new),
    };
    let story = landbridge_core::explain::explain(&config, &call);
    let text = match arguments.format {
        ReportFormat::Text => text(&story),
        ReportFormat::Json => format!("{}\n", serde_json::to_string_pretty(&story)?),
    };
    print(text.as_bytes())?;
    Ok(if story.verdict.let_in() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What to say of a trust entry that the file does not have.
fn unknown(name: &str, config: &Config) -> Option<String> {
    let mut known = config.trust.iter().map(|entry| entry.name.as_str());
    if known.clone().any(|entry| entry == name) {
        return None;
    }
    let entries = match config.trust.len() {
        0 => "it has none".to_owned(),
        _ => format!("its entries are: {}", known.by_ref().collect::<Vec<_>>().join(", ")),
    };
    Some(format!("the file has no [[trust]] entry {name:?}; {entries}"))
}

/// One step to a line, what belongs to it indented below.
fn text(story: &Explanation) -> String {
    let mut text = String::new();
    for step in &story.steps {
        // Writing to a string can't fail.
        let _ = writeln!(text, "{:<11}{}", step.topic.as_str(), step.says);
        for line in &step.list {
            let _ = writeln!(text, "           - {line}");
        }
    }
    text
}
