//! `landbridge control`: the server that feeds gateways, from the files of a folder, and what a gateway's operator asks
//! of a stream.

mod args;
mod confirm;
mod serve;
mod status;
mod validate;

use std::path::Path;
use std::process::ExitCode;

use landbridge::config::Source;
use landbridge_core::config::fleet::{ServerConfig, server};

pub(crate) use self::args::Control;
use self::args::ControlCommand;
use crate::load::{Complaint, read};

/// Does what is asked.
pub(crate) fn control(arguments: &Control) -> anyhow::Result<ExitCode> {
    match &arguments.command {
        ControlCommand::Serve(serve) => serve::serve(serve),
        ControlCommand::Validate(validate) => Ok(validate::validate(validate)),
        ControlCommand::Status(status) => status::status(status),
        ControlCommand::Confirm(confirm) => confirm::confirm(confirm),
    }
}

/// Reads the server's own file, or takes the defaults where there is none; with what is worth a warning.
///
/// # Errors
/// Everything that is wrong, at once; warnings among it.
fn configured(path: Option<&Path>) -> Result<(ServerConfig, Vec<Complaint>), Vec<Complaint>> {
    let texts = |problems: landbridge::config::Problems| problems.into_iter().map(Complaint::Text).collect();
    let (text, source) = match path {
        Some(path) => {
            let complain = |message| vec![Complaint::File { path: path.to_owned(), message, fatal: true }];
            (read(path).map_err(complain)?, Source::file(path))
        }
        None => (String::new(), Source::file(Path::new("the command line"))),
    };
    server(&text, &source).map(|(config, warnings)| (config, texts(warnings))).map_err(texts)
}
