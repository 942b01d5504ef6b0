//! `landbridge certs`: a small CA, and what certificates say and are worth.

mod args;
mod authority;
mod crl;
mod examples;
mod inspect;
mod issue;
mod place;
mod renew;
mod tell;
mod verify;
mod write;

use std::process::ExitCode;

pub(crate) use self::args::Certs;
use self::args::CertsCommand;

/// Does what is asked; 0 if it worked, or if what was asked about is accepted.
pub(crate) fn certs(arguments: &Certs) -> anyhow::Result<ExitCode> {
    match &arguments.command {
        CertsCommand::Ca(ca) => authority::root(ca)?,
        CertsCommand::Intermediate(intermediate) => authority::intermediate(intermediate)?,
        CertsCommand::Issue(issue) => issue::issue(issue)?,
        CertsCommand::Renew(renew) => renew::renew(renew)?,
        CertsCommand::Crl(crl) => crl::crl(crl)?,
        CertsCommand::Inspect(inspect) => return Ok(inspect::inspect(inspect)),
        CertsCommand::Verify(verify) => return verify::verify(verify),
    }
    Ok(ExitCode::SUCCESS)
}
