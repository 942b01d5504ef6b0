//! `landbridge config`: the default configuration, and the schema of the file.

use std::process::ExitCode;

use landbridge_core::config::{DEFAULT, schema};

use crate::args::{ConfigCommand, PrintConfig};
use crate::print::print;

/// Prints what was asked for.
pub(crate) fn config(arguments: &PrintConfig) -> anyhow::Result<ExitCode> {
    match arguments.command {
        ConfigCommand::Default => print(DEFAULT.as_bytes())?,
        ConfigCommand::Schema => {
            print(format!("{}\n", serde_json::to_string_pretty(&schema())?).as_bytes())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
