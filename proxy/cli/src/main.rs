//! The `landbridge` command: what a process owns, from flags and signals to logs and threads.

mod access_log;
mod args;
mod ask;
mod banner;
mod certs;
mod check;
mod clock;
mod config;
mod control;
mod demo;
mod drain;
mod explain;
mod harden;
mod inherit;
mod life;
mod lines;
mod listen;
mod load;
mod logging;
mod manual;
mod observers;
mod print;
mod probe;
mod reload;
mod report_format;
mod run;
mod signals;
mod stream;
mod validate;
mod version;
mod watch;
mod watchdog;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

use crate::args::{Arguments, Command};

fn main() -> ExitCode {
    let Arguments { command } = Arguments::parse();
    let done = match command {
        Command::Run(run) => run::run(&run),
        Command::Validate(validate) => Ok(validate::validate(&validate)),
        Command::Explain(explain) => explain::explain(&explain),
        Command::Check(check) => check::check(&check),
        Command::Probe(probe) => probe::probe(&probe),
        Command::Drain(drain) => drain::drain(&drain),
        Command::Demo(demo) => demo::demo(&demo),
        Command::Certs(certs) => certs::certs(&certs),
        Command::Control(control) => control::control(&control),
        Command::Config(print) => config::config(&print),
        Command::Completions(completions) => manual::completions(&completions),
        Command::Man(man) => manual::man(&man),
    };
    done.unwrap_or_else(|error| {
        say_error(&error);
        ExitCode::FAILURE
    })
}

/// The last word of a command that failed; nobody may be there any more to read it, and that is no panic.
fn say_error(error: &anyhow::Error) {
    let _ = writeln!(io::stderr(), "landbridge: {error:#}");
}
