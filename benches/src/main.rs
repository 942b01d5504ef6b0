//! `landbridge-bench`: what measures and checks gateways, ours and others.

mod ends;
mod verify;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "landbridge-bench", version, about = "Measures and checks gateways, Landbridge and others")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Verify(Box<verify::Verify>),
    Ends(ends::Ends),
}

fn main() -> anyhow::Result<ExitCode> {
    match Arguments::parse().command {
        Command::Verify(verify) => verify.run(),
        Command::Ends(ends) => ends.run(),
    }
}
