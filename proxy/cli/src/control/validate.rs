//! `landbridge control validate`: every problem of a folder at once.

use std::process::ExitCode;

use landbridge_control_server::Folder;

use super::args::Validate;
use super::configured;
use crate::load::Complaint;
use crate::report_format::ReportFormat;

/// Prints what is wrong and what looks wrong; 0 if all of it would be served, 1 if not.
#[expect(clippy::print_stdout, reason = "this is what the command is for")]
pub(super) fn validate(arguments: &Validate) -> ExitCode {
    let mut complaints = match configured(arguments.config.as_deref()) {
        Ok((_, warnings)) => warnings,
        Err(complaints) => complaints,
    };
    let mut served = 0;
    match Folder::new(&arguments.dir).load() {
        Ok(loaded) => {
            served = loaded.entries.len();
            complaints.extend(loaded.problems.into_iter().map(Complaint::Text));
        }
        Err(error) => {
            let message = format!("cannot be listed: {error}");
            complaints.push(Complaint::File { path: arguments.dir.clone(), message, fatal: true });
        }
    }
    let errors = complaints.iter().filter(|complaint| complaint.is_error()).count();
    match arguments.format {
        ReportFormat::Text => {
            for complaint in &complaints {
                println!("{complaint}");
            }
            let said = match errors {
                0 => format!("valid: {served} {}", if served == 1 { "resource" } else { "resources" }),
                1 => "invalid: 1 error".to_owned(),
                many => format!("invalid: {many} errors"),
            };
            println!("{}: {said}", arguments.dir.display());
        }
        ReportFormat::Json => println!("{}", crate::validate::json(&complaints)),
    }
    if errors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
