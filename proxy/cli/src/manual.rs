//! `landbridge completions` and `landbridge man`: the command line, told to shells and to man.

use std::process::ExitCode;

use clap::CommandFactory;

use crate::args::{Arguments, Completions, Man};
use crate::print::{misused, print};

/// Prints what a shell completes the command line by.
pub(crate) fn completions(arguments: &Completions) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "landbridge", &mut script);
    print(&script)?;
    Ok(ExitCode::SUCCESS)
}

/// Prints the page of the command, or of one of its commands.
pub(crate) fn man(arguments: &Man) -> anyhow::Result<ExitCode> {
    let mut command = Arguments::command().disable_help_subcommand(true);
    command.build();
    let mut page = &command;
    for name in &arguments.command {
        match page.find_subcommand(name) {
            Some(found) => page = found,
            None => {
                return Ok(misused(&format!("there is no command {name:?}; landbridge --help lists them")));
            }
        }
    }
    let mut text = Vec::new();
    clap_mangen::Man::new(page.clone()).render(&mut text)?;
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}
