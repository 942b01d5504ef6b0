//! `landbridge check`: whether this machine, its files and its endpoints are ready for a configuration.
//!
//! It looks and changes nothing: listeners are bound and closed again, endpoints are connected to and left.

mod certificates;
mod clock;
mod endpoints;
mod limits;
mod ports;
mod report;

use std::process::ExitCode;

use anyhow::Context;
use landbridge::config::Config;
use landbridge::{Credentials, CredentialsError};
use tokio::runtime::Builder;

use self::report::Report;
use crate::args::Check;
use crate::load::{Complaint, Configured, configured};
use crate::report_format::ReportFormat;
use crate::run::raise_open_files;
use crate::validate::served;

/// Prints what it found, one line each; 0 if nothing keeps the gateway from working, 1 if something does.
pub(crate) fn check(arguments: &Check) -> anyhow::Result<ExitCode> {
    let mut report = Report::default();
    clock::check(&mut report);
    match configured(&arguments.config) {
        Ok(Configured { config, warnings }) => {
            complain(&mut report, &warnings);
            report.ok("configuration", format!("{}: {}", arguments.config.display(), served(&config)));
            examine(&mut report, &config)?;
        }
        Err(complaints) => complain(&mut report, &complaints),
    }
    print(&report, arguments.format);
    Ok(if report.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Everything that a configuration makes sense of.
fn examine(report: &mut Report, config: &Config) -> anyhow::Result<()> {
    match Credentials::load(&config.identity, &config.trust) {
        Ok(credentials) => certificates::check(report, &credentials),
        Err(CredentialsError(problems)) => {
            for problem in problems {
                report.fail("certificates", format!("{}: {}", problem.path.display(), problem.message), "");
            }
        }
    }
    // As `run` does before it works out its limits.
    raise_open_files();
    limits::check(report, &config.gateway.limits);
    let runtime = Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
    runtime.block_on(async {
        ports::check(report, config).await;
        endpoints::check(report, config).await;
    });
    Ok(())
}

fn complain(report: &mut Report, complaints: &[Complaint]) {
    for complaint in complaints {
        let detail = complaint.to_string();
        if complaint.is_error() {
            report.fail("configuration", detail, "");
        } else {
            report.warn("configuration", detail, "");
        }
    }
}

#[expect(clippy::print_stdout, reason = "this is what the command is for")]
fn print(report: &Report, format: ReportFormat) {
    match format {
        ReportFormat::Text => print!("{report}"),
        ReportFormat::Json => println!("{}", report.json()),
    }
}
