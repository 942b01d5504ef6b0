//! `landbridge validate`: every problem of a configuration at once.

use std::process::ExitCode;

use landbridge::config::Config;

use crate::args::Validate;
use crate::load::{Complaint, load};
use crate::report_format::ReportFormat;

/// Prints what is wrong and what looks wrong; 0 if the file would be accepted, 1 if not.
#[expect(clippy::print_stdout, reason = "this is what the command is for")]
pub(crate) fn validate(arguments: &Validate) -> ExitCode {
    let (complaints, summary) = match load(&arguments.config) {
        Ok(loaded) => {
            let summary = format!("valid: {}", served(&loaded.config));
            (loaded.warnings, Some(summary))
        }
        Err(complaints) => (complaints, None),
    };
    match arguments.format {
        ReportFormat::Text => {
            for complaint in &complaints {
                println!("{complaint}");
            }
            let errors = complaints.iter().filter(|complaint| complaint.is_error()).count();
            match &summary {
                Some(summary) => println!("{}: {summary}", arguments.config.display()),
                None => println!(
                    "{}: invalid: {}",
                    arguments.config.display(),
                    counted(errors, "error", "errors")
                ),
            }
        }
        ReportFormat::Json => println!("{}", json(&complaints)),
    }
    if summary.is_some() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

pub(crate) fn json(complaints: &[Complaint]) -> serde_json::Value {
    let problems: Vec<serde_json::Value> = complaints
        .iter()
        .map(|complaint| match complaint {
            Complaint::Text(problem) => serde_json::json!(problem),
            Complaint::File { path, message, fatal } => serde_json::json!({
                "severity": if *fatal { "error" } else { "warning" },
                "file": path,
                "message": message,
            }),
        })
        .collect();
    let valid = !complaints.iter().any(Complaint::is_error);
    serde_json::json!({ "valid": valid, "problems": problems })
}

/// How many services and trust entries a configuration has, in words.
pub(crate) fn served(config: &Config) -> String {
    let services = counted(config.services.len(), "service", "services");
    format!("{services}, {}", counted(config.trust.len(), "trust entry", "trust entries"))
}

fn counted(count: usize, one: &str, several: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { several })
}
